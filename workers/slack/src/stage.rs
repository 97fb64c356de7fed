//! The stage that posts each analyzed call to Slack, once.

use std::sync::Arc;

use domain::event::{CallAnalyzed, Envelope, Nothing};
use domain::moment::Moment;
use platform::cache::{Cache, Limiter};
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Effect, Outcome, Receipt, Scope, Stage, StageError, Unknown};
use uuid::Uuid;

use crate::client::{Client, Message, Sought, sha256};
use crate::message::{self, Format};
use crate::settings::Settings;

/// Posts each analyzed call to the configured channel.
pub struct Post {
    /// `None` where Slack is off.
    channel: Option<Channel>,
    format: Format,
}

/// The destination of the messages, and the client that posts them.
struct Channel {
    client: Client,
    limiter: Limiter,
    /// What to do when nobody can say whether the message arrived and the channel cannot be searched.
    unknown: Unknown,
}

impl Post {
    /// Makes the stage. `cache` keeps the rate limit of the channel for all processes.
    pub fn new(settings: Settings, cache: Arc<dyn Cache>) -> Self {
        let Settings { destination, format, rate, unknown } = settings;
        let channel = destination.map(|destination| {
            let client = Client::new(destination);
            let may_wait = Self::QUEUE.spec.may_wait();
            let limiter = Limiter::new(cache, client.limit(), "SLACK_RATE", Some(rate), may_wait);
            Channel { client, limiter, unknown }
        });
        Self { channel, format }
    }
}

impl Stage for Post {
    type In = CallAnalyzed;
    type Out = Nothing;
    const QUEUE: Queue<CallAnalyzed> = table::SLACK;

    async fn handle(&self, cx: &Cx, _event: &Envelope<CallAnalyzed>) -> Result<Outcome<Nothing>, StageError> {
        let Some(channel) = &self.channel else { return Ok(Outcome::Done) };
        let (call, analysis, transcript) = (cx.call().await?, cx.analysis().await?, cx.transcript().await?);
        let texts = message::write(&call, &analysis, &transcript, &self.format);
        let mut first: Option<String> = None;
        for (number, text) in (1..).zip(&texts) {
            let part = Part { channel, number, text, thread: first.as_deref() };
            let Receipt { remote_id, .. } = cx.once(&part).await?;
            // Where a person said that a message was sent, its id is not known.
            if number == 1 && !remote_id.is_empty() {
                first = Some(remote_id);
            }
        }
        tracing::debug!(messages = texts.len(), "the call is in Slack");
        Ok(Outcome::Done)
    }
}

/// One message of a call. The first message is its `post`, and the others continue it.
struct Part<'a> {
    channel: &'a Channel,
    /// The number of the message, counted from 1.
    number: usize,
    text: &'a str,
    /// The receipt of the first message.
    thread: Option<&'a str>,
}

impl Effect for Part<'_> {
    fn target(&self) -> &'static str {
        "slack"
    }

    fn scope(&self) -> Scope {
        Scope::Call
    }

    fn object(&self) -> String {
        match self.number {
            1 => "post".to_owned(),
            number => format!("part:{number}"),
        }
    }

    fn digest(&self) -> String {
        sha256(self.text)
    }

    fn unknown(&self) -> Unknown {
        if self.channel.client.can_find() { Unknown::Ask } else { self.channel.unknown }
    }

    fn can_update(&self) -> bool {
        self.channel.client.can_update()
    }

    /// Takes the slot of the rate limit here, where something is sent. A run that finds its first parts already
    /// posted must not wait for their slots again.
    async fn send(&self, key: Uuid, prior: Option<&str>) -> Result<Receipt, StageError> {
        let Channel { client, limiter, .. } = self.channel;
        limiter.slot().await?;
        let message = Message { text: self.text, effect: key, thread: self.thread, prior };
        let remote_id = client.post(message).await?;
        Ok(Receipt { remote_id, replaced: None })
    }

    async fn ask(&self, key: Uuid, since: Moment) -> Result<Option<Receipt>, StageError> {
        let found = self.channel.client.find(Sought { effect: key, since, thread: self.thread }).await?;
        Ok(found.map(|remote_id| Receipt { remote_id, replaced: None }))
    }
}
