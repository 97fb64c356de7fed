//! What every simulator shares: a record of what arrived, faults on request, a count of what was made.
//!
//! The routes under `/_control` belong to the person or the test that drives the simulator. They know no
//! latency and no faults, and are not among what arrived.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::faults::Faults;
use super::lock;

/// So many requests are remembered; the oldest are forgotten first.
const MAX_RECEIVED: usize = 200_000;
/// What the remembered requests may take together.
const MAX_RECEIVED_BYTES: usize = 256 * 1024 * 1024;
/// A longer body is counted, not kept.
const MAX_KEPT_BODY: usize = 64 * 1024;
/// A longer text is refused; audio is streamed.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// So many distinct things are counted by their keys.
const MAX_KEYS: usize = 1_000_000;
const BEYOND: &str = "(beyond the limit)";

/// By kind (`post`, `contact`, …) and natural key, how often it was made.
pub type Effects = BTreeMap<String, BTreeMap<String, u64>>;

/// One request that arrived.
#[derive(Clone, Debug, Serialize)]
pub struct Received {
    /// Counts from 1, in the order of arrival.
    pub number: u64,
    pub at: DateTime<Utc>,
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    /// Names in lower case; the values of a repeated header are joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// Parsed where it is JSON, else text; null where it is neither, streamed, or longer than 64 KiB.
    pub body: Value,
    pub body_bytes: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    at: DateTime<Utc>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Option<Bytes>,
    /// Still grows while a streamed body arrives.
    body_bytes: Arc<AtomicU64>,
}

impl Entry {
    /// Roughly what it takes in memory.
    fn weight(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        256 + headers + self.body.as_ref().map_or(0, Bytes::len)
    }

    fn view(&self) -> Received {
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in &self.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|known| *known = format!("{known}, {value}"))
                .or_insert_with(|| value.into_owned());
        }
        let body = self.body.as_deref().unwrap_or_default();
        let body = serde_json::from_slice(body).unwrap_or_else(|_| match std::str::from_utf8(body) {
            Ok(text) if !text.is_empty() => Value::from(text),
            _ => Value::Null,
        });
        Received {
            number: self.number,
            at: self.at,
            method: self.method.to_string(),
            path: self.uri.path().to_owned(),
            query: self.uri.query().map(str::to_owned),
            headers,
            body,
            body_bytes: self.body_bytes.load(Ordering::Relaxed),
        }
    }
}

#[derive(Debug, Default)]
struct Log {
    entries: VecDeque<Entry>,
    total: u64,
    weight: usize,
}

impl Log {
    fn add(&mut self, mut entry: Entry) {
        self.total += 1;
        entry.number = self.total;
        self.weight += entry.weight();
        self.entries.push_back(entry);
        while self.entries.len() > MAX_RECEIVED || self.weight > MAX_RECEIVED_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.weight -= oldest.weight();
        }
    }
}

/// One simulator's record, faults and counts.
#[derive(Debug)]
pub(crate) struct Control {
    log: Mutex<Log>,
    faults: Mutex<Faults>,
    effects: Mutex<(Effects, usize)>,
    refusal: fn(StatusCode) -> Response,
    stopping: CancellationToken,
}

impl Control {
    pub(crate) fn new(refusal: fn(StatusCode) -> Response) -> Self {
        Self {
            log: Mutex::default(),
            faults: Mutex::default(),
            effects: Mutex::default(),
            refusal,
            stopping: CancellationToken::new(),
        }
    }

    /// Counts that a thing of this `kind` was made.
    pub(crate) fn made(&self, kind: &str, key: &str) {
        let mut effects = lock(&self.effects);
        let (by_kind, keys) = &mut *effects;
        let counts = by_kind.entry(kind.to_owned()).or_default();
        if let Some(count) = counts.get_mut(key) {
            *count += 1;
        } else {
            let key = if *keys < MAX_KEYS { key } else { BEYOND };
            *keys += 1;
            *counts.entry(key.to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn effects(&self) -> Effects {
        lock(&self.effects).0.clone()
    }

    pub(crate) fn received(&self, after: u64) -> Vec<Received> {
        lock(&self.log).entries.iter().filter(|entry| entry.number > after).map(Entry::view).collect()
    }

    pub(crate) fn forget_received(&self) {
        let mut log = lock(&self.log);
        log.entries.clear();
        log.weight = 0;
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        *lock(&self.faults) = faults;
    }

    /// Cancelled when the simulator ends.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Writes the request down. A body that is not audio is read whole first, so that it can be kept.
    async fn note(&self, request: Request) -> Result<Request, Response> {
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
        lock(&self.log).add(Entry {
            number: 0,
            at: Utc::now(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
            body: kept,
            body_bytes,
        });
        Ok(Request::from_parts(parts, body))
    }
}

/// Audio, or whatever long thing does not say that it is a text.
fn is_streamed(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = text("content-type");
    let is_text = ["json", "form", "text", "xml"].iter().any(|part| kind.contains(part));
    let is_short = text("content-length").parse::<usize>().is_ok_and(|length| length <= MAX_KEPT_BODY);
    // Without a length and not in chunks there is no body.
    let is_absent = text("content-length").is_empty() && text("transfer-encoding").is_empty();
    !(is_text || is_short || is_absent)
}

/// `app` with the record and the faults before it and the control routes beside it.
pub(crate) fn around(app: Router, control: &Arc<Control>) -> Router {
    let routes = Router::new()
        .route("/_control/received", get(list_received).delete(forget_received))
        .route("/_control/faults", post(set_faults).get(show_faults))
        .route("/_control/effects", get(list_effects))
        .with_state(control.clone());
    app.layer(from_fn_with_state(control.clone(), through)).merge(routes)
}

async fn through(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/_control/") {
        return next.run(request).await;
    }
    let request = match control.note(request).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let (latency, fault) = lock(&control.faults).plan(request.uri().path(), rand::random());
    tokio::time::sleep(latency).await;
    match fault {
        Some(fault) => fault.apply(request, next, control.refusal).await,
        None => next.run(request).await,
    }
}

#[derive(Deserialize)]
struct After {
    /// Only what arrived after the request of this number.
    #[serde(default)]
    after: u64,
}

async fn list_received(State(control): State<Arc<Control>>, Query(query): Query<After>) -> Response {
    let requests = control.received(query.after);
    let total = lock(&control.log).total;
    Json(json!({ "total": total, "requests": requests })).into_response()
}

async fn forget_received(State(control): State<Arc<Control>>) -> StatusCode {
    control.forget_received();
    StatusCode::NO_CONTENT
}

async fn set_faults(State(control): State<Arc<Control>>, Json(faults): Json<Faults>) -> Response {
    match faults.check() {
        Ok(()) => {
            control.set_faults(faults);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(wrong) => (StatusCode::UNPROCESSABLE_ENTITY, wrong).into_response(),
    }
}

async fn show_faults(State(control): State<Arc<Control>>) -> Json<Faults> {
    Json(lock(&control.faults).clone())
}

async fn list_effects(State(control): State<Arc<Control>>) -> Json<Effects> {
    Json(control.effects())
}
