//! Deepgram: one request with raw audio or with an address, which is answered with the transcript.
//!
//! The key stands behind `Token`. Parameters that the provider's document does not name are refused, and so is a model
//! that does not exist. Errors have the newer and the older of the provider's shapes.

mod stream;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::Utc;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::control::Control;
use crate::heard::{self, Heard};
use crate::provider::{Provider, Setting, Site};

// A call makes nothing here as long as another provider transcribes it, so nothing is made once by each call.
pub static PROVIDER: Provider = Provider { name: "deepgram", made_once: &[], routes, refusal, settings };

const MAX_AUDIO_BYTES: u64 = 2_000_000_000;
const PARAMETERS: [&str; 29] = [
    "callback",
    "callback_method",
    "custom_intent",
    "custom_intent_mode",
    "custom_topic",
    "custom_topic_mode",
    "detect_entities",
    "detect_language",
    "diarize",
    "diarize_model",
    "dictation",
    "encoding",
    "extra",
    "filler_words",
    "intents",
    "keyterm",
    "keywords",
    "language",
    "measurements",
    "mip_opt_out",
    "model",
    "multichannel",
    "numerals",
    "paragraphs",
    "profanity_filter",
    "punctuate",
    "smart_format",
    "utterances",
    "version",
];

fn settings(address: &str) -> Vec<Setting> {
    vec![("DEEPGRAM_API_KEY", "simulated".to_owned()), ("DEEPGRAM_BASE_URL", address.to_owned())]
}

fn routes(site: &Site<'_>) -> Router {
    Router::new()
        .route("/v1/listen", post(listen).get(stream::stream))
        .route("/v1/projects", get(projects))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(site.control.clone())
}

fn refusal(status: StatusCode) -> Response {
    match status {
        StatusCode::UNAUTHORIZED => legacy(status, "INVALID_AUTH", "Invalid credentials."),
        StatusCode::TOO_MANY_REQUESTS => legacy(status, "TOO_MANY_REQUESTS", "Too many requests."),
        other => {
            let category = other.canonical_reason().unwrap_or("Error").to_lowercase().replace(' ', "_");
            let id = Uuid::new_v4();
            let body = json!({ "category": category, "message": "Error", "details": "", "request_id": id });
            (other, Json(body)).into_response()
        }
    }
}

fn legacy(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "err_code": code, "err_msg": message, "request_id": Uuid::new_v4() });
    (status, Json(body)).into_response()
}

fn is_allowed(headers: &HeaderMap) -> bool {
    let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    key.strip_prefix("Token ").or(key.strip_prefix("Bearer ")).is_some_and(|key| !key.trim().is_empty())
}

async fn projects(headers: HeaderMap) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    Json(json!({ "projects": [{ "project_id": Uuid::nil(), "name": "simulated" }] })).into_response()
}

async fn listen(
    State(control): State<Arc<Control>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let query = query.unwrap_or_default();
    let asked: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into(), value.into())).collect();
    if let Some((unknown, _)) = asked.iter().find(|(name, _)| !PARAMETERS.contains(&name.as_str())) {
        return legacy(
            StatusCode::BAD_REQUEST,
            "INVALID_QUERY_PARAMETER",
            &format!("Unknown parameter {unknown}"),
        );
    }
    let value = |name: &str| asked.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let model = value("model").unwrap_or("base-general").to_owned();
    if !["nova", "enhanced", "base", "whisper"].iter().any(|family| model.starts_with(family)) {
        let message = "No such model/language/tier combination found.";
        return legacy(StatusCode::BAD_REQUEST, "INVALID_QUERY_PARAMETER", message);
    }
    if value("keyterm").is_some() && !model.starts_with("nova-3") {
        let message = "Keyterms are only supported by the model nova-3.";
        return legacy(StatusCode::BAD_REQUEST, "INVALID_QUERY_PARAMETER", message);
    }
    let is_on = |name: &str| value(name).is_some_and(|value| value != "false");
    let wanted = Wanted {
        channels: is_on("multichannel"),
        voices: is_on("diarize") || is_on("diarize_model"),
        utterances: is_on("utterances"),
        detects: is_on("detect_language"),
        model,
    };
    let heard = match heard::body(body, MAX_AUDIO_BYTES).await {
        Ok(heard) if heard.bytes > 0 => heard,
        Ok(_) => {
            let message = "Bad Request: failed to process audio: corrupt or unsupported data";
            return legacy(StatusCode::BAD_REQUEST, "Bad Request", message);
        }
        Err(status) => return refusal(status),
    };
    control.made("transcription", &heard.digest);
    Json(response(&heard, &wanted)).into_response()
}

#[expect(clippy::struct_excessive_bools, reason = "these are the switches of the request")]
struct Wanted {
    channels: bool,
    voices: bool,
    utterances: bool,
    detects: bool,
    model: String,
}

fn response(heard: &Heard, wanted: &Wanted) -> Value {
    let spoken = heard.numbered();
    let channels =
        if wanted.channels { spoken.iter().map(|(nth, _)| nth + 1).max().unwrap_or(1).max(2) } else { 1 };
    let on = |channel: usize| {
        let is_here = move |nth: usize| !wanted.channels || nth == channel;
        spoken.iter().filter(move |(nth, _)| is_here(*nth))
    };
    let listed: Vec<Value> = (0..channels)
        .map(|channel| {
            let words: Vec<Value> = on(channel)
                .flat_map(|(nth, spoken)| heard::words(spoken).into_iter().map(move |word| (nth, word)))
                .map(|(nth, word)| {
                    let mut shown = json!({ "word": word.text.to_lowercase(), "start": word.start, "end": word.end,
                        "confidence": 0.95, "punctuated_word": word.text });
                    if wanted.voices {
                        shown["speaker"] = json!(nth);
                    }
                    shown
                })
                .collect();
            let text = on(channel).map(|(_, spoken)| spoken.text.as_str()).collect::<Vec<_>>().join(" ");
            let mut shown =
                json!({ "alternatives": [{ "transcript": text, "confidence": 0.95, "words": words }] });
            if wanted.detects {
                shown["detected_language"] = "en".into();
            }
            shown
        })
        .collect();
    let mut results = json!({ "channels": listed });
    if wanted.utterances {
        let utterances: Vec<Value> = spoken
            .iter()
            .map(|(nth, spoken)| {
                let channel = if wanted.channels { *nth } else { 0 };
                let mut shown = json!({ "start": heard::seconds(spoken.start), "end": heard::seconds(spoken.end),
                    "confidence": 0.95, "channel": channel, "transcript": spoken.text, "words": [],
                    "id": Uuid::new_v4() });
                if wanted.voices {
                    shown["speaker"] = json!(nth);
                }
                shown
            })
            .collect();
        results["utterances"] = utterances.into();
    }
    json!({
        "metadata": { "transaction_key": "deprecated", "request_id": Uuid::new_v4(), "sha256": heard.digest,
            "created": Utc::now().to_rfc3339(), "duration": heard.seconds(), "channels": channels,
            "models": [Uuid::new_v4().to_string()], "model_info": { "name": wanted.model } },
        "results": results,
    })
}
