//! Reads and checks files: recordings, transcripts and JSON documents. The doors and the import use the same checks.
//!
//! A file goes straight into the blobs, piece by piece, so memory does not grow with the size of the file.

use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use media::transcripts;
use platform::blobs::{BlobError, Blobs};
use queue_topology::intake::{NotKept, Upload};
use serde_json::Value;
use web::Problem;

use crate::refusal::not_kept;

/// The longest transcript. The transcript of a whole day has some 2 MB.
const MAX_TRANSCRIPT_BYTES: u64 = 16 * 1024 * 1024;
/// How many bytes are read to find the format of a recording.
const HEAD_BYTES: usize = 64;

/// Reads the JSON that describes a call. `pointer` is the JSON pointer to it in the request.
pub fn json(bytes: &[u8], pointer: &str) -> Result<Value, Problem> {
    web::parse(bytes).map_err(|problem| Problem::field(pointer, format!("is not valid JSON: {problem}")))
}

/// Stores a recording of at most `max` bytes. The answer is 415 when the bytes are not a recording, even where the
/// sender calls them one. Where `content` breaks off, the problem is the one that `content` returned.
pub async fn recording(
    blobs: &Blobs,
    content: impl Stream<Item = Result<Bytes, Problem>> + Send,
    pointer: &str,
    max: u64,
) -> Result<Upload, Problem> {
    let (head, whole) = with_head(content, HEAD_BYTES).await?;
    if head.is_empty() {
        return Err(Problem::field(pointer, "is empty"));
    }
    let Some(media_type) = audio_type(&head) else {
        let detail = "is not a recording in a known format: wav, mp3, m4a, mp4, flac, ogg, opus, webm";
        return Err(Problem::field(pointer, detail).status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    };
    store(blobs, whole, pointer, max, Some(media_type.to_owned())).await
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
            not_kept(NotKept)
        }
    })?;
    if upload.bytes == 0 {
        return Err(Problem::field(pointer, "is empty"));
    }
    Ok(upload)
}

pub(crate) fn too_long(pointer: &str, max: u64) -> Problem {
    Problem::field(pointer, format!("is longer than {max} bytes")).status(StatusCode::PAYLOAD_TOO_LARGE)
}

/// Finds the media type of a recording by its first bytes. The name of a file and its declared type only say what the
/// sender believes.
fn audio_type(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'R', b'I', b'F', b'F' | b'X', _, _, _, _, b'W', b'A', b'V', b'E', ..]
        | [b'R', b'F', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("audio/wav"),
        [b'f', b'L', b'a', b'C', ..] => Some("audio/flac"),
        [b'O', b'g', b'g', b'S', ..] => Some("audio/ogg"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some("audio/webm"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("audio/mp4"),
        [b'I', b'D', b'3', 2..=4, ..] => Some("audio/mpeg"),
        // A frame of MPEG layer III begins with eleven bits of sync. Its version and its sample rate must be valid.
        [0xff, second, third, ..]
            if second & 0xe6 == 0xe2
                && second & 0x18 != 0x08
                && third & 0xf0 != 0xf0
                && third & 0x0c != 0x0c =>
        {
            Some("audio/mpeg")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_known_by_their_first_bytes() {
        for (head, wanted) in [
            (&b"RIFF\x24\x00\x00\x00WAVEfmt "[..], Some("audio/wav")),
            (b"fLaC\x00", Some("audio/flac")),
            (b"OggS\x00\x02", Some("audio/ogg")),
            (b"\x1a\x45\xdf\xa3\x01", Some("audio/webm")),
            (b"\x00\x00\x00\x20ftypM4A ", Some("audio/mp4")),
            (b"ID3\x04\x00", Some("audio/mpeg")),
            (b"\xff\xfb\x90\x64", Some("audio/mpeg")),
            // MPEG 2.5 at 8 kHz, as telephone systems write it
            (b"\xff\xe3\x18\xc4", Some("audio/mpeg")),
            (b"RIFF\x24\x00\x00\x00AVI LIST", None),
            (b"\xff\xff\xff\xff", None),
            (b"WEBVTT\n\n", None),
            (b"<!DOCTYPE html>", None),
            (b"", None),
        ] {
            assert_eq!(audio_type(head), wanted, "{head:?}");
        }
    }
}
