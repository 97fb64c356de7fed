//! AssemblyAI: audio is uploaded, a job is submitted, and the caller asks until the job is done or is told by webhook.
//!
//! The key stands in `Authorization` without `Bearer`. The failure of a transcript comes with HTTP 200 and
//! `status: error`. Unknown fields, a missing `speech_models` and models that were retired are refused, each with a
//! sentence like the provider's.

mod job;
mod list;
mod request;
mod stream;
mod subtitles;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::Utc;
use futures::StreamExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::control::Control;
use crate::dialogue::reader::DialogueReader;
use crate::provider::{Provider, Setting, Site};
use crate::state::{BoundedMap, lock};
use job::{Job, Upload};

pub static PROVIDER: Provider =
    Provider { name: "assemblyai", made_once: &["transcript"], routes, refusal, settings };

/// The length of the longest upload that the provider takes.
const MAX_UPLOAD_BYTES: u64 = 2_200_000_000;
/// The number of uploads, and of jobs, that are remembered.
const MAX_REMEMBERED: usize = 50_000;
const WEBHOOK_ATTEMPTS: u32 = 10;

/// What the provider keeps.
struct Account {
    base: String,
    control: Arc<Control>,
    /// The time between the request for a transcript and its completion.
    transcription_time: Duration,
    takes_retired_models: bool,
    /// The uploads by their URLs.
    uploads: Mutex<BoundedMap<Upload>>,
    jobs: Mutex<BoundedMap<Job>>,
    client: reqwest::Client,
}

fn settings(address: &str) -> Vec<Setting> {
    vec![
        ("ASSEMBLYAI_API_KEY", "simulated".to_owned()),
        // The other simulators of speech to text stand ready too. Whoever wants them to be asked says so.
        ("SPEECH", "assemblyai".to_owned()),
        ("ASSEMBLYAI_BASE_URL", address.to_owned()),
        // A simulated transcript is ready in less than a second.
        ("ASSEMBLYAI_POLL", "200ms".to_owned()),
    ]
}

fn routes(site: &Site<'_>) -> Router {
    let account = Arc::new(Account {
        base: site.base.to_owned(),
        control: site.control.clone(),
        transcription_time: site.options.transcription_time,
        takes_retired_models: site.options.takes_retired_models,
        uploads: Mutex::new(BoundedMap::new(MAX_REMEMBERED)),
        jobs: Mutex::new(BoundedMap::new(MAX_REMEMBERED)),
        client: webhook_client(),
    });
    Router::new()
        .route("/v2/upload", post(upload))
        .route("/v3/ws", get(stream::stream))
        .route("/v2/transcript", post(submit).get(list::list))
        .route("/v2/transcript/{id}", get(look).delete(delete))
        .route("/v2/transcript/{id}/{format}", get(subtitles::export))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(account)
}

#[expect(clippy::disallowed_methods, reason = "this crate does not depend on the one that makes clients")]
pub(crate) fn webhook_client() -> reqwest::Client {
    // An error means that one was installed before, which is as good.
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

async fn upload(State(account): State<Arc<Account>>, headers: HeaderMap, body: Body) -> Response {
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
    account.control.made("upload", &digest);
    let url = format!("{}/upload/{}", account.base, Uuid::new_v4());
    let duration_ms = reader.duration_ms();
    let (channels, is_undecodable) = (reader.channels(), reader.is_undecodable_for("assemblyai"));
    let upload =
        Upload { digest, channels, is_undecodable, utterances: reader.utterances().into(), duration_ms };
    lock(&account.uploads).insert(url.clone(), upload);
    Json(json!({ "upload_url": url })).into_response()
}

async fn submit(State(account): State<Arc<Account>>, headers: HeaderMap, body: String) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let Ok(Value::Object(request)) = serde_json::from_str::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, "Invalid JSON in the body");
    };
    if let Some(reason) = request::refused_because(&request, account.takes_retired_models) {
        return error(StatusCode::BAD_REQUEST, &reason);
    }
    let url = request["audio_url"].as_str().unwrap_or_default();
    let upload = lock(&account.uploads).get(url).cloned();
    let id = Uuid::new_v4().to_string();
    account.control.made("transcript", upload.as_ref().map_or(url, |upload| &upload.digest));
    let job = Job { submitted: Instant::now(), created: Utc::now(), request, upload, is_deleted: false };
    let answer = job.view(&id, account.transcription_time);
    if let Some(url) = job.request.get("webhook_url").and_then(Value::as_str) {
        account.control.in_background(call_webhook(account.clone(), url.to_owned(), id.clone(), job.clone()));
    }
    lock(&account.jobs).insert(id, job);
    Json(answer).into_response()
}

async fn look(State(account): State<Arc<Account>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    match lock(&account.jobs).get(&id) {
        Some(job) => Json(job.view(&id, account.transcription_time)).into_response(),
        None => unknown(),
    }
}

/// The answer for an id that no transcript has.
fn unknown() -> Response {
    error(StatusCode::NOT_FOUND, "Transcript lookup error, transcript id not found")
}

/// Deletes what a transcript holds. The transcript itself stays in the list.
async fn delete(State(account): State<Arc<Account>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let mut jobs = lock(&account.jobs);
    let Some(job) = jobs.get_mut(&id) else { return unknown() };
    job.is_deleted = true;
    account.control.made("deletion", &id);
    Json(job.view(&id, account.transcription_time)).into_response()
}

/// Calls the webhook when the transcript is done. It calls again when there is no answer or a 5xx, and never after a 4xx.
async fn call_webhook(account: Arc<Account>, url: String, id: String, job: Job) {
    tokio::time::sleep(account.transcription_time.saturating_sub(job.submitted.elapsed())).await;
    let body = json!({ "transcript_id": id, "status": job.status(account.transcription_time) });
    let text = |name: &str| job.request.get(name).and_then(Value::as_str).map(str::to_owned);
    let auth = text("webhook_auth_header_name").zip(text("webhook_auth_header_value"));
    for _ in 0..WEBHOOK_ATTEMPTS {
        let mut request = account.client.post(&url).json(&body);
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
