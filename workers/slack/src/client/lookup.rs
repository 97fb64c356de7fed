//! Finds a message of ours again, by its metadata: in the channel's history, or in the thread that it
//! continues. This is how a post is settled of which nobody knows whether Slack took it.
//!
//! Looking changes nothing, so no failure of it can have taken effect. Slack knows a channel's history only
//! by the channel's id, and shows it to members: the bot must be in the channel, with `channels:history`.

use std::time::Duration;

use domain::fault::Fault;
use domain::moment::Moment;
use queue_topology::StageError;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::SlackError;
use super::bot::{Bot, EVENT_TYPE, lost, place, send};

/// Slack's clock and ours may differ by so much; it allows as much for the requests that it signs.
const CLOCKS_DIFFER: Duration = Duration::from_mins(5);
/// A request arrives sooner than this or not at all. Bounds the pages when we look much later.
const ARRIVES_WITHIN: Duration = Duration::from_hours(1);
/// Slack advises no more on one page.
const PAGE: &str = "200";
/// Many more than a channel can have in that time, which takes about one message a second.
const MAX_PAGES: usize = 100;

/// A message that may be in Slack.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    pub effect: Uuid,
    /// It was sent after this, by our clock.
    pub since: Moment,
    /// The receipt of the message whose thread it continues.
    pub thread: Option<&'a str>,
}

/// Why we could not look.
#[derive(Debug)]
pub struct LookError {
    cause: SlackError,
    method: &'static str,
}

impl Bot {
    /// Its receipt, if it is there.
    pub(super) async fn find(&self, sought: Sought<'_>) -> Result<Option<String>, LookError> {
        let oldest = ts(sought.since.minus(CLOCKS_DIFFER));
        let latest = ts(sought.since.plus(ARRIVES_WITHIN));
        let mut args = vec![("include_all_metadata", "true"), ("oldest", &oldest), ("latest", &latest)];
        let (channel, method) = match sought.thread.and_then(place) {
            Some((channel, thread)) => {
                args.push(("ts", thread));
                (channel.to_owned(), "conversations.replies")
            }
            None => (self.channel_id().await?, "conversations.history"),
        };
        args.push(("channel", &channel));
        let effect = sought.effect.to_string();
        let found = self.first(method, "messages", &args, |message| {
            let metadata = &message["metadata"];
            let ours = metadata["event_type"] == EVENT_TYPE
                && metadata["event_payload"]["effect"] == effect.as_str();
            message["ts"].as_str().filter(|_| ours).map(|ts| format!("{channel}/{ts}"))
        });
        match found.await {
            // Without its thread it is nowhere.
            Err(SlackError::Rejected { code: "slack_thread_gone", .. }) => Ok(None),
            found => found.map_err(|cause| LookError { cause, method }),
        }
    }

    /// The channel's id: as it is configured, or looked up where that is a name.
    pub(super) async fn channel_id(&self) -> Result<String, LookError> {
        if is_channel_id(&self.channel) {
            return Ok(self.channel.clone());
        }
        let method = "conversations.list";
        let name = self.channel.trim_start_matches('#');
        for kind in ["public_channel", "private_channel"] {
            let args = [("types", kind), ("exclude_archived", "true")];
            let found = self.first(method, "channels", &args, |channel| {
                channel["id"].as_str().filter(|_| channel["name"] == name).map(str::to_owned)
            });
            if let Some(id) = found.await.map_err(|cause| LookError { cause, method })? {
                return Ok(id);
            }
        }
        let said = format!("no channel that the bot can see is called `{name}`");
        Err(LookError { cause: SlackError::Rejected { code: "slack_channel_not_found", said }, method })
    }

    /// Tries what finding a message takes: that the token is good, and that the channel's history can be read.
    pub(super) async fn check(&self) -> Result<(), LookError> {
        let failed = |method| move |cause| LookError { cause, method };
        let answer = send(self.request(Method::POST, "auth.test")).await.map_err(failed("auth.test"))?;
        // Slack lists the token's scopes with every answer; a proxy may have taken them out.
        if let Some(scopes) = answer.headers.get("x-oauth-scopes").and_then(|scopes| scopes.to_str().ok())
            && !scopes.split(',').any(|scope| scope.trim() == "chat:write")
        {
            let said = "missing_scope, needed: chat:write".to_owned();
            let cause = SlackError::Refused { code: "slack_missing_scope", said };
            return Err(LookError { cause, method: "chat.postMessage" });
        }
        let method = "conversations.history";
        let channel = self.channel_id().await?;
        let request =
            self.request(Method::GET, method).query(&[("channel", channel.as_str()), ("limit", "1")]);
        send(request).await.map(drop).map_err(failed(method))
    }

    /// The first of the things in `field` for which `wanted` has an answer, over all pages.
    async fn first(
        &self,
        method: &str,
        field: &str,
        args: &[(&str, &str)],
        wanted: impl Fn(&Value) -> Option<String> + Send,
    ) -> Result<Option<String>, SlackError> {
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let mut request = self.request(Method::GET, method).query(args).query(&[("limit", PAGE)]);
            if !cursor.is_empty() {
                request = request.query(&[("cursor", &cursor)]);
            }
            let page: Value = serde_json::from_slice(&send(request).await?.body)
                .map_err(|_| lost("the answer is not JSON of Slack's"))?;
            let things = page[field].as_array().ok_or_else(|| lost("the answer is not a list"))?;
            if let Some(found) = things.iter().find_map(&wanted) {
                return Ok(Some(found));
            }
            let next = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default();
            if next.is_empty() {
                // To take a part for the whole would be to post twice.
                let is_whole = page["has_more"] != true;
                return if is_whole { Ok(None) } else { Err(lost("there is more, and no way to it")) };
            }
            next.clone_into(&mut cursor);
        }
        Err(lost("there is no end of pages"))
    }
}

/// Whether `channel` is an id, such as `C024BE91L`. Names are in lower case.
pub fn is_channel_id(channel: &str) -> bool {
    channel.len() > 1
        && channel.starts_with(['C', 'G', 'D'])
        && channel.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn ts(moment: Moment) -> String {
    let micros = moment.micros();
    format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
}

impl std::error::Error for LookError {}

impl std::fmt::Display for LookError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let method = self.method;
        match &self.cause {
            SlackError::Refused { code: "slack_missing_scope", said } => {
                let advice = match method {
                    "conversations.list" => {
                        "set SLACK_CHANNEL to the channel's id, or give the app channels:read (groups:read for a private channel)"
                    }
                    "conversations.history" | "conversations.replies" => {
                        "give the app channels:history (groups:history for a private channel)"
                    }
                    _ => "give it to the app",
                };
                write!(
                    f,
                    "failed to use Slack's {method}: the token lacks a scope (`{said}`): {advice}, and install it again"
                )
            }
            SlackError::Refused { said, .. } => {
                write!(f, "failed to use Slack's {method}: it refuses us (`{said}`): check SLACK_BOT_TOKEN")
            }
            SlackError::Rejected { code: "slack_not_in_channel", .. } => {
                write!(f, "failed to use Slack's {method}: invite the bot to the channel")
            }
            SlackError::Rejected { code: "slack_channel_not_found", said } => {
                write!(
                    f,
                    "failed to use Slack's {method} (`{said}`): check SLACK_CHANNEL, and invite the bot if it is private"
                )
            }
            SlackError::Rejected { said, .. } | SlackError::Lost { said, .. } => {
                write!(f, "failed to use Slack's {method}: {said}")
            }
            SlackError::Throttled(wait) => {
                write!(f, "failed to use Slack's {method}: it asks to wait {} s", wait.as_secs())
            }
            other @ SlackError::Unreachable(_) => other.fmt(f),
        }
    }
}

impl From<LookError> for StageError {
    fn from(error: LookError) -> Self {
        match error.cause {
            SlackError::Refused { code, .. }
            // Of the bot's place and not of this message: it goes on once somebody has invited it.
            | SlackError::Rejected { code: code @ "slack_not_in_channel", .. } => {
                Self::unavailable("slack", code, error)
            }
            SlackError::Rejected { code, .. } => Self::permanent(code, error),
            SlackError::Unreachable(_) => Self::unavailable("slack", "slack_unreachable", error),
            SlackError::Throttled(wait) => Self::new(Fault::Throttled(wait), "slack_rate_limited", error),
            SlackError::Lost { retry_after, .. } => {
                Self::transient("slack_no_answer", error).retry_after(retry_after)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_from_a_name() {
        for id in ["C024BE91L", "G012AC86C", "D0"] {
            assert!(is_channel_id(id), "{id}");
        }
        for name in ["#calls", "calls", "C", "", "#C024BE91L", "Calls", "U024BE91L"] {
            assert!(!is_channel_id(name), "{name}");
        }
    }

    #[test]
    fn a_moment_is_written_as_slack_writes_it() {
        assert_eq!(ts(Moment::from_micros(1_503_435_956_000_247)), "1503435956.000247");
    }
}
