//! Posts and updates messages with a bot's token (`chat.postMessage` and `chat.update`), and reads the answers of all
//! methods of Slack. Most failures come as a 200 with `ok: false` and a word.

use chrono::Utc;
use domain::refusal::Refusal;
use platform::http::{self, Answer};
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::webhook::Body;
use super::{Message, NAME, refusal, unclear, words};
use crate::requests::counted;
use crate::said;

/// The type of the metadata of our messages. It tells our messages from those of others.
pub(super) const EVENT_TYPE: &str = "debrief_post";

pub(super) struct Bot {
    http: reqwest::Client,
    token: SecretString,
    pub(super) channel: String,
    base: Url,
}

#[derive(Serialize)]
struct Request<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<&'a str>,
    #[serde(flatten)]
    body: Body<'a>,
    metadata: Value,
}

#[derive(Deserialize)]
struct Said {
    ok: bool,
    error: Option<String>,
    /// The scope that is missing, with the error `missing_scope`.
    needed: Option<String>,
}

#[derive(Deserialize)]
struct Posted {
    channel: String,
    ts: String,
}

/// The word of a refusal. `None` where the body is no refusal of Slack's.
pub(super) fn word(body: &str) -> Option<String> {
    serde_json::from_str::<Said>(body).ok()?.error
}

impl Bot {
    pub(super) fn new(http: reqwest::Client, token: SecretString, channel: String, base: Url) -> Self {
        Self { http, token, channel, base }
    }

    /// Posts or updates a message and returns its receipt, `<channel id>/<ts>`. The receipt names the channel because
    /// an update needs its id, and another channel may be configured by then.
    pub(super) async fn post(&self, message: Message<'_>) -> Result<String, Refusal> {
        let prior = message.prior.map(|receipt| receipt.split_once('/').unwrap_or((&self.channel, receipt)));
        let thread = message.thread.and_then(place);
        let (channel, _) = prior.or(thread).unwrap_or((&self.channel, ""));
        let body = Request {
            channel,
            thread_ts: thread.filter(|_| prior.is_none()).map(|(_, ts)| ts),
            ts: prior.map(|(_, ts)| ts),
            body: Body::of(message.text),
            metadata: json!({"event_type": EVENT_TYPE, "event_payload": {"effect": message.effect}}),
        };
        let method = if prior.is_some() { "chat.update" } else { "chat.postMessage" };
        let request = self
            .request(reqwest::Method::POST, method)
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .json(&body);
        let answer = send(request).await?;
        let posted: Posted =
            serde_json::from_slice(&answer.body).map_err(|_| unclear("the answer names no message"))?;
        Ok(format!("{}/{}", posted.channel, posted.ts))
    }

    pub(super) fn request(&self, verb: reqwest::Method, method: &str) -> RequestBuilder {
        let address = http::join(&self.base, &format!("/{method}"));
        self.http.request(verb, address).bearer_auth(self.token.expose_secret())
    }
}

/// The channel's id and the `ts` of a receipt. `None` for the receipt of a webhook that was used before the bot,
/// because it names no message.
pub(super) fn place(receipt: &str) -> Option<(&str, &str)> {
    receipt.split_once('/')
}

/// Sends a request and returns the answer if it says `ok`.
pub(super) async fn send(request: RequestBuilder) -> Result<Answer, Refusal> {
    let answer = counted(NAME, http::send(request)).await.map_err(|error| refusal(&error))?;
    let (word, needed) = match serde_json::from_slice(&answer.body) {
        Ok(Said { ok: true, .. }) => return Ok(answer),
        Ok(Said { error: Some(word), needed, .. }) => (word, needed),
        Ok(Said { error: None, .. }) => return Err(words::rejected("ok is false, without an error")),
        Err(_) => return Err(unclear("the answer is not JSON of Slack's")),
    };
    if let ("missing_scope", Some(needed)) = (word.as_str(), needed.filter(|needed| is_scope(needed))) {
        return Err(words::missing_scope(&needed));
    }
    let retry_after = http::retry_after(&answer.headers, Utc::now());
    Err(words::meaning(&word, retry_after).unwrap_or_else(|| {
        let said = if said::is_word(&word) {
            format!("`{word}`")
        } else {
            "a word that is none of Slack's".to_owned()
        };
        words::rejected(&said)
    }))
}

/// Whether the text is a scope such as `channels:history`, or several with commas between them.
fn is_scope(text: &str) -> bool {
    text.len() <= 200
        && text.chars().all(|c| c.is_ascii_lowercase() || matches!(c, ':' | '.' | '_' | ',' | '-'))
}
