//! Bounds what is in hand at once. What comes on top is told at once to come back.
//!
//! A line of requests in front of a busy broker helps nobody: it takes memory, everybody in it gets their
//! answer late, and senders who gave up meanwhile send again. So what is in hand stays quick, and the rest
//! costs next to nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use opentelemetry::global;
use opentelemetry::metrics::Counter;
use tokio::sync::Semaphore;
use web::media_type;

use crate::refusal::{come_back, until_heard};

/// A form brings a file and takes as long as its sender takes, so forms have places of their own: one for so many
/// places of the other requests.
const REQUESTS_FOR_A_FORM: usize = 8;
const SAY_EVERY: Duration = Duration::from_secs(5);

static TURNED_AWAY: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("debrief")
        .u64_counter("debrief_overload_refusals")
        .with_description("Requests answered 503 because too many were in hand")
        .build()
});

/// The places of one listener.
#[derive(Clone)]
pub(crate) struct Places(Arc<Inner>);

struct Inner {
    short: Semaphore,
    forms: Semaphore,
    /// How many were turned away since the log said so the last time.
    unsaid: AtomicU64,
    /// When the log said so the last time.
    said: Mutex<Option<Instant>>,
}

impl Places {
    /// For so many requests at once, and an eighth as many forms beside them.
    pub(crate) fn new(requests: usize) -> Self {
        let requests = requests.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            short: Semaphore::new(requests),
            forms: Semaphore::new(requests.div_ceil(REQUESTS_FOR_A_FORM)),
            unsaid: AtomicU64::new(0),
            said: Mutex::new(None),
        }))
    }

    /// The log has a line now and then, not one for each.
    fn note_refusal(&self) {
        TURNED_AWAY.add(1, &[]);
        let inner = &self.0;
        inner.unsaid.fetch_add(1, Ordering::Relaxed);
        let mut said = inner.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() > SAY_EVERY) {
            *said = Some(Instant::now());
            let requests = inner.unsaid.swap(0, Ordering::Relaxed);
            tracing::warn!(requests, "too much is coming in at once; senders were told to come back");
        }
    }
}

/// Goes around every request. A sender that is turned away is told so as well.
pub(crate) async fn guarded(State(places): State<Places>, request: Request, next: Next) -> Response {
    until_heard(request, async |request| admit(&places, request, next).await).await
}

/// Lets a request pass while there is a place for it, else answers 503.
async fn admit(places: &Places, request: Request, next: Next) -> Response {
    let is_form = media_type(request.headers()).starts_with("multipart/");
    let free = if is_form { &places.0.forms } else { &places.0.short };
    let Ok(_place) = free.try_acquire() else {
        places.note_refusal();
        let detail = "too much is coming in at the moment; nothing was accepted, send it again";
        return come_back(detail).into_response();
    };
    next.run(request).await
}
