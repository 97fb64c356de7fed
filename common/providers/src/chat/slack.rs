//! The client of Slack. It posts a message, and finds it again.
//!
//! Slack has two doors. An incoming webhook takes a text and answers `ok`. A bot with a token can also post to a
//! thread and update a message, and most of its failures come as a 200 with a word. Both doors use the same words,
//! and [`words`] lists them.

mod bot;
mod lookup;
#[cfg(test)]
mod tests;
mod webhook;
mod words;

use std::num::NonZeroU32;
use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::{Code, Codes, Destination, Failure, Refusal, Remote};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::cache::Limiter;
use platform::config::keys::{plain, secret};
use platform::config::{ConfigError, Group, Rate, Values};
use platform::http::{self, HttpError};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

use crate::descriptor::{Check, Checked, Descriptor};
use crate::said;
use crate::slots::Slots;
use bot::Bot;
pub use lookup::Sought;
use webhook::Webhook;

pub(crate) const NAME: &str = "slack";
const BASE_URL: &str = "https://slack.com/api";
/// Slack takes about one message a second in a channel.
const RATE: Rate = Rate { count: NonZeroU32::MIN, per: Duration::from_secs(1) };
/// The time limit of one request. An effect may take 30 seconds, and the wait for a slot takes up to 10 of them.
const TIMEOUT: Duration = Duration::from_secs(15);

pub static REMOTE: Remote = Remote {
    destination: Destination::named(NAME),
    title: "Slack",
    advice: "check SLACK_BOT_TOKEN or SLACK_WEBHOOK_URL",
    codes: Codes {
        unreachable: Code::new("slack_unreachable"),
        no_answer: Code::new("slack_no_answer"),
        too_long: Code::new("slack_answer_too_long"),
        account: Code::new("slack_refused"),
        throttled: Code::new("slack_rate_limited"),
        failed: Code::new("slack_no_answer"),
        refused: Code::new("slack_rejected"),
    },
    default_wait: Duration::from_secs(30),
};

pub static DESCRIPTOR: Descriptor<Slack> = Descriptor {
    name: NAME,
    service: Some(NAME),
    key: "SLACK_BOT_TOKEN",
    settings: Group {
        title: "Slack: an incoming webhook, or a bot token with a channel",
        keys: &[
            secret("SLACK_WEBHOOK_URL", "The incoming webhook's address."),
            secret("SLACK_BOT_TOKEN", "A bot's token (xoxb-…): long transcripts then go to the thread."),
            plain(
                "SLACK_CHANNEL",
                "",
                "The channel, for the bot token, by its id (C0123456789). By a name (#calls) the bot can also post, \
                 and needs channels:read (groups:read for a private channel) to find its messages again.",
            ),
            plain("SLACK_BASE_URL", BASE_URL, "Its address."),
            plain("SLACK_RATE", "1/s", "Messages to one channel in a time, such as 1/s or 30/m."),
            plain(
                "SLACK_UNKNOWN",
                "hold",
                "What becomes of a message that an incoming webhook may have taken: hold (until a person decides) or \
                 resend. With a bot token the channel's history says whether it is there (scope channels:history).",
            ),
        ],
    },
    make: Slack::from_values,
};

/// The page of a message of a bot. `None` for a message of a webhook, and for another service than Slack's.
pub(crate) fn page_of(values: &Values, receipt: &str) -> Option<Url> {
    let is_slack =
        values.url("SLACK_BASE_URL", BASE_URL).is_ok_and(|base| base.host_str() == Some("slack.com"));
    let (channel, ts) = bot::place(receipt).filter(|_| is_slack)?;
    let (seconds, micros) = ts.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_channel = !channel.is_empty() && channel.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_message = is_channel && is_number(seconds) && is_number(micros);
    is_message
        .then(|| Url::parse(&format!("https://slack.com/archives/{channel}/p{seconds}{micros}")).ok())?
}

/// One channel, and the way in which we reach it.
pub struct Slack {
    door: Door,
    limiter: Limiter,
}

enum Door {
    Webhook(Webhook),
    Bot(Bot),
}

/// What to post, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The text in Slack's markup, escaped.
    pub text: &'a str,
    /// The id of the effect. It goes with the message as metadata, so that the message can be found again.
    pub effect: Uuid,
    /// The receipt of the message whose thread this message continues. A webhook has no threads.
    pub thread: Option<&'a str>,
    /// The receipt of the message that this message replaces. A webhook cannot replace a message.
    pub prior: Option<&'a str>,
}

impl Slack {
    /// Reads the settings. `None` where neither a webhook nor a bot is set. If both are set, the bot is used, because
    /// its messages can be threaded and updated.
    pub fn from_values(values: &Values, slots: &Slots) -> Result<Option<Self>, ConfigError> {
        let rate = values.rate("SLACK_RATE")?.unwrap_or(RATE);
        let base = values.url("SLACK_BASE_URL", BASE_URL)?;
        let url = values.secret("SLACK_WEBHOOK_URL");
        if url.is_some() {
            values.url("SLACK_WEBHOOK_URL", "")?;
        }
        let http = || http::client(TIMEOUT);
        let door = match (values.secret("SLACK_BOT_TOKEN"), values.text("SLACK_CHANNEL"), url) {
            (Some(token), Some(channel), _) => Door::Bot(Bot::new(http(), token, channel, base)),
            (Some(_), None, None) => {
                let problem = "is missing: SLACK_BOT_TOKEN needs a channel to post to";
                return Err(ConfigError::new("SLACK_CHANNEL", problem));
            }
            (_, _, Some(url)) => Door::Webhook(Webhook::new(http(), url)),
            (None, _, None) => return Ok(None),
        };
        let limiter = slots.limiter(door.limit(), "SLACK_RATE", Some(rate));
        Ok(Some(Self { door, limiter }))
    }

    /// Takes a slot of the channel's rate limit, posts `message` and returns its receipt. The receipt of a bot's
    /// message is the channel's id and the message's `ts`.
    pub async fn post(&self, message: Message<'_>) -> Result<String, Refusal> {
        self.limiter.slot().await.map_err(|used_up| used_up.refusal(&REMOTE))?;
        match &self.door {
            Door::Webhook(webhook) => webhook.post(message).await,
            Door::Bot(bot) => bot.post(message).await,
        }
    }

    pub fn can_update(&self) -> bool {
        matches!(self.door, Door::Bot(_))
    }

    /// Whether [`Self::find`] can say that a message is not there. A webhook cannot read the channel.
    pub fn can_find(&self) -> bool {
        matches!(self.door, Door::Bot(_))
    }

    /// Looks for a message that may have been posted, and returns its receipt. `None` where the message is not there.
    pub async fn find(&self, sought: Sought<'_>) -> Result<Option<String>, Refusal> {
        match &self.door {
            Door::Webhook(_) => Ok(None),
            Door::Bot(bot) => bot.find(sought).await,
        }
    }
}

impl Check for Slack {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async {
            match &self.door {
                Door::Webhook(_) => {
                    Ok(Checked::Untried { why: "an incoming webhook can be tried only by posting to it" })
                }
                Door::Bot(bot) => bot.try_out().await.map(|()| Checked::reached()),
            }
        }
        .boxed()
    }

    fn remarks(&self) -> Vec<String> {
        match &self.door {
            Door::Bot(bot) if !lookup::is_channel_id(&bot.channel) => vec![format!(
                "SLACK_CHANNEL: `{}` is a name; finding a message again takes the channel's id, or the scope \
                 channels:read (groups:read for a private channel)",
                bot.channel
            )],
            _ => Vec::new(),
        }
    }
}

impl Door {
    /// The name of the rate limit, one for each channel. It does not show the secret.
    fn limit(&self) -> String {
        match self {
            Self::Webhook(webhook) => {
                let digest = Sha256::digest(webhook.url.expose_secret().as_bytes());
                format!("slack:{}", hex::encode(digest))
            }
            Self::Bot(bot) => format!("slack:{}", bot.channel),
        }
    }
}

/// The refusal for a failed request. If the status says that the request may pass later, the status decides. Otherwise
/// the body decides. It is Slack's word itself, or the JSON that a bot gets.
fn refusal(error: &HttpError) -> Refusal {
    let word = bot::word(error.body()).unwrap_or_else(|| error.body().trim().to_owned());
    let by_table = Refusal::of(&REMOTE, &error.failure(said::shown(Some(&word), None, &[])));
    if matches!(by_table.fault, Fault::Transient | Fault::Throttled(_)) {
        return by_table;
    }
    let Some(status) = error.status() else { return by_table };
    if let Some(refusal) = words::meaning(&word, by_table.retry_after) {
        return refusal;
    }
    match status.as_u16() {
        // There is no webhook at this address, or not any more.
        300..=399 | 404 | 410 => {
            let failure = Failure::Status { status: 401, retry_after: None, said: None };
            let text = format!("failed to use Slack: it refuses us ({status}): {}", REMOTE.advice);
            Refusal { text, ..Refusal::of(&REMOTE, &failure) }
        }
        _ => by_table,
    }
}

/// The refusal for an answer that does not say whether the message was taken.
fn unclear(problem: &str) -> Refusal {
    Refusal::of(&REMOTE, &Failure::Lost { problem: problem.to_owned() })
}
