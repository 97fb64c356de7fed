//! Exotel: the details of calls, and their recordings.
//!
//! Both come late, as at the real provider. The first look at a call shows that it goes on. The second shows that it has
//! ended, and the third shows its final duration and price. The first request for a recording is answered 404. A recording
//! is brought to the simulator of recordings, under the call's id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::provider::{Provider, Setting, Site};
use crate::recording_store::RecordingStore;
use crate::state::lock;

pub static PROVIDER: Provider = Provider { name: "exotel", made_once: &[], routes, refusal, settings };

pub const KEY: &str = "simulated-key";
pub const TOKEN: &str = "simulated-token";
pub const SID: &str = "simulated";

struct Exotel {
    base: String,
    recordings: RecordingStore,
    /// How often each call and each recording was asked for.
    looks: Mutex<HashMap<String, u32>>,
}

impl Exotel {
    /// Counts a look, the first one as 1.
    fn look(&self, what: &str, id: &str) -> u32 {
        let mut looks = lock(&self.looks);
        let count = looks.entry(format!("{what} {id}")).or_default();
        *count += 1;
        *count
    }
}

fn settings(address: &str) -> Vec<Setting> {
    vec![
        ("EXOTEL_API_KEY", KEY.to_owned()),
        ("EXOTEL_API_TOKEN", TOKEN.to_owned()),
        ("EXOTEL_SID", SID.to_owned()),
        ("EXOTEL_BASE_URL", address.to_owned()),
    ]
}

fn routes(site: &Site<'_>) -> Router {
    Router::new()
        .route("/v1/Accounts/{sid}/{list}", get(calls))
        .route("/v1/Accounts/{sid}/Calls/{call}", get(call))
        .route("/exotelrecordings/{sid}/{file}", get(recording))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(Arc::new(Exotel {
            base: site.base.to_owned(),
            recordings: site.recordings.clone(),
            looks: Mutex::default(),
        }))
}

fn refusal(status: StatusCode) -> Response {
    let message = status.canonical_reason().unwrap_or("Error");
    (status, Json(json!({ "RestException": { "Status": status.as_u16(), "Message": message } })))
        .into_response()
}

/// Whether the account and its key are right. A wrong region is refused in the same way.
fn is_allowed(sid: &str, headers: &HeaderMap) -> bool {
    let wanted = format!("Basic {}", STANDARD.encode(format!("{KEY}:{TOKEN}")));
    sid == SID && headers.get(header::AUTHORIZATION).is_some_and(|sent| *sent == *wanted)
}

async fn calls(Path((sid, list)): Path<(String, String)>, headers: HeaderMap) -> Response {
    match list.as_str() {
        _ if !is_allowed(&sid, &headers) => refusal(StatusCode::UNAUTHORIZED),
        "Calls.json" => {
            Json(json!({ "Metadata": { "Total": 0, "PageSize": 1 }, "Calls": [] })).into_response()
        }
        _ => refusal(StatusCode::NOT_FOUND),
    }
}

async fn call(
    State(exotel): State<Arc<Exotel>>,
    Path((sid, call)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if !is_allowed(&sid, &headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    // Without the ending the real provider answers in XML.
    let Some(call) = call.strip_suffix(".json") else { return refusal(StatusCode::NOT_ACCEPTABLE) };
    let look = exotel.look("call", call);
    let has_ended = look > 1;
    let is_final = look > 2;
    let recording = exotel.recordings.get(call).filter(|_| has_ended);
    let url = recording.map(|_| format!("{}/exotelrecordings/{SID}/{call}.mp3", exotel.base));
    let when = |known: bool, value: Value| if known { value } else { Value::Null };
    Json(json!({ "Call": {
        "Sid": call,
        "AccountSid": SID,
        "From": "09876543210",
        "To": "08030752522",
        "Direction": "inbound",
        "Status": if has_ended { "completed" } else { "in-progress" },
        "StartTime": "2026-01-18 10:47:05",
        "EndTime": when(is_final, json!("2026-01-18 10:48:09")),
        "Duration": when(is_final, json!("64")),
        "Price": when(is_final, json!("0.800")),
        "RecordingUrl": url,
        "Details": { "ConversationDuration": when(is_final, json!(48)) },
    } }))
    .into_response()
}

async fn recording(
    State(exotel): State<Arc<Exotel>>,
    Path((sid, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if !is_allowed(&sid, &headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let call = file.strip_suffix(".mp3").unwrap_or(&file);
    match exotel.recordings.get(call) {
        Some(recording) if exotel.look("recording", call) > 1 => {
            ([(header::CONTENT_TYPE, recording.content_type)], recording.bytes).into_response()
        }
        _ => refusal(StatusCode::NOT_FOUND),
    }
}
