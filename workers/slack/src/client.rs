//! Posts a text to Slack, and says what its refusal means.
//!
//! Slack has two doors: an incoming webhook takes a text and answers `ok`; a bot's token posts, threads
//! and updates, and answers most failures with 200 and a word. Both use one set of words, listed here.

mod bot;
mod lookup;
mod webhook;

use std::time::Duration;

use domain::fault::Fault;
use platform::http::HttpError;
use queue_topology::StageError;
use reqwest::StatusCode;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use bot::Bot;
pub use lookup::{LookError, Sought, is_channel_id};
pub use webhook::Webhook;

use crate::settings::Destination;

/// Below the 30 seconds that an effect may take, of which waiting for a slot takes up to 10.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Where Slack says that it was too much, but not for how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// What to post, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// In Slack's markup, escaped.
    pub text: &'a str,
    /// Goes with the message as metadata, so that it can be found again.
    pub effect: Uuid,
    /// The receipt of the message whose thread this continues. A webhook has no threads.
    pub thread: Option<&'a str>,
    /// The receipt of the message that this replaces. A webhook cannot replace.
    pub prior: Option<&'a str>,
}

pub enum Client {
    Webhook(Webhook),
    Bot(Bot),
}

impl Client {
    pub fn new(destination: Destination) -> Self {
        let http = platform::http::client(TIMEOUT);
        match destination {
            Destination::Webhook { url } => Self::Webhook(Webhook::new(http, url)),
            Destination::Bot { token, channel, base } => Self::Bot(Bot::new(http, token, channel, base)),
        }
    }

    /// Posts `message` and returns its receipt: with a bot, the channel's id and the message's `ts`.
    pub async fn post(&self, message: Message<'_>) -> Result<String, SlackError> {
        match self {
            Self::Webhook(webhook) => webhook.post(message).await,
            Self::Bot(bot) => bot.post(message).await,
        }
    }

    pub fn can_update(&self) -> bool {
        matches!(self, Self::Bot(_))
    }

    /// Whether [`Self::find`] can say that a message is not there. A webhook shows nothing.
    pub fn can_find(&self) -> bool {
        matches!(self, Self::Bot(_))
    }

    /// The receipt of a message that may have been posted, if it is there.
    pub async fn find(&self, sought: Sought<'_>) -> Result<Option<String>, LookError> {
        match self {
            Self::Webhook(_) => Ok(None),
            Self::Bot(bot) => bot.find(sought).await,
        }
    }

    /// Tries what can be tried without posting: with a bot, its token, its scopes and its channel.
    pub async fn check(&self) -> Result<(), LookError> {
        match self {
            Self::Webhook(_) => Ok(()),
            Self::Bot(bot) => bot.check().await,
        }
    }

    /// Names the channel as far as we know it, without telling the secret.
    pub fn limit(&self) -> String {
        match self {
            Self::Webhook(webhook) => format!("slack:{}", sha256(webhook.url.expose_secret())),
            Self::Bot(bot) => format!("slack:{}", bot.channel),
        }
    }
}

pub(crate) fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// What to do about a message that was not posted, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum SlackError {
    /// Nothing gets through until somebody mends the credentials or the address.
    #[error("failed to post to Slack: it refuses us (`{said}`): check SLACK_BOT_TOKEN or SLACK_WEBHOOK_URL")]
    Refused { code: &'static str, said: String },
    #[error("failed to reach Slack: {0}")]
    Unreachable(String),
    #[error("failed to post to Slack: it asks to wait {} s", .0.as_secs())]
    Throttled(Duration),
    /// It may have been posted all the same.
    #[error("failed to learn whether Slack took the message: {said}")]
    Lost { said: String, retry_after: Option<Duration> },
    /// This message will be refused every time.
    #[error("failed to post to Slack: it rejects the message (`{said}`)")]
    Rejected { code: &'static str, said: String },
}

impl From<SlackError> for StageError {
    fn from(error: SlackError) -> Self {
        match error {
            SlackError::Refused { code, .. } => Self::unavailable("slack", code, error),
            SlackError::Unreachable(_) => Self::unavailable("slack", "slack_unreachable", error),
            SlackError::Throttled(wait) => Self::new(Fault::Throttled(wait), "slack_rate_limited", error),
            SlackError::Lost { retry_after, .. } => {
                Self::transient("slack_no_answer", error).maybe_sent().retry_after(retry_after)
            }
            SlackError::Rejected { code, .. } => Self::permanent(code, error),
        }
    }
}

impl From<HttpError> for SlackError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::NotSent(said) => Self::Unreachable(said),
            HttpError::Lost(_) | HttpError::TooLong { .. } => {
                Self::Lost { said: error.to_string(), retry_after: None }
            }
            HttpError::Status { status, retry_after, ref body } => {
                if status == StatusCode::TOO_MANY_REQUESTS {
                    return throttled(retry_after);
                }
                // Not the body: it can quote the message.
                let told = error.to_string();
                if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
                    return Self::Lost { said: told, retry_after };
                }
                // The body is the word itself, or the JSON that a bot gets.
                let word = bot::word(body.as_bytes()).unwrap_or_else(|| body.trim().to_owned());
                said(&word, retry_after).unwrap_or_else(|| match status.as_u16() {
                    300..=399 | 401 | 403 | 404 | 410 => Self::Refused { code: "slack_refused", said: told },
                    _ => Self::Rejected { code: "slack_rejected", said: told },
                })
            }
        }
    }
}

fn throttled(retry_after: Option<Duration>) -> SlackError {
    SlackError::Throttled(retry_after.unwrap_or(DEFAULT_WAIT).max(Duration::from_secs(1)))
}

/// Words that say that our credentials, or the webhook, are of no use.
const REFUSALS: [(&str, &str); 18] = [
    ("access_denied", "slack_access_denied"),
    ("account_inactive", "slack_account_inactive"),
    ("ekm_access_denied", "slack_access_denied"),
    ("enterprise_is_restricted", "slack_access_denied"),
    ("invalid_auth", "slack_invalid_auth"),
    ("invalid_token", "slack_invalid_auth"),
    ("missing_scope", "slack_missing_scope"),
    ("no_active_hooks", "slack_no_service"),
    ("no_permission", "slack_access_denied"),
    ("no_service", "slack_no_service"),
    ("no_service_id", "slack_no_service"),
    ("no_team", "slack_no_service"),
    ("not_allowed_token_type", "slack_invalid_auth"),
    ("not_authed", "slack_invalid_auth"),
    ("org_login_required", "slack_access_denied"),
    ("team_disabled", "slack_account_inactive"),
    ("token_expired", "slack_token_expired"),
    ("token_revoked", "slack_token_revoked"),
];

/// Words about this message or this channel.
const REJECTIONS: [(&str, &str); 19] = [
    ("action_prohibited", "slack_action_prohibited"),
    ("as_user_not_supported", "slack_rejected"),
    ("cannot_reply_to_message", "slack_thread_gone"),
    ("cant_update_message", "slack_message_gone"),
    ("channel_is_archived", "slack_channel_is_archived"),
    ("channel_not_found", "slack_channel_not_found"),
    ("edit_window_closed", "slack_message_gone"),
    ("invalid_blocks", "slack_invalid_payload"),
    ("invalid_payload", "slack_invalid_payload"),
    ("is_archived", "slack_channel_is_archived"),
    ("is_inactive", "slack_message_gone"),
    ("message_not_found", "slack_message_gone"),
    ("msg_too_long", "slack_message_too_long"),
    ("no_text", "slack_invalid_payload"),
    ("not_in_channel", "slack_not_in_channel"),
    ("posting_to_general_channel_denied", "slack_action_prohibited"),
    ("restricted_action", "slack_action_prohibited"),
    ("thread_not_found", "slack_thread_gone"),
    ("user_not_found", "slack_channel_not_found"),
];

/// What one of Slack's words means; nothing for a word that we do not know.
fn said(word: &str, retry_after: Option<Duration>) -> Option<SlackError> {
    let code =
        |words: &[(&str, &'static str)]| words.iter().find(|(known, _)| *known == word).map(|found| found.1);
    let said = word.to_owned();
    match word {
        "ratelimited" | "rate_limited" | "message_limit_exceeded" => return Some(throttled(retry_after)),
        // Slack says of these that some of the work may have been done.
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" | "rollup_error" => {
            return Some(SlackError::Lost { said, retry_after });
        }
        _ => {}
    }
    if let Some(code) = code(&REFUSALS) {
        return Some(SlackError::Refused { code, said });
    }
    code(&REJECTIONS).map(|code| SlackError::Rejected { code, said })
}
