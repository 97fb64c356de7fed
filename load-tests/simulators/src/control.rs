//! What stands around the routes of every simulator: the record of what arrives, and the control routes.
//!
//! The routes under `/_control` belong to the person or the test that drives the simulator. Requests to them are not
//! recorded, and no fault ever meets them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::pace::{Pace, PacePlan};
use crate::record::{Effects, Entry, Record};
use crate::stream_plan::{StreamFault, StreamPlan};

/// The length of the longest body that is kept. A longer one is only counted.
const MAX_KEPT_BODY: usize = 64 * 1024;
/// The length of the longest text that is taken. Audio may be longer, because it is streamed.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// What a simulator shares with whoever drives it.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) record: Record,
    /// What streams of speech say, and what goes wrong with them.
    pub(crate) streams: StreamPlan,
    /// How fast answers are made that are streamed.
    pub(crate) pace: PacePlan,
    refusal: fn(StatusCode) -> Response,
    /// Cancelled when the simulator ends.
    stopping: CancellationToken,
}

impl Control {
    pub(crate) fn new(refusal: fn(StatusCode) -> Response) -> Self {
        Self {
            record: Record::default(),
            streams: StreamPlan::default(),
            pace: PacePlan::default(),
            refusal,
            stopping: CancellationToken::new(),
        }
    }

    /// Counts that a thing of this `kind` was made.
    pub(crate) fn made(&self, kind: &str, key: &str) {
        self.record.made(kind, key);
    }

    /// Runs `work` beside the requests, until it is done or the simulator ends.
    pub(crate) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Ends the work in the background.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }

    /// Adds the request to the record. A body that is not audio is read whole first, so that it can be kept.
    async fn recorded(&self, request: Request) -> Result<Request, Response> {
        let (parts, body) = request.into_parts();
        let body_bytes = Arc::new(AtomicU64::new(0));
        let (kept, body) = if is_streamed(&parts.headers) {
            let counter = body_bytes.clone();
            let stream = body.into_data_stream().inspect(move |chunk| {
                if let Ok(chunk) = chunk {
                    counter.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                }
            });
            (None, Body::from_stream(stream))
        } else {
            let bytes = axum::body::to_bytes(body, MAX_BODY)
                .await
                .map_err(|_| (self.refusal)(StatusCode::PAYLOAD_TOO_LARGE))?;
            body_bytes.store(bytes.len() as u64, Ordering::Relaxed);
            ((bytes.len() <= MAX_KEPT_BODY).then(|| bytes.clone()), Body::from(bytes))
        };
        self.record.add(Entry {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
            body: kept,
            body_bytes,
        });
        Ok(Request::from_parts(parts, body))
    }
}

/// Whether the body is audio, or something long that does not say that it is text.
fn is_streamed(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = text("content-type");
    // A form with a file is audio, and the parts around it are short.
    let is_form = kind.starts_with("multipart/");
    let is_text = !is_form && ["json", "form", "text", "xml"].iter().any(|part| kind.contains(part));
    let is_short = text("content-length").parse::<usize>().is_ok_and(|length| length <= MAX_KEPT_BODY);
    // A request that has no length and does not come in chunks has no body.
    let is_absent = text("content-length").is_empty() && text("transfer-encoding").is_empty();
    !(is_text || is_short || is_absent)
}

/// Whether a path is one of the control routes.
pub(crate) fn is_control(path: &str) -> bool {
    path.starts_with("/_control/")
}

/// Puts the record around `app`, and the control routes beside it.
pub(crate) fn around(app: Router, control: &Arc<Control>) -> Router {
    let routes = Router::new()
        .route("/_control/received", get(list_received).delete(forget_received))
        .route("/_control/effects", get(list_effects))
        .route("/_control/lines", put(set_lines))
        .route("/_control/streams", put(set_stream_faults))
        .route("/_control/pace", put(set_pace))
        .with_state(control.clone());
    app.layer(from_fn_with_state(control.clone(), through)).merge(routes)
}

async fn through(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    if is_control(request.uri().path()) {
        return next.run(request).await;
    }
    match control.recorded(request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused,
    }
}

#[derive(Deserialize)]
struct After {
    /// Only what arrived after the request with this number is listed.
    #[serde(default)]
    after: u64,
}

async fn list_received(State(control): State<Arc<Control>>, Query(query): Query<After>) -> Response {
    let requests = control.record.received(query.after);
    Json(json!({ "total": control.record.total(), "requests": requests })).into_response()
}

async fn forget_received(State(control): State<Arc<Control>>) -> StatusCode {
    control.record.forget_received();
    StatusCode::NO_CONTENT
}

/// Gives the lines that are said in streams, one for each stretch of speech.
async fn set_lines(State(control): State<Arc<Control>>, Json(lines): Json<Vec<String>>) -> StatusCode {
    control.streams.set_lines(lines);
    StatusCode::NO_CONTENT
}

/// Says what goes wrong on each of the next streams.
async fn set_stream_faults(
    State(control): State<Arc<Control>>,
    Json(faults): Json<Vec<StreamFault>>,
) -> StatusCode {
    control.streams.set_faults(faults);
    StatusCode::NO_CONTENT
}

/// Says how fast answers are made that are streamed.
async fn set_pace(State(control): State<Arc<Control>>, Json(pace): Json<Pace>) -> Response {
    match pace.check() {
        Ok(()) => {
            control.pace.set(pace);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(wrong) => (StatusCode::UNPROCESSABLE_ENTITY, wrong).into_response(),
    }
}

async fn list_effects(State(control): State<Arc<Control>>) -> Json<Effects> {
    Json(control.record.effects())
}
