//! The broker that needs no server: its messages are in one SQLite file, and its claims are in memory.
//!
//! Only one process has the file, so the file need not say which messages somebody holds. After a crash nobody holds any
//! message, and every message that was not acknowledged is offered again. Messages are written in groups, because a disk
//! can sync only some hundred times a second, whether a sync contains much or little.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{Broker, BrokerError, Consumer, Delivery, Depth, Hold, Message, Route, Settlement, State};
use crate::table::{self, Lane, QueueSpec};

mod checkpoints;
mod copies;
mod file;
mod lock;
mod operation;
mod queues;

use file::File;
use operation::Operation;
use queues::{Next, Queues, Row, Seat};

/// How long a caller waits for the disk.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many operations can wait for the writer. Publishers above that number wait until there is room.
const WINDOW: usize = 4096;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Embedded {
    operations: mpsc::Sender<Operation>,
    queues: Arc<Queues>,
}

impl Embedded {
    /// Opens the file, or creates it. A second process gets [`BrokerError::Locked`].
    pub async fn open(path: &Path) -> Result<Self, BrokerError> {
        Self::open_with(path, &table::ALL).await
    }

    /// Opens the file with other queues than those of the table, so that a test can set a limit that it can reach.
    pub(crate) async fn open_with(path: &Path, table: &[QueueSpec]) -> Result<Self, BrokerError> {
        let queues = Arc::new(Queues::of(table));
        let file = File::open(path, queues.clone()).await?;
        let (operations, inbox) = mpsc::channel(WINDOW);
        tokio::spawn(file.run(inbox));
        Ok(Self { operations, queues })
    }

    /// Sends an operation to the writer and waits for its answer.
    async fn ask<T>(
        &self,
        operation: impl FnOnce(oneshot::Sender<Result<T, BrokerError>>) -> Operation,
    ) -> Result<T, BrokerError> {
        let (reply, answer) = oneshot::channel();
        let asking = async {
            self.operations.send(operation(reply)).await.map_err(|_| BrokerError::Disconnected)?;
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
        let permits = Arc::new(Semaphore::new(usize::from(prefetch.max(1))));
        let reader = QueueReader { broker: self.clone(), place, permits, _seat: self.queues.seat(place) };
        Consumer::new(
            futures::stream::unfold(reader, |reader| async move {
                let delivery = reader.next().await?;
                Some((delivery, reader))
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
                redelivered: false,
            };
            self.ask(|reply| Operation::Publish { queues, row, reply }).await
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
            self.ask(|reply| Operation::Purge { place, reply }).await
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
            // An error means that the broker is closed already, or that a write failed, which was logged there.
            self.ask(|reply| Operation::Close { reply }).await.ok();
        }
        .boxed()
    }
}

fn missing(stage: &str, lane: Lane) -> BrokerError {
    BrokerError::Missing(format!("{stage}{}", lane.suffix()))
}

/// One consumer of a queue.
struct QueueReader {
    broker: Embedded,
    place: usize,
    /// One permit for each delivery that the consumer may hold.
    permits: Arc<Semaphore>,
    _seat: Seat,
}

impl QueueReader {
    async fn next(&self) -> Option<Delivery> {
        let queues = &self.broker.queues;
        let closed = queues.closed.cancelled();
        tokio::pin!(closed);
        let permit = tokio::select! {
            permit = self.permits.clone().acquire_owned() => permit.ok()?,
            () = &mut closed => return None,
        };
        loop {
            // Registered before the look, so that no message arrives unnoticed in between.
            let changed = queues.all[self.place].changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if queues.closed.is_cancelled() {
                return None;
            }
            match queues.take(self.place) {
                Next::Row(id, row) => return Some(self.delivery(id, row, permit)),
                Next::Read => {
                    // A place in the channel comes first. A consumer that is dropped while it waits for the place has
                    // not asked anybody to read.
                    let asking = self.broker.operations.reserve().await.ok()?;
                    if !std::mem::replace(&mut queues.now(self.place).reading, true) {
                        asking.send(Operation::Read { place: self.place });
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

    fn delivery(&self, id: i64, row: Row, permit: OwnedSemaphorePermit) -> Delivery {
        Delivery {
            body: row.body.clone(),
            redelivered: row.redelivered,
            message_id: row.message_id,
            key: row.key.clone(),
            rejected_by: row.rejected_by.clone(),
            hold: Box::new(HeldDelivery {
                broker: self.broker.clone(),
                place: self.place,
                id,
                row: Some(row),
                _permit: permit,
            }),
        }
    }
}

struct HeldDelivery {
    broker: Embedded,
    place: usize,
    id: i64,
    /// `None` once the delivery is settled.
    row: Option<Row>,
    _permit: OwnedSemaphorePermit,
}

impl HeldDelivery {
    async fn settle(mut self, how: Settlement) -> Result<(), BrokerError> {
        let queues = &self.broker.queues;
        match how {
            // `drop` gives the message back.
            Settlement::GiveBack => {}
            Settlement::Ack => {
                let removal = Operation::Remove { id: self.id };
                self.broker.operations.send(removal).await.map_err(|_| BrokerError::Disconnected)?;
                queues.now(self.place).held.remove(&self.id);
                self.row = None;
            }
            Settlement::Reject => {
                let Some(row) = self.row.clone() else { return Ok(()) };
                let stage = queues.all[self.place].stage.to_owned();
                let row = Row { rejected_by: Some(stage), redelivered: true, ..row };
                let id = self.id;
                self.broker.ask(|reply| Operation::Bury { id, row, reply }).await?;
                queues.now(self.place).held.remove(&self.id);
                self.row = None;
            }
        }
        Ok(())
    }
}

impl Hold for HeldDelivery {
    fn settle(self: Box<Self>, how: Settlement) -> BoxFuture<'static, Result<(), BrokerError>> {
        (*self).settle(how).boxed()
    }
}

impl Drop for HeldDelivery {
    fn drop(&mut self) {
        if let Some(row) = self.row.take() {
            self.broker.queues.give_back(self.place, self.id, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

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
        // They are published at the same time, because the limit also counts messages that are not written yet.
        let outcomes = futures::future::join_all((0..3).map(|_| broker.publish(message("dedup")))).await;
        assert_eq!(outcomes, [Ok(()), Ok(()), Err(BrokerError::Full)]);
        assert_eq!(broker.publish(message("crm")).await, Ok(()));

        let mut consumer = broker.consume(&limited, Lane::Live, 1).await.unwrap();
        consumer.next().await.unwrap().ack().await.unwrap();
        assert_eq!(broker.publish(message("dedup")).await, Ok(()));
    }
}
