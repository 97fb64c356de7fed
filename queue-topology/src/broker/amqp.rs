//! RabbitMQ, through lapin.
//!
//! Each purpose has a connection of its own: under a memory or disk alarm, RabbitMQ stops reading from connections that
//! publish, and an acknowledgement on such a connection would have to wait. A supervisor ([`link`]) keeps each connection
//! and makes a new one when it ends. lapin's own recovery is not used, so an acknowledgement or a confirm can never belong
//! to another connection than its message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use lapin::Channel;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Broker, BrokerError, Consumer, Delivery, Depth, Hold, Message, Route, Settlement, State};
use crate::layout::{self, Difference, Layout};
use crate::table::{Lane, QueueSpec};

mod declaration;
mod failure;
mod link;
mod patience;
mod publisher;

use failure::failed;
use link::Link;
use patience::{CONNECTING, PATIENCE, RECONNECTING};
use publisher::Publisher;

/// How long a consumer gets nothing before it asks whether the broker still knows it.
const QUIET: Duration = Duration::from_secs(10);
const PUBLISHERS: usize = 2;
/// The headers in which RabbitMQ names the queue that a message was rejected from first, and the exchange by which the
/// message had come there.
const REJECTED_FROM: &str = "x-first-death-queue";
const SENT_TO: &str = "x-first-death-exchange";

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Amqp {
    shared: Arc<Shared>,
}

struct Shared {
    layout: Layout,
    publishers: Vec<Publisher>,
    consuming: Link,
    administering: Link,
}

fn read_address(address: &SecretString) -> Result<AMQPUri, BrokerError> {
    address.expose_secret().parse().map_err(|_| {
        // The parser's own text is not used, because it can hold the password.
        BrokerError::Refused(
            "read the broker's address: expected amqp://user:password@host:port/vhost".into(),
        )
    })
}

impl Amqp {
    /// Starts to connect and does not wait for it, so a process can start before its broker. If `address` is no address,
    /// the error is [`BrokerError::Refused`].
    pub fn start(address: &SecretString, prefix: &str) -> Result<Self, BrokerError> {
        let mut uri = read_address(address)?;
        // A host that vanishes is noticed after two missing heartbeats.
        uri.query.heartbeat.get_or_insert(10);
        let layout = Layout::new(prefix);
        let publishers = (1..=PUBLISHERS)
            .map(|n| Publisher::new(Link::start(&uri, &format!("{prefix} publish {n}"))))
            .collect();
        let shared = Shared {
            publishers,
            consuming: Link::start(&uri, &format!("{prefix} consume")),
            administering: Link::start(&uri, &format!("{prefix} administer")),
            layout,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether `start` can read this address. Nothing is connected.
    pub fn check_address(address: &SecretString) -> Result<(), BrokerError> {
        read_address(address).map(drop)
    }

    /// Where the broker differs from the layout. Bindings and policies are not visible over AMQP: see
    /// [`crate::management::Management`].
    pub async fn check(&self) -> Result<Vec<Difference>, BrokerError> {
        in_time(async {
            let connection = self.shared.administering.connection(CONNECTING).await?;
            declaration::check(&connection, &self.shared.layout).await
        })
        .await
    }

    async fn administer(&self) -> Result<Channel, BrokerError> {
        // Each task has a channel of its own, because RabbitMQ closes the channel when a queue does not exist.
        self.shared.administering.channel(CONNECTING).await
    }

    /// The first publisher that has room, because messages that are sent together cost less. The others are used when the
    /// first one is full or has no connection.
    async fn publisher(&self) -> Result<&Publisher, BrokerError> {
        let all = &self.shared.publishers;
        let up = || all.iter().filter(|publisher| publisher.state() == State::Up);
        let next = || up().find(|publisher| publisher.has_room()).or_else(|| up().next());
        if let Some(publisher) = next() {
            return Ok(publisher);
        }
        if self.state() == State::Blocked {
            return Err(BrokerError::Blocked);
        }
        let waiting = all.iter().map(|publisher| publisher.up().boxed());
        tokio::time::timeout(RECONNECTING, futures::future::select_all(waiting))
            .await
            .map_err(|_| BrokerError::Disconnected)?;
        next().ok_or(BrokerError::Disconnected)
    }

    async fn take_from(&self, queue: String, prefetch: u16) -> Result<Consumer, BrokerError> {
        let channel = self.shared.consuming.channel(CONNECTING).await?;
        channel
            .basic_qos(prefetch.max(1), BasicQosOptions { global: false })
            .await
            .map_err(|e| failed(&e, &queue))?;
        let deliveries = channel
            .basic_consume(
                queue.as_str().into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(|e| failed(&e, &queue))?;
        let reader = QueueReader { shared: self.shared.clone(), channel, deliveries, unanswered: 0 };
        Ok(Consumer::new(
            futures::stream::unfold(reader, |mut reader| async move {
                let delivery = reader.next().await?;
                Some((delivery, reader))
            })
            .boxed(),
        ))
    }

    async fn depth_of(&self, queue: String) -> Result<Depth, BrokerError> {
        look(&self.administer().await?, &queue).await
    }
}

async fn look(channel: &Channel, queue: &str) -> Result<Depth, BrokerError> {
    let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
    let found = channel
        .queue_declare(queue.into(), passive, FieldTable::default())
        .await
        .map_err(|error| failed(&error, queue))?;
    Ok(Depth { ready: u64::from(found.message_count()), consumers: found.consumer_count() })
}

impl Broker for Amqp {
    fn declare(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        in_time(async {
            let channel = self.administer().await?;
            declaration::declare(&channel, &self.shared.layout).await
        })
        .boxed()
    }

    fn publish(&self, message: Message) -> BoxFuture<'_, Result<(), BrokerError>> {
        async move {
            let layout = &self.shared.layout;
            let (exchange, key) = match message.route {
                Route::Event { key } => (layout.events(), layout::key(key, message.lane)),
                Route::Stage { stage } => (String::new(), layout.queue(stage, message.lane)),
            };
            self.publisher().await?.publish(&exchange, &key, message).await
        }
        .boxed()
    }

    fn consume(
        &self,
        queue: &QueueSpec,
        lane: Lane,
        prefetch: u16,
    ) -> BoxFuture<'_, Result<Consumer, BrokerError>> {
        in_time(self.take_from(self.shared.layout.queue(queue.stage, lane), prefetch)).boxed()
    }

    fn consume_dead(&self, prefetch: u16) -> BoxFuture<'_, Result<Consumer, BrokerError>> {
        in_time(self.take_from(self.shared.layout.dead(), prefetch)).boxed()
    }

    fn depth(&self, stage: &str, lane: Lane) -> BoxFuture<'_, Result<Depth, BrokerError>> {
        in_time(self.depth_of(self.shared.layout.queue(stage, lane))).boxed()
    }

    fn dead_depth(&self) -> BoxFuture<'_, Result<Depth, BrokerError>> {
        in_time(self.depth_of(self.shared.layout.dead())).boxed()
    }

    fn purge(&self, stage: &str, lane: Lane) -> BoxFuture<'_, Result<u64, BrokerError>> {
        let queue = self.shared.layout.queue(stage, lane);
        in_time(async move {
            let channel = self.administer().await?;
            let purged = channel.queue_purge(queue.as_str().into(), QueuePurgeOptions::default()).await;
            purged.map(u64::from).map_err(|error| failed(&error, &queue))
        })
        .boxed()
    }

    fn state(&self) -> State {
        let publishers: Vec<State> = self.shared.publishers.iter().map(Publisher::state).collect();
        if publishers.contains(&State::Up) {
            State::Up
        } else if publishers.contains(&State::Blocked) {
            State::Blocked
        } else {
            State::Disconnected
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            let publishing = self.shared.publishers.iter().map(Publisher::close);
            // First, everything that was published is confirmed. Then the consuming connection sends its
            // acknowledgements.
            futures::future::join_all(publishing).await;
            self.shared.consuming.close().await;
            self.shared.administering.close().await;
        }
        .boxed()
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, BrokerError>>) -> Result<T, BrokerError> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(BrokerError::Timeout))
}

/// One consumer, which has a channel of its own.
struct QueueReader {
    shared: Arc<Shared>,
    channel: Channel,
    deliveries: lapin::Consumer,
    /// How often in a row the broker did not answer when it was asked about this consumer.
    unanswered: u32,
}

impl QueueReader {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            match tokio::time::timeout(QUIET, self.deliveries.next()).await {
                Ok(Some(Ok(delivery))) => {
                    self.unanswered = 0;
                    return Some(self.delivery(delivery));
                }
                Ok(Some(Err(error))) => {
                    tracing::warn!(queue = %self.deliveries.queue(), %error, "a consumer ended");
                    return None;
                }
                Ok(None) => return None,
                Err(_) => {
                    if self.is_forgotten().await {
                        tracing::warn!(queue = %self.deliveries.queue(), "the broker forgot a consumer");
                        return None;
                    }
                }
            }
        }
    }

    /// Whether the broker does not know this consumer any more. A queue that is deleted and made again at once can forget
    /// its consumers without telling them.
    async fn is_forgotten(&mut self) -> bool {
        let queue = self.deliveries.queue();
        match in_time(look(&self.channel, queue.as_str())).await {
            Ok(depth) => {
                self.unanswered = 0;
                depth.consumers == 0
            }
            // One answer that is late says nothing. A channel that does not answer twice will deliver nothing either, and
            // a new consumer loses nothing.
            Err(BrokerError::Timeout) => {
                self.unanswered += 1;
                self.unanswered > 1
            }
            // Any other error has closed the channel.
            Err(_) => true,
        }
    }

    fn delivery(&self, delivery: lapin::message::Delivery) -> Delivery {
        let layout = &self.shared.layout;
        let rejected = delivery.exchange.as_str() == layout.dead();
        let (from, exchange) = if rejected {
            let headers = delivery.properties.headers().as_ref();
            (text(headers, REJECTED_FROM), text(headers, SENT_TO).unwrap_or_default())
        } else {
            (None, delivery.exchange.as_str().to_owned())
        };
        // The routing key of a wake-up is only the name of a queue, and no key of an event.
        let key = delivery.routing_key.as_str();
        let event =
            (exchange == layout.events()).then(|| key.strip_suffix(Lane::Bulk.suffix()).unwrap_or(key));
        Delivery {
            redelivered: delivery.redelivered,
            message_id: delivery.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok()),
            key: event.map(str::to_owned),
            rejected_by: from.and_then(|queue| layout.stage_of(&queue)),
            body: Bytes::from(delivery.data),
            hold: Box::new(HeldDelivery { acker: Some(delivery.acker), channel: self.channel.clone() }),
        }
    }
}

fn text(headers: Option<&FieldTable>, name: &str) -> Option<String> {
    match headers?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        _ => None,
    }
}

impl Drop for QueueReader {
    /// Stops the deliveries, and gives back at once the messages that were sent ahead, so that other consumers can take
    /// them. The channel lives until the last delivery of this consumer is settled.
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (channel, mut deliveries) = (self.channel.clone(), self.deliveries.clone());
        runtime.spawn(async move {
            let returning = async {
                channel.basic_cancel(deliveries.tag(), BasicCancelOptions::default()).await?;
                while let Some(delivery) = deliveries.next().await {
                    give_back(&delivery?.acker).await?;
                }
                Ok::<(), lapin::Error>(())
            };
            // If this fails or takes too long, the end of the channel returns the messages.
            tokio::time::timeout(PATIENCE, returning).await.ok();
        });
    }
}

async fn give_back(acker: &lapin::Acker) -> lapin::Result<bool> {
    acker.nack(BasicNackOptions { requeue: true, multiple: false }).await
}

struct HeldDelivery {
    /// `None` once the delivery is settled.
    acker: Option<lapin::Acker>,
    /// Keeps the channel open, because an acknowledgement belongs to the channel of its delivery.
    channel: Channel,
}

impl Hold for HeldDelivery {
    fn settle(mut self: Box<Self>, how: Settlement) -> BoxFuture<'static, Result<(), BrokerError>> {
        let acker = self.acker.take();
        in_time(async move {
            let Some(acker) = acker else { return Ok(()) };
            let sent = match how {
                Settlement::Ack => acker.ack(BasicAckOptions::default()).await,
                Settlement::GiveBack => give_back(&acker).await,
                Settlement::Reject => acker.nack(BasicNackOptions { requeue: false, multiple: false }).await,
            };
            // The channel is kept until here: it must not close before the acknowledgement is sent.
            drop(self);
            // `false` means that the channel is gone, and the message is back in its queue.
            if sent.map_err(|error| failed(&error, "a delivery"))? {
                Ok(())
            } else {
                Err(BrokerError::Disconnected)
            }
        })
        .boxed()
    }
}

impl Drop for HeldDelivery {
    fn drop(&mut self) {
        let (Some(acker), Ok(runtime)) = (self.acker.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let channel = self.channel.clone();
        runtime.spawn(async move {
            // If this fails, the end of the channel gives the message back.
            give_back(&acker).await.ok();
            drop(channel);
        });
    }
}
