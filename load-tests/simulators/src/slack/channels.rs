//! The channels of a Slack workspace with their messages, and the methods that work on them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::Utc;
use serde_json::{Map, Value, json};

use super::escaped::escaped;
use crate::control::Control;
use crate::digest::digest;
use crate::state::lock;

/// Slack cuts a longer text.
const MAX_TEXT_CHARS: usize = 40_000;
const MAX_BLOCKS: usize = 50;
/// The number of messages that a channel keeps. The oldest are forgotten first.
const MAX_MESSAGES: usize = 100_000;
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 999;
const USER: &str = "U0SIMULATE";
const BOT: &str = "B0SIMULATE";
const TEAM: &str = "T0SIMULATE";

/// What a method answers, or the word for what is wrong.
type MethodResult = Result<Value, &'static str>;

pub(super) struct Channels {
    control: Arc<Control>,
    /// The messages by the id of their channel, and then by their `ts`, which sorts as text.
    messages: Mutex<BTreeMap<String, BTreeMap<String, Value>>>,
    /// The names of the channels to which somebody has posted by name, by their ids.
    names: Mutex<BTreeMap<String, String>>,
    /// The time in the last `ts`, in microseconds.
    last_ts_us: Mutex<i64>,
}

impl Channels {
    pub(super) fn new(control: Arc<Control>) -> Self {
        Self { control, messages: Mutex::default(), names: Mutex::default(), last_ts_us: Mutex::new(0) }
    }

    /// Calls the method of the web API that has this name.
    pub(super) fn call(&self, method: &str, arguments: &Map<String, Value>) -> MethodResult {
        match method {
            "auth.test" => Ok(json!({
                "ok": true, "url": "https://simulated.slack.com/", "team": "Simulated", "user": "debrief",
                "team_id": TEAM, "user_id": USER, "bot_id": BOT, "is_enterprise_install": false,
            })),
            "chat.postMessage" => self.post(arguments),
            "chat.update" => self.update(arguments),
            "conversations.history" => self.history(arguments),
            "conversations.info" => self.info(arguments),
            "conversations.replies" => self.replies(arguments),
            "conversations.list" => self.list(arguments),
            _ => Err("unknown_method"),
        }
    }

    /// Adds a message and returns it with its `ts`, which no other message has.
    pub(super) fn add(&self, channel: &str, arguments: &Map<String, Value>) -> Value {
        let now = Utc::now().timestamp_micros();
        let us = {
            let mut last = lock(&self.last_ts_us);
            *last = now.max(*last + 1);
            *last
        };
        let ts = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
        let sent: String = text(arguments, "text").unwrap_or_default().chars().take(MAX_TEXT_CHARS).collect();
        let sent = escaped(&sent);
        let mut message = json!({
            "type": "message", "user": USER, "bot_id": BOT, "team": TEAM, "text": sent, "ts": ts,
        });
        for name in ["thread_ts", "blocks", "metadata"] {
            if let Some(value) = arguments.get(name) {
                message[name] = value.clone();
            }
        }
        self.control.made("post", &natural_key(&message));
        let mut channels = lock(&self.messages);
        let messages = channels.entry(channel.to_owned()).or_default();
        messages.insert(ts, message.clone());
        if messages.len() > MAX_MESSAGES {
            messages.pop_first();
        }
        message
    }

    fn post(&self, arguments: &Map<String, Value>) -> MethodResult {
        let named = text(arguments, "channel").ok_or("channel_not_found")?;
        let channel = channel_id(named);
        if !is_channel_id(&channel) {
            return Err("channel_not_found");
        }
        if let Some(name) = named.strip_prefix('#') {
            lock(&self.names).insert(channel.clone(), name.to_owned());
        }
        check_content(arguments)?;
        check_metadata(arguments)?;
        if let Some(parent) = text(arguments, "thread_ts") {
            let channels = lock(&self.messages);
            let is_known = channels.get(&channel).is_some_and(|messages| messages.contains_key(parent));
            if !is_known {
                return Err("thread_not_found");
            }
        }
        let message = self.add(&channel, arguments);
        Ok(json!({ "ok": true, "channel": channel, "ts": message["ts"], "message": message }))
    }

    fn update(&self, arguments: &Map<String, Value>) -> MethodResult {
        let channel = existing_channel(arguments)?;
        let ts = text(arguments, "ts").ok_or("message_not_found")?;
        check_content(arguments)?;
        check_metadata(arguments)?;
        let mut channels = lock(&self.messages);
        let message =
            channels.get_mut(channel).and_then(|messages| messages.get_mut(ts)).ok_or("message_not_found")?;
        let sent = text(arguments, "text").unwrap_or_default();
        if sent.chars().count() > MAX_TEXT_CHARS {
            return Err("msg_too_long");
        }
        let sent = escaped(sent);
        message["text"] = sent.clone().into();
        for name in ["blocks", "metadata"] {
            if let Some(value) = arguments.get(name) {
                message[name] = value.clone();
            }
        }
        self.control.made("update", &natural_key(message));
        Ok(json!({
            "ok": true, "channel": channel, "ts": ts, "text": sent,
            "message": { "type": "message", "text": sent, "user": USER },
        }))
    }

    /// Lists the messages of a channel, newest first, without the replies in threads.
    fn history(&self, arguments: &Map<String, Value>) -> MethodResult {
        let channel = existing_channel(arguments)?;
        let channels = lock(&self.messages);
        let messages = channels.get(channel).into_iter().flat_map(|all| all.values().rev());
        page("messages", messages.filter(|message| message["thread_ts"].is_null()), arguments)
    }

    /// Lists a message and the replies in its thread, oldest first.
    fn replies(&self, arguments: &Map<String, Value>) -> MethodResult {
        let channel = existing_channel(arguments)?;
        let ts = text(arguments, "ts").ok_or("thread_not_found")?;
        let channels = lock(&self.messages);
        let messages = channels.get(channel).filter(|messages| messages.contains_key(ts));
        let messages = messages.ok_or("thread_not_found")?.values();
        let thread = messages.filter(|message| message["ts"] == ts || message["thread_ts"] == ts);
        page("messages", thread, arguments)
    }

    /// Lists the channels whose names are known. All of them are public.
    fn list(&self, arguments: &Map<String, Value>) -> MethodResult {
        let kinds = text(arguments, "types").unwrap_or("public_channel");
        let wants_public = kinds.split(',').any(|kind| kind == "public_channel");
        let names = lock(&self.names);
        let listed = names.iter().filter(|_| wants_public);
        let channels: Vec<Value> = listed.map(|(id, name)| described(id, name)).collect();
        page("channels", channels.iter(), arguments)
    }

    /// Describes one channel. A channel to which nobody has posted by name is called by its id.
    fn info(&self, arguments: &Map<String, Value>) -> MethodResult {
        let id = existing_channel(arguments)?;
        let name = lock(&self.names).get(id).cloned().unwrap_or_else(|| id.to_lowercase());
        let mut channel = described(id, &name);
        if is_set(arguments, "include_num_members") {
            channel["num_members"] = 1.into();
        }
        Ok(json!({ "ok": true, "channel": channel }))
    }
}

fn described(id: &str, name: &str) -> Value {
    json!({
        "id": id, "name": name, "name_normalized": name, "created": 1_700_000_000, "creator": USER,
        "context_team_id": TEAM, "is_channel": true, "is_group": false, "is_im": false, "is_mpim": false,
        "is_private": false, "is_member": true, "is_archived": false, "is_general": false,
        "topic": { "value": "", "creator": "", "last_set": 0 },
        "purpose": { "value": "", "creator": "", "last_set": 0 },
    })
}

fn text<'a>(arguments: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Returns the id of a channel that is named by its id or, as only `chat.postMessage` allows, by its name.
pub(super) fn channel_id(named: &str) -> String {
    match named.strip_prefix('#') {
        Some(name) => format!("C{}", digest(name.as_bytes())[..10].to_uppercase()),
        None => named.to_owned(),
    }
}

fn is_channel_id(id: &str) -> bool {
    let rest = id.strip_prefix(['C', 'G', 'D']);
    rest.is_some_and(|rest| {
        rest.len() >= 2 && rest.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    })
}

/// Returns the channel in the arguments, which has to be named by its id.
fn existing_channel(arguments: &Map<String, Value>) -> Result<&str, &'static str> {
    text(arguments, "channel").filter(|id| is_channel_id(id)).ok_or("channel_not_found")
}

/// Refuses a message that shows nothing, and one that has too many blocks.
pub(super) fn check_content(payload: &Map<String, Value>) -> Result<(), &'static str> {
    let is_filled =
        |name: &str| payload.get(name).and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let text = match payload.get("text") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text.trim(),
        Some(_) => return Err("invalid_payload"),
    };
    if text.is_empty() && !is_filled("blocks") && !is_filled("attachments") {
        return Err("no_text");
    }
    let blocks = payload.get("blocks").and_then(Value::as_array).map_or(0, Vec::len);
    if blocks > MAX_BLOCKS { Err("invalid_blocks") } else { Ok(()) }
}

fn check_metadata(arguments: &Map<String, Value>) -> Result<(), &'static str> {
    let Some(metadata) = arguments.get("metadata") else { return Ok(()) };
    let is_whole = metadata["event_type"].is_string() && metadata["event_payload"].is_object();
    if is_whole { Ok(()) } else { Err("invalid_metadata_format") }
}

/// Returns the key by which a post is known again: the effect that its metadata names, or else a digest of its text.
pub(super) fn natural_key(message: &Value) -> String {
    let payload = &message["metadata"]["event_payload"];
    match payload["effect"].as_str() {
        Some(effect) => format!("effect:{effect}"),
        None if payload.is_object() => format!("metadata:{}", digest(payload.to_string().as_bytes())),
        None => {
            let text = escaped(message["text"].as_str().unwrap_or_default());
            let shown = format!("{text}{}", message["blocks"]);
            format!("text:{}", digest(shown.as_bytes()))
        }
    }
}

fn is_set(arguments: &Map<String, Value>, name: &str) -> bool {
    arguments.get(name).is_some_and(|value| value == true || value == "1" || value == "true")
}

/// Returns one page of items. Messages are those between `oldest` and `latest`. The cursor holds the number of the
/// items on the pages before.
fn page<'a>(
    field: &str,
    items: impl Iterator<Item = &'a Value>,
    arguments: &Map<String, Value>,
) -> MethodResult {
    let number = |name: &str| {
        let value = arguments.get(name)?;
        value.as_str().map_or_else(|| value.as_u64(), |text| text.parse().ok())
    };
    let limit = number("limit").map_or(DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(MAX_LIMIT));
    let limit = limit.clamp(1, MAX_LIMIT);
    let before: usize = match text(arguments, "cursor") {
        Some(cursor) => {
            cursor.strip_prefix("next:").and_then(|nth| nth.parse().ok()).ok_or("invalid_cursor")?
        }
        None => 0,
    };
    let bound = |name: &str| {
        arguments.get(name).and_then(|value| match value {
            Value::String(text) => text.parse::<f64>().ok(),
            value => value.as_f64(),
        })
    };
    let (oldest, latest, is_inclusive) = (bound("oldest"), bound("latest"), is_set(arguments, "inclusive"));
    let is_within = |message: &&Value| {
        let ts = message["ts"].as_str().and_then(|ts| ts.parse::<f64>().ok()).unwrap_or_default();
        oldest.is_none_or(|from| ts > from || (is_inclusive && ts >= from))
            && latest.is_none_or(|until| ts < until || (is_inclusive && ts <= until))
    };
    let mut rest = items.filter(is_within).skip(before);
    let mut shown: Vec<Value> = rest.by_ref().take(limit).cloned().collect();
    if !is_set(arguments, "include_all_metadata") {
        shown.iter_mut().filter_map(Value::as_object_mut).for_each(|message| {
            message.remove("metadata");
        });
    }
    let has_more = rest.next().is_some();
    let cursor = if has_more { format!("next:{}", before + shown.len()) } else { String::new() };
    Ok(json!({
        "ok": true, field: shown, "has_more": has_more, "response_metadata": { "next_cursor": cursor },
    }))
}
