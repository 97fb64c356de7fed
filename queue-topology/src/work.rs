//! How much work there is at each stage, as the broker and the store report it, and what holds the places of the workers.

use std::time::Duration;

use domain::moment::Moment;
use futures::future::join_all;
use store::{QueueSample, RunningRun, StageCounts, Store};
use tokio::time::timeout;

use crate::broker::{Broker, BrokerError, Depth, Lane};
use crate::table;

/// When the broker takes longer than this, the depth of the queue is shown as unknown.
const DEPTH_TIMEOUT: Duration = Duration::from_secs(1);
/// How many of the runs that hold places are listed, the oldest of all stages first.
const SHOWN_RUNS: i64 = 200;

/// The work of all stages at one moment.
#[derive(Clone, Debug)]
pub struct Work {
    pub at: Moment,
    /// In the order in which a call passes through them.
    pub stages: Vec<StageWork>,
    /// How many messages could not be read and are not yet listed as dead letters.
    pub rejected: Option<u64>,
}

/// The work of one stage, over all workspaces.
#[derive(Clone, Debug)]
pub struct StageWork {
    pub stage: &'static str,
    /// Absent where the broker did not answer.
    pub live: Option<Depth>,
    /// The queue for imports, for replays, and for senders who send more than their rate.
    pub bulk: Option<Depth>,
    pub waiting_due: i64,
    pub waiting_later: i64,
    pub running: i64,
    pub parked: i64,
    pub dead: i64,
    /// The moment at which the first of all due runs became due.
    pub oldest_due: Option<Moment>,
    /// The runs that hold places of the workers, the oldest first.
    pub held: Vec<RunningRun>,
}

/// Asks the broker and the store. `broker` is absent where this process can ask none.
pub async fn look(store: &Store, broker: Option<&dyn Broker>) -> store::Result<Work> {
    let lanes = table::ALL.iter().map(|queue| {
        let [live, bulk] = Lane::BOTH.map(|lane| depth(broker, queue.stage, Some(lane)));
        async { tokio::join!(live, bulk) }
    });
    let (depths, rejected, counts, running) = tokio::join!(
        join_all(lanes),
        depth(broker, "", None),
        store.stage_counts(),
        store.running_runs(SHOWN_RUNS)
    );
    let (counts, running) = (counts?, running?);
    let stage = |(queue, (live, bulk)): (&table::QueueSpec, (Option<Depth>, Option<Depth>))| {
        let count = counts.iter().find(|count| count.stage == queue.stage);
        let number = |of: fn(&StageCounts) -> i64| count.map_or(0, of);
        StageWork {
            stage: queue.stage,
            live,
            bulk,
            waiting_due: number(|count| count.waiting_due),
            waiting_later: number(|count| count.waiting_later),
            running: number(|count| count.running),
            parked: number(|count| count.parked),
            dead: number(|count| count.dead),
            oldest_due: count.and_then(|count| count.oldest_due),
            held: running.iter().filter(|run| run.stage == queue.stage).cloned().collect(),
        }
    };
    let stages = table::ALL.iter().zip(depths).map(stage).collect();
    Ok(Work { at: store.now(), stages, rejected: rejected.map(|depth| depth.ready) })
}

impl StageWork {
    /// How many messages no worker has taken yet, in both queues.
    pub fn depth(&self) -> Option<u64> {
        Some(self.live?.ready + self.bulk?.ready)
    }

    pub fn consumers(&self) -> Option<u32> {
        Some(self.live?.consumers + self.bulk?.consumers)
    }

    /// How long the oldest of the runs that could start has been waiting to start.
    pub fn oldest_due_for(&self, now: Moment) -> Option<Duration> {
        self.oldest_due.map(|due| now.since(due))
    }

    /// What the history keeps of it.
    pub(crate) fn sample(&self, now: Moment) -> QueueSample {
        let oldest = self.oldest_due_for(now).unwrap_or_default();
        QueueSample {
            stage: self.stage.to_owned(),
            depth: self.depth().map(|depth| i64::try_from(depth).unwrap_or(i64::MAX)),
            consumers: self.consumers().map(i64::from),
            due: self.waiting_due,
            later: self.waiting_later,
            running: self.running,
            parked: self.parked,
            dead: self.dead,
            oldest_due_ms: i64::try_from(oldest.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// The depth of a lane of the stage, or that of the queue of rejected messages.
async fn depth(broker: Option<&dyn Broker>, stage: &'static str, lane: Option<Lane>) -> Option<Depth> {
    let broker = broker?;
    let question = async {
        match lane {
            Some(lane) => broker.depth(stage, lane).await,
            None => broker.dead_depth().await,
        }
    };
    let problem = match timeout(DEPTH_TIMEOUT, question).await {
        Ok(Ok::<_, BrokerError>(depth)) => return Some(depth),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::debug!(problem, "failed to get the depth of a queue");
    None
}
