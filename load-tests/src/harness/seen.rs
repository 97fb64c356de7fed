//! What a deployment and the simulators say of everything that was sent, for the ledger.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::http::Connection;
use super::ledger::{Key, Open, Seen, Stand};
use simulators::Simulators;
use simulators::slack_key;

/// The most that the API gives on a page.
const PAGE: usize = 1000;
/// In every message for Slack, before the source's id of the call.
const CALL_ID: &str = "Call ID: `";

impl Seen {
    /// From the process that serves the API, and the simulators that it works with.
    pub async fn read(api: SocketAddr, simulators: &Simulators) -> anyhow::Result<Self> {
        let mut api = Connection::open(api).await.context("connect to the API")?;
        let mut seen = Self::default();
        for call in pages(&mut api, "/api/calls/history", "calls").await? {
            let stand = Stand { id: text(&call, "id")?, status: text(&call, "status")? };
            seen.calls.insert(text(&call, "external_id")?, stand);
        }
        for letter in pages(&mut api, "/api/dead-letters", "items").await? {
            // Null where the message could not be read.
            seen.dead_letters.extend(letter["call_id"].as_str().map(str::to_owned));
        }
        for effect in pages(&mut api, "/api/effects", "items").await? {
            seen.open.push(Open {
                call: text(&effect, "call_id")?,
                target: text(&effect, "target")?,
                object: text(&effect, "object")?,
                state: text(&effect, "state")?,
            });
        }
        seen.made = made(simulators);
        Ok(seen)
    }
}

/// What the simulators counted, Slack's posts by the call that they name.
pub fn made(simulators: &Simulators) -> BTreeMap<Key, u64> {
    let mut made = BTreeMap::new();
    let counted = [
        (&simulators.assemblyai, "assemblyai", "transcript"),
        (&simulators.call_data, "call_data", "call_data"),
        (&simulators.salesforce, "salesforce", "contact"),
    ];
    for (simulator, provider, kind) in counted {
        for (key, times) in simulator.effects().remove(kind).unwrap_or_default() {
            made.insert(Key::new(provider, kind, key), times);
        }
    }
    let posts = simulators.slack.effects().remove("post").unwrap_or_default();
    let names: BTreeMap<String, String> = simulators
        .slack
        .received()
        .iter()
        .filter_map(|request| Some((slack_key(&request.body), call_named(request.body["text"].as_str()?)?)))
        .collect();
    for (key, times) in posts {
        // What names no call continues a long message. It counts when it is there twice.
        if let Some(call) = names.get(&key).or((times > 1).then_some(&key)) {
            *made.entry(Key::new("slack", "post", call)).or_default() += times;
        }
    }
    made
}

fn call_named(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(CALL_ID)?;
    rest.split_once('`').map(|(id, _)| id.to_owned())
}

fn text(of: &Value, name: &str) -> anyhow::Result<String> {
    of[name].as_str().map(str::to_owned).with_context(|| format!("no `{name}` in {of}"))
}

/// All pages of a list.
async fn pages(api: &mut Connection, path: &str, list: &str) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for page in 1.. {
        let path = format!("{path}?limit={PAGE}&page={page}");
        let answer = api.get(&path).await?;
        ensure!(answer.status == 200, "{path} answered {}", answer.status);
        let answer: Value = serde_json::from_slice(&answer.body).with_context(|| format!("read {path}"))?;
        let items = answer[list].as_array().with_context(|| format!("{path} has no `{list}`"))?;
        all.extend_from_slice(items);
        if items.len() < PAGE {
            break;
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_its_call() {
        assert_eq!(call_named("…\n• Call ID: `CALL-x`\n• Duration: 1s").as_deref(), Some("CALL-x"));
        assert_eq!(call_named("(2/2) and so on"), None);
    }
}
