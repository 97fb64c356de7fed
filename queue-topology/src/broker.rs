//! What a stage needs of a message broker: one trait, two brokers, one conformance suite.
//!
//! A message only wakes somebody up, and the row in the store decides what is done. So a broker promises little, but it
//! keeps its promises. Once [`Broker::publish`] returns `Ok`, the message is on disk in every queue that it belongs to.
//! It is offered again until somebody settles it.

use std::fmt;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use platform::config::{ConfigError, Values};
use uuid::Uuid;

pub use crate::table::Lane;
use crate::table::QueueSpec;

pub mod amqp;
pub mod embedded;
#[doc(hidden)]
#[cfg(feature = "testing")]
pub mod suite;

pub use amqp::Amqp;
pub use embedded::Embedded;

/// A message that can be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub route: Route,
    pub lane: Lane,
    /// The event's id, for people who look at a queue. The broker may get the same id several times.
    pub id: Uuid,
    /// A CloudEvents document in JSON.
    pub body: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the queue of every stage that is bound to events of this key.
    Event { key: &'static str },
    /// To the queue of one stage.
    Stage { stage: &'static str },
}

/// Why a broker did not do what it was asked for. The variants differ in what the caller does about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// The broker is short of memory or disk and takes no messages for now. Keep the message elsewhere.
    #[error("the broker is short of memory or disk and takes no messages")]
    Blocked,
    /// A queue is at its limit. Refuse new work, or try again later.
    #[error("a queue is at its length limit")]
    Full,
    /// No queue takes the message. Call [`Broker::declare`], then publish again.
    #[error("no queue takes the message")]
    Unroutable,
    /// The queue does not exist. Call [`Broker::declare`], then try again.
    #[error("the queue `{0}` does not exist")]
    Missing(String),
    /// There is no connection, and a new one is being made. Try again later. A message may or may not have arrived.
    #[error("not connected to the broker")]
    Disconnected,
    /// There was no answer in time. A message may or may not have arrived.
    #[error("the broker did not answer in time")]
    Timeout,
    /// Another process has the queue file open. Use that process, or another data directory.
    #[error("the queue file `{0}` is in use by another process")]
    Locked(String),
    /// The same call will fail again: the credentials are wrong, a queue exists with other arguments, or a file is
    /// damaged.
    #[error("{0}")]
    Refused(String),
}

/// Whether a broker takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Up,
    /// See [`BrokerError::Blocked`].
    Blocked,
    Disconnected,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// How many messages nobody holds.
    pub ready: u64,
    pub consumers: u32,
}

/// A message broker. Every method answers within some seconds, if only with [`BrokerError::Timeout`].
pub trait Broker: Send + Sync + 'static {
    /// Creates every exchange, queue and binding that is missing, and changes none that exists. If one exists with other
    /// arguments, the error is [`BrokerError::Refused`].
    fn declare(&self) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Returns `Ok` when the message is on disk in every queue that it is routed to, and that is at least one. If the
    /// future is dropped, the message may still arrive.
    fn publish(&self, message: Message) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Starts to take messages from the queue of a stage. At most `prefetch` deliveries are unsettled at a time.
    fn consume(
        &self,
        queue: &QueueSpec,
        lane: Lane,
        prefetch: u16,
    ) -> BoxFuture<'_, Result<Consumer, BrokerError>>;

    /// Starts to take rejected messages from the dead queue.
    fn consume_dead(&self, prefetch: u16) -> BoxFuture<'_, Result<Consumer, BrokerError>>;

    fn depth(&self, stage: &str, lane: Lane) -> BoxFuture<'_, Result<Depth, BrokerError>>;

    /// The depth of the dead queue.
    fn dead_depth(&self) -> BoxFuture<'_, Result<Depth, BrokerError>>;

    /// Deletes the messages that nobody holds, and returns how many they were.
    fn purge(&self, stage: &str, lane: Lane) -> BoxFuture<'_, Result<u64, BrokerError>>;

    fn state(&self) -> State;

    fn healthy(&self) -> bool {
        self.state() == State::Up
    }

    /// Settles what is on its way and closes the connection or the file. Consumers end.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The deliveries of one queue. When the consumer is dropped, messages that nobody has taken out of it go back to the
/// queue. Deliveries that were taken out can still be settled.
pub struct Consumer {
    deliveries: BoxStream<'static, Delivery>,
}

impl Consumer {
    pub(crate) fn new(deliveries: BoxStream<'static, Delivery>) -> Self {
        Self { deliveries }
    }

    /// The next delivery. It is `None` when the connection or the queue is gone, or when the broker was closed; then the
    /// caller makes a new consumer. The future can be dropped without losing a delivery.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.next().await
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").finish_non_exhaustive()
    }
}

/// A message that this process holds. If it is dropped before it is settled, it goes back to its queue, so a panic loses
/// no message.
pub struct Delivery {
    pub body: Bytes,
    /// The message may have been delivered before. `false` means that it certainly was not.
    pub redelivered: bool,
    pub message_id: Option<Uuid>,
    /// The key of the event. Absent if the message was sent to this stage alone.
    pub key: Option<String>,
    /// The stage that rejected the message, if it comes from the dead queue.
    pub rejected_by: Option<String>,
    pub(crate) hold: Box<dyn Hold>,
}

impl Delivery {
    /// Removes the message from its queue. Even after `Ok`, a crash of the broker can bring the message again.
    pub async fn ack(self) -> Result<(), BrokerError> {
        self.hold.settle(Settlement::Ack).await
    }

    /// Puts the message back for somebody else, because this process stops. This is never a way to try again.
    pub async fn give_back(self) -> Result<(), BrokerError> {
        self.hold.settle(Settlement::GiveBack).await
    }

    /// Moves the message to the dead queue, because it cannot be decoded.
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

/// A broker's side of a delivery. Its `Drop` gives the message back if it was not settled.
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
    fn a_prefix_that_rabbitmq_does_not_take_is_refused() {
        let of = |value| prefix(&Values::of([("DEBRIEF_QUEUE_PREFIX", value)]));
        assert_eq!(prefix(&Values::default()).unwrap(), "debrief");
        assert_eq!(of("team-1.debrief").unwrap(), "team-1.debrief");
        for bad in ["a b", "amq.x", "naïve", "#", &"x".repeat(101)] {
            assert!(of(bad).unwrap_err().to_string().contains("DEBRIEF_QUEUE_PREFIX"), "{bad}");
        }
    }
}
