//! AssemblyAI: upload, submit, look until it is done, or be told by webhook.
//!
//! Errors of a transcript come with HTTP 200 and `status: error`; the key stands in `Authorization` without
//! `Bearer`; unknown fields, a missing `speech_models` and models that were retired are refused, each with a sentence
//! of the provider's kind. Before it looks for the audio it looks at the models.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::StreamExt as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::control::Control;
use crate::dialogue::Utterance;
use crate::dialogue::reader::DialogueReader;
use crate::provider::{Provider, Setting, Site};
use crate::state::{BoundedMap, lock};

pub static PROVIDER: Provider =
    Provider { name: "assemblyai", made_once: &["transcript"], routes, refusal, settings };

/// The provider takes 2.2 GB an upload.
const MAX_UPLOAD_BYTES: u64 = 2_200_000_000;
const MAX_REMEMBERED: usize = 50_000;
const WEBHOOK_TRIES: u32 = 10;
/// The models that are taken, as the provider lists them on 2026-11-29.
const MODELS: [&str; 3] = ["assemblyai-stt-3-7", "universal-3-5-pro", "universal-2"];
/// Models that were taken once.
const RETIRED: [&str; 5] = ["universal-3-pro", "slam-1", "universal", "best", "nano"];
const KNOWN_FIELDS: [&str; 43] = [
    "audio_url",
    "audio_end_at",
    "audio_start_from",
    "auto_chapters",
    "auto_highlights",
    "content_safety",
    "content_safety_confidence",
    "custom_spelling",
    "custom_topics",
    "disfluencies",
    "domain",
    "entity_detection",
    "filter_profanity",
    "format_text",
    "iab_categories",
    "keyterms_prompt",
    "language_code",
    "language_codes",
    "language_confidence_threshold",
    "language_detection",
    "language_detection_options",
    "multichannel",
    "prompt",
    "punctuate",
    "redact_pii",
    "redact_pii_audio",
    "redact_pii_audio_options",
    "redact_pii_audio_quality",
    "redact_pii_policies",
    "redact_pii_return_unredacted",
    "redact_pii_sub",
    "sentiment_analysis",
    "speaker_labels",
    "speaker_options",
    "speakers_expected",
    "speech_models",
    "speech_threshold",
    "speech_understanding",
    "summarization",
    "temperature",
    "webhook_auth_header_name",
    "webhook_auth_header_value",
    "webhook_url",
];

#[derive(Clone, Debug)]
struct Upload {
    digest: String,
    heard: Arc<[Utterance]>,
    duration_ms: u64,
}

#[derive(Clone, Debug)]
struct Job {
    since: Instant,
    request: Map<String, Value>,
    /// Absent where the audio is none that was uploaded here.
    upload: Option<Upload>,
}

struct Desk {
    base: String,
    control: Arc<Control>,
    takes: Duration,
    uploads: Mutex<BoundedMap<Upload>>,
    jobs: Mutex<BoundedMap<Job>>,
    client: reqwest::Client,
}

fn settings(address: &str) -> Vec<Setting> {
    vec![
        ("ASSEMBLYAI_API_KEY", "simulated".to_owned()),
        ("ASSEMBLYAI_BASE_URL", address.to_owned()),
        // A simulated transcript is ready in less than a second.
        ("ASSEMBLYAI_POLL", "200ms".to_owned()),
    ]
}

fn routes(site: &Site<'_>) -> Router {
    let desk = Arc::new(Desk {
        base: site.base.to_owned(),
        control: site.control.clone(),
        takes: site.options.transcription_time,
        uploads: Mutex::new(BoundedMap::new(MAX_REMEMBERED)),
        jobs: Mutex::new(BoundedMap::new(MAX_REMEMBERED)),
        client: webhook_client(),
    });
    Router::new()
        .route("/v2/upload", post(upload))
        .route("/v2/transcript", post(submit).get(list))
        .route("/v2/transcript/{id}", get(look))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(desk)
}

#[expect(clippy::disallowed_methods, reason = "this crate does not depend on the one that makes clients")]
fn webhook_client() -> reqwest::Client {
    // Err: somebody installed one before, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .no_proxy()
        .build()
        .expect("a client with fixed settings can be built")
}

fn refusal(status: StatusCode) -> Response {
    let text = match status {
        StatusCode::UNAUTHORIZED => "Authentication error, API token missing/invalid",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests, please retry after some time",
        other => other.canonical_reason().unwrap_or("Error"),
    };
    error(status, text)
}

fn error(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}

fn is_allowed(headers: &HeaderMap) -> bool {
    let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    !key.is_empty() && !key.to_ascii_lowercase().starts_with("bearer ")
}

async fn upload(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Body) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let (mut reader, mut hash, mut bytes) = (DialogueReader::default(), Sha256::new(), 0_u64);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else { return error(StatusCode::BAD_REQUEST, "Upload was cut off") };
        bytes += chunk.len() as u64;
        if bytes > MAX_UPLOAD_BYTES {
            return refusal(StatusCode::PAYLOAD_TOO_LARGE);
        }
        reader.read(&chunk);
        hash.update(&chunk);
    }
    if bytes == 0 {
        return error(StatusCode::UNPROCESSABLE_ENTITY, "Upload is empty");
    }
    let digest = hex::encode(&hash.finalize()[..16]);
    desk.control.made("upload", &digest);
    let url = format!("{}/upload/{}", desk.base, Uuid::new_v4());
    let duration_ms = reader.duration_ms();
    let upload = Upload { digest, heard: reader.utterances().into(), duration_ms };
    lock(&desk.uploads).insert(url.clone(), upload);
    Json(json!({ "upload_url": url })).into_response()
}

async fn submit(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: String) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let Ok(Value::Object(request)) = serde_json::from_str::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, "Invalid JSON in the body");
    };
    if let Some(wrong) = wrong_with(&request) {
        return error(StatusCode::BAD_REQUEST, &wrong);
    }
    let url = request["audio_url"].as_str().unwrap_or_default();
    let upload = lock(&desk.uploads).get(url).cloned();
    let id = Uuid::new_v4().to_string();
    desk.control.made("transcript", upload.as_ref().map_or(url, |upload| &upload.digest));
    let job = Job { since: Instant::now(), request, upload };
    let answer = job.view(&id, desk.takes);
    if let Some(url) = job.request.get("webhook_url").and_then(Value::as_str) {
        desk.control.in_background(tell(desk.clone(), url.to_owned(), id.clone(), job.clone()));
    }
    lock(&desk.jobs).insert(id, job);
    Json(answer).into_response()
}

/// What the provider refuses about a request for a transcript.
fn wrong_with(request: &Map<String, Value>) -> Option<String> {
    if request.contains_key("speech_model") {
        return Some("\"speech_model\" is deprecated. Use \"speech_models\" instead.".to_owned());
    }
    if let Some(unknown) = request.keys().find(|name| !KNOWN_FIELDS.contains(&name.as_str())) {
        return Some(format!("Invalid endpoint schema, unknown field \"{unknown}\""));
    }
    if let Some(wrong) = wrong_with_models(request.get("speech_models")) {
        return Some(wrong);
    }
    let is_address = |name: &str| {
        request.get(name).and_then(Value::as_str).is_some_and(|url| url.parse::<reqwest::Url>().is_ok())
    };
    if !is_address("audio_url") {
        return Some("\"audio_url\" is required and must be a URL".to_owned());
    }
    let given = |name: &str| request.get(name).is_some_and(|value| !value.is_null());
    if given("webhook_url") && !is_address("webhook_url") {
        return Some("\"webhook_url\" must be a URL".to_owned());
    }
    (given("webhook_auth_header_name") != given("webhook_auth_header_value"))
        .then(|| "a webhook's authentication needs both a header name and a value".to_owned())
}

/// What the provider refuses about the models that a request names.
fn wrong_with_models(models: Option<&Value>) -> Option<String> {
    let in_quotes =
        |names: &[&str]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let named = models.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = named.iter().filter_map(Value::as_str).collect();
    let retired: Vec<&str> = names.iter().copied().filter(|name| RETIRED.contains(name)).collect();
    if !retired.is_empty() {
        let instead = in_quotes(&["assemblyai-stt-3-7", "universal-2"]);
        return Some(format!(
            "The {} speech model(s) have been deprecated. Use speech_models: [{instead}] instead.",
            in_quotes(&retired)
        ));
    }
    let are_known = names.len() == named.len() && names.iter().all(|name| MODELS.contains(name));
    (names.is_empty() || !are_known).then(|| {
        format!(
            "\"speech_models\" must be a non-empty list containing one or more of: {}",
            in_quotes(&MODELS)
        )
    })
}

/// The newest jobs. Nobody here reads them, so the page is empty; it shows whether the key is good.
async fn list(headers: HeaderMap) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    Json(json!({ "page_details": { "limit": 1, "result_count": 0 }, "transcripts": [] })).into_response()
}

async fn look(State(desk): State<Arc<Desk>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    match lock(&desk.jobs).get(&id) {
        Some(job) => Json(job.view(&id, desk.takes)).into_response(),
        None => error(StatusCode::NOT_FOUND, "Transcript lookup error, transcript id not found"),
    }
}

impl Job {
    fn asks_for(&self, name: &str) -> bool {
        self.request.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn status(&self, takes: Duration) -> &'static str {
        let passed = self.since.elapsed();
        match &self.upload {
            _ if passed < takes / 3 => "queued",
            _ if passed < takes => "processing",
            Some(_) => "completed",
            None => "error",
        }
    }

    fn view(&self, id: &str, takes: Duration) -> Value {
        let status = self.status(takes);
        let mut view = json!({
            "id": id,
            "status": status,
            "audio_url": self.request["audio_url"],
            "speech_models": self.request["speech_models"],
            "language_code": self.request.get("language_code").cloned().unwrap_or_else(|| "en_us".into()),
            "speaker_labels": self.asks_for("speaker_labels"),
            "multichannel": self.asks_for("multichannel"),
            "webhook_url": self.request.get("webhook_url"),
            "text": null, "words": null, "utterances": null, "confidence": null, "audio_duration": null,
        });
        match &self.upload {
            Some(upload) if status == "completed" => self.fill(&mut view, upload),
            None if status == "error" => {
                view["error"] = "Download error, unable to download the file at audio_url".into();
            }
            _ => {}
        }
        view
    }

    fn fill(&self, view: &mut Value, upload: &Upload) {
        let (labels, channels) = (self.asks_for("speaker_labels"), self.asks_for("multichannel"));
        let mut names: Vec<&str> = Vec::new();
        let mut utterances = Vec::new();
        for said in upload.heard.iter() {
            let nth = names.iter().position(|name| *name == said.speaker).unwrap_or_else(|| {
                names.push(&said.speaker);
                names.len() - 1
            });
            let text = if self.asks_for("redact_pii") { redacted(&said.text) } else { said.text.clone() };
            // The provider names speakers A, B, C, and channels 1, 2, 3; it knows nobody's name.
            let label = if channels { (nth + 1).to_string() } else { letters(nth) };
            let speaker = if labels || channels { json!(label) } else { Value::Null };
            let mut utterance = json!({
                "speaker": speaker, "text": text, "start": said.start, "end": said.end, "confidence": 0.95,
                "words": words_of(&text, said.start, said.end, &speaker),
            });
            if channels {
                utterance["channel"] = json!(label);
            }
            utterances.push(utterance);
        }
        let texts: Vec<&str> = utterances.iter().filter_map(|one| one["text"].as_str()).collect();
        view["text"] = texts.join(" ").into();
        let words = utterances.iter().filter_map(|one| one["words"].as_array()).flatten().cloned();
        view["words"] = words.collect();
        view["confidence"] = json!(0.95);
        // In whole seconds, unlike every other time.
        view["audio_duration"] = upload.duration_ms.div_ceil(1000).into();
        if labels || channels {
            view["utterances"] = utterances.into();
        }
    }
}

fn letters(nth: usize) -> String {
    let letter = char::from(b'A' + u8::try_from(nth % 26).unwrap_or_default());
    letter.to_string().repeat(nth / 26 + 1)
}

/// Digits and addresses, as `redact_pii_sub: hash` shows them.
fn redacted(text: &str) -> String {
    let hide = |word: &str| match word {
        word if word.contains('@') => "#".repeat(word.chars().count()),
        word => word.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect(),
    };
    text.split(' ').map(hide).collect::<Vec<_>>().join(" ")
}

fn words_of(text: &str, start: u64, end: u64, speaker: &Value) -> Vec<Value> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let count = words.len().max(1) as u64;
    let at = |nth: u64| start.saturating_add(end.saturating_sub(start).saturating_mul(nth) / count);
    let word = |(nth, word): (u64, &str)| {
        json!({
            "text": word, "start": at(nth), "end": at(nth + 1), "confidence": 0.95, "speaker": speaker,
        })
    };
    (0_u64..).zip(words).map(word).collect()
}

/// Calls the webhook when the transcript is done: again after no answer or a 5xx, never after a 4xx.
async fn tell(desk: Arc<Desk>, url: String, id: String, job: Job) {
    tokio::time::sleep(desk.takes.saturating_sub(job.since.elapsed())).await;
    let body = json!({ "transcript_id": id, "status": job.status(desk.takes) });
    let text = |name: &str| job.request.get(name).and_then(Value::as_str).map(str::to_owned);
    let auth = text("webhook_auth_header_name").zip(text("webhook_auth_header_value"));
    for _ in 0..WEBHOOK_TRIES {
        let mut request = desk.client.post(&url).json(&body);
        if let Some((name, value)) = &auth {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(answer) if !answer.status().is_server_error() => return,
            Ok(answer) => tracing::debug!(status = %answer.status(), "the webhook was refused"),
            Err(error) => tracing::debug!(error = %error.without_url(), "the webhook was not answered"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
