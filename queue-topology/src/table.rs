//! Every queue, in one table.
//!
//! A queue is typed by the event it carries, so a stage, its queue and its binding cannot disagree.

use std::marker::PhantomData;

use domain::event::{CallAccepted, CallAnalyzed, CallReceived, CallTranscribed, Event};

/// The queue of one stage. Its AMQP names are `<prefix>.<stage>` and `<prefix>.<stage>.bulk`.
#[derive(Debug)]
pub struct Queue<E> {
    pub spec: QueueSpec,
    carries: PhantomData<fn() -> E>,
}

/// What is known of a queue without the type of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSpec {
    pub stage: &'static str,
    /// The key of the events it is bound to.
    pub key: &'static str,
    /// Deliveries a worker holds at once; the bulk lane gets a quarter.
    pub prefetch: u16,
    /// Messages at which publishers are refused; only the first queue has one, since nothing behind it
    /// may refuse what was accepted.
    pub max_length: Option<u32>,
    /// Whether a row in `stage_runs` stands behind every message. Dedup has none: it makes the first.
    pub has_rows: bool,
}

impl QueueSpec {
    /// How many of a worker's deliveries may wait for a slot of a rate limit: half, so that the others go on.
    pub fn may_wait(&self) -> usize {
        usize::from(self.prefetch / 2).max(1)
    }
}

impl<E: Event> Queue<E> {
    const fn new(stage: &'static str, prefetch: u16) -> Self {
        Self {
            spec: QueueSpec { stage, key: E::KEY, prefetch, max_length: None, has_rows: true },
            carries: PhantomData,
        }
    }
}

pub const DEDUP: Queue<CallReceived> = Queue {
    spec: QueueSpec {
        stage: "dedup",
        key: CallReceived::KEY,
        prefetch: 64,
        max_length: Some(1_000_000),
        has_rows: false,
    },
    carries: PhantomData,
};
pub const TRANSCRIPTION: Queue<CallAccepted> = Queue::new("transcription", 4);
pub const ANALYSIS: Queue<CallTranscribed> = Queue::new("analysis", 20);
pub const CRM: Queue<CallAnalyzed> = Queue::new("crm", 20);
pub const SLACK: Queue<CallAnalyzed> = Queue::new("slack", 20);

/// All of them, in the order in which a call passes.
pub const ALL: [QueueSpec; 5] = [DEDUP.spec, TRANSCRIPTION.spec, ANALYSIS.spec, CRM.spec, SLACK.spec];

/// The stages that consume events of this key.
pub fn consumers_of(key: &str) -> impl Iterator<Item = &'static QueueSpec> + '_ {
    ALL.iter().filter(move |queue| queue.key == key)
}
