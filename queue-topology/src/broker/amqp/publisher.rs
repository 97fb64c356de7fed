//! Publishes on one connection: many at a time, each until the broker has it on disk.
//!
//! One publish at a time would be bound by a round trip and a disk's sync; RabbitMQ syncs thousands in one.
//! Each publish holds a place in a bounded window until its confirm arrives or its channel ends, whether or
//! not somebody still waits for it: what is not known to be settled may still fill the broker. One task
//! carries all of them, so that what the broker confirms together wakes one task and not many, and one clock
//! serves all.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, OptionFuture};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};
use platform::batch;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use super::link::Link;
use super::{BLINK, BrokerError, Message, PATIENCE, State, failed};

/// Publishes under way on one connection.
const WINDOW: usize = 256;
/// A confirm that takes longer will not come: the channel is made anew.
const LOST: Duration = Duration::from_secs(30);
/// How exact the two limits of time are.
const LOOK: Duration = Duration::from_secs(1);
const PERSISTENT: u8 = 2;

pub(super) struct Publisher {
    link: Arc<Link>,
    carrier: mpsc::UnboundedSender<Asked>,
    in_hand: Arc<AtomicUsize>,
}

enum Asked {
    Publish(Publish),
    /// To be told when nothing is under way any more.
    Idle(oneshot::Sender<()>),
}

struct Publish {
    exchange: ShortString,
    key: ShortString,
    message: Message,
    asker: Asker,
}

/// What lapin says of a publish; `None` when it panicked.
type Sent = Option<lapin::Result<Confirmation>>;

/// Who wants to know what became of a publish, and since when.
struct Asker {
    since: Instant,
    /// `None` once told.
    tell: Option<oneshot::Sender<Result<(), BrokerError>>>,
}

impl Asker {
    /// Whoever asked may have gone away.
    fn tell(&mut self, outcome: Result<(), BrokerError>) {
        self.tell.take().map(|tell| tell.send(outcome).ok());
    }
}

impl Publisher {
    pub(super) fn new(link: Link) -> Self {
        let link = Arc::new(link);
        let in_hand = Arc::new(AtomicUsize::new(0));
        // Who publishes waits for the outcome, so this holds what its callers have in hand and no more.
        let (carrier, asked) = mpsc::unbounded_channel();
        tokio::spawn(Carrier::new(link.clone(), in_hand.clone()).carry(asked));
        Self { link, carrier, in_hand }
    }

    pub(super) fn state(&self) -> State {
        self.link.state()
    }

    /// Whether a publish would not have to wait for others.
    pub(super) fn has_room(&self) -> bool {
        self.in_hand.load(Ordering::Relaxed) < WINDOW
    }

    pub(super) async fn up(&self) {
        self.link.up().await;
    }

    /// Waits for what is under way, within bounds, and closes.
    pub(super) async fn close(&self) {
        let (tell, told) = oneshot::channel();
        if self.carrier.send(Asked::Idle(tell)).is_ok() {
            // Out of time: whoever waits is told `Disconnected`.
            tokio::time::timeout(PATIENCE, told).await.ok();
        }
        self.link.close().await;
    }

    /// Answers within [`PATIENCE`].
    pub(super) async fn publish(
        &self,
        exchange: &str,
        key: &str,
        message: Message,
    ) -> Result<(), BrokerError> {
        let (tell, told) = oneshot::channel();
        let asker = Asker { since: Instant::now(), tell: Some(tell) };
        let publish = Publish { exchange: exchange.into(), key: key.into(), message, asker };
        self.carrier.send(Asked::Publish(publish)).map_err(|_| BrokerError::Disconnected)?;
        told.await.map_err(|_| BrokerError::Disconnected)?
    }
}

/// What the one task knows.
struct Carrier {
    link: Arc<Link>,
    in_hand: Arc<AtomicUsize>,
    channel: Option<Arc<Channel>>,
    /// What waits for the channel or a place in the window, in the order in which it came.
    waiting: VecDeque<Publish>,
    /// Who asked for what is under way, by number: the first is the oldest.
    under_way: BTreeMap<u64, (Asker, ShortString)>,
    next_number: u64,
    /// When the broker last was known to read nothing: what waited until then is as new as that.
    blocked_until: Instant,
    idle: Vec<oneshot::Sender<()>>,
}

impl Carrier {
    fn new(link: Arc<Link>, in_hand: Arc<AtomicUsize>) -> Self {
        Self {
            link,
            in_hand,
            channel: None,
            waiting: VecDeque::new(),
            under_way: BTreeMap::new(),
            next_number: 0,
            blocked_until: Instant::now(),
            idle: Vec::new(),
        }
    }

    /// Until nobody can ask any more and nothing is under way.
    async fn carry(mut self, mut asked: mpsc::UnboundedReceiver<Asked>) {
        let mut sent = FuturesUnordered::new();
        let mut opening: Option<BoxFuture<'static, Result<Channel, BrokerError>>> = None;
        let mut blockings = self.link.blockings();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut received, mut is_open) = (Vec::new(), true);
        while is_open || !self.waiting.is_empty() || !sent.is_empty() {
            if !self.has_channel() && !self.waiting.is_empty() && opening.is_none() {
                opening = Some(open(self.link.clone()).boxed());
            }
            while let Some(publish) = self.next_to_send() {
                sent.push(publish);
            }
            self.in_hand.store(self.under_way.len() + self.waiting.len(), Ordering::Relaxed);
            self.tell_if_idle();
            tokio::select! {
                biased;
                Some((number, outcome)) = sent.next() => self.settle(number, outcome),
                count = asked.recv_many(&mut received, WINDOW), if is_open => {
                    is_open = count > 0;
                    // What goes out together costs the broker less than one after the other.
                    batch::let_ready_tasks_run().await;
                    received.extend(std::iter::from_fn(|| asked.try_recv().ok()));
                    received.drain(..).for_each(|asked| self.take(asked));
                }
                Some(opened) = OptionFuture::from(opening.as_mut()) => {
                    opening = None;
                    self.opened(opened);
                }
                () = blockings.next() => self.tell_all(&BrokerError::Blocked),
                _ = look.tick(), if self.has_work() => self.look_at_the_clock(),
            }
        }
    }

    fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.under_way.is_empty()
    }

    fn has_channel(&self) -> bool {
        self.channel.as_ref().is_some_and(|channel| channel.status().connected())
    }

    fn take(&mut self, asked: Asked) {
        match asked {
            Asked::Publish(mut publish) if self.link.state() == State::Blocked => {
                publish.asker.tell(Err(BrokerError::Blocked));
            }
            Asked::Publish(publish) => self.waiting.push_back(publish),
            Asked::Idle(tell) => self.idle.push(tell),
        }
    }

    fn opened(&mut self, opened: Result<Channel, BrokerError>) {
        match opened {
            Ok(channel) => self.channel = Some(Arc::new(channel)),
            Err(error) => {
                self.waiting.drain(..).for_each(|mut publish| publish.asker.tell(Err(error.clone())));
            }
        }
    }

    /// The next one that there is a place for. What nobody waits for any more is not sent.
    fn next_to_send(&mut self) -> Option<impl Future<Output = (u64, Sent)> + use<>> {
        if self.under_way.len() >= WINDOW || !self.has_channel() {
            return None;
        }
        let channel = self.channel.clone()?;
        let is_wanted = |publish: &Publish| publish.asker.tell.as_ref().is_some_and(|tell| !tell.is_closed());
        let Publish { exchange, key, message, asker } = loop {
            let publish = self.waiting.pop_front()?;
            if is_wanted(&publish) {
                break publish;
            }
        };
        let number = self.next_number;
        self.next_number += 1;
        self.under_way.insert(number, (asker, key.clone()));
        Some(async move {
            // A panic ends one publish, not all that come after it.
            let sending = AssertUnwindSafe(send(&channel, exchange, key, message)).catch_unwind();
            (number, sending.await.ok())
        })
    }

    fn settle(&mut self, number: u64, outcome: Sent) {
        let Some((mut asker, key)) = self.under_way.remove(&number) else { return };
        asker.tell(match outcome {
            Some(Ok(Confirmation::Ack(None))) => Ok(()),
            // lapin calls it confirmed, but no queue has it.
            Some(Ok(Confirmation::Ack(Some(_)))) => Err(BrokerError::Unroutable),
            Some(Ok(Confirmation::Nack(_))) => Err(BrokerError::Full),
            Some(Ok(Confirmation::NotRequested)) => {
                Err(BrokerError::Refused("publish: the channel does not confirm".into()))
            }
            Some(Err(error)) => Err(unpublished(&error, key.as_str())),
            None => Err(BrokerError::Disconnected),
        });
    }

    /// What is under way stays so: it can still arrive.
    fn tell_all(&mut self, error: &BrokerError) {
        self.under_way.values_mut().for_each(|(asker, _)| asker.tell(Err(error.clone())));
        self.waiting.drain(..).for_each(|mut publish| publish.asker.tell(Err(error.clone())));
    }

    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        if self.link.state() == State::Blocked {
            // The broker has not even read what came since.
            self.blocked_until = now;
        }
        let is_late = |asker: &Asker| now - asker.since >= PATIENCE;
        for (asker, _) in self.under_way.values_mut().filter(|(asker, _)| is_late(asker)) {
            asker.tell(Err(BrokerError::Timeout));
        }
        self.waiting.iter_mut().for_each(|publish| {
            if is_late(&publish.asker) {
                publish.asker.tell(Err(BrokerError::Timeout));
            }
        });
        let oldest = self.under_way.values().next().map(|(asker, _)| asker.since.max(self.blocked_until));
        if oldest.is_some_and(|oldest| now - oldest >= LOST)
            && let Some(channel) = self.channel.take()
        {
            // Ends every publish of the channel. A broker that hangs does not answer this either.
            tokio::spawn(async move { channel.close(200, "a confirm is missing".into()).await.ok() });
        }
    }

    fn tell_if_idle(&mut self) {
        if !self.has_work() {
            // Whoever closes may have run out of time.
            self.idle.drain(..).for_each(|tell| tell.send(()).unwrap_or_default());
        }
    }
}

/// A channel that confirms.
async fn open(link: Arc<Link>) -> Result<Channel, BrokerError> {
    let opening = async {
        let channel = link.channel(BLINK).await?;
        let confirming = channel.confirm_select(ConfirmSelectOptions::default()).await;
        confirming.map_err(|error| failed(&error, "a publishing channel"))?;
        Ok(channel)
    };
    tokio::time::timeout(PATIENCE, opening).await.unwrap_or(Err(BrokerError::Timeout))
}

async fn send(
    channel: &Channel,
    exchange: ShortString,
    key: ShortString,
    message: Message,
) -> lapin::Result<Confirmation> {
    let properties = BasicProperties::default()
        .with_content_type("application/cloudevents+json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(message.id.hyphenated().to_string().into());
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    channel.basic_publish(exchange, key, options, &message.body, properties).await?.await
}

/// A missing exchange ends the channel, and with it what other publishes were on their way.
fn unpublished(error: &lapin::Error, key: &str) -> BrokerError {
    match failed(error, key) {
        BrokerError::Missing(_) => BrokerError::Unroutable,
        other => other,
    }
}
