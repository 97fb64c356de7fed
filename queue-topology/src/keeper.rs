//! The keeper wakes the runs that are due, relays the outbox to the broker, and records messages that could not be
//! decoded.
//!
//! Every process that runs stages has a keeper. Because of it, a purged queue, a lost message or a broker that came
//! back empty is a delay and not a loss.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use domain::call::WorkspaceId;
use domain::event::{CallReceived, Envelope, Event as _};
use store::{DeadLetter, Due, OutboxRow};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::broker::{BrokerError, Delivery, Message, Route};
use crate::engine::Engine;
use crate::history;
use crate::index;
use crate::metrics::waiting;
use crate::scrubbing;
use crate::table::{self, Lane};
use crate::wake_ups;

/// The longest and the shortest pause between two looks at the store.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// How many runs one look wakes. The others are due at the next look.
const BATCH: i64 = 200;

/// Runs the keeper until `shutdown`.
pub async fn run(engine: Engine, shutdown: CancellationToken) -> Result<(), BrokerError> {
    // A look that has begun is finished: nobody else wakes the runs that it took for a while.
    let looking = shutdown.child_token();
    let keeping = async {
        let recording = async {
            let ended = record_dead_messages(&engine, &shutdown).await;
            looking.cancel();
            ended
        };
        tokio::join!(recording, wake_due_runs(&engine, &looking)).0
    };
    tokio::select! {
        ended = keeping => ended,
        () = report_metrics(&engine) => Ok(()),
        () = index::tend(&engine.store) => Ok(()),
        () = engine.waits.show(&engine.store) => Ok(()),
        () = history::keep(&engine) => Ok(()),
    }
}

async fn wake_due_runs(engine: &Engine, shutdown: &CancellationToken) {
    loop {
        let pause = match look(engine).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(%error, "failed to look for runs that are due");
                LONGEST_PAUSE
            }
        };
        if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

async fn report_metrics(engine: &Engine) {
    loop {
        if let Err(error) = waiting::measure(engine).await {
            tracing::debug!(%error, "failed to measure how much work waits");
        }
        tokio::time::sleep(waiting::MEASURE_EVERY).await;
    }
}

/// Looks at the store once. Returns how long to wait before the next look.
async fn look(engine: &Engine) -> store::Result<Duration> {
    if !engine.broker.healthy() {
        return Ok(LONGEST_PAUSE);
    }
    let relayed = engine.store.relay_outbox(BATCH, async |rows| relay(engine, rows).await).await?;
    let may_judge = engine.lease.may_judge_in().is_zero();
    let due = engine.store.due_runs(BATCH, may_judge).await?;
    if !due.is_empty() {
        platform::failpoint!("due.taken");
    }
    if let Err(error) = wake_all(engine, &due).await? {
        tracing::warn!(%error, "failed to wake runs that are due; trying again");
        return Ok(LONGEST_PAUSE);
    }
    if relayed > 0 || i64::try_from(due.len()).unwrap_or(BATCH) >= BATCH {
        return Ok(SHORTEST_PAUSE);
    }
    let now = engine.store.now();
    let next = engine.store.next_wake().await?.map_or(LONGEST_PAUSE, |next| next.since(now));
    Ok(next.clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
}

/// Sends a message for each run that is due, all at once. Where that fails, the run is due at the next look.
async fn wake_all(engine: &Engine, due: &[Due]) -> store::Result<Result<(), BrokerError>> {
    let mut backlogs = HashMap::new();
    let mut sending = Vec::new();
    for run in due {
        let Some(queue) = table::of_stage(&run.stage) else { continue };
        let lane = Lane::from_name(&run.lane);
        // The run's message probably waits in its queue. If each such run got another message, the queue would double
        // at every look. If the message was lost, the run is woken once the queue is empty.
        if run.announced && has_backlog(engine, &mut backlogs, queue.stage, lane).await {
            continue;
        }
        let key = run.key(queue.stage);
        let message = wake_ups::message(&key, false, lane);
        sending.push(async move { (key, engine.broker.publish(message).await) });
    }
    let mut all = Ok(());
    for (key, sent) in futures::future::join_all(sending).await {
        if sent.is_err() {
            engine.store.wake_soon(&key).await?;
            all = sent;
        }
    }
    Ok(all)
}

/// Whether messages wait in a queue. If the broker does not say, the answer is no.
async fn has_backlog(
    engine: &Engine,
    known: &mut HashMap<(&'static str, Lane), bool>,
    stage: &'static str,
    lane: Lane,
) -> bool {
    if let Some(known) = known.get(&(stage, lane)) {
        return *known;
    }
    let has = engine.broker.depth(stage, lane).await.is_ok_and(|depth| depth.ready > 0);
    known.insert((stage, lane), has);
    has
}

/// Publishes events from the outbox, all at once, because after an outage there are many. Returns the ids of the rows
/// that the broker has now.
async fn relay(engine: &Engine, rows: Vec<OutboxRow>) -> Vec<i64> {
    let sending = rows.into_iter().map(async |row| {
        let message = Message {
            route: Route::Event { key: CallReceived::KEY },
            lane: Lane::from_name(&row.lane),
            id: row.event_id,
            body: Bytes::from(row.body),
        };
        (row.id, engine.broker.publish(message).await)
    });
    let (mut published, mut problem) = (Vec::new(), None);
    for (id, sent) in futures::future::join_all(sending).await {
        match sent {
            Ok(()) => {
                platform::failpoint!("relayed");
                published.push(id);
            }
            Err(error) => problem = Some(error),
        }
    }
    if let Some(error) = problem {
        tracing::warn!(%error, "failed to relay events from the outbox");
    }
    published
}

/// Takes messages from the dead queue and records them where people see them.
async fn record_dead_messages(engine: &Engine, shutdown: &CancellationToken) -> Result<(), BrokerError> {
    let mut dead = engine.broker.consume_dead(16).await?;
    while let Some(delivery) = shutdown.run_until_cancelled(dead.next()).await {
        let Some(delivery) = delivery else { return Err(BrokerError::Disconnected) };
        let letter = letter(engine, &delivery);
        // The message is acknowledged only once it is recorded. Until then the broker offers it again.
        match engine.store.bury(&letter).await {
            Ok(()) => {
                platform::failpoint!("buried");
                if let Err(error) = delivery.ack().await {
                    tracing::debug!(%error, "failed to acknowledge a dead message; it comes again and keeps its one record");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "failed to record a dead message");
                drop(delivery);
                tokio::time::sleep(LONGEST_PAUSE).await;
            }
        }
    }
    Ok(())
}

fn letter(engine: &Engine, delivery: &Delivery) -> DeadLetter {
    let body = String::from_utf8_lossy(&delivery.body).into_owned();
    let error = Envelope::<CallReceived>::decode(&delivery.body).map_or_else(
        |error| error.to_string(),
        |_| "the message was rejected, or delivered too often".to_owned(),
    );
    let stage = delivery.rejected_by.clone().unwrap_or_else(|| "unknown".to_owned());
    let text = scrubbing::scrub(&error);
    DeadLetter {
        // The same message always has the same record, however often it is taken.
        id: Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{stage}\n{body}").as_bytes()),
        workspace: None::<WorkspaceId>,
        call_id: None,
        error_group: scrubbing::group("undecodable", &text),
        error_text: text,
        error_code: "undecodable".into(),
        stage,
        generation: 0,
        attempts: 0,
        body,
        died_at: engine.store.now(),
        replayed_at: None,
    }
}
