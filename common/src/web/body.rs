//! Reading a JSON body that anybody may have sent.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use futures::StreamExt as _;
use serde_json::Value;

use super::Problem;

/// 413 when the sender says that the body is longer than `max` bytes.
pub fn check_length(headers: &HeaderMap, max: u64) -> Result<(), Problem> {
    let said = headers.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| said > max) { Err(too_long(max)) } else { Ok(()) }
}

/// The media type of the body, without its parameters, in lower case.
pub fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A JSON body of at most `max` bytes: 415 for another type, 413 for a longer one, 400 for one that is cut
/// off on the way, 422 for one that is not JSON.
pub async fn json(headers: &HeaderMap, body: Body, max: usize) -> Result<Value, Problem> {
    let media_type = media_type(headers);
    if media_type != "application/json" && !media_type.ends_with("+json") {
        let detail = format!("the body must be application/json, not `{media_type}`");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    check_length(headers, max as u64)?;
    let mut bytes = Vec::new();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| cut_off())?;
        if bytes.len() + piece.len() > max {
            return Err(too_long(max as u64));
        }
        bytes.extend_from_slice(&piece);
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the body is not valid JSON: {error}"))
    })
}

fn too_long(max: u64) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {max} bytes"))
}

fn cut_off() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "the body broke off before its end")
}
