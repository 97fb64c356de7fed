//! Speech: a text, a voice and a model, which are answered with sound.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use super::refusal::error;
use super::{RETIRED, no_such_model};
use crate::control::Control;
use crate::digest::digest;
use crate::spoken;

const FIELDS: [&str; 7] =
    ["model", "input", "voice", "instructions", "response_format", "speed", "stream_format"];
/// The longest text, in characters.
const MAX_INPUT: usize = 4096;

/// Says what the request holds. Only plain samples are made here.
pub(super) fn speak(control: &Control, asked: &Map<String, Value>) -> Response {
    if let Some(unknown) = asked.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return wrong(&format!("Unrecognized request argument supplied: {unknown}"), None);
    }
    let text = |name: &str| asked.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(model) = text("model") else {
        return wrong("you must provide a model parameter", Some("model"));
    };
    if RETIRED.contains(&model) {
        return no_such_model(model);
    }
    let Some(input) = text("input") else { return wrong("'input' is a required property", Some("input")) };
    if input.chars().count() > MAX_INPUT {
        return wrong("String should have at most 4096 characters", Some("input"));
    }
    let voice = text("voice").or_else(|| asked.get("voice")?.get("id")?.as_str());
    let Some(voice) = voice else { return wrong("'voice' is a required property", Some("voice")) };
    if model.starts_with("tts-1") && asked.contains_key("instructions") {
        return wrong("'instructions' is not supported by this model", Some("instructions"));
    }
    let speed = asked.get("speed").and_then(Value::as_f64).unwrap_or(1.0);
    if !(0.25..=4.0).contains(&speed) {
        return wrong("'speed' has to be from 0.25 to 4.0", Some("speed"));
    }
    if text("response_format") != Some("pcm") {
        return wrong("this simulator makes only 'pcm'", Some("response_format"));
    }
    control.made("speech", &digest(input.as_bytes()));
    spoken::answer(input, voice, speed, control.pace.now())
}

fn wrong(message: &str, param: Option<&str>) -> Response {
    error(StatusCode::BAD_REQUEST, "invalid_request_error", message, param, None)
}
