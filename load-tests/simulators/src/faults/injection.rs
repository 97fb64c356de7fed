//! Makes faults happen: it stands between the record and the routes of a simulator.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, stream};

use super::{Fault, Faults};
use crate::control::is_control;
use crate::state::lock;

/// The length of the longest answer that can be cut in its middle. A longer one is cut before its first byte.
const MAX_CUT: usize = 64 * 1024 * 1024;

/// The faults of one simulator, which can be replaced while it runs.
#[derive(Debug)]
pub(crate) struct FaultInjection {
    faults: Mutex<Faults>,
    refusal: fn(StatusCode) -> Response,
}

impl FaultInjection {
    pub(crate) fn new(refusal: fn(StatusCode) -> Response) -> Self {
        Self { faults: Mutex::default(), refusal }
    }

    pub(crate) fn set(&self, faults: Faults) {
        *lock(&self.faults) = faults;
    }

    /// Puts the faults before `app`, and beside it the route that sets them.
    pub(crate) fn around(self: &Arc<Self>, app: Router) -> Router {
        let routes = Router::new()
            .route("/_control/faults", post(set_faults).get(show_faults))
            .with_state(self.clone());
        app.layer(from_fn_with_state(self.clone(), through)).merge(routes)
    }
}

async fn through(State(injection): State<Arc<FaultInjection>>, request: Request, next: Next) -> Response {
    if is_control(request.uri().path()) {
        return next.run(request).await;
    }
    let (latency, fault) = lock(&injection.faults).plan(request.uri().path(), rand::random());
    tokio::time::sleep(latency).await;
    match fault {
        Some(fault) => apply(fault, request, next, injection.refusal).await,
        None => next.run(request).await,
    }
}

async fn set_faults(State(injection): State<Arc<FaultInjection>>, Json(faults): Json<Faults>) -> Response {
    match faults.check() {
        Ok(()) => {
            injection.set(faults);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(wrong) => (StatusCode::UNPROCESSABLE_ENTITY, wrong).into_response(),
    }
}

async fn show_faults(State(injection): State<Arc<FaultInjection>>) -> Json<Faults> {
    Json(lock(&injection.faults).clone())
}

async fn apply(
    fault: Fault,
    mut request: Request,
    next: Next,
    refusal: fn(StatusCode) -> Response,
) -> Response {
    tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    if fault.reset {
        return closed_without_answer();
    }
    if let Some(fault) = fault.model {
        request.extensions_mut().insert(fault);
    }
    let is_replaced = fault.status.is_some() || fault.body.is_some();
    if is_replaced && !fault.accept {
        read_to_the_end(request.into_body()).await;
    } else {
        let answer = next.run(request).await;
        if fault.accept_then_reset {
            return closed_without_answer();
        }
        if fault.cut_short {
            return first_half(answer, AfterHalf::Close).await;
        }
        if fault.stall {
            return first_half(answer, AfterHalf::Silence).await;
        }
        if !is_replaced {
            return answer;
        }
    }
    replacement(fault, refusal)
}

/// Makes the answer that takes the place of the simulator's own.
fn replacement(fault: Fault, refusal: fn(StatusCode) -> Response) -> Response {
    let status = fault.status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK);
    let mut answer = match fault.body {
        Some(body) => {
            let mut answer = Response::new(Body::from(body));
            *answer.status_mut() = status;
            answer
        }
        None => refusal(status),
    };
    let date =
        fault.retry_after_date_s.map(|seconds| http_date(Utc::now() + TimeDelta::seconds(seconds.into())));
    if let Some(value) = date.or(fault.retry_after).and_then(|text| HeaderValue::from_str(&text).ok()) {
        answer.headers_mut().insert(header::RETRY_AFTER, value);
    }
    answer
}

/// Writes a date as RFC 9110, section 5.6.7 says. The form knows only whole seconds, so that fractions are cut off.
fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads a request whole before it is refused: a refusal while the sender still writes would reset the connection,
/// and the sender would never see it.
async fn read_to_the_end(body: Body) {
    let mut chunks = body.into_data_stream();
    while let Some(Ok(_)) = chunks.next().await {}
}

/// Makes hyper close the connection: it does so when the body fails before anything was written, the head included.
fn closed_without_answer() -> Response {
    Response::new(Body::from_stream(stream::once(async { Err::<Bytes, _>(closed()) })))
}

/// What comes after the first half of an answer.
#[derive(Clone, Copy)]
enum AfterHalf {
    Close,
    Silence,
}

/// Sends half of an answer under a head that promises the whole.
async fn first_half(answer: Response, then: AfterHalf) -> Response {
    let (mut parts, body) = answer.into_parts();
    let Ok(whole) = axum::body::to_bytes(body, MAX_CUT).await else { return closed_without_answer() };
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    let chunks = stream::once(async { Ok(half) }).chain(stream::once(async move {
        match then {
            // The first half needs time to leave before the connection is closed.
            AfterHalf::Close => tokio::time::sleep(Duration::from_millis(20)).await,
            AfterHalf::Silence => std::future::pending().await,
        }
        Err(closed())
    }));
    Response::from_parts(parts, Body::from_stream(chunks))
}

fn closed() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "closed on request")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_the_rfc_says() {
        let at = "1994-11-06T08:49:37.9Z".parse().unwrap();
        assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
