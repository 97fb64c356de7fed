//! Limits how many requests are in progress at once. A request above the limit is answered at once, and its sender is
//! told to come back.
//!
//! A queue of requests in front of a busy broker helps nobody. It takes memory, every sender in it gets a late
//! answer, and senders who gave up in the meantime send again. With a limit, the requests in progress stay fast, and
//! the others cost almost nothing.

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

/// How many places of other requests there are for each place of a form. Forms have places of their own, because a
/// form brings a file, and it takes as long as its sender needs.
const REQUESTS_FOR_A_FORM: usize = 8;
const SAY_EVERY: Duration = Duration::from_secs(5);

static TURNED_AWAY: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("debrief")
        .u64_counter("debrief_overload_refusals")
        .with_description("Requests answered 503 because too many were in hand")
        .build()
});

/// Makes the counter of refused requests appear, before the first request is refused.
pub(crate) fn declare_metrics() {
    TURNED_AWAY.add(0, &[]);
}

/// The places of one listener.
#[derive(Clone)]
pub(crate) struct Places(Arc<Inner>);

struct Inner {
    short: Semaphore,
    forms: Semaphore,
    /// How many requests were refused since the last line in the log about it.
    unsaid: AtomicU64,
    /// The time of the last line in the log about it.
    said: Mutex<Option<Instant>>,
}

impl Places {
    /// Makes places for this many requests at once, and beside them places for an eighth as many forms.
    pub(crate) fn new(requests: usize) -> Self {
        let requests = requests.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            short: Semaphore::new(requests),
            forms: Semaphore::new(requests.div_ceil(REQUESTS_FOR_A_FORM)),
            unsaid: AtomicU64::new(0),
            said: Mutex::new(None),
        }))
    }

    /// Counts a refused request. The log gets a line now and then, and not a line for each request.
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

/// The layer around every request. It also makes sure that a refused sender can read the answer.
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
