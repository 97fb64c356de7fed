//! Reads and checks files that somebody brings: recordings, transcripts and JSON documents. The doors, the console and the
//! import use the same checks.
//!
//! A file goes straight into the blobs, piece by piece, so memory does not grow with the size of the file.

use std::time::Duration;

use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use domain::event::MaterialKind;
use futures::{Stream, StreamExt as _, stream};
use media::audio::kind;
use media::transcripts;
use platform::blobs::{BlobError, Blobs, Upload};
use serde_json::Value;

use crate::problem::Problem;

/// The longest transcript. The transcript of a whole day has some 2 MB.
const MAX_TRANSCRIPT_BYTES: u64 = 16 * 1024 * 1024;
/// When a sender whose file could not be stored should try again.
const COME_BACK_IN: Duration = Duration::from_secs(5);
/// The formats of recordings, as the answer names them.
const FORMATS: &str = "wav, mp3, m4a, mp4, flac, ogg, opus, webm, mkv, aac, amr, 3gp, aiff, au, avi, wma";

/// Reads the JSON that describes a call. `pointer` is the JSON pointer to it in the request.
pub fn json(bytes: &[u8], pointer: &str) -> Result<Value, Problem> {
    crate::parse(bytes).map_err(|problem| Problem::field(pointer, format!("is not valid JSON: {problem}")))
}

/// Stores a recording of at most `max` bytes. The answer is 415 when the bytes are not a recording, even where the
/// sender calls them one. Where `content` breaks off, the problem is the one that `content` returned.
pub async fn recording(
    blobs: &Blobs,
    content: impl Stream<Item = Result<Bytes, Problem>> + Send,
    pointer: &str,
    max: u64,
) -> Result<Upload, Problem> {
    let (head, whole) = with_head(content, kind::HEAD_BYTES).await?;
    if head.is_empty() {
        return Err(Problem::field(pointer, "is empty"));
    }
    let Some(media_type) = kind::media_type(&head) else {
        let detail = match kind::other_kind(&head) {
            Some(kind) => format!("is {kind}, not a recording"),
            None => format!("is not a recording in a known format: {FORMATS}"),
        };
        return Err(Problem::field(pointer, detail).status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    };
    store(blobs, whole, pointer, max, Some(media_type.to_owned())).await
}

/// Stores a recording or a transcript, whichever the file is. The answer is 415 when it is neither.
pub async fn either(
    blobs: &Blobs,
    content: impl Stream<Item = Result<Bytes, Problem>> + Send,
    pointer: &str,
    max: u64,
    file_name: Option<&str>,
) -> Result<(MaterialKind, Upload), Problem> {
    let (head, whole) = with_head(content, kind::HEAD_BYTES.max(transcripts::HEAD_BYTES)).await?;
    if kind::media_type(&head).is_none() && transcripts::check_head(&head).is_ok() {
        let stored = transcript(blobs, whole, pointer, None, file_name).await?;
        return Ok((MaterialKind::Transcript, stored));
    }
    Ok((MaterialKind::Recording, recording(blobs, whole, pointer, max).await?))
}

/// Returns the first bytes of `content`, at least `bytes` where it has so many, and the whole of it.
async fn with_head<S>(
    content: S,
    bytes: usize,
) -> Result<(Bytes, impl Stream<Item = Result<Bytes, Problem>> + Send), Problem>
where
    S: Stream<Item = Result<Bytes, Problem>> + Send,
{
    let mut content = Box::pin(content);
    let mut head = BytesMut::new();
    while head.len() < bytes {
        match content.next().await {
            Some(chunk) => head.extend_from_slice(&chunk?),
            None => break,
        }
    }
    let head = head.freeze();
    let first = (!head.is_empty()).then(|| Ok(head.clone()));
    Ok((head, stream::iter(first).chain(content)))
}

/// Stores a text of any transcript format. The transcription worker decides later whether the text can be read. The
/// worker uses the media type that the sender gave, or else the extension of the file's name.
pub async fn transcript(
    blobs: &Blobs,
    content: impl Stream<Item = Result<Bytes, Problem>> + Send,
    pointer: &str,
    media_type: Option<&str>,
    file_name: Option<&str>,
) -> Result<Upload, Problem> {
    let extension = file_name.and_then(|name| name.rsplit_once('.')).map(|(_, end)| end);
    let extension = extension.filter(|end| end.len() <= 8 && end.chars().all(|c| c.is_ascii_alphanumeric()));
    let said = media_type.map(str::to_ascii_lowercase);
    let said = said.filter(|said| said != "application/octet-stream" && said.len() <= 100);
    let media_type = said.or_else(|| extension.map(str::to_ascii_lowercase));
    let (head, whole) = with_head(content, transcripts::HEAD_BYTES).await?;
    if !head.is_empty() {
        transcripts::check_head(&head)
            .map_err(|kind| Problem::field(pointer, format!("is not a transcript: {kind}")))?;
    }
    store(blobs, whole, pointer, MAX_TRANSCRIPT_BYTES, media_type).await
}

/// Carries the problem that ended a stream through the blobs. The blobs return any error as it came.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.detail)]
struct Broken(Problem);

async fn store(
    blobs: &Blobs,
    content: impl Stream<Item = Result<Bytes, Problem>> + Send,
    pointer: &str,
    max: u64,
    media_type: Option<String>,
) -> Result<Upload, Problem> {
    let content = content.map(|chunk| chunk.map_err(Broken));
    let upload = Upload::store(blobs, content, max, media_type).await.map_err(|error| match error {
        BlobError::TooLarge { max, .. } => too_long(pointer, max),
        BlobError::Source(source) => match source.downcast::<Broken>() {
            Ok(broken) => broken.0,
            Err(source) => Problem::field(pointer, source.to_string()),
        },
        error => {
            tracing::error!(%error, "failed to store an upload; its sender was told to send again");
            let detail = "this file cannot be stored at the moment; nothing was accepted, send it again";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(COME_BACK_IN)
        }
    })?;
    if upload.bytes == 0 {
        return Err(Problem::field(pointer, "is empty"));
    }
    Ok(upload)
}

/// The problem of a file that is longer than `max` bytes.
pub fn too_long(pointer: &str, max: u64) -> Problem {
    Problem::field(pointer, format!("is longer than {max} bytes")).status(StatusCode::PAYLOAD_TOO_LARGE)
}
