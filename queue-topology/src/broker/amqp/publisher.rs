//! Publishes on one connection, many messages at a time. Each publish lasts until the broker has its message on disk.
//!
//! If one message was published after the other, each would take a round trip and a sync of the disk, while RabbitMQ can
//! sync thousands of messages at once. Each publish holds a place in a limited window until its confirm arrives or its
//! channel ends, even if nobody waits for it any more: as long as its end is not known, its message may still fill the
//! broker. One task carries all publishes. So the confirms that the broker sends together wake one task and not many, and
//! one clock is enough for all.

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

use super::failure::failed;
use super::link::Link;
use super::patience::{PATIENCE, RECONNECTING};
use crate::broker::{BrokerError, Message, State};

/// How many publishes one connection carries at a time.
const WINDOW: usize = 256;
/// A confirm that takes longer than this will not come, so a new channel is made.
const LOST: Duration = Duration::from_secs(30);
/// How often the limits of time are checked.
const LOOK: Duration = Duration::from_secs(1);
const PERSISTENT: u8 = 2;

pub(super) struct Publisher {
    link: Arc<Link>,
    carrier: mpsc::UnboundedSender<Command>,
    /// How many publishes the carrier has.
    load: Arc<AtomicUsize>,
}

enum Command {
    Publish(Publish),
    /// Answer when no publish is left.
    TellIdle(oneshot::Sender<()>),
}

struct Publish {
    exchange: ShortString,
    key: ShortString,
    message: Message,
    caller: Caller,
}

/// What lapin returns for a publish. It is `None` if lapin panicked.
type Sent = Option<lapin::Result<Confirmation>>;

/// The caller of a publish.
struct Caller {
    /// When the caller came.
    since: Instant,
    /// `None` once the caller has its answer.
    answer: Option<oneshot::Sender<Result<(), BrokerError>>>,
}

impl Caller {
    fn answer(&mut self, outcome: Result<(), BrokerError>) {
        // The caller may have gone away.
        self.answer.take().map(|answer| answer.send(outcome).ok());
    }
}

impl Publisher {
    pub(super) fn new(link: Link) -> Self {
        let link = Arc::new(link);
        let load = Arc::new(AtomicUsize::new(0));
        // The channel needs no limit: each caller waits for the end of its publish, so each has one command in it.
        let (carrier, commands) = mpsc::unbounded_channel();
        tokio::spawn(Carrier::new(link.clone(), load.clone()).carry(commands));
        Self { link, carrier, load }
    }

    pub(super) fn state(&self) -> State {
        self.link.state()
    }

    /// Whether a publish would not have to wait for a place.
    pub(super) fn has_room(&self) -> bool {
        self.load.load(Ordering::Relaxed) < WINDOW
    }

    pub(super) async fn up(&self) {
        self.link.up().await;
    }

    /// Waits until no publish is left, but not for ever, and closes the connection.
    pub(super) async fn close(&self) {
        let (tell, idle) = oneshot::channel();
        if self.carrier.send(Command::TellIdle(tell)).is_ok() {
            // When the time is over, callers that still wait get `Disconnected`.
            tokio::time::timeout(PATIENCE, idle).await.ok();
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
        let (tell, answer) = oneshot::channel();
        let caller = Caller { since: Instant::now(), answer: Some(tell) };
        let publish = Publish { exchange: exchange.into(), key: key.into(), message, caller };
        self.carrier.send(Command::Publish(publish)).map_err(|_| BrokerError::Disconnected)?;
        answer.await.map_err(|_| BrokerError::Disconnected)?
    }
}

/// The state of the task that carries all publishes.
struct Carrier {
    link: Arc<Link>,
    load: Arc<AtomicUsize>,
    channel: Option<Arc<Channel>>,
    /// The publishes that wait for the channel or for a place in the window, in the order in which they came.
    waiting: VecDeque<Publish>,
    /// The callers of the publishes that were sent, and their routing keys. The lowest number is the oldest publish.
    sent: BTreeMap<u64, (Caller, ShortString)>,
    next_number: u64,
    /// The last moment at which the broker was known to read nothing. Publishes that waited until then count as sent then.
    blocked_until: Instant,
    idle: Vec<oneshot::Sender<()>>,
}

impl Carrier {
    fn new(link: Arc<Link>, load: Arc<AtomicUsize>) -> Self {
        Self {
            link,
            load,
            channel: None,
            waiting: VecDeque::new(),
            sent: BTreeMap::new(),
            next_number: 0,
            blocked_until: Instant::now(),
            idle: Vec::new(),
        }
    }

    /// Carries publishes until nobody can send a command any more and no publish is left.
    async fn carry(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut sending = FuturesUnordered::new();
        let mut opening: Option<BoxFuture<'static, Result<Channel, BrokerError>>> = None;
        let mut blockings = self.link.blockings();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut received, mut is_open) = (Vec::new(), true);
        while is_open || !self.waiting.is_empty() || !sending.is_empty() {
            if !self.has_channel() && !self.waiting.is_empty() && opening.is_none() {
                opening = Some(open(self.link.clone()).boxed());
            }
            while let Some(publish) = self.next_to_send() {
                sending.push(publish);
            }
            self.load.store(self.sent.len() + self.waiting.len(), Ordering::Relaxed);
            self.tell_if_idle();
            tokio::select! {
                biased;
                Some((number, outcome)) = sending.next() => self.settle(number, outcome),
                count = commands.recv_many(&mut received, WINDOW), if is_open => {
                    is_open = count > 0;
                    // Messages that are sent together cost the broker less than one after the other.
                    batch::let_ready_tasks_run().await;
                    received.extend(std::iter::from_fn(|| commands.try_recv().ok()));
                    received.drain(..).for_each(|command| self.take(command));
                }
                Some(opened) = OptionFuture::from(opening.as_mut()) => {
                    opening = None;
                    self.opened(opened);
                }
                () = blockings.next() => self.answer_all(&BrokerError::Blocked),
                _ = look.tick(), if self.has_work() => self.check_time_limits(),
            }
        }
    }

    fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.sent.is_empty()
    }

    fn has_channel(&self) -> bool {
        self.channel.as_ref().is_some_and(|channel| channel.status().connected())
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Publish(mut publish) if self.link.state() == State::Blocked => {
                publish.caller.answer(Err(BrokerError::Blocked));
            }
            Command::Publish(publish) => self.waiting.push_back(publish),
            Command::TellIdle(tell) => self.idle.push(tell),
        }
    }

    fn opened(&mut self, opened: Result<Channel, BrokerError>) {
        match opened {
            Ok(channel) => self.channel = Some(Arc::new(channel)),
            Err(error) => {
                self.waiting.drain(..).for_each(|mut publish| publish.caller.answer(Err(error.clone())));
            }
        }
    }

    /// The next publish for which there is a place. A publish that nobody waits for any more is not sent.
    fn next_to_send(&mut self) -> Option<impl Future<Output = (u64, Sent)> + use<>> {
        if self.sent.len() >= WINDOW || !self.has_channel() {
            return None;
        }
        let channel = self.channel.clone()?;
        let is_wanted =
            |publish: &Publish| publish.caller.answer.as_ref().is_some_and(|answer| !answer.is_closed());
        let Publish { exchange, key, message, caller } = loop {
            let publish = self.waiting.pop_front()?;
            if is_wanted(&publish) {
                break publish;
            }
        };
        let number = self.next_number;
        self.next_number += 1;
        self.sent.insert(number, (caller, key.clone()));
        Some(async move {
            // A panic must end this publish only, and not all that come after it.
            let sending = AssertUnwindSafe(send(&channel, exchange, key, message)).catch_unwind();
            (number, sending.await.ok())
        })
    }

    fn settle(&mut self, number: u64, outcome: Sent) {
        let Some((mut caller, key)) = self.sent.remove(&number) else { return };
        caller.answer(match outcome {
            Some(Ok(Confirmation::Ack(None))) => Ok(()),
            // lapin reports a confirm, but the message came back because no queue takes it.
            Some(Ok(Confirmation::Ack(Some(_)))) => Err(BrokerError::Unroutable),
            Some(Ok(Confirmation::Nack(_))) => Err(BrokerError::Full),
            Some(Ok(Confirmation::NotRequested)) => {
                Err(BrokerError::Refused("publish: the channel does not confirm".into()))
            }
            Some(Err(error)) => Err(unpublished(&error, key.as_str())),
            None => Err(BrokerError::Disconnected),
        });
    }

    /// Answers all callers. Publishes that were sent keep their places, because their messages can still arrive.
    fn answer_all(&mut self, error: &BrokerError) {
        self.sent.values_mut().for_each(|(caller, _)| caller.answer(Err(error.clone())));
        self.waiting.drain(..).for_each(|mut publish| publish.caller.answer(Err(error.clone())));
    }

    fn check_time_limits(&mut self) {
        let now = Instant::now();
        if self.link.state() == State::Blocked {
            // The broker has not even read what was sent since.
            self.blocked_until = now;
        }
        let is_late = |caller: &Caller| now - caller.since >= PATIENCE;
        for (caller, _) in self.sent.values_mut().filter(|(caller, _)| is_late(caller)) {
            caller.answer(Err(BrokerError::Timeout));
        }
        self.waiting.iter_mut().for_each(|publish| {
            if is_late(&publish.caller) {
                publish.caller.answer(Err(BrokerError::Timeout));
            }
        });
        let oldest = self.sent.values().next().map(|(caller, _)| caller.since.max(self.blocked_until));
        if oldest.is_some_and(|oldest| now - oldest >= LOST)
            && let Some(channel) = self.channel.take()
        {
            // This ends every publish of the channel. It runs in a task of its own, because a broker that hangs does not
            // answer it either.
            tokio::spawn(async move { channel.close(200, "a confirm is missing".into()).await.ok() });
        }
    }

    fn tell_if_idle(&mut self) {
        if !self.has_work() {
            // The caller that closes the publisher may have stopped to wait.
            self.idle.drain(..).for_each(|tell| tell.send(()).unwrap_or_default());
        }
    }
}

/// Opens a channel that confirms messages.
async fn open(link: Arc<Link>) -> Result<Channel, BrokerError> {
    let opening = async {
        let channel = link.channel(RECONNECTING).await?;
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

/// What a failed publish means. A missing exchange ends the channel, and with it all other publishes on it.
fn unpublished(error: &lapin::Error, key: &str) -> BrokerError {
    match failed(error, key) {
        BrokerError::Missing(_) => BrokerError::Unroutable,
        other => other,
    }
}
