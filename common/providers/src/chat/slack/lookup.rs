//! Finds a message of ours by its metadata, in the channel's history or in the thread that the message continues. A
//! post is settled in this way when nobody knows whether Slack took it.
//!
//! To look changes nothing, so a look that fails cannot have taken effect. Slack shows a channel's history only by the
//! channel's id and only to members. So the bot must be in the channel, with the scope `channels:history`.

use std::time::Duration;

use domain::fault::Fault;
use domain::moment::Moment;
use domain::refusal::Refusal;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::bot::{Bot, EVENT_TYPE, place, send};
use super::unclear;
use super::words::{self, CHANNEL_NOT_FOUND, MISSING_SCOPE, THREAD_GONE};

/// How far Slack's clock and ours may differ. Slack allows the same difference for the requests that it signs.
const CLOCKS_DIFFER: Duration = Duration::from_mins(5);
/// How long a request may be on its way. This limits the pages that are read when we look much later.
const ARRIVES_WITHIN: Duration = Duration::from_hours(1);
/// The number of messages on one page. Slack advises not to ask for more.
const PAGE: &str = "200";
/// The number of pages that are read. A channel takes about one message a second, so it cannot fill them in that time.
const MAX_PAGES: usize = 100;

/// A message that may be in Slack.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    pub effect: Uuid,
    /// The message was sent after this moment, by our clock.
    pub since: Moment,
    /// The receipt of the message whose thread the message continues.
    pub thread: Option<&'a str>,
}

impl Bot {
    /// Returns the receipt of a message. `None` where the message is not there.
    pub(super) async fn find(&self, sought: Sought<'_>) -> Result<Option<String>, Refusal> {
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
            // If the thread is gone, the message is not there.
            Err(refusal) if refusal.code == THREAD_GONE => Ok(None),
            found => found.map_err(|refusal| of_look(method, refusal)),
        }
    }

    /// The channel's id. It is looked up if the configured channel is a name.
    pub(super) async fn channel_id(&self) -> Result<String, Refusal> {
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
            if let Some(id) = found.await.map_err(|refusal| of_look(method, refusal))? {
                return Ok(id);
            }
        }
        let text = format!(
            "failed to use Slack: the bot can see no channel that is called `{name}`: check SLACK_CHANNEL, and invite \
             the bot if it is private"
        );
        let fault = Fault::Permanent;
        Err(Refusal { fault, code: CHANNEL_NOT_FOUND, text, ..words::rejected("") })
    }

    /// Checks that the token is good, and that the channel's history can be read.
    pub(super) async fn try_out(&self) -> Result<(), Refusal> {
        let failed = |method| move |refusal| of_look(method, refusal);
        let answer = send(self.request(Method::POST, "auth.test")).await.map_err(failed("auth.test"))?;
        // Slack lists the token's scopes with every answer, but a proxy may have taken them out.
        if let Some(scopes) = answer.headers.get("x-oauth-scopes").and_then(|scopes| scopes.to_str().ok())
            && !scopes.split(',').any(|scope| scope.trim() == "chat:write")
        {
            return Err(words::missing_scope("chat:write"));
        }
        let method = "conversations.history";
        let channel = self.channel_id().await?;
        let request =
            self.request(Method::GET, method).query(&[("channel", channel.as_str()), ("limit", "1")]);
        send(request).await.map(drop).map_err(failed(method))
    }

    /// Goes over the things in `field` on all pages, and returns the first answer that `wanted` gives.
    async fn first(
        &self,
        method: &str,
        field: &str,
        args: &[(&str, &str)],
        wanted: impl Fn(&Value) -> Option<String> + Send,
    ) -> Result<Option<String>, Refusal> {
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let mut request = self.request(Method::GET, method).query(args).query(&[("limit", PAGE)]);
            if !cursor.is_empty() {
                request = request.query(&[("cursor", &cursor)]);
            }
            let page: Value = serde_json::from_slice(&send(request).await?.body)
                .map_err(|_| unclear("the answer is not JSON of Slack's"))?;
            let things = page[field].as_array().ok_or_else(|| unclear("the answer is not a list"))?;
            if let Some(found) = things.iter().find_map(&wanted) {
                return Ok(Some(found));
            }
            let next = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default();
            if next.is_empty() {
                // If we took a part of the list for the whole list, we would post twice.
                let is_whole = page["has_more"] != true;
                return if is_whole { Ok(None) } else { Err(unclear("there is more, and no way to it")) };
            }
            next.clone_into(&mut cursor);
        }
        Err(unclear("there is no end of pages"))
    }
}

/// Whether `channel` is an id, such as `C024BE91L`. A name is in lower case.
pub(super) fn is_channel_id(channel: &str) -> bool {
    channel.len() > 1
        && channel.starts_with(['C', 'G', 'D'])
        && channel.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn ts(moment: Moment) -> String {
    let micros = moment.micros();
    format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
}

/// The refusal of a method that only looks. Its text names the method, because the missing scope depends on it.
fn of_look(method: &str, refusal: Refusal) -> Refusal {
    let advice = match (refusal.code, method) {
        (MISSING_SCOPE, "conversations.list") => {
            "; or set SLACK_CHANNEL to the channel's id (channels:read shows it, groups:read for a private channel)"
        }
        (MISSING_SCOPE, "conversations.history" | "conversations.replies") => {
            " (channels:history, groups:history for a private channel)"
        }
        _ => "",
    };
    let told = refusal.text.strip_prefix("failed to use Slack: ");
    let text = told.map(|told| format!("failed to use Slack's {method}: {told}{advice}"));
    Refusal { text: text.unwrap_or_else(|| refusal.text.clone()), ..refusal }.without_effect()
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
