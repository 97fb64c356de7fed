//! The broker that needs no server: messages in one SQLite file, claims in memory.
//!
//! One process has the file, so what it holds need not be written down: after a crash nobody holds
//! anything, and everything that was not acknowledged is offered again. What is written down is written
//! in groups, since a disk syncs some hundred times a second whatever a sync contains.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Broker, BrokerError, Consumer, Delivery, Depth, Hold, Lane, Message, Route, Settlement, State};
use crate::table::{self, QueueSpec};

mod file;

use file::{File, Op};

/// How long a caller waits for the disk.
const PATIENCE: Duration = Duration::from_secs(10);
/// Operations that wait for the writer; beyond it, publishers wait their turn.
const WINDOW: usize = 4096;
/// Messages of one queue that are kept in memory ahead of its consumers.
const AHEAD: usize = 256;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Embedded {
    ops: mpsc::Sender<Op>,
    queues: Arc<Queues>,
}

impl Embedded {
    /// Opens the file, or makes it. A second process gets [`BrokerError::Locked`].
    pub async fn open(path: &Path) -> Result<Self, BrokerError> {
        Self::open_with(path, &table::ALL).await
    }

    /// With other queues than the table's: a test can set a limit that it can reach.
    pub(crate) async fn open_with(path: &Path, table: &[QueueSpec]) -> Result<Self, BrokerError> {
        let queues = Arc::new(Queues::of(table));
        let file = File::open(path, queues.clone()).await?;
        let (ops, inbox) = mpsc::channel(WINDOW);
        tokio::spawn(file.run(inbox));
        Ok(Self { ops, queues })
    }

    /// Sends an operation to the writer and waits for its answer.
    async fn ask<T>(
        &self,
        op: impl FnOnce(oneshot::Sender<Result<T, BrokerError>>) -> Op,
    ) -> Result<T, BrokerError> {
        let (reply, answer) = oneshot::channel();
        let asking = async {
            self.ops.send(op(reply)).await.map_err(|_| BrokerError::Disconnected)?;
            answer.await.map_err(|_| BrokerError::Disconnected)?
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or(Err(BrokerError::Timeout))
    }

    fn routed(&self, message: &Message) -> Result<Vec<usize>, BrokerError> {
        let targets: Vec<usize> = match message.route {
            Route::Event { key } => self.queues.bound_to(key, message.lane),
            Route::Stage { stage } => self.queues.find(stage, message.lane).into_iter().collect(),
        };
        if targets.is_empty() { Err(BrokerError::Unroutable) } else { Ok(targets) }
    }

    fn take_from(&self, place: usize, prefetch: u16) -> Consumer {
        let hands = Arc::new(Semaphore::new(usize::from(prefetch.max(1))));
        let taking = Taking { broker: self.clone(), place, hands, _seat: self.queues.seat(place) };
        Consumer::new(
            futures::stream::unfold(taking, |taking| async move {
                let delivery = taking.next().await?;
                Some((delivery, taking))
            })
            .boxed(),
        )
    }
}

impl Broker for Embedded {
    fn declare(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        async { if self.queues.closed.is_cancelled() { Err(BrokerError::Disconnected) } else { Ok(()) } }
            .boxed()
    }

    fn publish(&self, message: Message) -> BoxFuture<'_, Result<(), BrokerError>> {
        async move {
            let queues = self.routed(&message)?;
            let key = match message.route {
                Route::Event { key } => Some(key.to_owned()),
                Route::Stage { .. } => None,
            };
            let row = Row {
                message_id: Some(message.id),
                key,
                body: message.body,
                rejected_by: None,
                again: false,
            };
            self.ask(|reply| Op::Publish { queues, row, reply }).await
        }
        .boxed()
    }

    fn consume(
        &self,
        queue: &QueueSpec,
        lane: Lane,
        prefetch: u16,
    ) -> BoxFuture<'_, Result<Consumer, BrokerError>> {
        let place = self.queues.find(queue.stage, lane).ok_or_else(|| missing(queue.stage, lane));
        async move { Ok(self.take_from(place?, prefetch)) }.boxed()
    }

    fn consume_dead(&self, prefetch: u16) -> BoxFuture<'_, Result<Consumer, BrokerError>> {
        async move { Ok(self.take_from(self.queues.dead(), prefetch)) }.boxed()
    }

    fn depth(&self, stage: &str, lane: Lane) -> BoxFuture<'_, Result<Depth, BrokerError>> {
        let place = self.queues.find(stage, lane).ok_or_else(|| missing(stage, lane));
        async move { Ok(self.queues.depth(place?)) }.boxed()
    }

    fn dead_depth(&self) -> BoxFuture<'_, Result<Depth, BrokerError>> {
        async { Ok(self.queues.depth(self.queues.dead())) }.boxed()
    }

    fn purge(&self, stage: &str, lane: Lane) -> BoxFuture<'_, Result<u64, BrokerError>> {
        let place = self.queues.find(stage, lane).ok_or_else(|| missing(stage, lane));
        async move {
            let place = place?;
            self.ask(|reply| Op::Purge { place, reply }).await
        }
        .boxed()
    }

    fn state(&self) -> State {
        if self.queues.closed.is_cancelled() {
            State::Disconnected
        } else if self.queues.failing.load(Ordering::Relaxed) {
            State::Blocked
        } else {
            State::Up
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            // Already closed is closed as well; a failure to write was logged where it happened.
            self.ask(|reply| Op::Close { reply }).await.ok();
        }
        .boxed()
    }
}

fn missing(stage: &str, lane: Lane) -> BrokerError {
    BrokerError::Missing(format!("{stage}{}", lane.suffix()))
}

/// A message without its place.
#[derive(Clone, Debug)]
struct Row {
    message_id: Option<Uuid>,
    key: Option<String>,
    body: Bytes,
    rejected_by: Option<String>,
    /// It may have been delivered before: it was given back, or was there when the file was opened.
    again: bool,
}

/// Every queue of the file, and what this process knows of it.
struct Queues {
    all: Vec<Queue>,
    closed: CancellationToken,
    /// The last write did not succeed.
    failing: AtomicBool,
}

struct Queue {
    name: String,
    stage: &'static str,
    lane: Lane,
    key: &'static str,
    max_length: Option<u64>,
    changed: Notify,
    now: Mutex<QueueNow>,
}

#[derive(Default)]
struct QueueNow {
    /// In memory, nobody's, in order: read ahead, or given back.
    waiting: BTreeMap<i64, Row>,
    /// In somebody's hand.
    held: BTreeSet<i64>,
    /// Everything up to here was read from the file.
    read_to: i64,
    /// The last one in the file.
    last: i64,
    /// Nobody's, be it in memory or only in the file.
    ready: u64,
    consumers: u32,
    /// Somebody has asked the writer to read on.
    reading: bool,
}

enum Next {
    Row(i64, Row),
    Read,
    Wait,
}

impl Queues {
    fn of(table: &[QueueSpec]) -> Self {
        let mut all: Vec<Queue> = table
            .iter()
            .flat_map(|spec| Lane::BOTH.map(|lane| (spec, lane)))
            .map(|(spec, lane)| Queue {
                name: format!("{}{}", spec.stage, lane.suffix()),
                stage: spec.stage,
                lane,
                key: spec.key,
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

    fn find(&self, stage: &str, lane: Lane) -> Option<usize> {
        self.all[..self.dead()].iter().position(|queue| queue.stage == stage && queue.lane == lane)
    }

    fn bound_to(&self, key: &str, lane: Lane) -> Vec<usize> {
        (0..self.dead()).filter(|at| self.all[*at].key == key && self.all[*at].lane == lane).collect()
    }

    fn dead(&self) -> usize {
        self.all.len() - 1
    }

    fn now(&self, place: usize) -> MutexGuard<'_, QueueNow> {
        self.all[place].now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn depth(&self, place: usize) -> Depth {
        let now = self.now(place);
        Depth { ready: now.ready, consumers: now.consumers }
    }

    fn seat(self: &Arc<Self>, place: usize) -> Seat {
        self.now(place).consumers += 1;
        Seat { queues: self.clone(), place }
    }

    /// A row was committed: straight to a consumer where nobody has to read the file first.
    fn arrived(&self, place: usize, id: i64, row: Row) {
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

    fn give_back(&self, place: usize, id: i64, row: Row) {
        let mut now = self.now(place);
        if now.held.remove(&id) {
            now.waiting.insert(id, Row { again: true, ..row });
            now.ready += 1;
        }
        drop(now);
        self.all[place].changed.notify_waiters();
    }

    fn take(&self, place: usize) -> Next {
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
struct Seat {
    queues: Arc<Queues>,
    place: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut now = self.queues.now(self.place);
        now.consumers = now.consumers.saturating_sub(1);
    }
}

/// One consumer.
struct Taking {
    broker: Embedded,
    place: usize,
    /// As many as its prefetch.
    hands: Arc<Semaphore>,
    _seat: Seat,
}

impl Taking {
    async fn next(&self) -> Option<Delivery> {
        let queues = &self.broker.queues;
        let closed = queues.closed.cancelled();
        tokio::pin!(closed);
        let hand = tokio::select! {
            hand = self.hands.clone().acquire_owned() => hand.ok()?,
            () = &mut closed => return None,
        };
        loop {
            // Registered before looking, so that what arrives in between is not slept through.
            let changed = queues.all[self.place].changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if queues.closed.is_cancelled() {
                return None;
            }
            match queues.take(self.place) {
                Next::Row(id, row) => return Some(self.delivery(id, row, hand)),
                Next::Read => {
                    // The place in the channel first: a consumer dropped while it waits has asked nobody.
                    let asking = self.broker.ops.reserve().await.ok()?;
                    if !std::mem::replace(&mut queues.now(self.place).reading, true) {
                        asking.send(Op::Read { place: self.place });
                    }
                }
                Next::Wait => {}
            }
            tokio::select! {
                () = &mut changed => {}
                () = &mut closed => return None,
            }
        }
    }

    fn delivery(&self, id: i64, row: Row, hand: OwnedSemaphorePermit) -> Delivery {
        Delivery {
            body: row.body.clone(),
            redelivered: row.again,
            message_id: row.message_id,
            key: row.key.clone(),
            rejected_by: row.rejected_by.clone(),
            hold: Box::new(Held {
                broker: self.broker.clone(),
                place: self.place,
                id,
                row: Some(row),
                _hand: hand,
            }),
        }
    }
}

struct Held {
    broker: Embedded,
    place: usize,
    id: i64,
    /// `None` once it is settled.
    row: Option<Row>,
    _hand: OwnedSemaphorePermit,
}

impl Held {
    async fn settle(mut self, how: Settlement) -> Result<(), BrokerError> {
        let queues = &self.broker.queues;
        match how {
            Settlement::GiveBack => {} // `drop` does it
            Settlement::Ack => {
                let removal = Op::Remove { id: self.id };
                self.broker.ops.send(removal).await.map_err(|_| BrokerError::Disconnected)?;
                queues.now(self.place).held.remove(&self.id);
                self.row = None;
            }
            Settlement::Reject => {
                let Some(row) = self.row.clone() else { return Ok(()) };
                let stage = queues.all[self.place].stage.to_owned();
                let row = Row { rejected_by: Some(stage), again: true, ..row };
                let id = self.id;
                self.broker.ask(|reply| Op::Bury { id, row, reply }).await?;
                queues.now(self.place).held.remove(&self.id);
                self.row = None;
            }
        }
        Ok(())
    }
}

impl Hold for Held {
    fn settle(self: Box<Self>, how: Settlement) -> BoxFuture<'static, Result<(), BrokerError>> {
        (*self).settle(how).boxed()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(row) = self.row.take() {
            self.broker.queues.give_back(self.place, self.id, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(stage: &'static str) -> Message {
        let body = Bytes::from_static(b"{}");
        Message { route: Route::Stage { stage }, lane: Lane::Live, id: Uuid::new_v4(), body }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_publishers_until_somebody_takes_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let limited = QueueSpec { max_length: Some(2), ..table::DEDUP.spec };
        let path = folder.path().join("queue.db");
        let broker = Embedded::open_with(&path, &[limited, table::CRM.spec]).await.unwrap();
        // Together: the limit counts what is still to be written.
        let outcomes = futures::future::join_all((0..3).map(|_| broker.publish(message("dedup")))).await;
        assert_eq!(outcomes, [Ok(()), Ok(()), Err(BrokerError::Full)]);
        assert_eq!(broker.publish(message("crm")).await, Ok(()));

        let mut consumer = broker.consume(&limited, Lane::Live, 1).await.unwrap();
        consumer.next().await.unwrap().ack().await.unwrap();
        assert_eq!(broker.publish(message("dedup")).await, Ok(()));
    }
}
