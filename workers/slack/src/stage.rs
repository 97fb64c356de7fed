//! The stage that posts each analyzed call to Slack, once.

use std::sync::Arc;

use domain::event::{CallAnalyzed, Envelope, Nothing};
use domain::moment::Moment;
use platform::cache::Cache;
use platform::config::{ConfigError, Installation, Values};
use providers::Slots;
use providers::chat::slack::{Message, Slack, Sought};
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Effect, Outcome, Receipt, Scope, Stage, StageError, Unknown};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

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
    slack: Slack,
    /// Of a message that cannot be looked for.
    unknown: Unknown,
}

impl Post {
    /// To the channel that `values` configure, if any. `cache` gives out the slots of the channel's rate.
    pub fn from_values(
        values: &Values,
        installation: &Installation,
        cache: Arc<dyn Cache>,
    ) -> Result<Self, ConfigError> {
        let slots = Slots::new(cache, Self::QUEUE.spec.may_wait());
        let Settings { slack, format, unknown } = Settings::read(values, installation, &slots)?;
        Ok(Self { channel: slack.map(|slack| Channel { slack, unknown }), format })
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
        hex::encode(Sha256::digest(self.text))
    }

    fn unknown(&self) -> Unknown {
        if self.channel.slack.can_find() { Unknown::Ask } else { self.channel.unknown }
    }

    fn can_update(&self) -> bool {
        self.channel.slack.can_update()
    }

    /// The slot of the channel's rate is taken here, where something is sent: a run that finds its first parts already
    /// posted must not wait for them again.
    async fn send(&self, key: Uuid, prior: Option<&str>) -> Result<Receipt, StageError> {
        let message = Message { text: self.text, effect: key, thread: self.thread, prior };
        let remote_id = self.channel.slack.post(message).await?;
        Ok(Receipt { remote_id, replaced: None })
    }

    async fn ask(&self, key: Uuid, since: Moment) -> Result<Option<Receipt>, StageError> {
        let found = self.channel.slack.find(Sought { effect: key, since, thread: self.thread }).await?;
        Ok(found.map(|remote_id| Receipt { remote_id, replaced: None }))
    }
}
