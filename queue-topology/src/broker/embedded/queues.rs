//! The queues of the file, and what this process knows about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::broker::Depth;
use crate::table::{Lane, QueueSpec};

/// How many messages of one queue are kept in memory ahead of its consumers.
pub(super) const AHEAD: usize = 256;

/// A message, without the queue that it is in.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) message_id: Option<Uuid>,
    pub(super) key: Option<String>,
    pub(super) body: Bytes,
    pub(super) rejected_by: Option<String>,
    /// The message may have been delivered before: it was given back, or it was in the file when that was opened.
    pub(super) redelivered: bool,
}

/// Every queue of the file, and what this process knows of it.
pub(super) struct Queues {
    pub(super) all: Vec<Queue>,
    pub(super) closed: CancellationToken,
    /// The last write failed.
    pub(super) failing: AtomicBool,
}

pub(super) struct Queue {
    pub(super) name: String,
    pub(super) stage: &'static str,
    pub(super) lane: Lane,
    pub(super) key: &'static str,
    pub(super) max_length: Option<u64>,
    pub(super) changed: Notify,
    pub(super) now: Mutex<QueueNow>,
}

#[derive(Default)]
pub(super) struct QueueNow {
    /// The messages in memory that nobody holds, in order. They were read ahead or given back.
    pub(super) waiting: BTreeMap<i64, Row>,
    /// The messages that somebody holds.
    pub(super) held: BTreeSet<i64>,
    /// Every message up to this one was read from the file.
    pub(super) read_to: i64,
    /// The last message in the file.
    pub(super) last: i64,
    /// How many messages nobody holds, in memory and in the file.
    pub(super) ready: u64,
    pub(super) consumers: u32,
    /// Somebody has asked the writer to read more messages.
    pub(super) reading: bool,
}

/// What a consumer does next.
pub(super) enum Next {
    /// It takes this message.
    Row(i64, Row),
    /// It asks the writer to read more messages.
    Read,
    Wait,
}

impl Queues {
    pub(super) fn of(table: &[QueueSpec]) -> Self {
        let mut all: Vec<Queue> = table
            .iter()
            .flat_map(|spec| Lane::BOTH.map(|lane| (spec, lane)))
            .map(|(spec, lane)| Queue {
                name: format!("{}{}", spec.stage, lane.suffix()),
                stage: spec.stage,
                lane,
                // No event has an empty key.
                key: if spec.is_optional { "" } else { spec.key },
                max_length: spec.max_length.map(u64::from),
                changed: Notify::new(),
                now: Mutex::default(),
            })
            .collect();
        all.push(Queue {
            name: "dead".into(),
            stage: "",
            lane: Lane::Live,
            key: "",
            max_length: None,
            changed: Notify::new(),
            now: Mutex::default(),
        });
        Self { all, closed: CancellationToken::new(), failing: AtomicBool::new(false) }
    }

    pub(super) fn find(&self, stage: &str, lane: Lane) -> Option<usize> {
        self.all[..self.dead()].iter().position(|queue| queue.stage == stage && queue.lane == lane)
    }

    pub(super) fn bound_to(&self, key: &str, lane: Lane) -> Vec<usize> {
        (0..self.dead()).filter(|at| self.all[*at].key == key && self.all[*at].lane == lane).collect()
    }

    pub(super) fn dead(&self) -> usize {
        self.all.len() - 1
    }

    pub(super) fn now(&self, place: usize) -> MutexGuard<'_, QueueNow> {
        self.all[place].now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn depth(&self, place: usize) -> Depth {
        let now = self.now(place);
        Depth { ready: now.ready, consumers: now.consumers }
    }

    pub(super) fn seat(self: &Arc<Self>, place: usize) -> Seat {
        self.now(place).consumers += 1;
        Seat { queues: self.clone(), place }
    }

    /// Adds a message that was committed. A consumer gets it from memory, unless older messages are only in the file.
    pub(super) fn arrived(&self, place: usize, id: i64, row: Row) {
        let mut now = self.now(place);
        now.ready += 1;
        if now.read_to == now.last && now.waiting.len() < AHEAD {
            now.waiting.insert(id, row);
            now.read_to = id;
        }
        now.last = id;
        drop(now);
        self.all[place].changed.notify_waiters();
    }

    pub(super) fn give_back(&self, place: usize, id: i64, row: Row) {
        let mut now = self.now(place);
        if now.held.remove(&id) {
            now.waiting.insert(id, Row { redelivered: true, ..row });
            now.ready += 1;
        }
        drop(now);
        self.all[place].changed.notify_waiters();
    }

    pub(super) fn take(&self, place: usize) -> Next {
        let mut now = self.now(place);
        if let Some((id, row)) = now.waiting.pop_first() {
            now.ready = now.ready.saturating_sub(1);
            now.held.insert(id);
            Next::Row(id, row)
        } else if now.read_to < now.last && !now.reading {
            Next::Read
        } else {
            Next::Wait
        }
    }
}

/// Counts a consumer for as long as it lives.
pub(super) struct Seat {
    queues: Arc<Queues>,
    place: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut now = self.queues.now(self.place);
        now.consumers = now.consumers.saturating_sub(1);
    }
}
