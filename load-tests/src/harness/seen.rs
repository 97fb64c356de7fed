//! What a deployment and the simulators show of everything that was sent. The ledger compares it with what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use simulators::{Provider, Simulators, slack};

use super::http::Connection;

/// The greatest number of items on a page of the API.
const PAGE: usize = 1000;
/// The text before the source's id of the call in every message to Slack.
const CALL_ID: &str = "Call ID: `";

/// A thing that a call makes at a provider: (`slack`, `post`, the id of the call).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The name of the provider, which is also Debrief's name for the destination.
    pub provider: &'static str,
    /// The kind of thing, as the simulator counts it.
    pub kind: &'static str,
    pub key: String,
}

impl Key {
    pub fn new(provider: &Provider, kind: &'static str, key: impl Into<String>) -> Self {
        Self { provider: provider.name, kind, key: key.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.provider, self.kind, self.key)
    }
}

/// The state of a call, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallState {
    /// Debrief's own id of the call.
    pub id: String,
    pub status: String,
}

/// An effect that is not confirmed, as the API lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenEffect {
    /// Debrief's own id of the call.
    pub call: String,
    /// The destination: `slack`, `salesforce`, `call_data`, `assemblyai`.
    pub target: String,
    pub object: String,
    pub state: String,
}

impl OpenEffect {
    /// Whether nobody knows if the effect happened.
    pub fn is_in_doubt(&self) -> bool {
        matches!(self.state.as_str(), "intent" | "unknown")
    }
}

/// What Debrief shows, and what the simulators have counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The calls by the ids that their source gave them.
    pub calls: BTreeMap<String, CallState>,
    /// The calls that a listed dead letter names, by Debrief's own ids.
    pub dead_letters: BTreeSet<String>,
    pub open_effects: Vec<OpenEffect>,
    /// How often each thing was made.
    pub made: BTreeMap<Key, u64>,
}

impl Seen {
    /// Reads everything from the process that serves the API, and from the simulators.
    pub async fn read(api: SocketAddr, simulators: &Simulators) -> anyhow::Result<Self> {
        let mut api = Connection::open(api).await.context("connect to the API")?;
        let mut seen = Self::default();
        for call in pages(&mut api, "/api/calls/history", "calls").await? {
            let state = CallState { id: text(&call, "id")?, status: text(&call, "status")? };
            seen.calls.insert(text(&call, "external_id")?, state);
        }
        for letter in pages(&mut api, "/api/dead-letters", "items").await? {
            // The id is null when the message could not be read.
            seen.dead_letters.extend(letter["call_id"].as_str().map(str::to_owned));
        }
        for effect in pages(&mut api, "/api/effects", "items").await? {
            seen.open_effects.push(OpenEffect {
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

/// Returns how often each thing was made at the simulators.
fn made(simulators: &Simulators) -> BTreeMap<Key, u64> {
    let mut made = BTreeMap::new();
    for simulator in simulators.iter() {
        let provider = simulator.provider;
        let mut effects = simulator.effects();
        for &kind in provider.made_once {
            let counts = effects.remove(kind).unwrap_or_default();
            let counts = if provider.name == slack::PROVIDER.name {
                posts_by_call(simulators, counts)
            } else {
                counts
            };
            made.extend(counts.into_iter().map(|(key, times)| (Key::new(provider, kind, key), times)));
        }
    }
    made
}

/// Counts the posts to Slack by the calls that they name.
fn posts_by_call(simulators: &Simulators, posts: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let received = simulators.of(&slack::PROVIDER).received();
    let call_of = |body: &Value| Some((slack::key_of_post(body), call_named(body["text"].as_str()?)?));
    let calls: BTreeMap<String, String> =
        received.iter().filter_map(|request| call_of(&request.body)).collect();
    let mut by_call = BTreeMap::new();
    for (key, times) in posts {
        // A post that names no call continues a long message. It is counted only when it was made twice.
        if let Some(call) = calls.get(&key).or((times > 1).then_some(&key)) {
            *by_call.entry(call.clone()).or_default() += times;
        }
    }
    by_call
}

fn call_named(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(CALL_ID)?;
    rest.split_once('`').map(|(id, _)| id.to_owned())
}

fn text(of: &Value, name: &str) -> anyhow::Result<String> {
    of[name].as_str().map(str::to_owned).with_context(|| format!("find `{name}` in {of}"))
}

/// Reads all pages of a list.
async fn pages(api: &mut Connection, path: &str, list: &str) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for page in 1.. {
        let path = format!("{path}?limit={PAGE}&page={page}");
        let answer = api.get(&path).await?;
        ensure!(answer.status == 200, "{path} answered {}", answer.status);
        let answer: Value = serde_json::from_slice(&answer.body).with_context(|| format!("read {path}"))?;
        let items = answer[list].as_array().with_context(|| format!("find `{list}` in {path}"))?;
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
