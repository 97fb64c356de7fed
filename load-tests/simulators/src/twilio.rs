//! Twilio: the account, and recordings as WAV files with one channel or with two.
//!
//! The first request for a recording is answered 404, because the real provider tells of a recording shortly before it can
//! be fetched. A recording is brought to the simulator of recordings, under its id.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::provider::{Provider, Setting, Site};
use crate::recording_store::RecordingStore;
use crate::state::lock;

pub static PROVIDER: Provider = Provider { name: "twilio", made_once: &[], routes, refusal, settings };

pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
pub const TOKEN: &str = "simulated-twilio-token";

struct Twilio {
    recordings: RecordingStore,
    /// The recordings that were asked for.
    asked: Mutex<HashSet<String>>,
}

fn settings(address: &str) -> Vec<Setting> {
    vec![
        ("TWILIO_ACCOUNT_SID", ACCOUNT.to_owned()),
        ("TWILIO_AUTH_TOKEN", TOKEN.to_owned()),
        ("TWILIO_BASE_URL", address.to_owned()),
    ]
}

fn routes(site: &Site<'_>) -> Router {
    Router::new()
        .route("/2010-04-01/Accounts/{account}", get(account))
        .route("/2010-04-01/Accounts/{account}/Recordings/{file}", get(recording))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(Arc::new(Twilio { recordings: site.recordings.clone(), asked: Mutex::default() }))
}

fn refusal(status: StatusCode) -> Response {
    let code = if status == StatusCode::UNAUTHORIZED { 20003 } else { 20000 + u32::from(status.as_u16()) };
    let message = status.canonical_reason().unwrap_or("Error");
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    let error =
        json!({ "code": code, "message": message, "more_info": more_info, "status": status.as_u16() });
    (status, Json(error)).into_response()
}

fn is_allowed(account: &str, headers: &HeaderMap) -> bool {
    let wanted = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{TOKEN}")));
    account == ACCOUNT && headers.get(header::AUTHORIZATION).is_some_and(|sent| *sent == *wanted)
}

async fn account(Path(account): Path<String>, headers: HeaderMap) -> Response {
    let account = account.strip_suffix(".json").unwrap_or(&account);
    if !is_allowed(account, &headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    Json(json!({ "sid": ACCOUNT, "friendly_name": "Simulated", "status": "active", "type": "Full" }))
        .into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wanted {
    requested_channels: Option<u8>,
}

async fn recording(
    State(twilio): State<Arc<Twilio>>,
    Path((account, file)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    if !is_allowed(&account, &headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let Some(id) = file.strip_suffix(".wav") else { return refusal(StatusCode::NOT_FOUND) };
    // A recording with both channels is kept beside the one with one channel.
    let name = match wanted.requested_channels {
        Some(2) => format!("{id}-dual"),
        _ => id.to_owned(),
    };
    let recording = twilio.recordings.get(&name).or_else(|| twilio.recordings.get(id));
    match recording {
        Some(recording) if !lock(&twilio.asked).insert(id.to_owned()) => {
            ([(header::CONTENT_TYPE, "audio/x-wav".to_owned())], recording.bytes).into_response()
        }
        _ => refusal(StatusCode::NOT_FOUND),
    }
}
