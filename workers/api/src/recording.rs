//! A call's recording, whole or in part.

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use web::Problem;

use crate::request::{Answer, CallReader, Id, find, not_found};
use crate::state::Api;

/// The newest recording of a call.
///
/// Ranges of bytes can be asked for, one at a time. Where the recordings are in a bucket of S3, the answer is a redirect to
/// an address there, which is valid for an hour and needs no key.
#[utoipa::path(get, path = "/api/calls/{id}/recording", operation_id = "getRecording", tag = "calls",
    params(("id" = String, Path, description = "Our id, or the source's"),
        ("Range" = Option<String>, Header, description = "The part of the recording that is wanted. More than one part is answered with the whole")),
    responses((status = 200, description = "The recording",
            content((inline(web::openapi::Bytes) = "application/octet-stream"), (inline(web::openapi::Bytes) = "audio/*"), (inline(web::openapi::Bytes) = "video/*"))),
        (status = 206, description = "The part that was asked for",
            content((inline(web::openapi::Bytes) = "application/octet-stream"), (inline(web::openapi::Bytes) = "audio/*"), (inline(web::openapi::Bytes) = "video/*"))),
        (status = 307, description = "The recording is at another address",
            headers(("Location" = String, description = "Where it can be read, whole or in part, without a key. It is valid for an hour"))),
        (status = 404, description = "No such call, or no recording of it here", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "It is shorter than that", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn recording(
    State(api): State<Api>,
    reader: CallReader,
    Id(id): Id,
    method: Method,
    headers: HeaderMap,
) -> Answer<Response> {
    let call = find(&api.store, &reader, &id).await?;
    let answer = web::recording::newest(&api.store, &api.blobs, &call, Some(method), &headers).await?;
    answer.ok_or_else(|| not_found("there is no recording of this call here"))
}
