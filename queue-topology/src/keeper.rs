//! Wakes what is due, relays the outbox, and records what could not be decoded.
//!
//! It runs in every process that runs stages. A purged queue, a lost message or a broker that came back
//! empty is a delay because of it, not a loss.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use domain::call::WorkspaceId;
use domain::event::{CallReceived, Envelope, Event as _};
use store::{DeadLetter, Due, OutboxRow};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::broker::{BrokerError, Delivery, Lane, Message, Route};
use crate::delivery::Engine;
use crate::metrics;
use crate::scrubbing;
use crate::{table, wake_ups};

const LOOK_EVERY: Duration = Duration::from_secs(1);
const REPORT_EVERY: Duration = Duration::from_secs(5);
const LOOK_SOONEST: Duration = Duration::from_millis(20);
/// Rows woken in one look; what is left is due at the next.
const BATCH: i64 = 200;

/// Keeps until `shutdown`.
pub async fn run(engine: Engine, shutdown: CancellationToken) -> Result<(), BrokerError> {
    // A look that has begun is ended: what it took to wake nobody else wakes for a while.
    let looking = shutdown.child_token();
    let keeping = async {
        let recording = async {
            let ended = record_the_dead(&engine, &shutdown).await;
            looking.cancel();
            ended
        };
        tokio::join!(recording, wake_what_is_due(&engine, &looking)).0
    };
    tokio::select! {
        ended = keeping => ended,
        () = report_what_waits(&engine) => Ok(()),
    }
}

async fn wake_what_is_due(engine: &Engine, shutdown: &CancellationToken) {
    loop {
        let pause = match look(engine).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(%error, "failed to look for what is due");
                LOOK_EVERY
            }
        };
        if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

async fn report_what_waits(engine: &Engine) {
    loop {
        if let Err(error) = metrics::observe(engine).await {
            tracing::debug!(%error, "failed to look at what waits");
        }
        tokio::time::sleep(REPORT_EVERY).await;
    }
}

/// One look at the store. Returns how long nothing will be due.
async fn look(engine: &Engine) -> store::Result<Duration> {
    if !engine.broker.healthy() {
        return Ok(LOOK_EVERY);
    }
    let relayed = engine.store.relay_outbox(BATCH, async |rows| relay(engine, rows).await).await?;
    let judges = engine.lease.judges_in().is_zero();
    let due = engine.store.due_runs_seen_by(judges, BATCH).await?;
    if !due.is_empty() {
        platform::failpoint!("due.taken");
    }
    if let Err(error) = wake_all(engine, &due).await? {
        tracing::warn!(%error, "failed to wake what is due; trying again");
        return Ok(LOOK_EVERY);
    }
    if relayed > 0 || i64::try_from(due.len()).unwrap_or(BATCH) >= BATCH {
        return Ok(LOOK_SOONEST);
    }
    let now = engine.store.now();
    let next = engine.store.next_wake().await?.map_or(LOOK_EVERY, |next| next.since(now));
    Ok(next.clamp(LOOK_SOONEST, LOOK_EVERY))
}

/// Sends a message for each row that is due, all at once; what cannot be sent is due at the next look.
async fn wake_all(engine: &Engine, due: &[Due]) -> store::Result<Result<(), BrokerError>> {
    let mut backlogs = HashMap::new();
    let mut sending = Vec::new();
    for run in due {
        let Some(queue) = table::ALL.iter().find(|queue| queue.stage == run.stage) else { continue };
        let lane = Lane::from_name(&run.lane);
        // Its message waits in line like the others'; another one for each would double the line at every look.
        // If it was lost after all, it is made up for once the line is empty.
        if run.announced && has_backlog(engine, &mut backlogs, queue.stage, lane).await {
            continue;
        }
        let message =
            wake_ups::message(queue.stage, (run.workspace, run.call_id, run.generation), false, lane);
        sending.push(async move { (run, engine.broker.publish(message).await) });
    }
    let mut all = Ok(());
    for (run, sent) in futures::future::join_all(sending).await {
        if sent.is_err() {
            engine.store.wake_soon(run.call_id, &run.stage, run.generation).await?;
            all = sent;
        }
    }
    Ok(all)
}

/// Whether messages wait in a queue. Where the broker does not say, nothing speaks against one more.
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

/// Publishes events that ingest had to put aside, all at once: after an outage there are many. Returns those that
/// are on the broker now.
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

/// Takes what was rejected and keeps it where people see it.
async fn record_the_dead(engine: &Engine, shutdown: &CancellationToken) -> Result<(), BrokerError> {
    let mut dead = engine.broker.consume_dead(16).await?;
    while let Some(delivery) = shutdown.run_until_cancelled(dead.next()).await {
        let Some(delivery) = delivery else { return Err(BrokerError::Disconnected) };
        let letter = letter(engine, &delivery);
        // Acknowledged only once it is on record; until then it is offered again.
        match engine.store.bury(&letter).await {
            Ok(()) => {
                platform::failpoint!("buried");
                if let Err(error) = delivery.ack().await {
                    tracing::debug!(%error, "a dead message comes again; it has one record");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "failed to record a dead message");
                drop(delivery);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
    Ok(())
}

fn letter(engine: &Engine, delivery: &Delivery) -> DeadLetter {
    let body = String::from_utf8_lossy(&delivery.body).into_owned();
    let error = Envelope::<CallReceived>::decode(&delivery.body)
        .map_or_else(|error| error.to_string(), |_| "it was rejected, or delivered too often".to_owned());
    let stage = delivery.rejected_by.clone().unwrap_or_else(|| "unknown".to_owned());
    let text = scrubbing::scrub(&error);
    DeadLetter {
        // The same message has one record, however often it is taken.
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
