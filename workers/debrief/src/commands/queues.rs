//! `debrief queues`: shows how much work waits at each stage.

use std::process::ExitCode;
use std::time::Duration;

use domain::moment::Moment;
use platform::config::Values;
use queue_topology::broker::{self, Amqp, Broker, Lane};
use queue_topology::table;
use serde::Serialize;
use store::{RunningRun, StageCounts, Store};

use super::print;
use super::run::StopSignal;
use crate::deployment::{StartError, open_store};
use crate::outcome::Ended;

const EVERY: Duration = Duration::from_secs(1);
/// How many of the runs that workers have are shown, the oldest first.
const SHOWN_RUNS: i64 = 200;

#[derive(Serialize)]
struct Row {
    stage: &'static str,
    /// How many messages wait in both lanes of the queue. `None` where this process can ask no broker.
    depth: Option<u64>,
    consumers: Option<u32>,
    running: i64,
    waiting_due: i64,
    waiting_later: i64,
    parked: i64,
    dead: i64,
    oldest_due_ms: Option<u64>,
    /// The runs that hold places of the workers, the oldest first.
    held: Vec<HeldPlace>,
}

#[derive(Serialize)]
struct HeldPlace {
    call_id: String,
    since: Moment,
    for_ms: u64,
    /// The host, the provider or the `memory` that the run waits for. `None` while the run works by itself.
    waits_for: Option<String>,
}

pub(crate) async fn queues(values: Values, watch: bool, json: bool) -> Ended {
    let store = open_store(&values).await?;
    // The embedded queue belongs to the process that runs it. From outside only the rows of the store can be seen.
    let broker = match values.secret("AMQP_URL") {
        None => None,
        Some(address) => {
            let prefix = broker::prefix(&values)?;
            Some(Amqp::start(&address, &prefix).map_err(anyhow::Error::from)?)
        }
    };
    if watch {
        tokio::select! {
            () = StopSignal::listen()?.given() => {}
            failed = forever(&store, broker.as_ref(), json) => failed?,
        }
    } else {
        show(&rows(&store, broker.as_ref()).await?, json)?;
    }
    if let Some(broker) = broker {
        broker.close().await;
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn forever(store: &Store, broker: Option<&Amqp>, json: bool) -> Result<(), StartError> {
    loop {
        let rows = rows(store, broker).await?;
        if !json {
            // These codes clear the screen and move the cursor to its upper left corner.
            say_on!("\x1b[2J\x1b[H");
        }
        show(&rows, json)?;
        tokio::time::sleep(EVERY).await;
    }
}

fn show(rows: &[Row], json: bool) -> anyhow::Result<()> {
    if json {
        return print::json(&rows);
    }
    let or_dash = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let lines = rows.iter().map(|row| {
        [
            row.stage.to_owned(),
            or_dash(row.depth),
            or_dash(row.consumers.map(u64::from)),
            row.running.to_string(),
            row.waiting_due.to_string(),
            row.waiting_later.to_string(),
            row.parked.to_string(),
            row.dead.to_string(),
            row.oldest_due_ms.map_or_else(|| "-".to_owned(), seconds),
        ]
    });
    print::table(
        ["stage", "depth", "consumers", "running", "due", "later", "parked", "dead", "oldest due"],
        lines,
    );
    let held: Vec<_> = rows
        .iter()
        .flat_map(|row| row.held.iter().map(|place| (row.stage, place)))
        .map(|(stage, place)| {
            [
                stage.to_owned(),
                place.call_id.clone(),
                place.since.to_string(),
                seconds(place.for_ms),
                place.waits_for.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        })
        .collect();
    if !held.is_empty() {
        say!("");
        print::table(["place of", "held by call", "since", "for", "waits for"], held);
    }
    Ok(())
}

fn seconds(ms: u64) -> String {
    format!("{:.1} s", Duration::from_millis(ms).as_secs_f64())
}

fn held(runs: &[RunningRun], stage: &str, now: Moment) -> Vec<HeldPlace> {
    let of_stage = runs.iter().filter(|run| run.stage == stage);
    of_stage
        .map(|run| HeldPlace {
            call_id: run.call_id.to_string(),
            since: run.started_at,
            for_ms: u64::try_from(now.since(run.started_at).as_millis()).unwrap_or(u64::MAX),
            waits_for: run.waits_for.clone(),
        })
        .collect()
}

async fn rows(store: &Store, broker: Option<&Amqp>) -> anyhow::Result<Vec<Row>> {
    let counts = store.stage_counts().await?;
    let running = store.running_runs(SHOWN_RUNS).await?;
    let now = store.now();
    let mut rows = Vec::new();
    for queue in &table::ALL {
        let (depth, consumers) = match broker {
            None => (None, None),
            Some(broker) => {
                let live = broker.depth(queue.stage, Lane::Live).await?;
                let bulk = broker.depth(queue.stage, Lane::Bulk).await?;
                (Some(live.ready + bulk.ready), Some(live.consumers + bulk.consumers))
            }
        };
        let count = counts.iter().find(|count| count.stage == queue.stage);
        let number = |of: fn(&StageCounts) -> i64| count.map_or(0, of);
        rows.push(Row {
            stage: queue.stage,
            depth,
            consumers,
            running: number(|count| count.running),
            waiting_due: number(|count| count.waiting_due),
            waiting_later: number(|count| count.waiting_later),
            parked: number(|count| count.parked),
            dead: number(|count| count.dead),
            oldest_due_ms: count
                .and_then(|count| count.oldest_due)
                .map(|due| u64::try_from(now.since(due).as_millis()).unwrap_or(u64::MAX)),
            held: held(&running, queue.stage, now),
        });
    }
    Ok(rows)
}
