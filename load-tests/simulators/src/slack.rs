//! Slack: incoming webhooks, and the methods of the web API that post messages and find them again.
//!
//! A webhook answers in plain text. A method answers nearly everything with status 200; what is wrong then stands in
//! the body as `ok: false` with one word.

mod channels;
mod escaped;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::digest::digest;
use crate::provider::{Provider, Setting, Site};
use channels::{Channels, channel_id, check_content};

pub static PROVIDER: Provider = Provider { name: "slack", made_once: &["post"], routes, refusal, settings };

const MAX_BODY: usize = 16 * 1024 * 1024;
/// The scopes of every token, as each answer of a method lists them.
const SCOPES: &str = "chat:write,channels:history,channels:read,groups:history,groups:read";

/// Debrief posts through an incoming webhook. [`bot_settings`] make it a bot instead.
fn settings(address: &str) -> Vec<Setting> {
    vec![
        ("SLACK_WEBHOOK_URL", format!("{address}/services/T0SIMULATED/B0SIMULATED/secret")),
        ("SLACK_BASE_URL", format!("{address}/api")),
    ]
}

/// Returns the settings that Debrief needs beside those of [`PROVIDER`] to post as a bot. A bot can look for its
/// messages, which a webhook cannot.
pub fn bot_settings() -> Vec<Setting> {
    vec![("SLACK_BOT_TOKEN", "xoxb-simulated".to_owned()), ("SLACK_CHANNEL", "C0SIMULATED".to_owned())]
}

/// Returns the key under which a post is counted, from the body of its request.
#[cfg(feature = "testing")]
pub fn key_of_post(body: &Value) -> String {
    channels::natural_key(body)
}

fn routes(site: &Site<'_>) -> Router {
    Router::new()
        .route("/services/{*secret}", post(take_webhook))
        .route("/api/{method}", any(call_method))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(Arc::new(Channels::new(site.control.clone())))
}

fn refusal(status: StatusCode) -> Response {
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

async fn take_webhook(
    State(channels): State<Arc<Channels>>,
    Path(secret): Path<String>,
    body: String,
) -> Response {
    let bad_request = |word: &'static str| (StatusCode::BAD_REQUEST, word).into_response();
    if secret.split('/').filter(|part| !part.is_empty()).count() != 3 {
        return refusal(StatusCode::NOT_FOUND);
    }
    let Ok(Value::Object(mut payload)) = serde_json::from_str::<Value>(&body) else {
        return bad_request("invalid_payload");
    };
    if let Err(word) = check_content(&payload) {
        return bad_request(word);
    }
    payload.remove("thread_ts");
    let channel = channel_id(&format!("#{}", digest(secret.as_bytes())));
    channels.add(&channel, &payload);
    // The answer has no `ts`: a message from a webhook can neither be changed nor be continued.
    "ok".into_response()
}

async fn call_method(
    State(channels): State<Arc<Channels>>,
    Path(method): Path<String>,
    request: Request,
) -> Response {
    let result = match read_arguments(request).await {
        Ok(arguments) => channels.call(&method, &arguments),
        Err(word) => Err(word),
    };
    let scopes = [("x-oauth-scopes", SCOPES)];
    (scopes, Json(result.unwrap_or_else(|word| json!({ "ok": false, "error": word })))).into_response()
}

/// Reads the arguments of a method from the query, or from a body that is a form or JSON.
async fn read_arguments(request: Request) -> Result<Map<String, Value>, &'static str> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| "request_timeout")?;
    let kind =
        parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut arguments: Map<String, Value> = if parts.method == Method::GET {
        parse_form(parts.uri.query().unwrap_or_default().as_bytes())
    } else if kind.starts_with("application/json") {
        serde_json::from_slice(&bytes).map_err(|_| "invalid_json")?
    } else {
        parse_form(&bytes)
    };
    let token = arguments.remove("token").and_then(|token| token.as_str().map(str::to_owned));
    match token.or_else(|| bearer_token(&parts.headers)) {
        None => Err("not_authed"),
        Some(token) if token.starts_with("xoxb-") => Ok(arguments),
        Some(_) => Err("invalid_auth"),
    }
}

fn parse_form(bytes: &[u8]) -> Map<String, Value> {
    // An object or a list arrives in a form as JSON text.
    let value = |text: String| match serde_json::from_str(&text) {
        Ok(value @ (Value::Object(_) | Value::Array(_) | Value::Bool(_))) => value,
        _ => Value::from(text),
    };
    let pairs = url::form_urlencoded::parse(bytes).into_owned();
    pairs.map(|(name, text)| (name, value(text))).collect()
}

fn bearer_token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    Some(value.strip_prefix("Bearer ")?.trim().to_owned())
}
