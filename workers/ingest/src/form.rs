//! Reads the parts of a multipart form, one after the other.

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use platform::blobs::{Blobs, Upload};
use serde_json::Value;
use web::{self, Problem, media_type};

use web::files;

/// Opens the form of a request. The answer is 415 for a body that is not a form, and 413 where the announced length
/// is above `max` bytes.
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
    form.next_field().await.map_err(|error| problem("", &error))
}

/// Puts the value of the part at `pointer` into `place`. The answer is 422 where the same part came before.
pub(crate) fn once<T>(place: &mut Option<T>, pointer: &str, value: T) -> Result<(), Problem> {
    if place.is_some() {
        return Err(Problem::field(pointer, "was sent twice"));
    }
    *place = Some(value);
    Ok(())
}

/// Reads a part that holds a JSON document of at most `max` bytes.
pub(crate) async fn json(mut field: Field<'_>, pointer: &str, max: u64) -> Result<Value, Problem> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| problem(pointer, &error))? {
        if (bytes.len() + chunk.len()) as u64 > max {
            return Err(files::too_long(pointer, max));
        }
        bytes.extend_from_slice(&chunk);
    }
    files::json(&bytes, pointer)
}

/// Stores a part that holds a recording of at most `max` bytes.
pub(crate) async fn recording(
    blobs: &Blobs,
    field: Field<'_>,
    pointer: &str,
    max: u64,
) -> Result<Upload, Problem> {
    files::recording(blobs, content(field, pointer), pointer, max).await
}

/// Stores a part that holds a transcript.
pub(crate) async fn transcript(blobs: &Blobs, field: Field<'_>, pointer: &str) -> Result<Upload, Problem> {
    let file_name = field.file_name().map(str::to_owned);
    let media_type = field.content_type().map(str::to_owned);
    let content = content(field, pointer);
    files::transcript(blobs, content, pointer, media_type.as_deref(), file_name.as_deref()).await
}

fn content<'a>(field: Field<'a>, pointer: &'a str) -> impl Stream<Item = Result<Bytes, Problem>> + Send + 'a {
    field.map(move |chunk| chunk.map_err(|error| problem(pointer, &error)))
}

pub(crate) fn problem(pointer: &str, error: &MultipartError) -> Problem {
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
