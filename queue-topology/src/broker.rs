//! What a stage needs of a message broker: one trait, two brokers, one conformance suite.
//!
//! A message only wakes somebody up: the row in the store decides what is done. So a broker here promises
//! little, but that it keeps. Once [`Broker::publish`] says `Ok`, the message is on disk in every queue it
//! belongs to, and it is offered again until somebody settles it.

use std::fmt;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use platform::config::{ConfigError, Values};
use strum::{EnumString, IntoStaticStr};
use uuid::Uuid;

use crate::table::QueueSpec;

pub mod amqp;
pub mod embedded;
#[doc(hidden)]
pub mod suite;

pub use amqp::Amqp;
pub use embedded::Embedded;

/// What can be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub route: Route,
    pub lane: Lane,
    /// The event's id, for people who look at a queue. Nothing is deduplicated by it.
    pub id: Uuid,
    /// A CloudEvents JSON document.
    pub body: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To every stage that consumes events of this key.
    Event { key: &'static str },
    /// To one stage's queue: wake-ups and nudges.
    Stage { stage: &'static str },
}

/// Bulk takes imports, replays and whoever is above their rate, so that a backfill never stands before a
/// live call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Lane {
    Live,
    Bulk,
}

impl Lane {
    pub const BOTH: [Self; 2] = [Self::Live, Self::Bulk];

    /// The lane as it stands in a row.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// Reads a lane from a row. A name that is not known is the live lane: work must not wait for ever behind
    /// other work because of a word.
    pub fn from_name(name: &str) -> Self {
        name.parse().unwrap_or(Self::Live)
    }

    /// What is appended to a queue's name and to a routing key.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Bulk => ".bulk",
        }
    }
}

/// Why a broker did not do it. A variant is what the caller does about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// It is short of memory or disk and takes nothing for now: keep the message elsewhere.
    #[error("the broker is short of memory or disk and takes no messages")]
    Blocked,
    /// A queue is at its limit: refuse work at the door, or try again later.
    #[error("a queue is at its length limit")]
    Full,
    /// No queue takes the message: [`Broker::declare`], then publish again.
    #[error("no queue takes the message")]
    Unroutable,
    /// The queue does not exist: [`Broker::declare`], then try again.
    #[error("the queue `{0}` does not exist")]
    Missing(String),
    /// No connection. It is being made again: try again later. A message may or may not have arrived.
    #[error("not connected to the broker")]
    Disconnected,
    /// No answer in time. A message may or may not have arrived.
    #[error("the broker did not answer in time")]
    Timeout,
    /// Another process has the queue file open: use that one, or another data directory.
    #[error("the queue file `{0}` is in use by another process")]
    Locked(String),
    /// What trying again does not mend: credentials, a queue declared otherwise, a damaged file.
    #[error("{0}")]
    Refused(String),
}

/// Whether a broker can be published to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Up,
    /// See [`BrokerError::Blocked`].
    Blocked,
    Disconnected,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that nobody holds.
    pub ready: u64,
    pub consumers: u32,
}

/// A message broker. Every method answers within some seconds, be it with [`BrokerError::Timeout`].
pub trait Broker: Send + Sync + 'static {
    /// Creates every exchange, queue and binding that is missing. Does nothing to what exists; one that
    /// exists with other arguments is [`BrokerError::Refused`].
    fn declare(&self) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// `Ok` when the message is on disk in every queue it is routed to, of which there is at least one.
    /// When the future is dropped the message may still arrive.
    fn publish(&self, message: Message) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Starts taking from a stage's queue; at most `prefetch` deliveries are unsettled at a time.
    fn consume(
        &self,
        queue: &QueueSpec,
        lane: Lane,
        prefetch: u16,
    ) -> BoxFuture<'_, Result<Consumer, BrokerError>>;

    /// Takes what was rejected.
    fn consume_dead(&self, prefetch: u16) -> BoxFuture<'_, Result<Consumer, BrokerError>>;

    fn depth(&self, stage: &str, lane: Lane) -> BoxFuture<'_, Result<Depth, BrokerError>>;

    /// Of the queue of what was rejected.
    fn dead_depth(&self) -> BoxFuture<'_, Result<Depth, BrokerError>>;

    /// Throws away what nobody holds, and says how many that were.
    fn purge(&self, stage: &str, lane: Lane) -> BoxFuture<'_, Result<u64, BrokerError>>;

    fn state(&self) -> State;

    fn healthy(&self) -> bool {
        self.state() == State::Up
    }

    /// Settles what is on its way and lets go of the connection or the file. Consumers end.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Deliveries of one queue. Dropping it stops the flow: what nobody took out of it goes back to the queue,
/// what is in hand can still be settled.
pub struct Consumer {
    deliveries: BoxStream<'static, Delivery>,
}

impl Consumer {
    pub(crate) fn new(deliveries: BoxStream<'static, Delivery>) -> Self {
        Self { deliveries }
    }

    /// The next delivery; `None` when the connection or the queue is gone, or the broker was closed. The
    /// caller then makes a new consumer. Safe to cancel.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.next().await
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").finish_non_exhaustive()
    }
}

/// A message in hand. Whoever drops it unsettled gives it back, so a panic loses nothing.
pub struct Delivery {
    pub body: Bytes,
    /// It may have been delivered before. `false` is certain.
    pub redelivered: bool,
    pub message_id: Option<Uuid>,
    /// The key of the event, unless it was sent to this stage alone.
    pub key: Option<String>,
    /// In the dead queue: the stage that rejected it.
    pub rejected_by: Option<String>,
    pub(crate) hold: Box<dyn Hold>,
}

impl Delivery {
    /// It is done with. `Ok` does not say that the broker knows: a crash can bring the message again.
    pub async fn ack(self) -> Result<(), BrokerError> {
        self.hold.settle(Settlement::Ack).await
    }

    /// Puts it back for somebody else, when this process stops. Never a way to try again.
    pub async fn give_back(self) -> Result<(), BrokerError> {
        self.hold.settle(Settlement::GiveBack).await
    }

    /// It cannot be decoded: moves it to the dead queue.
    pub async fn reject(self) -> Result<(), BrokerError> {
        self.hold.settle(Settlement::Reject).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message_id", &self.message_id)
            .field("key", &self.key)
            .field("redelivered", &self.redelivered)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    Ack,
    GiveBack,
    Reject,
}

/// A broker's side of a delivery. Its `Drop` gives back what was not settled.
pub(crate) trait Hold: Send + Sync {
    fn settle(self: Box<Self>, how: Settlement) -> BoxFuture<'static, Result<(), BrokerError>>;
}

/// The prefix of every name on the broker, from `DEBRIEF_QUEUE_PREFIX`.
pub fn prefix(values: &Values) -> Result<String, ConfigError> {
    const NAME: &str = "DEBRIEF_QUEUE_PREFIX";
    let prefix = values.text(NAME).unwrap_or_else(|| "debrief".to_owned());
    let plain = prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    // RabbitMQ keeps `amq.` for itself and takes at most 255 bytes for a name.
    if !plain || prefix.len() > 100 || prefix.starts_with("amq.") {
        return Err(ConfigError::new(
            NAME,
            "may hold up to 100 letters, digits, `-`, `_` and `.`, and not start with `amq.`",
        ));
    }
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_of_names_is_one_that_rabbitmq_takes() {
        let of = |value| prefix(&Values::of([("DEBRIEF_QUEUE_PREFIX", value)]));
        assert_eq!(prefix(&Values::default()).unwrap(), "debrief");
        assert_eq!(of("team-1.debrief").unwrap(), "team-1.debrief");
        for bad in ["a b", "amq.x", "naïve", "#", &"x".repeat(101)] {
            assert!(of(bad).unwrap_err().to_string().contains("DEBRIEF_QUEUE_PREFIX"), "{bad}");
        }
    }
}
