//! `ElevenLabs`: Scribe takes one form with audio, which is answered with words, or with one transcript for each channel. A line of
//! text is answered with its sound, or the lines of an answer are said over one WebSocket.
//!
//! The key stands in `xi-api-key`. A form that is wrong gets 422 and a list; other errors are an object.

mod socket;

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::multipart::Multipart;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::control::Control;
use crate::dialogue::Utterance;
use crate::digest::digest;
use crate::heard::{self, Heard};
use crate::provider::{Provider, Setting, Site};
use crate::spoken;

// A call makes nothing here as long as another provider transcribes it, so nothing is made once by each call.
pub static PROVIDER: Provider = Provider { name: "elevenlabs", made_once: &[], routes, refusal, settings };

const MAX_AUDIO_BYTES: u64 = 3_000_000_000;
const MODELS: [&str; 2] = ["scribe_v2", "scribe_v1"];
const SPEAKING: [&str; 3] = ["eleven_flash_v2_5", "eleven_v3", "eleven_multilingual_v2"];

fn settings(address: &str) -> Vec<Setting> {
    vec![("ELEVENLABS_API_KEY", "simulated".to_owned()), ("ELEVENLABS_BASE_URL", address.to_owned())]
}

fn routes(site: &Site<'_>) -> Router {
    Router::new()
        .route("/v1/speech-to-text", post(convert))
        .route("/v1/models", get(models))
        .route("/v1/text-to-speech/{voice}/stream", post(speak))
        .route("/v1/text-to-speech/{voice}/stream-input", get(socket::speak))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .layer(DefaultBodyLimit::disable())
        .with_state(site.control.clone())
}

fn refusal(status: StatusCode) -> Response {
    match status {
        StatusCode::UNAUTHORIZED => error(status, "invalid_api_key", "Invalid API key"),
        StatusCode::TOO_MANY_REQUESTS => {
            error(status, "too_many_concurrent_requests", "Too many concurrent requests")
        }
        other => {
            let word = other.canonical_reason().unwrap_or("Error").to_lowercase().replace(' ', "_");
            error(other, &word, "Error")
        }
    }
}

fn error(status: StatusCode, word: &str, message: &str) -> Response {
    (status, Json(json!({ "detail": { "status": word, "message": message } }))).into_response()
}

fn wrong(field: &str, message: &str, kind: &str) -> Response {
    let wrong = json!({ "detail": [{ "loc": ["body", field], "msg": message, "type": kind }] });
    (StatusCode::UNPROCESSABLE_ENTITY, Json(wrong)).into_response()
}

fn is_allowed(headers: &HeaderMap) -> bool {
    headers.get("xi-api-key").is_some_and(|key| !key.is_empty())
}

async fn models(headers: HeaderMap) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let models =
        SPEAKING.map(|model| json!({ "model_id": model, "name": model, "can_do_text_to_speech": true }));
    Json(json!(models)).into_response()
}

async fn speak(
    State(control): State<Arc<Control>>,
    Path(voice): Path<String>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Result<Json<Value>, JsonRejection>,
) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let Ok(Json(body)) = body else { return wrong("text", "Field required", "missing") };
    let Some(text) = body["text"].as_str().filter(|text| !text.trim().is_empty()) else {
        return wrong("text", "Field required", "missing");
    };
    if !voice.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return error(StatusCode::NOT_FOUND, "voice_not_found", "A voice with this id does not exist");
    }
    let model = body["model_id"].as_str().unwrap_or("eleven_multilingual_v2");
    if !SPEAKING.contains(&model) {
        return error(StatusCode::BAD_REQUEST, "invalid_model_id", "The model is not a valid model");
    }
    let settings = &body["voice_settings"];
    if let Some(name) = out_of_range(settings) {
        return wrong(name, "Input should be from 0 to 1", "less_than_equal");
    }
    let Some(speed) = speed(settings) else {
        return error(StatusCode::BAD_REQUEST, "invalid_voice_settings", "speed has to be from 0.7 to 1.2");
    };
    if asked.get("output_format").map(String::as_str) != Some("pcm_24000") {
        return error(
            StatusCode::BAD_REQUEST,
            "invalid_output_format",
            "this simulator makes only pcm_24000",
        );
    }
    control.made("speech", &digest(text.as_bytes()));
    spoken::answer(text, &voice, speed, control.pace.now())
}

/// The setting of a voice that must be from 0 to 1 and is not.
fn out_of_range(settings: &Value) -> Option<&'static str> {
    let is_wrong = |name: &&str| settings[*name].as_f64().is_some_and(|value| !(0.0..=1.0).contains(&value));
    ["stability", "similarity_boost", "style"].into_iter().find(is_wrong)
}

fn speed(settings: &Value) -> Option<f64> {
    Some(settings["speed"].as_f64().unwrap_or(1.0)).filter(|speed| (0.7..=1.2).contains(speed))
}

async fn convert(State(control): State<Arc<Control>>, headers: HeaderMap, parts: Multipart) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let form = match heard::form(parts, MAX_AUDIO_BYTES).await {
        Ok(form) => form,
        Err(status) => return refusal(status),
    };
    match form.value("model_id") {
        None => return wrong("model_id", "Field required", "missing"),
        Some(model) if !MODELS.contains(&model) => {
            return error(StatusCode::BAD_REQUEST, "invalid_model_id", "The model is not a valid model");
        }
        Some("scribe_v1") if form.value("keyterms").is_some() => {
            return error(StatusCode::BAD_REQUEST, "invalid_parameters", "keyterms need scribe_v2");
        }
        Some(_) => {}
    }
    let Some(heard) = form.file.as_ref().filter(|file| file.bytes > 0) else {
        return error(
            StatusCode::BAD_REQUEST,
            "invalid_parameters",
            "Provide either file or cloud_storage_url",
        );
    };
    if form.is_true("use_multi_channel") && form.is_true("diarize") {
        return error(
            StatusCode::BAD_REQUEST,
            "invalid_parameters",
            "diarize must be false with several channels",
        );
    }
    control.made("transcription", &heard.digest);
    Json(response(heard, form.is_true("use_multi_channel"), form.is_true("diarize"))).into_response()
}

fn response(heard: &Heard, channels: bool, voices: bool) -> Value {
    let spoken = heard.numbered();
    if channels {
        let count = spoken.iter().map(|(nth, _)| nth + 1).max().unwrap_or(1).max(2);
        let transcripts: Vec<Value> = (0..count)
            .map(|channel| {
                let here: Vec<_> = spoken.iter().filter(|(nth, _)| *nth == channel).copied().collect();
                let mut shown = transcript(&here, false);
                shown["channel_index"] = json!(channel);
                shown
            })
            .collect();
        return json!({ "transcripts": transcripts, "transcription_id": Uuid::new_v4(),
            "audio_duration_secs": heard.seconds() });
    }
    let mut shown = transcript(&spoken, voices);
    shown["transcription_id"] = json!(Uuid::new_v4());
    shown["audio_duration_secs"] = json!(heard.seconds());
    shown
}

fn transcript(spoken: &[(usize, &Utterance)], voices: bool) -> Value {
    let mut words: Vec<Value> = Vec::new();
    for (nth, utterance) in spoken {
        let speaker = if voices { json!(format!("speaker_{nth}")) } else { Value::Null };
        for word in heard::words(utterance) {
            if !words.is_empty() {
                words.push(json!({ "text": " ", "start": word.start, "end": word.start, "type": "spacing",
                    "speaker_id": speaker, "logprob": 0.0 }));
            }
            words.push(json!({ "text": word.text, "start": word.start, "end": word.end, "type": "word",
                "speaker_id": speaker, "logprob": -0.05 }));
        }
    }
    let text = spoken.iter().map(|(_, spoken)| spoken.text.as_str()).collect::<Vec<_>>().join(" ");
    json!({ "language_code": "eng", "language_probability": 0.98, "text": text, "words": words })
}
