//! Publishes on one connection: many at a time, each until the broker has it on disk.
//!
//! One publish at a time would be bound by a round trip and a disk's sync; RabbitMQ syncs thousands in one.
//! Each publish holds a place in a bounded window until its confirm arrives or its channel ends, whether or
//! not somebody still waits for it: what is not known to be settled may still fill the broker. One task
//! carries all of them, so that what the broker confirms together wakes one task and not many.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};

use super::link::Link;
use super::{BLINK, BrokerError, Message, PATIENCE, State, failed};

/// Publishes under way on one connection.
const WINDOW: usize = 256;
/// A confirm that takes longer will not come: the channel is made anew.
const LOST: Duration = Duration::from_secs(30);
const PERSISTENT: u8 = 2;

pub(super) struct Publisher {
    link: Arc<Link>,
    channel: Mutex<Option<Channel>>,
    window: Arc<Semaphore>,
    carrier: mpsc::UnboundedSender<BoxFuture<'static, ()>>,
}

impl Publisher {
    pub(super) fn new(link: Link) -> Self {
        // The window bounds what is in it.
        let (carrier, publishes) = mpsc::unbounded_channel();
        tokio::spawn(carry(publishes));
        let window = Arc::new(Semaphore::new(WINDOW));
        Self { link: Arc::new(link), channel: Mutex::new(None), window, carrier }
    }

    pub(super) fn state(&self) -> State {
        self.link.state()
    }

    /// Whether a publish would not have to wait for others.
    pub(super) fn has_room(&self) -> bool {
        self.window.available_permits() > 0
    }

    pub(super) async fn up(&self) {
        self.link.up().await;
    }

    /// Waits for what is under way, within bounds, and closes.
    pub(super) async fn close(&self) {
        let all = u32::try_from(WINDOW).unwrap_or(u32::MAX);
        // Out of time: whoever waits is told `Disconnected`.
        tokio::time::timeout(PATIENCE, self.window.acquire_many(all)).await.ok();
        self.link.close().await;
    }

    pub(super) async fn publish(
        &self,
        exchange: String,
        key: String,
        message: Message,
    ) -> Result<(), BrokerError> {
        let publishing = async {
            let place = self.window.clone().acquire_owned().await.map_err(|_| BrokerError::Disconnected)?;
            let channel = self.channel().await?;
            let (tell, told) = oneshot::channel();
            let link = self.link.clone();
            let publish = async move {
                let outcome = confirmed(&link, &channel, &exchange, &key, &message).await;
                drop(place);
                // Whoever asked may have gone away.
                tell.send(outcome).ok();
            };
            self.carrier.send(publish.boxed()).map_err(|_| BrokerError::Disconnected)?;
            told.await.map_err(|_| BrokerError::Disconnected)?
        };
        tokio::select! {
            biased;
            outcome = publishing => outcome,
            () = self.link.blocked() => Err(BrokerError::Blocked),
        }
    }

    /// The channel, made anew where the last one ended.
    async fn channel(&self) -> Result<Channel, BrokerError> {
        let mut kept = self.channel.lock().await;
        if let Some(channel) = kept.as_ref().filter(|channel| channel.status().connected()) {
            return Ok(channel.clone());
        }
        let channel = self.link.channel(BLINK).await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .map_err(|error| failed(&error, "a publishing channel"))?;
        *kept = Some(channel.clone());
        Ok(channel)
    }
}

async fn carry(mut publishes: mpsc::UnboundedReceiver<BoxFuture<'static, ()>>) {
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(_) = under_way.next() => {}
            publish = publishes.recv() => match publish {
                // A panic ends one publish, not all that come after it.
                Some(publish) => under_way.push(AssertUnwindSafe(publish).catch_unwind()),
                None => break,
            },
        }
    }
    while under_way.next().await.is_some() {}
}

async fn confirmed(
    link: &Link,
    channel: &Channel,
    exchange: &str,
    key: &str,
    message: &Message,
) -> Result<(), BrokerError> {
    let properties = BasicProperties::default()
        .with_content_type("application/cloudevents+json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(message.id.hyphenated().to_string().into());
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let publishing = async {
        channel.basic_publish(exchange.into(), key.into(), options, &message.body, properties).await?.await
    };
    tokio::pin!(publishing);
    let confirmation = loop {
        tokio::select! {
            confirmation = &mut publishing => break confirmation.map_err(|error| unpublished(&error, key))?,
            // While it is blocked, the broker has not even read the message.
            () = tokio::time::sleep(LOST) => if link.state() != State::Blocked {
                // Ends every publish of the channel, this one too; a second close finds it closed.
                channel.close(200, "a confirm is missing".into()).await.ok();
                return Err(BrokerError::Timeout);
            },
        }
    };
    match confirmation {
        Confirmation::Nack(_) => Err(BrokerError::Full),
        // lapin calls it confirmed, but no queue has it.
        Confirmation::Ack(Some(_)) => Err(BrokerError::Unroutable),
        Confirmation::Ack(None) => Ok(()),
        Confirmation::NotRequested => {
            Err(BrokerError::Refused("publish: the channel does not confirm".into()))
        }
    }
}

/// A missing exchange ends the channel, and with it what other publishes were on their way.
fn unpublished(error: &lapin::Error, key: &str) -> BrokerError {
    match failed(error, key) {
        BrokerError::Missing(_) => BrokerError::Unroutable,
        other => other,
    }
}
