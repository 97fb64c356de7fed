//! RabbitMQ, through lapin.
//!
//! Connections are apart by purpose: under a memory or disk alarm RabbitMQ stops reading from whoever
//! publishes, and an acknowledgement on such a connection would wait with it. Each is kept by a supervisor
//! ([`link`]) and simply made anew when it ends; lapin's own recovery is not used, so that an acknowledgement
//! or a confirm can never belong to another connection than its message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use lapin::{Channel, ErrorKind};
use secrecy::{ExposeSecret as _, SecretString};

use super::{Broker, BrokerError, Consumer, Delivery, Depth, Hold, Lane, Message, Route, Settlement, State};
use crate::layout::{self, Layout};
use crate::management::{self, Difference};
use crate::table::QueueSpec;

mod link;
mod publisher;

use link::Link;
use publisher::Publisher;

/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of that may go on waiting for a connection.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long a publish waits for a connection that is being made anew.
const BLINK: Duration = Duration::from_millis(500);
/// How long nothing has to come before a consumer asks whether it still is one.
const QUIET: Duration = Duration::from_secs(10);
const PUBLISHERS: usize = 2;
/// Where RabbitMQ says from which queue a message was rejected first, and how it had got there.
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

impl Amqp {
    /// Starts connecting and does not wait for it: a process can start before its broker. An address that
    /// cannot be one is [`BrokerError::Refused`].
    pub fn start(address: &SecretString, prefix: &str) -> Result<Self, BrokerError> {
        let mut uri: AMQPUri = address.expose_secret().parse().map_err(|_| {
            // The parser's text can hold the password.
            BrokerError::Refused(
                "read the broker's address: expected amqp://user:password@host:port/vhost".into(),
            )
        })?;
        // A host that vanishes is noticed after two of these.
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

    /// What is missing or other than it should be, in words. Bindings and policies are not visible over
    /// AMQP: see [`crate::management::Management`].
    pub async fn check(&self) -> Result<Vec<Difference>, BrokerError> {
        in_time(async {
            let connection = self.shared.administering.connection(CONNECTING).await?;
            management::check(&connection, &self.shared.layout).await
        })
        .await
    }

    async fn administer(&self) -> Result<Channel, BrokerError> {
        // One channel a task: RabbitMQ closes a channel over a queue that is not there.
        self.shared.administering.channel(CONNECTING).await
    }

    /// The first publisher that has room: what goes out together costs less. The others are for when it is
    /// full or cut off.
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
        tokio::time::timeout(BLINK, futures::future::select_all(waiting))
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
        let taking = Taking { shared: self.shared.clone(), channel, deliveries };
        Ok(Consumer::new(
            futures::stream::unfold(taking, |mut taking| async move {
                let delivery = taking.next().await?;
                Some((delivery, taking))
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
            management::declare(&channel, &self.shared.layout).await
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
            // What was published is confirmed, and what was acknowledged is sent, before the rest goes.
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

/// What a failure means; `name` is what was asked for.
pub(crate) fn failed(error: &lapin::Error, name: &str) -> BrokerError {
    match error.kind() {
        ErrorKind::ProtocolError(said) => match said.get_id() {
            404 => BrokerError::Missing(name.to_owned()),
            // 320: the operator closes connections; 541: the node is going down.
            320 | 541 => BrokerError::Disconnected,
            _ => BrokerError::Refused(format!("use `{name}`: {}", said.get_message())),
        },
        ErrorKind::SerialisationError(_) | ErrorKind::ChannelsLimitReached => {
            BrokerError::Refused(format!("use `{name}`: {error}"))
        }
        _ => BrokerError::Disconnected,
    }
}

/// One consumer, on a channel of its own.
struct Taking {
    shared: Arc<Shared>,
    channel: Channel,
    deliveries: lapin::Consumer,
}

impl Taking {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            match tokio::time::timeout(QUIET, self.deliveries.next()).await {
                Ok(Some(Ok(delivery))) => return Some(self.delivery(delivery)),
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

    /// A queue that is deleted and at once made again forgets its consumers without telling them.
    async fn is_forgotten(&self) -> bool {
        let queue = self.deliveries.queue();
        let found = in_time(look(&self.channel, queue.as_str())).await;
        // No answer in time is no answer about us; an error has closed the channel.
        found.map_or_else(|error| error != BrokerError::Timeout, |depth| depth.consumers == 0)
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
        // A wake-up's routing key is only the name of a queue.
        let key = delivery.routing_key.as_str();
        let event =
            (exchange == layout.events()).then(|| key.strip_suffix(Lane::Bulk.suffix()).unwrap_or(key));
        Delivery {
            redelivered: delivery.redelivered,
            message_id: delivery.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok()),
            key: event.map(str::to_owned),
            rejected_by: from.and_then(|queue| layout.stage_of(&queue)),
            body: Bytes::from(delivery.data),
            hold: Box::new(Held { acker: Some(delivery.acker), channel: self.channel.clone() }),
        }
    }
}

fn text(headers: Option<&FieldTable>, name: &str) -> Option<String> {
    match headers?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        _ => None,
    }
}

impl Drop for Taking {
    /// Stops the flow, and gives back at once what was sent ahead: other consumers are free for it, while
    /// the channel lives until the last delivery in hand is settled.
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
            // What cannot be returned so is returned by the end of the channel.
            tokio::time::timeout(PATIENCE, returning).await.ok();
        });
    }
}

async fn give_back(acker: &lapin::Acker) -> lapin::Result<bool> {
    acker.nack(BasicNackOptions { requeue: true, multiple: false }).await
}

struct Held {
    /// `None` once it is settled.
    acker: Option<lapin::Acker>,
    /// Keeps the channel open: an acknowledgement belongs to the channel of its delivery.
    channel: Channel,
}

impl Hold for Held {
    fn settle(mut self: Box<Self>, how: Settlement) -> BoxFuture<'static, Result<(), BrokerError>> {
        let acker = self.acker.take();
        in_time(async move {
            let Some(acker) = acker else { return Ok(()) };
            let sent = match how {
                Settlement::Ack => acker.ack(BasicAckOptions::default()).await,
                Settlement::GiveBack => give_back(&acker).await,
                Settlement::Reject => acker.nack(BasicNackOptions { requeue: false, multiple: false }).await,
            };
            // Until here: the channel must not close under the acknowledgement.
            drop(self);
            // `false`: its channel is gone, and the message is the queue's again.
            if sent.map_err(|error| failed(&error, "a delivery"))? {
                Ok(())
            } else {
                Err(BrokerError::Disconnected)
            }
        })
        .boxed()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (Some(acker), Ok(runtime)) = (self.acker.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let channel = self.channel.clone();
        runtime.spawn(async move {
            // If it fails, the end of the channel gives it back.
            give_back(&acker).await.ok();
            drop(channel);
        });
    }
}
