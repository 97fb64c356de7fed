//! Chat completions as OpenAI and the servers that speak its API answer them, under any base path.
//!
//! The answer is no canned reply: it is made from the transcript in the prompt and the schema that was asked
//! for, by rules that know neither the prompt nor the schema beforehand. What OpenAI refuses about a
//! request or a strict schema is refused here too, so that a mistake shows before it meets the provider.

mod fill;
mod prompt;
mod strict;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use chrono::Utc;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::control::Control;
use super::digest;
use super::faults::ModelFault;

const MAX_BODY: usize = 16 * 1024 * 1024;
const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];
/// Models that were shut down, as the provider lists them on 2026-11-29.
const RETIRED: [&str; 7] =
    ["gpt-3.5-turbo", "gpt-4", "gpt-4-turbo", "gpt-4.1-nano", "o1", "o3-mini", "o4-mini"];
const KNOWN_FIELDS: [&str; 37] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

pub(crate) fn app(control: Arc<Control>) -> Router {
    // A base address may have any path of its own, so the end of the path decides.
    Router::new().fallback(route).with_state(control)
}

pub(crate) fn refusal(status: StatusCode) -> Response {
    let (kind, code) = match status {
        StatusCode::UNAUTHORIZED => ("invalid_request_error", Some("invalid_api_key")),
        StatusCode::TOO_MANY_REQUESTS => ("requests", Some("rate_limit_exceeded")),
        status if status.is_server_error() => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    let message = status.canonical_reason().unwrap_or("Error");
    error(status, kind, message, None, code)
}

fn error(status: StatusCode, kind: &str, message: &str, param: Option<&str>, code: Option<&str>) -> Response {
    let error = json!({ "message": message, "type": kind, "param": param, "code": code });
    (status, Json(json!({ "error": error }))).into_response()
}

/// What is wrong with a request, and which of its fields is.
pub(crate) struct Wrong {
    message: String,
    param: &'static str,
}

fn wrong<T>(param: &'static str, message: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { message: message.into(), param })
}

async fn route(State(control): State<Arc<Control>>, request: Request) -> Response {
    if !is_allowed(request.headers()) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let path = request.uri().path().trim_end_matches('/');
    match (request.method(), path) {
        (&Method::POST, path) if path.ends_with("/chat/completions") => complete(&control, request).await,
        (&Method::GET, path) if path.ends_with("/models") => {
            Json(json!({ "object": "list", "data": [model("simulated")] })).into_response()
        }
        (&Method::GET, path) => match path.rsplit_once("/models/") {
            Some((_, name)) if RETIRED.contains(&name) => no_such_model(name),
            Some((_, name)) => Json(model(name)).into_response(),
            None => refusal(StatusCode::NOT_FOUND),
        },
        _ => refusal(StatusCode::NOT_FOUND),
    }
}

/// Any model that was not retired is one.
fn model(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 0, "owned_by": "simulator", "shutdown_date": null })
}

fn no_such_model(name: &str) -> Response {
    let message = format!("The model `{name}` does not exist or you do not have access to it.");
    error(StatusCode::NOT_FOUND, "invalid_request_error", &message, None, Some("model_not_found"))
}

fn is_allowed(headers: &HeaderMap) -> bool {
    let value = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.strip_prefix("Bearer ").is_some_and(|key| !key.trim().is_empty())
}

async fn complete(control: &Control, request: Request) -> Response {
    let fault = request.extensions().get::<ModelFault>().copied();
    let Ok(body) = axum::body::to_bytes(request.into_body(), MAX_BODY).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let Ok(Value::Object(asked)) = serde_json::from_slice::<Value>(&body) else {
        let text = "We could not parse the JSON body of your request.";
        return error(StatusCode::BAD_REQUEST, "invalid_request_error", text, None, None);
    };
    if let Some(retired) = asked.get("model").and_then(Value::as_str).filter(|name| RETIRED.contains(name)) {
        return no_such_model(retired);
    }
    let content = match checked(&asked).and_then(|()| content_for(&asked)) {
        Ok(content) => content,
        Err(Wrong { message, param }) => {
            return error(StatusCode::BAD_REQUEST, "invalid_request_error", &message, Some(param), None);
        }
    };
    control.made("completion", &digest(asked["messages"].to_string().as_bytes()));
    let answer = completion(&asked, content, fault);
    ([("x-request-id", format!("req_{}", Uuid::new_v4().simple()))], Json(answer)).into_response()
}

/// Everything about a request but its schema.
fn checked(asked: &Map<String, Value>) -> Result<(), Wrong> {
    if let Some(unknown) = asked.keys().find(|name| !KNOWN_FIELDS.contains(&name.as_str())) {
        return wrong("body", format!("Unrecognized request argument supplied: {unknown}"));
    }
    if asked.get("model").and_then(Value::as_str).is_none_or(str::is_empty) {
        return wrong("model", "you must provide a model parameter");
    }
    if asked.get("stream").and_then(Value::as_bool) == Some(true) {
        return wrong("stream", "this simulator does not stream");
    }
    let Some(messages) = asked.get("messages").and_then(Value::as_array).filter(|all| !all.is_empty()) else {
        return wrong("messages", "'messages' must be a non-empty array");
    };
    for message in messages {
        if !message["role"].as_str().is_some_and(|role| ROLES.contains(&role)) {
            return wrong("messages", format!("Invalid value: {}. Unknown role.", message["role"]));
        }
        if !matches!(message["content"], Value::String(_) | Value::Array(_)) && message["role"] != "assistant"
        {
            return wrong("messages", "Invalid type for 'content': expected a string or an array of parts");
        }
    }
    let temperature = asked.get("temperature").and_then(Value::as_f64);
    if temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
        return wrong("temperature", "Invalid 'temperature': expected a value from 0 to 2");
    }
    Ok(())
}

fn content_for(asked: &Map<String, Value>) -> Result<String, Wrong> {
    let text = prompt::text_of(&asked["messages"]);
    let lines = prompt::lines_of(&text);
    let format = asked.get("response_format").unwrap_or(&Value::Null);
    match format["type"].as_str() {
        None | Some("text") => Ok(fill::summary(&lines)),
        Some("json_object") => Ok(json!({ "summary": fill::summary(&lines) }).to_string()),
        Some("json_schema") => {
            let schema = strict::schema_of(&format["json_schema"])?;
            let value = fill::answer(schema, &lines);
            match jsonschema::validator_for(schema) {
                Ok(validator) if validator.is_valid(&value) => Ok(value.to_string()),
                Ok(_) => wrong("response_format", "this simulator found no answer that keeps to the schema"),
                Err(error) => {
                    wrong("response_format", format!("Invalid schema for response_format: {error}"))
                }
            }
        }
        Some(_) => wrong("response_format", "Invalid value of 'response_format.type'"),
    }
}

fn completion(asked: &Map<String, Value>, mut content: String, fault: Option<ModelFault>) -> Value {
    let mut finish = "stop";
    let mut refused = None;
    match fault {
        None => {}
        Some(ModelFault::NotJson) => {
            content = format!("Sure! Here is what I found:\n\n{content}\n\nAnything else?");
        }
        Some(ModelFault::CutOff) => {
            content = content.chars().take(content.chars().count() / 2).collect();
            finish = "length";
        }
        Some(ModelFault::Refusal) => refused = Some("I'm sorry, I can't assist with that request."),
        Some(ModelFault::SchemaBreak) => content = broken(&content),
    }
    let limit = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| asked.get(*name)?.as_u64());
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    if let Some(limit) = limit.filter(|limit| tokens(&content) > *limit) {
        content = content.chars().take(limit.saturating_mul(CHARS_PER_TOKEN)).collect();
        finish = "length";
    }
    let schema = asked.get("response_format").map_or(0, |format| tokens(&format.to_string()));
    let prompt = tokens(&asked["messages"].to_string()) + schema;
    let said = tokens(refused.unwrap_or(&content));
    json!({
        "id": format!("chatcmpl-{}", Uuid::new_v4().simple()),
        "object": "chat.completion",
        "created": Utc::now().timestamp(),
        "model": asked["model"],
        "choices": [{
            "index": 0,
            "message": {
                "role": "assistant",
                "content": refused.is_none().then_some(content),
                "refusal": refused,
            },
            "logprobs": null,
            "finish_reason": finish,
        }],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": said,
            "total_tokens": prompt + said,
        },
    })
}

/// The same answer without its first property, and with one that nobody asked for.
fn broken(content: &str) -> String {
    let mut value: Value = serde_json::from_str(content).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        if let Some(first) = object.keys().next().cloned() {
            object.remove(&first);
        }
        object.insert("unexpected".to_owned(), true.into());
    }
    value.to_string()
}

/// English text has about four characters a token.
const CHARS_PER_TOKEN: usize = 4;

fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(CHARS_PER_TOKEN)
}
