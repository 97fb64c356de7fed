//! Transcriptions: a form with audio, which is answered in the format that the form names, if the model has it.

use axum::Json;
use axum::extract::multipart::Multipart;
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::refusal::{error, refusal};
use crate::control::Control;
use crate::heard::{self, Form, Heard};

/// The provider takes 25 MiB.
const MAX_AUDIO_BYTES: u64 = 25 * 1024 * 1024;
/// The longest audio of the models that are no Whisper.
const MAX_GPT_AUDIO_MS: u64 = 1_400_000;
const EXTENSIONS: [&str; 9] = ["flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm"];
const FIELDS: [&str; 14] = [
    "model",
    "language",
    "languages[]",
    "keywords[]",
    "prompt",
    "response_format",
    "temperature",
    "include[]",
    "timestamp_granularities[]",
    "stream",
    "chunking_strategy",
    "known_speaker_names[]",
    "known_speaker_references[]",
    "file",
];

pub(super) async fn transcribe(control: &Control, request: Request) -> Response {
    let Ok(parts) = Multipart::from_request(request, &()).await else {
        return wrong("Could not parse multipart form", None);
    };
    let form = match heard::form(parts, MAX_AUDIO_BYTES).await {
        Ok(form) => form,
        Err(StatusCode::PAYLOAD_TOO_LARGE) => {
            let message = "413: Maximum content size limit (26214400) exceeded";
            return error(StatusCode::PAYLOAD_TOO_LARGE, "server_error", message, None, None);
        }
        Err(status) => return refusal(status),
    };
    if let Some(refused) = refused(&form) {
        return refused;
    }
    let (Some(heard), Some(model)) = (&form.file, form.value("model")) else {
        return wrong("you must provide a model parameter", Some("model"));
    };
    control.made("transcription", &heard.digest);
    match form.value("response_format").unwrap_or("json") {
        "text" => format!("{}\n", heard.text()).into_response(),
        "verbose_json" => Json(verbose(heard, &form)).into_response(),
        "diarized_json" => Json(diarized(heard)).into_response(),
        _ => Json(plain(heard, model)).into_response(),
    }
}

fn wrong(message: &str, param: Option<&str>) -> Response {
    error(StatusCode::BAD_REQUEST, "invalid_request_error", message, param, None)
}

/// Says what is wrong with a form, if something is.
fn refused(form: &Form) -> Option<Response> {
    if let Some((unknown, _)) = form.fields.iter().find(|(name, _)| !FIELDS.contains(&name.as_str())) {
        return Some(wrong(&format!("Unknown parameter: '{unknown}'."), Some(unknown)));
    }
    let Some(heard) = &form.file else { return Some(wrong("file is a required property", Some("file"))) };
    let extension = form.file_name.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, end)| end);
    if !extension.is_some_and(|end| EXTENSIONS.contains(&end)) {
        let message = format!("Invalid file format. Supported formats: {EXTENSIONS:?}");
        return Some(wrong(&message, Some("file")));
    }
    let model = form.value("model").unwrap_or_default();
    if model.is_empty() {
        return Some(wrong("you must provide a model parameter", Some("model")));
    }
    let format = form.value("response_format").unwrap_or("json");
    let formats: &[&str] = match model {
        model if model.contains("diarize") => &["json", "text", "diarized_json"],
        model if model.starts_with("gpt-") => &["json", "text"],
        _ => &["json", "text", "srt", "verbose_json", "vtt"],
    };
    if !formats.contains(&format) {
        let message = format!("response_format '{format}' is not compatible with model '{model}'.");
        return Some(wrong(&message, Some("response_format")));
    }
    if model.contains("diarize") {
        if form.value("prompt").is_some() {
            return Some(wrong("Prompt is not supported for diarization models", Some("prompt")));
        }
        if heard.duration_ms > 30_000 && form.value("chunking_strategy").is_none() {
            let message = "chunking_strategy is required for diarization models";
            return Some(wrong(message, Some("chunking_strategy")));
        }
    }
    if model.starts_with("gpt-") && heard.duration_ms > MAX_GPT_AUDIO_MS {
        let message = format!(
            "audio duration {} seconds is longer than 1400 seconds which is the maximum for this model",
            heard.seconds()
        );
        return Some(error(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            &message,
            None,
            Some("invalid_value"),
        ));
    }
    if form.value("timestamp_granularities[]").is_some() && format != "verbose_json" {
        let message = "timestamp_granularities need response_format verbose_json";
        return Some(wrong(message, Some("timestamp_granularities")));
    }
    None
}

fn tokens(heard: &Heard) -> Value {
    let (heard_tokens, said) = (heard.duration_ms / 100, heard.text().split_whitespace().count() as u64);
    json!({ "type": "tokens", "input_tokens": heard_tokens, "output_tokens": said,
        "total_tokens": heard_tokens + said,
        "input_token_details": { "text_tokens": 0, "audio_tokens": heard_tokens } })
}

fn plain(heard: &Heard, model: &str) -> Value {
    let usage = if model.starts_with("gpt-") { tokens(heard) } else { duration(heard) };
    json!({ "text": heard.text(), "usage": usage })
}

fn duration(heard: &Heard) -> Value {
    json!({ "type": "duration", "seconds": heard.duration_ms.div_ceil(1000) })
}

fn verbose(heard: &Heard, form: &Form) -> Value {
    let segments: Vec<Value> = (0_u64..)
        .zip(&heard.utterances)
        .map(|(id, spoken)| {
            json!({ "id": id, "seek": 0, "start": heard::seconds(spoken.start), "end": heard::seconds(spoken.end),
                "text": format!(" {}", spoken.text), "tokens": [], "temperature": 0.0, "avg_logprob": -0.1,
                "compression_ratio": 1.0, "no_speech_prob": 0.01 })
        })
        .collect();
    let mut body = json!({ "task": "transcribe", "language": "english", "duration": heard.seconds(),
        "text": heard.text(), "segments": segments, "usage": duration(heard) });
    let wants_words =
        form.fields.iter().any(|(name, value)| name == "timestamp_granularities[]" && value == "word");
    if wants_words {
        let words = heard.utterances.iter().flat_map(heard::words);
        body["words"] =
            words.map(|word| json!({ "word": word.text, "start": word.start, "end": word.end })).collect();
    }
    body
}

fn diarized(heard: &Heard) -> Value {
    let letter = |nth: usize| char::from(b'A' + u8::try_from(nth % 26).unwrap_or_default()).to_string();
    let segments: Vec<Value> = (0_u64..)
        .zip(heard.numbered())
        .map(|(id, (nth, spoken))| {
            json!({ "type": "transcript.text.segment", "id": format!("seg_{id}"),
                "start": heard::seconds(spoken.start), "end": heard::seconds(spoken.end), "text": spoken.text,
                "speaker": letter(nth) })
        })
        .collect();
    json!({ "task": "transcribe", "duration": heard.seconds(), "text": heard.text(), "segments": segments,
        "usage": tokens(heard) })
}
