//! A call's recording, whole or in part, for every listener that gives it to readers.

use std::ops::Range;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, LOCATION,
    RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use domain::call::{Call, CallId};
use domain::event::{Material, MaterialAt, MaterialKind};
use futures::{Stream, stream};
use platform::blobs::{BlobError, Blobs};
use store::{Store, StoreError};
use url::Url;

use crate::Problem;

/// How many bytes of a recording are in memory while it is sent.
const PIECE_BYTES: u64 = 1024 * 1024;
/// How many bytes are looked at to tell the format of a recording.
const HEAD_BYTES: u64 = 64;

/// Why a recording cannot be read at the moment.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// Answers with the newest recording of the call, or with the part of it that the request asks for. `None` where there
/// is none here.
///
/// `elsewhere` is the method of a reader who may be sent to another address for it. Without it the bytes always come
/// from here, because a page may play no sound from another host.
pub async fn newest(
    store: &Store,
    blobs: &Blobs,
    call: &Call,
    elsewhere: Option<Method>,
    headers: &HeaderMap,
) -> Result<Option<Response>, RecordingError> {
    let Some(Found { material, key, size }) = find(store, blobs, call).await? else { return Ok(None) };
    let media_type = media_type(blobs, &key, size, &material).await?;
    let url = match elsewhere {
        Some(method) => blobs.url(&key, method, &media_type).await?,
        None => None,
    };
    Ok(Some(match url {
        Some(url) => redirect(&url),
        None => serve(blobs.clone(), key, size, (&material.digest, &media_type), headers),
    }))
}

/// Whether [`newest`] has something to give.
pub async fn exists(store: &Store, blobs: &Blobs, call: &Call) -> Result<bool, RecordingError> {
    Ok(find(store, blobs, call).await?.is_some())
}

/// Answers with the sound under a key, or with the part of it that the request asks for. `None` where it is gone. The bytes
/// always come from here, and the blob under such a key never changes.
pub async fn of_blob(
    blobs: &Blobs,
    (key, media_type): (&str, &str),
    headers: &HeaderMap,
) -> Result<Option<Response>, BlobError> {
    let Some(size) = blobs.head(key).await? else { return Ok(None) };
    let name = key.rsplit('/').next().unwrap_or(key);
    Ok(Some(serve(blobs.clone(), key.to_owned(), size, (name, media_type), headers)))
}

/// The newest recording of a call that is here.
struct Found {
    material: Material,
    key: String,
    size: u64,
}

async fn find(store: &Store, blobs: &Blobs, call: &Call) -> Result<Option<Found>, RecordingError> {
    let materials = store.materials(call.workspace, call.id).await?;
    let newest_first = materials.into_iter().rev().map(|stored| stored.material);
    for material in newest_first.filter(|material| material.kind == MaterialKind::Recording) {
        let key = key(call.id, &material);
        if let Some(size) = blobs.head(&key).await? {
            return Ok(Some(Found { material, key, size }));
        }
    }
    Ok(None)
}

/// The blob of a recording. A recording that was announced by its URL is where transcription stores what it fetched.
fn key(call: CallId, material: &Material) -> String {
    match &material.at {
        MaterialAt::Blob(key) => key.clone(),
        MaterialAt::SealedUrl(_) => format!("recordings/{call}/{}", material.digest),
    }
}

/// Sends the reader to the bucket. The address is as good as a key, so nobody may keep the answer.
fn redirect(url: &Url) -> Response {
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    let answered = response.headers_mut();
    answered.insert(LOCATION, value(url.as_str()));
    answered.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn serve(
    blobs: Blobs,
    key: String,
    size: u64,
    (digest, media_type): (&str, &str),
    headers: &HeaderMap,
) -> Response {
    let asked = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let etag = format!("\"{digest}\"");
    // A part of another recording than the one that the client has is of no use to it.
    let same = asked(IF_RANGE).is_none_or(|tag| tag == etag);
    let (status, range) = match wanted(asked(RANGE).filter(|_| same), size) {
        Wanted::Whole => (StatusCode::OK, 0..size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => return unsatisfiable(size),
    };
    let part = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
    let length = range.end - range.start;
    let mut response = (status, Body::from_stream(pieces(blobs, key, range))).into_response();
    let answered = response.headers_mut();
    answered.insert(CONTENT_TYPE, value(media_type));
    answered.insert(CONTENT_LENGTH, length.into());
    answered.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answered.insert(ETAG, value(&etag));
    // A sender chose these bytes, and a browser must not take them for a page.
    answered.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if status == StatusCode::PARTIAL_CONTENT {
        answered.insert(CONTENT_RANGE, value(&part));
    }
    response
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

fn unsatisfiable(size: u64) -> Response {
    let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, format!("the recording has {size} bytes"));
    let mut response = problem.into_response();
    response.headers_mut().insert(CONTENT_RANGE, value(&format!("bytes */{size}")));
    response
}

/// The media type that the sender gave, else the one that the bytes show. It is never one that a browser would run.
async fn media_type(blobs: &Blobs, key: &str, size: u64, material: &Material) -> Result<String, BlobError> {
    let is_media = |media_type: &str| media_type.starts_with("audio/") || media_type.starts_with("video/");
    if let Some(said) = material.media_type.as_deref().filter(|said| is_media(said)) {
        return Ok(said.to_owned());
    }
    let head = if size == 0 { Bytes::new() } else { blobs.get_range(key, 0..size.min(HEAD_BYTES)).await? };
    let found = infer::get(&head).map(|kind| kind.mime_type()).filter(|found| is_media(found));
    Ok(found.unwrap_or("application/octet-stream").to_owned())
}

fn pieces(
    blobs: Blobs,
    key: String,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static {
    stream::try_unfold((blobs, key, range), |(blobs, key, rest)| async move {
        if rest.is_empty() {
            return Ok(None);
        }
        let end = rest.end.min(rest.start + PIECE_BYTES);
        let piece = blobs.get_range(&key, rest.start..end).await?;
        if piece.is_empty() {
            // The blob became shorter while it was sent. The connection breaks off, because the length was promised.
            return Err(BlobError::NotFound(key));
        }
        let rest = rest.start + piece.len() as u64..rest.end;
        Ok(Some((piece, (blobs, key, rest))))
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Range<u64>),
    /// The part lies behind the end of the recording.
    Nothing,
}

/// What a `Range` header asks for (RFC 9110, 14.2). A header that cannot be read, or that names several parts, is
/// as if it were absent, which the standard allows.
///
/// The libraries that read this header cannot keep what the test below holds. `headers` 0.4 gives no range both for
/// the last 40 of 10 bytes, which are all ten, and for a header that nobody can read. `http-range` 0.1 and
/// `http-range-header` 0.4 refuse an end beyond 64 bits, which a reader should take as the end, and a unit in capitals.
fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let parse = || {
        let (unit, spec) = header?.split_once('=')?;
        let (first, last) =
            spec.trim().split_once('-').filter(|_| unit.trim().eq_ignore_ascii_case("bytes"))?;
        let number = |text: &str| -> Option<u64> {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().unwrap_or(u64::MAX))
        };
        Some(match (first.trim(), last.trim()) {
            ("", "") => return None,
            ("", length) => size.saturating_sub(number(length)?)..size,
            (first, "") => number(first)?..size,
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    return None;
                }
                first..size.min(last.saturating_add(1))
            }
        })
    };
    match parse() {
        None => Wanted::Whole,
        Some(range) if range.is_empty() => Wanted::Nothing,
        Some(range) => Wanted::Part(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_header_names_a_part_the_whole_or_nothing() {
        for (header, expected) in [
            ("bytes=0-3", Wanted::Part(0..4)),
            ("BYTES = 2-", Wanted::Part(2..10)),
            ("bytes=-4", Wanted::Part(6..10)),
            ("bytes=-40", Wanted::Part(0..10)),
            ("bytes=5-99999999999999999999999", Wanted::Part(5..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=4-2", Wanted::Whole),
            ("bytes=0-1,4-5", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(header), 10), expected, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
    }
}
