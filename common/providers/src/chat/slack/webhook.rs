//! Posts to an incoming webhook. It is one address for one channel. It answers `ok` and names no message.

use domain::refusal::Refusal;
use platform::http;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::{Message, NAME, refusal, unclear};
use crate::requests::counted;

/// The answer of a webhook. It is also the receipt, because a webhook gives no id.
const OK: &str = "ok";

pub(super) struct Webhook {
    http: reqwest::Client,
    pub(super) url: SecretString,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are Slack's own fields")]
pub(super) struct Body<'a> {
    text: &'a str,
    mrkdwn: bool,
    unfurl_links: bool,
    unfurl_media: bool,
    link_names: bool,
    /// `none` tells Slack to look for no names and addresses in the text. Only a bot's messages obey.
    parse: &'static str,
}

impl<'a> Body<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            text,
            mrkdwn: true,
            unfurl_links: false,
            unfurl_media: false,
            link_names: false,
            parse: "none",
        }
    }
}

impl Webhook {
    pub(super) fn new(http: reqwest::Client, url: SecretString) -> Self {
        Self { http, url }
    }

    pub(super) async fn post(&self, message: Message<'_>) -> Result<String, Refusal> {
        let request = self
            .http
            .post(self.url.expose_secret())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .json(&Body::of(message.text));
        let answer = counted(NAME, http::send(request)).await.map_err(|error| refusal(&error))?;
        if answer.body.trim_ascii() == OK.as_bytes() {
            return Ok(OK.to_owned());
        }
        Err(unclear(&format!("{} with something that is not `ok`", answer.status)))
    }
}
