//! The one place where HTTP clients are made, and what an answer or its absence means.
//!
//! [`client`] talks to addresses from our own configuration. What comes from outside (a recording's URL)
//! goes through [`crate::fetch`], which checks every address first.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;

/// What we read of an answer that should be a small document.
pub const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// What is kept of a body that explains a status.
const MAX_ERROR_CHARS: usize = 2000;
/// `INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY` is one of the longest.
const MAX_WORD_CHARS: usize = 60;
/// A `Retry-After` beyond this is a mistake of the other side.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// A client for our own providers: `timeout` covers the whole request, redirects are not followed (a
/// provider's API has no reason to send our credentials elsewhere).
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
#[expect(clippy::missing_panics_doc, reason = "fixed settings build or fail on every machine alike")]
pub fn client(timeout: Duration) -> Client {
    Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(10)))
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
    /// It timed out or broke off after it was sent: the other side may have acted.
    #[error("failed to get an answer: {0}")]
    Lost(String),
    /// A status outside 2xx. The body is no part of the error's text: providers quote in it what they were
    /// sent, and so what people said.
    #[error("the answer was {status}{}", in_brackets(body))]
    Status { status: StatusCode, retry_after: Option<Duration>, body: String },
    #[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
}

impl HttpError {
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the request may have taken effect: lost answers and 5xx.
    pub fn maybe_sent(&self) -> bool {
        match self {
            Self::NotSent(_) => false,
            Self::Lost(_) | Self::TooLong => true,
            Self::Status { status, .. } => status.is_server_error(),
        }
    }
}

/// The other side's own word for what went wrong (`invalid_api_key`, `DUPLICATES_DETECTED`), where its answer
/// is one or names one. A sentence is never taken, nor anything that could be a name or a key.
pub fn error_word(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    if is_word(text.trim()) {
        return Some(text.trim().to_owned());
    }
    let json: Value = serde_json::from_slice(body).ok()?;
    let top = json.get(0).unwrap_or(&json);
    let words = [top, &top["error"]].into_iter().flat_map(|object| {
        ["code", "errorCode", "type", "error"].into_iter().filter_map(|name| object.get(name)?.as_str())
    });
    words.into_iter().find(|word| is_word(word)).map(str::to_owned)
}

/// Two words or more, joined by `_`, all of them in small letters or all in capitals.
pub fn is_word(text: &str) -> bool {
    let is_part = |part: &str| {
        let all = |of: fn(&u8) -> bool| part.as_bytes().iter().all(of);
        !part.is_empty() && (all(u8::is_ascii_lowercase) || all(u8::is_ascii_uppercase))
    };
    text.len() <= MAX_WORD_CHARS && text.contains('_') && text.split('_').all(is_part)
}

fn in_brackets(body: &str) -> String {
    error_word(body.as_bytes()).map(|word| format!(" ({word})")).unwrap_or_default()
}

/// Sends, and reads the answer whole. Every status outside 2xx is an error.
pub async fn send(request: RequestBuilder) -> Result<Answer, HttpError> {
    let answer = send_any(request).await?;
    if answer.status.is_success() {
        return Ok(answer);
    }
    let text = String::from_utf8_lossy(&answer.body);
    Err(HttpError::Status {
        status: answer.status,
        retry_after: retry_after(&answer.headers, Utc::now()),
        body: text.chars().filter(|c| !c.is_control()).take(MAX_ERROR_CHARS).collect(),
    })
}

/// Sends, and reads the answer whole, whatever its status.
pub async fn send_any(request: RequestBuilder) -> Result<Answer, HttpError> {
    let mut response = request.send().await.map_err(|error| not_answered(&error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| HttpError::Lost(without_url(&error)))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(HttpError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body: body.freeze() })
}

pub(crate) fn not_answered(error: &reqwest::Error) -> HttpError {
    if error.is_connect() || error.is_builder() {
        HttpError::NotSent(without_url(error))
    } else {
        HttpError::Lost(without_url(error))
    }
}

/// The error with its causes, without the URL: that can hold a password.
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

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3). Anything else is as if it were absent.
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
    fn an_absurd_wait_is_bounded_to_a_day() {
        assert_eq!(read("99999999999"), Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn an_error_repeats_a_providers_word_and_never_its_sentence() {
        let told = |body: &str| {
            let status = StatusCode::BAD_REQUEST;
            HttpError::Status { status, retry_after: None, body: body.into() }.to_string()
        };
        for (body, word) in [
            ("invalid_payload", " (invalid_payload)"),
            (
                r#"{"error": {"message": "no credit, Odile", "code": "insufficient_quota"}}"#,
                " (insufficient_quota)",
            ),
            (
                r#"[{"errorCode": "DUPLICATES_DETECTED", "message": "Odile is there"}]"#,
                " (DUPLICATES_DETECTED)",
            ),
            (r#"{"error": "odile"}"#, ""),
            (r#"{"error": "tok_4711", "code": 7}"#, ""),
            ("Odile_Marchetti", ""),
            ("cannot take odile@example.com", ""),
            ("", ""),
        ] {
            assert_eq!(told(body), format!("the answer was 400 Bad Request{word}"));
        }
    }

    #[test]
    fn a_path_of_the_address_is_kept() {
        let base = url::Url::parse("http://127.0.0.1:9/proxy/v1/").unwrap();
        assert_eq!(join(&base, "/chat"), "http://127.0.0.1:9/proxy/v1/chat");
    }
}
