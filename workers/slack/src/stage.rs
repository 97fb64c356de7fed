//! The stage: posts an analyzed call, once.

use std::sync::Arc;
use std::time::Duration;

use common::cache::{Cache, Slot};
use common::call::CallKind;
use common::event::{CallAnalyzed, Envelope, Nothing};
use common::fault::Fault;
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Effect, Outcome, Receipt, Scope, Stage, StageError, Unknown};
use uuid::Uuid;

use crate::client::{Client, Message, sha256};
use crate::message::{self, Format};
use crate::settings::Settings;

/// A slot of the rate limit that is further away is not waited for in hand.
const PATIENCE: Duration = Duration::from_secs(10);

/// Posts each analyzed call to the configured channel.
pub struct Post {
    /// Absent: Slack is off.
    channel: Option<Channel>,
    format: Format,
}

/// Where messages go, and how.
struct Channel {
    client: Client,
    cache: Arc<dyn Cache>,
    every: Duration,
    unknown: Unknown,
}

impl Post {
    /// `cache` hands out the slots of the channel's rate limit.
    pub fn new(settings: Settings, cache: Arc<dyn Cache>) -> Self {
        let Settings { destination, format, every, unknown } = settings;
        let channel = destination.map(|destination| Channel {
            client: Client::new(destination),
            cache,
            every,
            unknown,
        });
        Self { channel, format }
    }
}

impl Stage for Post {
    type In = CallAnalyzed;
    type Out = Nothing;
    const QUEUE: Queue<CallAnalyzed> = table::SLACK;

    async fn handle(&self, cx: &Cx, event: &Envelope<CallAnalyzed>) -> Result<Outcome<Nothing>, StageError> {
        let Some(channel) = &self.channel else { return Ok(Outcome::Done) };
        let (workspace, id) = (event.workspace, event.call);
        let missing = |what: &str| {
            StageError::permanent("result_missing", anyhow::anyhow!("failed to find the {what} of call {id}"))
        };
        let call = cx.store.call(workspace, id).await?.ok_or_else(|| missing("record"))?;
        if call.kind == CallKind::Practice {
            return Ok(Outcome::Done);
        }
        let analysis = cx.store.analysis(workspace, id).await?.ok_or_else(|| missing("analysis"))?;
        let transcript = cx.store.transcript(workspace, id).await?.ok_or_else(|| missing("transcript"))?;

        let texts = message::write(&call, &analysis, &transcript, &self.format);
        let mut first: Option<String> = None;
        for (number, text) in (1..).zip(&texts) {
            let part = Part { channel, number, text, thread: first.as_deref() };
            let Receipt { remote_id, .. } = cx.once(&part).await?;
            // Of a message that a person declared as sent, nobody knows the id.
            if number == 1 && !remote_id.is_empty() {
                first = Some(remote_id);
            }
        }
        tracing::debug!(messages = texts.len(), "the call is in Slack");
        Ok(Outcome::Done)
    }
}

/// One message of a call: the first is its `post`, the others continue it.
struct Part<'a> {
    channel: &'a Channel,
    /// From 1.
    number: usize,
    text: &'a str,
    /// The receipt of the first.
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
        self.channel.unknown
    }

    fn can_update(&self) -> bool {
        self.channel.client.can_update()
    }

    /// The slot is taken here, where something is sent: a run that finds its first parts already posted
    /// must not wait for them again.
    async fn send(&self, key: Uuid, prior: Option<&str>) -> Result<Receipt, StageError> {
        let Channel { client, cache, every, .. } = self.channel;
        match cache.slot(&client.limit(), *every, PATIENCE).await {
            Slot::Yours(wait) => tokio::time::sleep(wait).await,
            Slot::Later(wait) => {
                let full =
                    anyhow::anyhow!("failed to post to Slack: the channel's rate (SLACK_RATE) is used up");
                return Err(StageError::new(Fault::Throttled(wait), "slack_rate", full));
            }
        }
        let message = Message { text: self.text, effect: key, thread: self.thread, prior };
        let remote_id = client.post(message).await?;
        Ok(Receipt { remote_id, replaced: None })
    }
}
