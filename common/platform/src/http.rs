//! Makes the HTTP clients for our providers, sends requests, and says what an answer or a missing answer means.
//!
//! A [`client`] is for addresses from our own configuration. An address that came from outside, such as a
//! recording's URL, is used by [`crate::fetch`] only, which checks it first.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use domain::refusal::Failure;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Upgraded};

use crate::tls;

/// The largest answer that is read. An answer should be a small document.
pub const MAX_ANSWER_BYTES: u64 = 16 * 1024 * 1024;
/// How much is kept of the body that explains a status.
const MAX_ERROR_CHARS: usize = 2000;
/// A longer `Retry-After` is taken for a mistake of the other side.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// A client for our own providers. `timeout` covers the whole request. Redirects are not followed, because a
/// provider's API has no reason to send our credentials to another address.
#[expect(clippy::disallowed_methods, reason = "this is the one place that makes clients")]
#[expect(clippy::missing_panics_doc, reason = "these settings are fixed, and they work on every machine")]
pub fn client(timeout: Duration) -> Client {
    Client::builder()
        .tls_backend_preconfigured(tls::config(&[b"h2", b"http/1.1"]))
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("debrief/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("a client with fixed settings can be built")
}

/// A client for connections that begin with HTTP and become something else, such as a WebSocket. They stay open for as
/// long as both sides want, so only their beginning has a time. HTTP/2 has no such connections.
#[expect(clippy::disallowed_methods, reason = "this is the one place that makes clients")]
#[expect(clippy::missing_panics_doc, reason = "these settings are fixed, and they work on every machine")]
pub fn upgrading_client() -> Client {
    Client::builder()
        .tls_backend_preconfigured(tls::config(&[b"http/1.1"]))
        .http1_only()
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("debrief/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("a client with fixed settings can be built")
}

/// Appends `path` (with its leading slash) to an address that may have a path of its own.
pub fn join(base: &url::Url, path: &str) -> String {
    format!("{}{path}", base.as_str().trim_end_matches('/'))
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Name resolution, connection or TLS failed: the request never reached the other side.
    #[error("failed to connect: {0}")]
    NotSent(String),
    /// The request was sent, and then it timed out or the connection broke. The other side may have acted on it.
    #[error("failed to get an answer: {0}")]
    Lost(String),
    /// The status is not 2xx. The error's text leaves the body out: a provider quotes in it what we sent, and that
    /// can be what people said.
    #[error("the answer was {status}")]
    Status { status: StatusCode, retry_after: Option<Duration>, body: String },
    #[error("the answer is longer than {max_bytes} bytes")]
    TooLong { max_bytes: u64 },
}

impl HttpError {
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The body of an answer whose status is not 2xx, for the client that knows how to read it.
    pub fn body(&self) -> &str {
        match self {
            Self::Status { body, .. } => body,
            _ => "",
        }
    }

    /// This failure as the table of refusals reads it. `said` is what the body says, as far as that may be shown.
    pub fn failure(&self, said: Option<String>) -> Failure {
        match self {
            Self::NotSent(problem) => Failure::NotSent { problem: problem.clone() },
            Self::Lost(problem) => Failure::Lost { problem: problem.clone() },
            Self::TooLong { max_bytes } => Failure::TooLong { max_bytes: *max_bytes },
            Self::Status { status, retry_after, .. } => {
                Failure::Status { status: status.as_u16(), retry_after: *retry_after, said }
            }
        }
    }
}

/// Sends a request and reads the whole answer. A status that is not 2xx is an error.
pub async fn send(request: RequestBuilder) -> Result<Answer, HttpError> {
    send_up_to(request, MAX_ANSWER_BYTES).await
}

/// Like [`send`], for an answer that may have `max_bytes`.
pub async fn send_up_to(request: RequestBuilder, max_bytes: u64) -> Result<Answer, HttpError> {
    let response = sent(request).await?;
    if !response.status().is_success() {
        return Err(refused(response).await);
    }
    whole(response, max_bytes).await
}

/// Sends a request and reads the whole answer, whatever its status.
pub async fn send_any(request: RequestBuilder) -> Result<Answer, HttpError> {
    whole(sent(request).await?, MAX_ANSWER_BYTES).await
}

/// Sends a request and gives the answer piece by piece, for an answer that is too long for the memory. A status that
/// is not 2xx is an error.
pub async fn send_for_stream(
    request: RequestBuilder,
) -> Result<BoxStream<'static, Result<Bytes, HttpError>>, HttpError> {
    let response = sent(request).await?;
    if !response.status().is_success() {
        return Err(refused(response).await);
    }
    Ok(response.bytes_stream().map_err(|error| broken(&error)).boxed())
}

/// Sends a request for another protocol. Returns the headers of the answer, and the connection. Every other status than 101
/// is an error.
pub async fn upgrade(request: RequestBuilder) -> Result<(HeaderMap, Upgraded), HttpError> {
    let response = sent(request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(response).await);
    }
    let headers = response.headers().clone();
    let connection = response.upgrade().await.map_err(|error| broken(&error))?;
    Ok((headers, connection))
}

async fn sent(request: RequestBuilder) -> Result<Response, HttpError> {
    request.send().await.map_err(|error| error_of(&error))
}

fn broken(error: &reqwest::Error) -> HttpError {
    HttpError::Lost(without_url(error))
}

async fn whole(mut response: Response, max_bytes: u64) -> Result<Answer, HttpError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        if (body.len() + chunk.len()) as u64 > max_bytes {
            return Err(HttpError::TooLong { max_bytes });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body: body.freeze() })
}

/// The error of an answer whose status is not 2xx. Where its body is too long or breaks off, the status says enough.
async fn refused(response: Response) -> HttpError {
    let (status, retry_after) = (response.status(), retry_after(response.headers(), Utc::now()));
    let body = match whole(response, MAX_ANSWER_BYTES).await {
        Ok(answer) => shortened(&answer.body),
        Err(_) => String::new(),
    };
    HttpError::Status { status, retry_after, body }
}

impl Answer {
    /// The answer as an error, for a client that looked at its status itself.
    pub fn into_error(self) -> HttpError {
        let retry_after = retry_after(&self.headers, Utc::now());
        HttpError::Status { status: self.status, retry_after, body: shortened(&self.body) }
    }
}

fn shortened(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(MAX_ERROR_CHARS).collect()
}

/// The error of a request that got no answer, or only a part of one.
pub(crate) fn error_of(error: &reqwest::Error) -> HttpError {
    if error.is_connect() || error.is_builder() {
        HttpError::NotSent(without_url(error))
    } else {
        HttpError::Lost(without_url(error))
    }
}

/// The text of an error and of its causes. It leaves the URL out, because a URL can hold a password.
fn without_url(error: &reqwest::Error) -> String {
    use std::error::Error as _;
    let mut text = match (error.is_timeout(), error.is_connect()) {
        (true, _) => "timed out".to_owned(),
        (_, true) => "connection refused or not possible".to_owned(),
        _ => "the connection broke".to_owned(),
    };
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Reads `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3). A value in another form is ignored.
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now).to_std().unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        retry_after(&headers, "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Thu, 01 Jan 2026 00:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn a_wait_that_is_longer_than_a_day_is_shortened_to_a_day() {
        assert_eq!(read("99999999999"), Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn the_path_of_the_base_address_is_kept() {
        let base = url::Url::parse("http://127.0.0.1:9/proxy/v1/").unwrap();
        assert_eq!(join(&base, "/chat"), "http://127.0.0.1:9/proxy/v1/chat");
    }
}
