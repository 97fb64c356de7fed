//! The place where a telephony provider keeps its recordings, and what can be wrong with it.
//!
//! `PUT /_control/recordings/{name}` brings a recording, and its query says in which [`Variant`] the recording is
//! served. `GET /recordings/{name}` serves it.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use futures::stream;
use serde::Deserialize;

use crate::provider::{Provider, Setting, Site};
use crate::recording_store::{Recording, RecordingStore, Variant};

pub static PROVIDER: Provider = Provider { name: "recordings", made_once: &[], routes, refusal, settings };

const MAX_RECORDING_BYTES: usize = 256 * 1024 * 1024;
/// The length of a piece of a recording that is served as a stream.
const PIECE_BYTES: usize = 16 * 1024;

/// Debrief fetches from private addresses only where it is told to.
fn settings(address: &str) -> Vec<Setting> {
    vec![("DEBRIEF_ALLOW_PRIVATE_FETCH", address.trim_start_matches("http://").to_owned())]
}

fn routes(site: &Site<'_>) -> Router {
    Router::new()
        .route("/recordings/{name}", get(serve))
        .route("/_control/recordings/{name}", put(register))
        .layer(DefaultBodyLimit::max(MAX_RECORDING_BYTES))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(site.recordings.clone())
}

fn refusal(status: StatusCode) -> Response {
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
    State(recordings): State<RecordingStore>,
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
    recordings.put(&name, Recording { bytes, content_type, variant });
    StatusCode::NO_CONTENT.into_response()
}

async fn serve(
    State(recordings): State<RecordingStore>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(recording) = recordings.get(&name) else {
        return refusal(StatusCode::NOT_FOUND);
    };
    let Recording { bytes, content_type, variant } = recording;
    let body = match variant {
        Variant::Whole => return whole_or_range(&bytes, &content_type, &headers),
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
        Variant::Drip => drip(),
        Variant::Long(length) => {
            let head = [(header::CONTENT_TYPE, content_type), (header::CONTENT_LENGTH, length.to_string())];
            return (head, long(bytes, length)).into_response();
        }
    };
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// Serves one range as RFC 9110, section 14.2 says. A request for several ranges, or one that is not understood, gets
/// the whole recording.
fn whole_or_range(bytes: &Bytes, content_type: &str, headers: &HeaderMap) -> Response {
    let mut answer = Response::new(Body::empty());
    let head = answer.headers_mut();
    head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(kind) = HeaderValue::from_str(content_type) {
        head.insert(header::CONTENT_TYPE, kind);
    }
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    match asked.and_then(|text| parse_range(text, bytes.len())) {
        None => *answer.body_mut() = Body::from(bytes.clone()),
        Some(Err(OutOfRange)) => {
            *answer.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set_content_range(&mut answer, &format!("bytes */{}", bytes.len()));
        }
        Some(Ok((first, last))) => {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            set_content_range(&mut answer, &format!("bytes {first}-{last}/{}", bytes.len()));
            *answer.body_mut() = Body::from(bytes.slice(first..=last));
        }
    }
    answer
}

fn set_content_range(answer: &mut Response, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        answer.headers_mut().insert(header::CONTENT_RANGE, value);
    }
}

/// The range contains no byte of the recording.
#[derive(Debug, PartialEq, Eq)]
struct OutOfRange;

/// Returns the first and the last byte of the range. `None` means that the text is not a single range of bytes.
fn parse_range(text: &str, length: usize) -> Option<Result<(usize, usize), OutOfRange>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first > last => return None,
        (Ok(first), Ok(last)) => (first, last.min(length.saturating_sub(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, length.saturating_sub(1)),
        (Err(_), Ok(0)) => return Some(Err(OutOfRange)),
        (Err(_), Ok(count)) if first.is_empty() => (length.saturating_sub(count), length.saturating_sub(1)),
        _ => return None,
    };
    Some(if first < length { Ok((first, last)) } else { Err(OutOfRange) })
}

fn endless(bytes: Bytes) -> Body {
    let silence = Bytes::from_static(&[128; PIECE_BYTES]);
    Body::from_stream(stream::unfold(Some(bytes), move |first| {
        let piece = first.unwrap_or_else(|| silence.clone());
        async move { Some((Ok::<_, io::Error>(piece), None)) }
    }))
}

fn long(bytes: Bytes, length: u64) -> Body {
    let silence = Bytes::from_static(&[128; PIECE_BYTES]);
    Body::from_stream(stream::unfold((Some(bytes), length), move |(first, left)| {
        let piece = first.unwrap_or_else(|| silence.clone());
        let piece = piece.slice(..piece.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        let left = left - piece.len() as u64;
        async move { (!piece.is_empty()).then_some((Ok::<_, io::Error>(piece), (None, left))) }
    }))
}

fn stalled(bytes: &Bytes) -> Body {
    let half = bytes.slice(..bytes.len() / 2);
    Body::from_stream(stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) => Some((Ok::<_, io::Error>(half), None)),
            None => std::future::pending().await,
        }
    }))
}

fn slow(bytes: Bytes) -> Body {
    Body::from_stream(stream::unfold(bytes, |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        tokio::time::sleep(Duration::from_millis(200)).await;
        Some((Ok::<_, io::Error>(piece), rest))
    }))
}

fn drip() -> Body {
    Body::from_stream(stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Some((Ok::<_, io::Error>(Bytes::from_static(&[0xD5])), ()))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_recording_begins_with_its_bytes_and_has_its_length() {
        let (start, length) = (Bytes::from_static(b"RIFF"), 3 * PIECE_BYTES as u64 + 7);
        let whole = axum::body::to_bytes(long(start, length), usize::MAX).await.unwrap();
        assert!(whole.starts_with(b"RIFF\x80") && whole.len() as u64 == length);
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        assert_eq!(parse_range("bytes=0-3", 10), Some(Ok((0, 3))));
        assert_eq!(parse_range("bytes=4-", 10), Some(Ok((4, 9))));
        assert_eq!(parse_range("bytes=-3", 10), Some(Ok((7, 9))));
        assert_eq!(parse_range("bytes=8-99", 10), Some(Ok((8, 9))));
        assert_eq!(parse_range("bytes=10-", 10), Some(Err(OutOfRange)));
        assert_eq!(parse_range("bytes=3-1", 10), None);
        assert_eq!(parse_range("bytes=0-", 0), Some(Err(OutOfRange)));
        assert_eq!(parse_range("items=0-3", 10), None);
    }
}
