//! The routes of a call's transcript, in several formats.

use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use domain::transcript::Transcript;
use web::Problem;

use crate::request::{Answer, Id, Reader, find, not_found};
use crate::state::Api;
use crate::view::{self, TranscriptView};
use media::captions;
use web::accept::{accepted, media_ranges};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Vtt,
    Srt,
    Text,
}

impl Format {
    fn write(self, transcript: Transcript) -> Response {
        let (media_type, text) = match self {
            Self::Json => return Json(view::transcript(transcript)).into_response(),
            Self::Vtt => ("text/vtt; charset=utf-8", captions::vtt(&transcript)),
            Self::Srt => ("application/x-subrip; charset=utf-8", captions::srt(&transcript)),
            Self::Text => ("text/plain; charset=utf-8", transcript.to_text()),
        };
        ([(CONTENT_TYPE, media_type)], text).into_response()
    }

    fn of_media_range(range: &str) -> Option<Self> {
        match range.to_ascii_lowercase().as_str() {
            "application/json" | "application/*" | "*/*" => Some(Self::Json),
            "text/vtt" => Some(Self::Vtt),
            "application/x-subrip" | "application/srt" | "text/srt" | "text/x-srt" => Some(Self::Srt),
            "text/plain" | "text/*" => Some(Self::Text),
            _ => None,
        }
    }

    /// The format that an `Accept` header prefers. It is JSON when the header is empty.
    fn preferred(accept: &str) -> Option<Self> {
        if accept.trim().is_empty() {
            return Some(Self::Json);
        }
        let wanted =
            media_ranges(accept).filter_map(|(range, weight)| Some((weight, Self::of_media_range(range)?)));
        let mut wanted: Vec<(f32, Self)> = wanted.collect();
        // The sort is stable: of two formats with the same weight, the first in the header is taken.
        wanted.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        wanted.first().map(|(_, format)| *format)
    }
}

/// The transcript in the format that the `Accept` header prefers.
///
/// The formats are JSON, WebVTT, SubRip and plain text. A suffix (`.json`, `.vtt`, `.srt`, `.txt`) of the path selects
/// one, too. When the source gave no times, the times in WebVTT and SubRip are estimated.
#[utoipa::path(get, path = "/api/calls/{id}/transcript", operation_id = "getTranscript", tag = "calls", params(("id" = String, Path, description = "Our id or the source's id")),
    responses((status = 200, content((TranscriptView = "application/json"), (String = "text/vtt"), (String = "application/x-subrip"), (String = "text/plain"))),
        (status = 404, description = "There is no such call, or it has no transcript yet", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "The `Accept` header names none of these formats", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn negotiated(
    State(api): State<Api>,
    reader: Reader,
    Id(id): Id,
    headers: HeaderMap,
) -> Answer<Response> {
    let Some(format) = Format::preferred(&accepted(&headers)) else {
        let detail =
            "a transcript is available as application/json, text/vtt, application/x-subrip or text/plain";
        return Err(Problem::new(StatusCode::NOT_ACCEPTABLE, detail).into());
    };
    let mut response = answer(&api, &reader, &id, format).await?;
    response.headers_mut().insert(VARY, ACCEPT.into());
    Ok(response)
}

/// The transcript as JSON.
#[utoipa::path(get, path = "/api/calls/{id}/transcript.json", operation_id = "getTranscriptJson", tag = "calls", params(("id" = String, Path, description = "Our id or the source's id")),
    responses((status = 200, body = TranscriptView),
        (status = 404, description = "There is no such call, or it has no transcript yet", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn json(State(api): State<Api>, reader: Reader, Id(id): Id) -> Answer<Response> {
    answer(&api, &reader, &id, Format::Json).await
}

/// The transcript as WebVTT.
#[utoipa::path(get, path = "/api/calls/{id}/transcript.vtt", operation_id = "getTranscriptVtt", tag = "calls", params(("id" = String, Path, description = "Our id or the source's id")),
    responses((status = 200, body = String, content_type = "text/vtt"),
        (status = 404, description = "There is no such call, or it has no transcript yet", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn vtt(State(api): State<Api>, reader: Reader, Id(id): Id) -> Answer<Response> {
    answer(&api, &reader, &id, Format::Vtt).await
}

/// The transcript as SubRip.
#[utoipa::path(get, path = "/api/calls/{id}/transcript.srt", operation_id = "getTranscriptSrt", tag = "calls", params(("id" = String, Path, description = "Our id or the source's id")),
    responses((status = 200, body = String, content_type = "application/x-subrip"),
        (status = 404, description = "There is no such call, or it has no transcript yet", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn srt(State(api): State<Api>, reader: Reader, Id(id): Id) -> Answer<Response> {
    answer(&api, &reader, &id, Format::Srt).await
}

/// The transcript as plain text.
///
/// Each segment is one line, such as `Speaker A: text`.
#[utoipa::path(get, path = "/api/calls/{id}/transcript.txt", operation_id = "getTranscriptText", tag = "calls", params(("id" = String, Path, description = "Our id or the source's id")),
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 404, description = "There is no such call, or it has no transcript yet", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn txt(State(api): State<Api>, reader: Reader, Id(id): Id) -> Answer<Response> {
    answer(&api, &reader, &id, Format::Text).await
}

async fn answer(api: &Api, reader: &Reader, id: &str, format: Format) -> Answer<Response> {
    let call = find(&api.store, reader.workspace, id).await?;
    let transcript = api.store.transcript(reader.workspace, call.id).await?;
    let none = || not_found(format!("this call has no transcript; its status is {}", call.status.name()));
    Ok(format.write(transcript.ok_or_else(none)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_with_the_highest_weight_is_chosen() {
        for (accept, expected) in [
            ("", Some(Format::Json)),
            ("*/*", Some(Format::Json)),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Some(Format::Json)),
            ("text/plain;q=0.5, text/vtt", Some(Format::Vtt)),
            ("text/plain; q=0.9, application/json;q=0.1", Some(Format::Text)),
            ("Text/SRT", Some(Format::Srt)),
            ("image/png", None),
            ("text/vtt;q=0", None),
        ] {
            assert_eq!(Format::preferred(accept), expected, "{accept}");
        }
    }
}
