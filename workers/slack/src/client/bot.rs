//! A bot's token: `chat.postMessage` and `chat.update`. Most failures come as 200 with `ok: false` and a word.

use chrono::Utc;
use common::http::{self, Answer};
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::webhook::Body;
use super::{Message, SlackError, said};

/// The type of our messages' metadata, by which they can be told from anybody else's.
const EVENT_TYPE: &str = "debrief_post";

pub struct Bot {
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
    channel: Option<String>,
    ts: Option<String>,
}

/// The word of a refusal, where the body is one.
pub(super) fn word(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<Said>(body).ok()?.error
}

impl Bot {
    pub(super) fn new(http: reqwest::Client, token: SecretString, channel: String, base: Url) -> Self {
        Self { http, token, channel, base }
    }

    /// A receipt is `<channel id>/<ts>`: an update names the channel by its id, and the configured one may
    /// be another by then.
    pub(super) async fn post(&self, message: Message<'_>) -> Result<String, SlackError> {
        let prior = message.prior.map(|receipt| self.place(receipt));
        let thread = message.thread.map(|receipt| self.place(receipt));
        let (channel, _) = prior.or(thread).unwrap_or((&self.channel, ""));
        let body = Request {
            channel,
            thread_ts: thread.filter(|_| prior.is_none()).map(|(_, ts)| ts),
            ts: prior.map(|(_, ts)| ts),
            body: Body::of(message.text),
            metadata: json!({"event_type": EVENT_TYPE, "event_payload": {"effect": message.effect}}),
        };
        let method = if prior.is_some() { "/chat.update" } else { "/chat.postMessage" };
        let request = self
            .http
            .post(http::join(&self.base, method))
            .bearer_auth(self.token.expose_secret())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .json(&body);
        receipt(&http::send(request).await?)
    }

    fn place<'a>(&'a self, receipt: &'a str) -> (&'a str, &'a str) {
        receipt.split_once('/').unwrap_or((&self.channel, receipt))
    }
}

fn receipt(answer: &Answer) -> Result<String, SlackError> {
    let lost = |said: &str| SlackError::Lost { said: said.to_owned(), retry_after: None };
    let said_of = |word: String| {
        let retry_after = http::retry_after(&answer.headers, Utc::now());
        said(&word, retry_after).unwrap_or(SlackError::Rejected { code: "slack_rejected", said: word })
    };
    match serde_json::from_slice(&answer.body) {
        Ok(Said { ok: true, channel: Some(channel), ts: Some(ts), .. }) => Ok(format!("{channel}/{ts}")),
        Ok(Said { ok: false, error: Some(word), .. }) => Err(said_of(word)),
        Ok(Said { ok: false, .. }) => Err(SlackError::Rejected {
            code: "slack_rejected",
            said: "ok is false, without an error".to_owned(),
        }),
        Ok(_) => Err(lost("the answer names no message")),
        Err(_) => Err(lost("the answer is not JSON of Slack's")),
    }
}
