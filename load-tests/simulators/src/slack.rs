//! Slack: incoming webhooks, and the few methods of the web API that posting and finding messages need.
//!
//! A webhook answers in plain text. A method answers 200 with `ok: false` and a word for nearly everything
//! that is wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use chrono::Utc;
use serde_json::{Map, Value, json};

use super::control::Control;
use super::{digest, lock};

const MAX_BODY: usize = 16 * 1024 * 1024;
/// Slack cuts a longer text.
const MAX_TEXT_CHARS: usize = 40_000;
const MAX_BLOCKS: usize = 50;
/// Of one channel; the oldest are forgotten first.
const MAX_MESSAGES: usize = 100_000;
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 999;
const USER: &str = "U0SIMULATE";
const BOT: &str = "B0SIMULATE";
const TEAM: &str = "T0SIMULATE";
/// Of every token, as each answer of a method lists them.
const SCOPES: &str = "chat:write,channels:history,channels:read,groups:history,groups:read";

struct Desk {
    control: Arc<Control>,
    /// By channel id, then by `ts`, which sorts as text.
    channels: Mutex<BTreeMap<String, BTreeMap<String, Value>>>,
    /// By id, the channels that were posted to by their name.
    names: Mutex<BTreeMap<String, String>>,
    last_ts_us: Mutex<i64>,
}

pub(crate) fn app(control: Arc<Control>) -> Router {
    let desk = Arc::new(Desk {
        control,
        channels: Mutex::default(),
        names: Mutex::default(),
        last_ts_us: Mutex::new(0),
    });
    Router::new()
        .route("/services/{*secret}", post(webhook))
        .route("/api/{method}", any(call))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(desk)
}

pub(crate) fn refusal(status: StatusCode) -> Response {
    let word = match status {
        StatusCode::NOT_FOUND => "no_service",
        StatusCode::GONE => "channel_is_archived",
        StatusCode::FORBIDDEN => "action_prohibited",
        StatusCode::TOO_MANY_REQUESTS => "rate_limited",
        StatusCode::BAD_REQUEST => "invalid_payload",
        other => other.canonical_reason().unwrap_or("error"),
    };
    (status, word.to_owned()).into_response()
}

async fn webhook(State(desk): State<Arc<Desk>>, Path(secret): Path<String>, body: String) -> Response {
    let bad = |word: &'static str| (StatusCode::BAD_REQUEST, word).into_response();
    if secret.split('/').filter(|part| !part.is_empty()).count() != 3 {
        return refusal(StatusCode::NOT_FOUND);
    }
    let Ok(Value::Object(mut payload)) = serde_json::from_str::<Value>(&body) else {
        return bad("invalid_payload");
    };
    if let Err(word) = check_content(&payload) {
        return bad(word);
    }
    payload.remove("thread_ts");
    let channel = channel_id(&format!("#{}", digest(secret.as_bytes())));
    desk.keep(&channel, &payload);
    // No `ts`: what was posted here can be neither changed nor continued.
    "ok".into_response()
}

/// Whether there is anything to show, and not too many blocks.
fn check_content(payload: &Map<String, Value>) -> Result<(), &'static str> {
    let filled = |name: &str| payload.get(name).and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let text = match payload.get("text") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text.trim(),
        Some(_) => return Err("invalid_payload"),
    };
    if text.is_empty() && !filled("blocks") && !filled("attachments") {
        return Err("no_text");
    }
    let blocks = payload.get("blocks").and_then(Value::as_array).map_or(0, Vec::len);
    if blocks > MAX_BLOCKS { Err("invalid_blocks") } else { Ok(()) }
}

/// The word for what is wrong.
type Said = Result<Value, &'static str>;

async fn call(State(desk): State<Arc<Desk>>, Path(method): Path<String>, request: Request) -> Response {
    let said = match read(request).await {
        Ok(args) => desk.answer(&method, &args),
        Err(word) => Err(word),
    };
    let scopes = [("x-oauth-scopes", SCOPES)];
    (scopes, Json(said.unwrap_or_else(|word| json!({ "ok": false, "error": word })))).into_response()
}

/// The arguments: of the query, or of a body that is a form or JSON.
async fn read(request: Request) -> Result<Map<String, Value>, &'static str> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| "request_timeout")?;
    let kind =
        parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut args: Map<String, Value> = if parts.method == Method::GET {
        form(parts.uri.query().unwrap_or_default().as_bytes())
    } else if kind.starts_with("application/json") {
        serde_json::from_slice(&bytes).map_err(|_| "invalid_json")?
    } else {
        form(&bytes)
    };
    let token = args.remove("token").and_then(|token| token.as_str().map(str::to_owned));
    match token.or_else(|| bearer(&parts.headers)) {
        None => Err("not_authed"),
        Some(token) if token.starts_with("xoxb-") => Ok(args),
        Some(_) => Err("invalid_auth"),
    }
}

fn form(bytes: &[u8]) -> Map<String, Value> {
    let pairs = super::form_pairs(bytes).into_iter();
    // What is structured arrives in a form as JSON text.
    let value = |text: String| match serde_json::from_str(&text) {
        Ok(value @ (Value::Object(_) | Value::Array(_) | Value::Bool(_))) => value,
        _ => Value::from(text),
    };
    pairs.map(|(name, text)| (name, value(text))).collect()
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    Some(value.strip_prefix("Bearer ")?.trim().to_owned())
}

fn text<'a>(args: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    args.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A channel goes by its id, or in `chat.postMessage` also by its name.
fn channel_id(named: &str) -> String {
    match named.strip_prefix('#') {
        Some(name) => format!("C{}", digest(name.as_bytes())[..10].to_uppercase()),
        None => named.to_owned(),
    }
}

fn is_channel(id: &str) -> bool {
    let rest = id.strip_prefix(['C', 'G', 'D']);
    rest.is_some_and(|rest| {
        rest.len() >= 2 && rest.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    })
}

impl Desk {
    fn answer(&self, method: &str, args: &Map<String, Value>) -> Said {
        match method {
            "auth.test" => Ok(json!({
                "ok": true, "url": "https://simulated.slack.com/", "team": "Simulated", "user": "debrief",
                "team_id": TEAM, "user_id": USER, "bot_id": BOT, "is_enterprise_install": false,
            })),
            "chat.postMessage" => self.post(args),
            "chat.update" => self.update(args),
            "conversations.history" => self.history(args),
            "conversations.replies" => self.replies(args),
            "conversations.list" => self.list(args),
            _ => Err("unknown_method"),
        }
    }

    /// Stores a message and returns it with its `ts`, which no other message has.
    fn keep(&self, channel: &str, args: &Map<String, Value>) -> Value {
        let now = Utc::now().timestamp_micros();
        let us = {
            let mut last = lock(&self.last_ts_us);
            *last = now.max(*last + 1);
            *last
        };
        let ts = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
        let sent: String = text(args, "text").unwrap_or_default().chars().take(MAX_TEXT_CHARS).collect();
        let mut message = json!({
            "type": "message", "user": USER, "bot_id": BOT, "team": TEAM, "text": sent, "ts": ts,
        });
        for name in ["thread_ts", "blocks", "metadata"] {
            if let Some(value) = args.get(name) {
                message[name] = value.clone();
            }
        }
        self.control.made("post", &natural_key(&message));
        let mut channels = lock(&self.channels);
        let messages = channels.entry(channel.to_owned()).or_default();
        messages.insert(ts, message.clone());
        if messages.len() > MAX_MESSAGES {
            messages.pop_first();
        }
        message
    }

    fn post(&self, args: &Map<String, Value>) -> Said {
        let named = text(args, "channel").ok_or("channel_not_found")?;
        let channel = channel_id(named);
        if !is_channel(&channel) {
            return Err("channel_not_found");
        }
        if let Some(name) = named.strip_prefix('#') {
            lock(&self.names).insert(channel.clone(), name.to_owned());
        }
        check_content(args)?;
        check_metadata(args)?;
        if let Some(parent) = text(args, "thread_ts") {
            let channels = lock(&self.channels);
            let known = channels.get(&channel).is_some_and(|messages| messages.contains_key(parent));
            if !known {
                return Err("thread_not_found");
            }
        }
        let message = self.keep(&channel, args);
        Ok(json!({ "ok": true, "channel": channel, "ts": message["ts"], "message": message }))
    }

    fn update(&self, args: &Map<String, Value>) -> Said {
        let channel = text(args, "channel").filter(|id| is_channel(id)).ok_or("channel_not_found")?;
        let ts = text(args, "ts").ok_or("message_not_found")?;
        check_content(args)?;
        check_metadata(args)?;
        let mut channels = lock(&self.channels);
        let message =
            channels.get_mut(channel).and_then(|messages| messages.get_mut(ts)).ok_or("message_not_found")?;
        let sent = text(args, "text").unwrap_or_default();
        if sent.chars().count() > MAX_TEXT_CHARS {
            return Err("msg_too_long");
        }
        message["text"] = sent.into();
        for name in ["blocks", "metadata"] {
            if let Some(value) = args.get(name) {
                message[name] = value.clone();
            }
        }
        self.control.made("update", &natural_key(message));
        Ok(json!({
            "ok": true, "channel": channel, "ts": ts, "text": sent,
            "message": { "type": "message", "text": sent, "user": USER },
        }))
    }

    /// The channel's messages, newest first, without those that are only in threads.
    fn history(&self, args: &Map<String, Value>) -> Said {
        let channel = text(args, "channel").filter(|id| is_channel(id)).ok_or("channel_not_found")?;
        let channels = lock(&self.channels);
        let messages = channels.get(channel).into_iter().flat_map(|all| all.values().rev());
        page("messages", messages.filter(|message| message["thread_ts"].is_null()), args)
    }

    /// The message and what was answered to it, oldest first.
    fn replies(&self, args: &Map<String, Value>) -> Said {
        let channel = text(args, "channel").filter(|id| is_channel(id)).ok_or("channel_not_found")?;
        let ts = text(args, "ts").ok_or("thread_not_found")?;
        let channels = lock(&self.channels);
        let messages = channels.get(channel).filter(|messages| messages.contains_key(ts));
        let messages = messages.ok_or("thread_not_found")?.values();
        page("messages", messages.filter(|message| message["ts"] == ts || message["thread_ts"] == ts), args)
    }

    /// The channels that have a name here, all of them public.
    fn list(&self, args: &Map<String, Value>) -> Said {
        let public =
            text(args, "types").unwrap_or("public_channel").split(',').any(|kind| kind == "public_channel");
        let names = lock(&self.names);
        let channel = |(id, name): (&String, &String)| {
            json!({
                "id": id, "name": name, "is_channel": true, "is_private": false, "is_member": true,
                "is_archived": false,
            })
        };
        let channels: Vec<Value> = names.iter().filter(|_| public).map(channel).collect();
        page("channels", channels.iter(), args)
    }
}

/// By what a post is known again: the effect that its metadata names, else its text.
pub fn natural_key(message: &Value) -> String {
    let payload = &message["metadata"]["event_payload"];
    match payload["effect"].as_str() {
        Some(effect) => format!("effect:{effect}"),
        None if payload.is_object() => format!("metadata:{}", digest(payload.to_string().as_bytes())),
        None => {
            let shown = format!("{}{}", message["text"].as_str().unwrap_or_default(), message["blocks"]);
            format!("text:{}", digest(shown.as_bytes()))
        }
    }
}

fn check_metadata(args: &Map<String, Value>) -> Result<(), &'static str> {
    let Some(metadata) = args.get("metadata") else { return Ok(()) };
    let whole = metadata["event_type"].is_string() && metadata["event_payload"].is_object();
    if whole { Ok(()) } else { Err("invalid_metadata_format") }
}

fn flag(args: &Map<String, Value>, name: &str) -> bool {
    args.get(name).is_some_and(|value| value == true || value == "1" || value == "true")
}

/// One page of things, messages between `oldest` and `latest`. The cursor is how many came before.
fn page<'a>(field: &str, things: impl Iterator<Item = &'a Value>, args: &Map<String, Value>) -> Said {
    let number = |name: &str| {
        let value = args.get(name)?;
        value.as_str().map_or_else(|| value.as_u64(), |text| text.parse().ok())
    };
    let limit = number("limit").map_or(DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(MAX_LIMIT));
    let limit = limit.clamp(1, MAX_LIMIT);
    let before: usize = match text(args, "cursor") {
        Some(cursor) => {
            cursor.strip_prefix("next:").and_then(|nth| nth.parse().ok()).ok_or("invalid_cursor")?
        }
        None => 0,
    };
    let bound = |name: &str| {
        args.get(name).and_then(|value| match value {
            Value::String(text) => text.parse::<f64>().ok(),
            value => value.as_f64(),
        })
    };
    let (oldest, latest, inclusive) = (bound("oldest"), bound("latest"), flag(args, "inclusive"));
    let within = |message: &&Value| {
        let ts = message["ts"].as_str().and_then(|ts| ts.parse::<f64>().ok()).unwrap_or_default();
        oldest.is_none_or(|from| ts > from || (inclusive && ts >= from))
            && latest.is_none_or(|until| ts < until || (inclusive && ts <= until))
    };
    let mut rest = things.filter(within).skip(before);
    let mut shown: Vec<Value> = rest.by_ref().take(limit).cloned().collect();
    if !flag(args, "include_all_metadata") {
        shown.iter_mut().filter_map(Value::as_object_mut).for_each(|message| {
            message.remove("metadata");
        });
    }
    let more = rest.next().is_some();
    let cursor = if more { format!("next:{}", before + shown.len()) } else { String::new() };
    Ok(json!({
        "ok": true, field: shown, "has_more": more, "response_metadata": { "next_cursor": cursor },
    }))
}
