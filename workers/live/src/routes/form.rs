//! Reads the form with a piece of audio. The piece is stored as it comes in.

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use media::audio::kind;
use platform::blobs::{BlobError, Blobs};
use uuid::Uuid;
use web::Problem;

use crate::places::MAX_PIECE_BYTES;
use crate::settings::Settings;

/// Why a piece did not come to its end, for whoever stores it.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.detail)]
struct Broken(Problem);

/// What a form may hold beside its piece.
const BESIDE_AUDIO_BYTES: u64 = 64 * 1024;
const MAX_TEXT_BYTES: usize = 1024;
/// The formats of pieces, as the answer names them.
const FORMATS: &str = "wav, mp3, m4a, mp4, flac, ogg, opus, webm, mkv, aac, aiff, au";

/// A piece that is stored under a key of its own.
pub(crate) struct Stored {
    pub(crate) blob: String,
    pub(crate) digest: String,
    pub(crate) bytes: u64,
    pub(crate) media_type: &'static str,
    pub(crate) filename: String,
}

/// The parts of the form.
#[derive(Default)]
pub(crate) struct Form {
    pub(crate) piece: Option<Stored>,
    pub(crate) sequence: Option<i64>,
    pub(crate) channel: Option<i64>,
    pub(crate) speaker: Option<String>,
}

/// The longest piece, in bytes.
fn longest_piece(settings: &Settings) -> u64 {
    settings.max_audio_bytes.min(MAX_PIECE_BYTES)
}

/// The longest form, in bytes.
pub(crate) fn longest(settings: &Settings) -> u64 {
    longest_piece(settings) + BESIDE_AUDIO_BYTES
}

/// Reads the form. `folder` is where the piece is stored. A piece that nobody will name is removed by the caller.
pub(crate) async fn read(
    request: Request,
    (blobs, folder): (&Blobs, &str),
    settings: &Settings,
) -> Result<Form, Problem> {
    let media_type = web::media_type(request.headers());
    if media_type != "multipart/form-data" {
        let detail = format!("the body must be multipart/form-data, not `{media_type}`");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    web::check_length(request.headers(), longest(settings))?;
    let no_boundary =
        |_| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the Content-Type names no boundary of the form");
    let mut parts = Multipart::from_request(request, &()).await.map_err(no_boundary)?;
    let mut form = Form::default();
    while let Some(part) = parts.next_field().await.map_err(|error| broken("", &error))? {
        match part.name().unwrap_or_default() {
            "audio_file" if form.piece.is_some() => {
                return Err(Problem::field("/audio_file", "was sent twice"));
            }
            "audio_file" => form.piece = Some(piece(part, blobs, folder, longest_piece(settings)).await?),
            "sequence" => form.sequence = whole(part, "/sequence").await?,
            "channel" => form.channel = whole(part, "/channel").await?,
            "speaker" => form.speaker = Some(text(part, "/speaker").await?).filter(|word| !word.is_empty()),
            _ => {}
        }
    }
    Ok(form)
}

async fn text(mut part: Field<'_>, pointer: &str) -> Result<String, Problem> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = part.chunk().await.map_err(|error| broken(pointer, &error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_TEXT_BYTES {
            return Err(Problem::field(pointer, format!("is longer than {MAX_TEXT_BYTES} bytes")));
        }
    }
    let text = String::from_utf8(bytes.to_vec()).map_err(|_| Problem::field(pointer, "is not UTF-8"))?;
    if text.contains('\0') {
        return Err(Problem::field(pointer, "must not contain a NUL character"));
    }
    Ok(text.trim().to_owned())
}

/// A whole number of 0 or more. An empty part counts as absent.
async fn whole(part: Field<'_>, pointer: &str) -> Result<Option<i64>, Problem> {
    const LARGEST: i64 = 1_000_000_000;
    let text = text(part, pointer).await?;
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|number| (0..=LARGEST).contains(number));
    let problem = || Problem::field(pointer, format!("must be a whole number from 0 to {LARGEST}"));
    number.map(Some).ok_or_else(problem)
}

/// Stores a piece. The answer is 415 where it is no audio, and 413 where it is too long.
async fn piece(part: Field<'_>, blobs: &Blobs, folder: &str, max: u64) -> Result<Stored, Problem> {
    const POINTER: &str = "/audio_file";
    let filename = part.file_name().unwrap_or("audio").to_owned();
    let mut content = Box::pin(content(part));
    let mut head = BytesMut::new();
    while head.len() < kind::HEAD_BYTES {
        match content.next().await {
            Some(chunk) => head.extend_from_slice(&chunk.map_err(|Broken(problem)| problem)?),
            None => break,
        }
    }
    let head = head.freeze();
    if head.is_empty() {
        return Err(Problem::field(POINTER, "is empty"));
    }
    let Some(media_type) = kind::media_type(&head) else {
        let detail = match kind::other_kind(&head) {
            Some(kind) => format!("is {kind}, not audio"),
            None => format!("is not audio in a known format: {FORMATS}"),
        };
        return Err(Problem::field(POINTER, detail).status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    };
    let blob = format!("{folder}/piece-{}", Uuid::now_v7());
    let whole = stream::iter([Ok(head)]).chain(content);
    let stored = blobs.put_stream(&blob, whole, max).await.map_err(|error| not_stored(error, POINTER))?;
    Ok(Stored { blob, digest: stored.sha256_hex, bytes: stored.bytes, media_type, filename })
}

fn content(part: Field<'_>) -> impl Stream<Item = Result<Bytes, Broken>> + Send {
    part.map(|chunk| chunk.map_err(|error| Broken(broken("/audio_file", &error))))
}

fn broken(pointer: &str, error: &MultipartError) -> Problem {
    let (status, detail) = match (web::broke_off(error), error.status()) {
        (slow, _) if slow.status == StatusCode::REQUEST_TIMEOUT => (slow.status, slow.detail),
        (_, StatusCode::PAYLOAD_TOO_LARGE) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "the form is too long".to_owned())
        }
        _ => (StatusCode::BAD_REQUEST, "the form is malformed, or broke off before its end".to_owned()),
    };
    if pointer.is_empty() {
        Problem::new(status, detail)
    } else {
        Problem::field(pointer, detail).status(status)
    }
}

pub(crate) fn not_stored(error: BlobError, pointer: &str) -> Problem {
    match error {
        BlobError::TooLarge { max, .. } => {
            let detail = format!("is longer than {max} bytes");
            Problem::field(pointer, detail).status(StatusCode::PAYLOAD_TOO_LARGE)
        }
        BlobError::Source(source) => match source.downcast::<Broken>() {
            Ok(broken) => broken.0,
            Err(_) => Problem::new(StatusCode::BAD_REQUEST, "the body broke off before its end"),
        },
        error => {
            tracing::error!(%error, "failed to store a piece of a live call; its sender was told to send it again");
            let detail = "the piece could not be stored; nothing was accepted, send it again";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
                .retry_after(std::time::Duration::from_secs(5))
        }
    }
}
