//! Reads the parts of a multipart form: small ones whole, files straight into blobs. Memory does not grow
//! with a file.
//!
//! A file is stored under a key of its own until the whole form was read and the call is known; what does
//! not get that far is removed again.

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use platform::blobs::{BlobError, Blobs};
use serde_json::Value;
use uuid::Uuid;
use web::{self, Problem, media_type};

use crate::publish::unavailable;

const MAX_JSON_BYTES: usize = 1024 * 1024;
/// A transcript of a day's talk is some 2 MB.
const MAX_TRANSCRIPT_BYTES: u64 = 16 * 1024 * 1024;
/// What is looked at to tell a recording's format.
const HEAD_BYTES: usize = 64;

/// A file that was stored for now. It is removed when it is dropped before [`Upload::keep_as`].
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) digest: String,
    pub(crate) media_type: Option<String>,
    place: Incoming,
}

impl Upload {
    pub(crate) async fn keep_as(mut self, key: &str) -> Result<(), Problem> {
        self.place.blobs.rename(&self.place.key, key).await.map_err(|error| blob_problem("", error))?;
        self.place.kept = true;
        Ok(())
    }
}

struct Incoming {
    blobs: Blobs,
    key: String,
    kept: bool,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let (blobs, key) = (self.blobs.clone(), std::mem::take(&mut self.key));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.kept {
            runtime.spawn(async move {
                if let Err(error) = blobs.delete(&key).await {
                    tracing::warn!(key, %error, "failed to remove an upload that was not accepted");
                }
            });
        }
    }
}

/// The form of a request; 415 for anything else, 413 where its length says that it is longer than `max` bytes.
pub(crate) async fn open(request: Request, max: u64) -> Result<Multipart, Problem> {
    let media_type = media_type(request.headers());
    if media_type != "multipart/form-data" {
        let detail = format!("the body must be multipart/form-data, not `{media_type}`");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    web::check_length(request.headers(), max)?;
    let no_boundary =
        |_| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the Content-Type names no boundary of the form");
    Multipart::from_request(request, &()).await.map_err(no_boundary)
}

pub(crate) async fn next(form: &mut Multipart) -> Result<Option<Field<'_>>, Problem> {
    form.next_field().await.map_err(|error| form_problem("", &error))
}

pub(crate) async fn json(mut field: Field<'_>, pointer: &str) -> Result<Value, Problem> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| form_problem(pointer, &error))? {
        if bytes.len() + chunk.len() > MAX_JSON_BYTES {
            return Err(too_large(pointer, MAX_JSON_BYTES as u64));
        }
        bytes.extend_from_slice(&chunk);
    }
    web::parse(&bytes).map_err(|problem| Problem::field(pointer, format!("is not valid JSON: {problem}")))
}

/// 415 when the bytes are no recording, whatever the sender calls them.
pub(crate) async fn audio(
    blobs: &Blobs,
    mut field: Field<'_>,
    pointer: &str,
    max: u64,
) -> Result<Upload, Problem> {
    let mut head = BytesMut::new();
    while head.len() < HEAD_BYTES {
        match field.chunk().await.map_err(|error| form_problem(pointer, &error))? {
            Some(chunk) => head.extend_from_slice(&chunk),
            None => break,
        }
    }
    if head.is_empty() {
        return Err(Problem::field(pointer, "is empty"));
    }
    let Some(media_type) = audio_type(&head) else {
        let detail = "is not a recording in a known format: wav, mp3, m4a, mp4, flac, ogg, opus, webm";
        return Err(Problem::field(pointer, detail).status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    };
    let whole = stream::iter([Ok(head.freeze())]).chain(field.map_err(PartFault::Form));
    store(blobs, whole, pointer, max, Some(media_type.to_owned())).await
}

/// A text of any transcript format; whether it can be read is for the transcription worker to say.
pub(crate) async fn transcript(blobs: &Blobs, field: Field<'_>, pointer: &str) -> Result<Upload, Problem> {
    let extension = field.file_name().and_then(|name| name.rsplit_once('.')).map(|(_, end)| end);
    let extension = extension.filter(|end| end.len() <= 8 && end.chars().all(|c| c.is_ascii_alphanumeric()));
    let said = field.content_type().map(str::to_ascii_lowercase);
    let said = said.filter(|said| said != "application/octet-stream" && said.len() <= 100);
    let media_type = said.or_else(|| extension.map(str::to_ascii_lowercase));
    let mut rest = Vec::new();
    let text = field.map(move |chunk| {
        let chunk = chunk.map_err(PartFault::Form)?;
        if is_text(&mut rest, &chunk) { Ok(chunk) } else { Err(PartFault::NotText) }
    });
    store(blobs, text, pointer, MAX_TRANSCRIPT_BYTES, media_type).await
}

#[derive(Debug, thiserror::Error)]
enum PartFault {
    #[error(transparent)]
    Form(MultipartError),
    #[error("is not a text in UTF-8")]
    NotText,
}

async fn store(
    blobs: &Blobs,
    bytes: impl Stream<Item = Result<Bytes, PartFault>> + Send,
    pointer: &str,
    max: u64,
    media_type: Option<String>,
) -> Result<Upload, Problem> {
    let key = format!("incoming/{}", Uuid::new_v4());
    let place = Incoming { blobs: blobs.clone(), key, kept: false };
    let stored =
        blobs.put_stream(&place.key, bytes, max).await.map_err(|error| blob_problem(pointer, error))?;
    if stored.bytes == 0 {
        return Err(Problem::field(pointer, "is empty"));
    }
    Ok(Upload { digest: stored.sha256_hex, media_type, place })
}

fn blob_problem(pointer: &str, error: BlobError) -> Problem {
    match error {
        BlobError::TooLarge { max, .. } => too_large(pointer, max),
        BlobError::Source(source) => match source.downcast_ref::<PartFault>() {
            Some(PartFault::Form(error)) => form_problem(pointer, error),
            _ => Problem::field(pointer, source.to_string()),
        },
        error => {
            tracing::error!(%error, "failed to store an upload; its sender was told to send again");
            unavailable()
        }
    }
}

fn form_problem(pointer: &str, error: &MultipartError) -> Problem {
    let (status, detail) = match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => (StatusCode::PAYLOAD_TOO_LARGE, "the form is too long"),
        _ => (StatusCode::BAD_REQUEST, "the form is malformed, or broke off before its end"),
    };
    if pointer.is_empty() {
        Problem::new(status, detail)
    } else {
        Problem::field(pointer, detail).status(status)
    }
}

fn too_large(pointer: &str, max: u64) -> Problem {
    Problem::field(pointer, format!("is longer than {max} bytes")).status(StatusCode::PAYLOAD_TOO_LARGE)
}

/// By the first bytes, since a file's name and declared type say what its sender believes.
fn audio_type(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'R', b'I', b'F', b'F' | b'X', _, _, _, _, b'W', b'A', b'V', b'E', ..]
        | [b'R', b'F', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("audio/wav"),
        [b'f', b'L', b'a', b'C', ..] => Some("audio/flac"),
        [b'O', b'g', b'g', b'S', ..] => Some("audio/ogg"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some("audio/webm"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("audio/mp4"),
        [b'I', b'D', b'3', 2..=4, ..] => Some("audio/mpeg"),
        // A frame of MPEG layer III: eleven bits of sync, a version and a sample rate that exist.
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

/// Whether `chunk` goes on as UTF-8 without NUL after what `rest` holds of the chunk before.
fn is_text(rest: &mut Vec<u8>, chunk: &[u8]) -> bool {
    rest.extend_from_slice(chunk);
    let valid = match std::str::from_utf8(rest) {
        Ok(_) => rest.len(),
        // A character may be cut in two by the chunk's end.
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return false,
    };
    let no_nul = !rest.contains(&0);
    rest.drain(..valid);
    no_nul
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

    #[test]
    fn a_character_cut_in_two_by_the_network_is_still_text() {
        let text = "Björk – 😀".as_bytes();
        for cut in 0..text.len() {
            let mut rest = Vec::new();
            assert!(is_text(&mut rest, &text[..cut]) && is_text(&mut rest, &text[cut..]), "{cut}");
        }
        assert!(!is_text(&mut Vec::new(), b"a\0b"));
        assert!(!is_text(&mut Vec::new(), b"caf\xe9 au lait"));
    }
}
