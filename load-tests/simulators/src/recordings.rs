//! Where a telephony provider keeps its recordings, and what can be wrong there.
//!
//! `GET /recordings/{name}` serves what `PUT /_control/recordings/{name}` brought; the query of the PUT says
//! in which [`Variant`].

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use futures::stream;
use serde::Deserialize;

use super::{Bounded, Simulators, lock};

const MAX_RECORDINGS: usize = 10_000;
const MAX_RECORDING_BYTES: usize = 256 * 1024 * 1024;
const PIECE: usize = 16 * 1024;

/// How a recording is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// Whole, or the range that was asked for.
    #[default]
    Whole,
    /// Not at all, with this status (`404`, `403`, `410`, …).
    Status(StatusCode),
    /// A page that asks to sign in, with status 200.
    Html,
    /// The bytes, then silence without end.
    Endless,
    /// The first bytes, then nothing more while the connection stays open.
    Stall,
    /// A redirect to this address.
    Redirect(String),
    /// 16 KiB every 200 ms.
    Slow,
    /// The bytes, then silence until it is so many bytes long; none of it is kept.
    Long(u64),
}

impl std::str::FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(address) = text.strip_prefix("redirect:") {
            return Ok(Self::Redirect(address.to_owned()));
        }
        if let Some(bytes) = text.strip_prefix("long:") {
            return bytes.parse().map(Self::Long).map_err(|_| format!("`{bytes}` is no number of bytes"));
        }
        match text {
            "" | "whole" => Ok(Self::Whole),
            "html" => Ok(Self::Html),
            "endless" => Ok(Self::Endless),
            "stall" => Ok(Self::Stall),
            "slow" => Ok(Self::Slow),
            code => code.parse().map(Self::Status).map_err(|_| {
                format!(
                    "`{code}` is none of whole, html, endless, stall, slow, long:<bytes>, redirect:<url>, or a status"
                )
            }),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Recording {
    pub bytes: Bytes,
    pub content_type: String,
    pub variant: Variant,
}

impl Recording {
    /// A WAV file, served whole.
    pub fn wav(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), content_type: "audio/wav".to_owned(), variant: Variant::Whole }
    }

    /// Nothing of its own, served as `variant` says.
    pub fn variant(variant: Variant) -> Self {
        Self { variant, ..Self::wav(Bytes::new()) }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Shelf(Arc<Mutex<Bounded<Recording>>>);

impl Default for Shelf {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Bounded::new(MAX_RECORDINGS))))
    }
}

impl Simulators {
    /// Serves `recording` at the URL it returns; a name that is taken is replaced.
    pub fn put_recording(&self, name: &str, recording: Recording) -> String {
        lock(&self.recordings.shelf.0).insert(name.to_owned(), recording);
        self.recordings.url(&format!("/recordings/{name}"))
    }
}

pub(crate) fn app(shelf: Shelf) -> Router {
    Router::new()
        .route("/recordings/{name}", get(serve))
        .route("/_control/recordings/{name}", put(register))
        .layer(DefaultBodyLimit::max(MAX_RECORDING_BYTES))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(shelf)
}

pub(crate) fn refusal(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or("Error");
    let code = reason.replace(' ', "");
    let xml =
        format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>{reason}</Message></Error>");
    (status, [(header::CONTENT_TYPE, "application/xml")], xml).into_response()
}

#[derive(Deserialize)]
struct Registration {
    #[serde(default)]
    variant: String,
}

async fn register(
    State(shelf): State<Shelf>,
    Path(name): Path<String>,
    Query(query): Query<Registration>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let variant = match query.variant.parse() {
        Ok(variant) => variant,
        Err(wrong) => return (StatusCode::UNPROCESSABLE_ENTITY, wrong).into_response(),
    };
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("audio/wav").to_owned();
    lock(&shelf.0).insert(name, Recording { bytes, content_type, variant });
    StatusCode::NO_CONTENT.into_response()
}

async fn serve(State(shelf): State<Shelf>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(recording) = lock(&shelf.0).get(&name).cloned() else {
        return refusal(StatusCode::NOT_FOUND);
    };
    let Recording { bytes, content_type, variant } = recording;
    let body = match variant {
        Variant::Whole => return ranged(&bytes, &content_type, &headers),
        Variant::Status(status) => return refusal(status),
        Variant::Html => {
            let page = "<!doctype html><html><title>Sign in</title><body>Please sign in.</body></html>";
            return ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
        }
        Variant::Redirect(address) => {
            return (StatusCode::FOUND, [(header::LOCATION, address)]).into_response();
        }
        Variant::Endless => endless(bytes),
        Variant::Stall => stalled(&bytes),
        Variant::Slow => slow(bytes),
        Variant::Long(length) => {
            let head = [(header::CONTENT_TYPE, content_type), (header::CONTENT_LENGTH, length.to_string())];
            return (head, long(bytes, length)).into_response();
        }
    };
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// RFC 9110, 14.2: one range is served; anything else that is asked for gets the whole.
fn ranged(bytes: &Bytes, content_type: &str, headers: &HeaderMap) -> Response {
    let mut answer = Response::new(Body::empty());
    let head = answer.headers_mut();
    head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(kind) = HeaderValue::from_str(content_type) {
        head.insert(header::CONTENT_TYPE, kind);
    }
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    match asked.and_then(|text| range_of(text, bytes.len())) {
        None => *answer.body_mut() = Body::from(bytes.clone()),
        Some(Err(Outside)) => {
            *answer.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set_range(&mut answer, &format!("bytes */{}", bytes.len()));
        }
        Some(Ok((first, last))) => {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            set_range(&mut answer, &format!("bytes {first}-{last}/{}", bytes.len()));
            *answer.body_mut() = Body::from(bytes.slice(first..=last));
        }
    }
    answer
}

fn set_range(answer: &mut Response, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        answer.headers_mut().insert(header::CONTENT_RANGE, value);
    }
}

/// A range that has no byte of the recording.
#[derive(Debug, PartialEq, Eq)]
struct Outside;

/// The first and the last byte that are asked for; `None` for what is not a range that is read here.
fn range_of(text: &str, length: usize) -> Option<Result<(usize, usize), Outside>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first > last => return None,
        (Ok(first), Ok(last)) => (first, last.min(length.saturating_sub(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, length.saturating_sub(1)),
        (Err(_), Ok(0)) => return Some(Err(Outside)),
        (Err(_), Ok(count)) if first.is_empty() => (length.saturating_sub(count), length.saturating_sub(1)),
        _ => return None,
    };
    Some(if first < length { Ok((first, last)) } else { Err(Outside) })
}

fn endless(bytes: Bytes) -> Body {
    let silence = Bytes::from_static(&[128; PIECE]);
    Body::from_stream(stream::unfold(Some(bytes), move |first| {
        let piece = first.unwrap_or_else(|| silence.clone());
        async move { Some((Ok::<_, io::Error>(piece), None)) }
    }))
}

fn long(bytes: Bytes, length: u64) -> Body {
    let silence = Bytes::from_static(&[128; PIECE]);
    Body::from_stream(stream::unfold((Some(bytes), length), move |(first, left)| {
        let piece = first.unwrap_or_else(|| silence.clone());
        let piece = piece.slice(..piece.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        let left = left - piece.len() as u64;
        async move { (!piece.is_empty()).then_some((Ok::<_, io::Error>(piece), (None, left))) }
    }))
}

fn stalled(bytes: &Bytes) -> Body {
    let start = bytes.slice(..bytes.len() / 2);
    Body::from_stream(stream::unfold(Some(start), |start| async move {
        match start {
            Some(start) => Some((Ok::<_, io::Error>(start), None)),
            None => std::future::pending().await,
        }
    }))
}

fn slow(bytes: Bytes) -> Body {
    Body::from_stream(stream::unfold(bytes, |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        let piece = rest.split_to(rest.len().min(PIECE));
        tokio::time::sleep(Duration::from_millis(200)).await;
        Some((Ok::<_, io::Error>(piece), rest))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_recording_begins_with_its_bytes_and_has_its_length() {
        let (start, length) = (Bytes::from_static(b"RIFF"), 3 * PIECE as u64 + 7);
        let whole = axum::body::to_bytes(long(start, length), usize::MAX).await.unwrap();
        assert!(whole.starts_with(b"RIFF\x80") && whole.len() as u64 == length);
        assert_eq!("long:7".parse(), Ok(Variant::Long(7)));
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        assert_eq!(range_of("bytes=0-3", 10), Some(Ok((0, 3))));
        assert_eq!(range_of("bytes=4-", 10), Some(Ok((4, 9))));
        assert_eq!(range_of("bytes=-3", 10), Some(Ok((7, 9))));
        assert_eq!(range_of("bytes=8-99", 10), Some(Ok((8, 9))));
        assert_eq!(range_of("bytes=10-", 10), Some(Err(Outside)));
        assert_eq!(range_of("bytes=3-1", 10), None);
        assert_eq!(range_of("bytes=0-", 0), Some(Err(Outside)));
        assert_eq!(range_of("items=0-3", 10), None);
    }
}
