//! Chat completions, transcriptions and speech as OpenAI answers them, and the servers that speak its API, under any base path.
//!
//! The answer is made from the transcript in the prompt and from the schema in the request, by rules that know neither
//! of them beforehand. What OpenAI refuses about a request or a strict schema is refused here too, so that a mistake
//! is seen before it meets the provider.

mod completion;
mod fill;
#[cfg(feature = "testing")]
mod mistakes;
mod prompt;
mod realtime;
mod refusal;
mod rehearsal;
mod request;
mod speech;
mod stream;
mod strict;
mod transcriptions;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::control::Control;
use crate::digest::digest;
use crate::provider::{Provider, Setting, Site};
use completion::Answer;
use refusal::{WrongRequest, error, refusal, wrong};

pub static PROVIDER: Provider = Provider { name: "openai", made_once: &[], routes, refusal, settings };

const MAX_BODY: usize = 16 * 1024 * 1024;
/// The one model that is listed. Requests may name any other that was not retired, too.
const MODEL: &str = "simulated-model";
/// Models that were shut down, as the provider lists them on 2026-11-29.
const RETIRED: [&str; 7] =
    ["gpt-3.5-turbo", "gpt-4", "gpt-4-turbo", "gpt-4.1-nano", "o1", "o3-mini", "o4-mini"];

fn settings(address: &str) -> Vec<Setting> {
    vec![
        ("OPENAI_API_KEY", "simulated".to_owned()),
        ("OPENAI_BASE_URL", format!("{address}/v1")),
        ("OPENAI_MODEL", MODEL.to_owned()),
    ]
}

fn routes(site: &Site<'_>) -> Router {
    // A base address may have any path of its own, so the end of the path decides.
    Router::new().fallback(route).layer(DefaultBodyLimit::disable()).with_state(site.control.clone())
}

async fn route(State(control): State<Arc<Control>>, request: Request) -> Response {
    if !is_allowed(request.headers()) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let path = request.uri().path().trim_end_matches('/');
    match (request.method(), path) {
        (&Method::POST, path) if path.ends_with("/chat/completions") => complete(&control, request).await,
        (&Method::POST, path) if path.ends_with("/audio/transcriptions") => {
            transcriptions::transcribe(&control, request).await
        }
        (&Method::GET, path) if path.ends_with("/realtime") => realtime::stream(&control, request).await,
        (&Method::POST, path) if path.ends_with("/audio/speech") => {
            let body = axum::body::to_bytes(request.into_body(), MAX_BODY).await;
            match body.ok().and_then(|body| serde_json::from_slice(&body).ok()) {
                Some(Value::Object(asked)) => speech::speak(&control, &asked),
                _ => refusal(StatusCode::BAD_REQUEST),
            }
        }
        (&Method::GET, path) if path.ends_with("/models") => {
            Json(json!({ "object": "list", "data": [model(MODEL)] })).into_response()
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
    #[cfg(feature = "testing")]
    let fault = request.extensions().get().copied();
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
    let content = match request::check(&asked).and_then(|()| content_for(&asked)) {
        Ok(content) => content,
        Err(WrongRequest { message, param }) => {
            return error(StatusCode::BAD_REQUEST, "invalid_request_error", &message, Some(param), None);
        }
    };
    control.made("completion", &digest(asked["messages"].to_string().as_bytes()));
    let answer = Answer::new(content);
    #[cfg(feature = "testing")]
    let answer = mistakes::with_mistake(answer, fault);
    let completion = completion::completion(&asked, answer);
    let id = [("x-request-id", format!("req_{}", Uuid::new_v4().simple()))];
    let pace = control.pace.now();
    if request::is_streamed(&asked) {
        return (id, stream::answer(&asked, &completion, pace)).into_response();
    }
    tokio::time::sleep(stream::time_of(&completion, pace)).await;
    (id, Json(completion)).into_response()
}

/// Makes the text of the answer in the form that the request names.
fn content_for(asked: &Map<String, Value>) -> Result<String, WrongRequest> {
    let text = prompt::text_of(&asked["messages"]);
    let lines = prompt::lines_of(&text);
    let format = asked.get("response_format").unwrap_or(&Value::Null);
    match format["type"].as_str() {
        None | Some("text") => Ok(fill::sentences::summary(&lines)),
        Some("json_object") => Ok(json!({ "summary": fill::sentences::summary(&lines) }).to_string()),
        Some("json_schema") => {
            let schema = strict::schema_of(&format["json_schema"])?;
            let value = rehearsal::answer(&text).unwrap_or_else(|| fill::answer(schema, &lines));
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
