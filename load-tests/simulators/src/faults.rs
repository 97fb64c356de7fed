//! What goes wrong on request: slow, refused, garbled, cut off, or done without an answer.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

/// Latency and faults of one simulator. The default is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Every request waits so long before anything else happens.
    pub latency_ms: u64,
    /// One request each, in order. A fault with a `path` waits for a request there.
    pub next: VecDeque<Fault>,
    /// Meets every request that `next` leaves alone, or the share of them that `rate` says.
    pub always: Option<Fault>,
    /// 0 to 1; the share of requests that `always` meets.
    pub rate: f64,
}

impl Default for Faults {
    fn default() -> Self {
        Self { latency_ms: 0, next: VecDeque::new(), always: None, rate: 1.0 }
    }
}

/// What happens to one request. With only `delay_ms` it is answered late, but well.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the JSON that sets it")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// Only requests whose path contains this.
    pub path: Option<String>,
    pub delay_ms: u64,
    /// Answered with this status, in the provider's own error form unless `body` is set.
    pub status: Option<u16>,
    /// The value of a `Retry-After` header, as it stands: seconds, a date, or nonsense.
    pub retry_after: Option<String>,
    /// Instead of it, a `Retry-After` header with the date that is so many seconds ahead when it is answered.
    pub retry_after_date_s: Option<u32>,
    /// Answered with this body, with status 200 unless `status` is set.
    pub body: Option<String>,
    /// The request takes effect before `status` or `body` answers it.
    pub accept: bool,
    /// The connection is closed without an answer; nothing took effect.
    pub reset: bool,
    /// The request takes effect, then the connection is closed without an answer.
    pub accept_then_reset: bool,
    /// The request takes effect; the answer ends in the middle of its body.
    pub cut_short: bool,
    /// The request takes effect; the answer stops in the middle of its body, and the connection stays open.
    pub stall: bool,
    /// Of the model only: what is wrong with its answer.
    pub model: Option<ModelFault>,
}

/// What a model's answer can be wrong in while HTTP is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelFault {
    /// Prose instead of JSON.
    NotJson,
    /// `finish_reason` is `length`, and the JSON ends in the middle.
    CutOff,
    Refusal,
    /// JSON, but not of the schema that was asked for.
    SchemaBreak,
}

impl Fault {
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    pub fn model(fault: ModelFault) -> Self {
        Self { model: Some(fault), ..Self::default() }
    }

    fn meets(&self, path: &str) -> bool {
        self.path.as_ref().is_none_or(|part| path.contains(part.as_str()))
    }

    pub(crate) async fn apply(
        self,
        mut request: Request,
        next: Next,
        refusal: fn(StatusCode) -> Response,
    ) -> Response {
        tokio::time::sleep(Duration::from_millis(self.delay_ms)).await;
        if self.reset {
            return cut_without_answer();
        }
        if let Some(fault) = self.model {
            request.extensions_mut().insert(fault);
        }
        let replaced = self.status.is_some() || self.body.is_some();
        if replaced && !self.accept {
            drain(request.into_body()).await;
        } else {
            let answer = next.run(request).await;
            if self.accept_then_reset {
                return cut_without_answer();
            }
            if self.cut_short {
                return half(answer, Then::Cut).await;
            }
            if self.stall {
                return half(answer, Then::Silence).await;
            }
            if !replaced {
                return answer;
            }
        }
        self.replacement(refusal)
    }

    fn replacement(self, refusal: fn(StatusCode) -> Response) -> Response {
        let status = self.status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK);
        let mut answer = match self.body {
            Some(body) => {
                let mut answer = Response::new(Body::from(body));
                *answer.status_mut() = status;
                answer
            }
            None => refusal(status),
        };
        let date =
            self.retry_after_date_s.map(|seconds| http_date(Utc::now() + TimeDelta::seconds(seconds.into())));
        if let Some(value) = date.or(self.retry_after).and_then(|text| HeaderValue::from_str(&text).ok()) {
            answer.headers_mut().insert(header::RETRY_AFTER, value);
        }
        answer
    }
}

impl Faults {
    /// The given faults, one request each, and none after them.
    pub fn next(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { next: faults.into_iter().collect(), ..Self::default() }
    }

    pub fn always(fault: Fault) -> Self {
        Self { always: Some(fault), ..Self::default() }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Err(format!("`rate` is {}: it must be from 0 to 1", self.rate));
        }
        let wrong = self.next.iter().chain(&self.always).filter_map(|fault| fault.status);
        match wrong.into_iter().find(|code| !(200..600).contains(code)) {
            Some(code) => Err(format!("`status` is {code}: it must be from 200 to 599")),
            None => Ok(()),
        }
    }

    /// How long the next request to `path` waits, and what goes wrong with it. `dice` is from 0 to 1.
    pub(crate) fn plan(&mut self, path: &str, dice: f64) -> (Duration, Option<Fault>) {
        let due = self.next.iter().position(|fault| fault.meets(path));
        let fault = due
            .and_then(|nth| self.next.remove(nth))
            .or_else(|| self.always.as_ref().filter(|fault| fault.meets(path) && dice < self.rate).cloned());
        (Duration::from_millis(self.latency_ms), fault)
    }
}

/// RFC 9110, 5.6.7. It knows only whole seconds: what is between them is cut off.
fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A longer answer is cut before its first byte.
const MAX_CUT: usize = 64 * 1024 * 1024;

/// A refusal before the body was read would reset the connection, and the sender would never see it.
async fn drain(body: Body) {
    let mut chunks = body.into_data_stream();
    while let Some(Ok(_)) = chunks.next().await {}
}

/// hyper drops the connection when the body fails before anything was flushed, head included.
fn cut_without_answer() -> Response {
    Response::new(Body::from_stream(stream::once(async { Err::<Bytes, _>(cut()) })))
}

/// What comes after the first half of an answer.
#[derive(Clone, Copy)]
enum Then {
    Cut,
    Silence,
}

/// Half of an answer that promises the whole.
async fn half(answer: Response, then: Then) -> Response {
    let (mut parts, body) = answer.into_parts();
    let Ok(whole) = axum::body::to_bytes(body, MAX_CUT).await else { return cut_without_answer() };
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    let chunks = stream::once(async { Ok(half) }).chain(stream::once(async move {
        match then {
            // Time for what stands before it to be flushed.
            Then::Cut => tokio::time::sleep(Duration::from_millis(20)).await,
            Then::Silence => std::future::pending().await,
        }
        Err(cut())
    }));
    Response::from_parts(parts, Body::from_stream(chunks))
}

fn cut() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "cut on request")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_faults_come_one_by_one_and_then_none() {
        let mut faults = Faults::next([Fault::status(429), Fault::status(500)]);
        let codes: Vec<_> = (0..3).map(|_| faults.plan("/x", 0.5).1.and_then(|fault| fault.status)).collect();
        assert_eq!(codes, [Some(429), Some(500), None]);
    }

    #[test]
    fn a_fault_with_a_path_waits_for_a_request_there() {
        let mut faults =
            Faults::next([Fault { path: Some("/upload".into()), ..Fault::status(500) }, Fault::status(400)]);
        assert_eq!(faults.plan("/transcript", 0.5).1.and_then(|fault| fault.status), Some(400));
        assert_eq!(faults.plan("/v2/upload", 0.5).1.and_then(|fault| fault.status), Some(500));
    }

    #[test]
    fn the_rate_is_the_share_that_always_meets() {
        let mut faults = Faults { rate: 0.2, ..Faults::always(Fault::status(503)) };
        assert!(faults.plan("/x", 0.1).1.is_some());
        assert!(faults.plan("/x", 0.3).1.is_none());
    }

    #[test]
    fn a_date_is_written_as_the_rfc_says() {
        let at = "1994-11-06T08:49:37.9Z".parse().unwrap();
        assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_rate_or_a_status_out_of_range_is_refused() {
        assert!(Faults { rate: 1.5, ..Faults::default() }.check().is_err());
        assert!(Faults::next([Fault::status(42)]).check().is_err());
    }
}
