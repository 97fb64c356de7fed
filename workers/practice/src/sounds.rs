//! The sound of an answer, as a file.

use axum::extract::{FromRequestParts, Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use uuid::Uuid;
use web::Problem;

use crate::meetings::find;
use crate::request::{Answer, Reader, not_found};
use crate::state::Practice;
use crate::talk::sound::MEDIA_TYPE;

/// The largest sound of an answer, in bytes. A voice gives no longer one.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A turn of a meeting. A path that names none is that of nothing.
pub(crate) struct OfTurn {
    meeting: Uuid,
    turn: i64,
}

impl<S: Send + Sync> FromRequestParts<S> for OfTurn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await.ok();
        let named = path.and_then(|Path((meeting, turn))| Some((meeting.parse().ok()?, turn.parse().ok()?)));
        named
            .map(|(meeting, turn)| Self { meeting, turn })
            .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "there is no such turn"))
    }
}

/// The sound of an answer.
///
/// What was cut off has only the sound that was played. Where the blobs are in a bucket, the answer is an address there, which is
/// valid for an hour and needs no key.
#[utoipa::path(get, path = "/api/conversation/{meeting_id}/audio/{turn}", operation_id = "getPracticeAudio", tag = "practice", security(("key" = ["read"])),
    params(("meeting_id" = String, Path, description = "The id of the meeting"),
        ("turn" = String, Path, description = "The number of the turn")),
    responses((status = 200, description = "The sound", content((inline(web::openapi::Bytes) = "audio/wav"))),
        (status = 307, description = "The sound is at another address",
            headers(("Location" = String, description = "Where it can be read without a key. It is valid for an hour"))),
        (status = 404, description = "No such meeting or turn, or no sound of it", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn audio(
    State(practice): State<Practice>,
    who: Reader,
    of: OfTurn,
    method: Method,
) -> Answer<Response> {
    find(&practice, &who, of.meeting).await?;
    let turns = practice.store.turns_of(who.workspace, of.meeting).await?;
    let turn = turns.into_iter().find(|turn| turn.number == of.turn).ok_or_else(|| not_found("turn"))?;
    let key = turn.audio.ok_or_else(|| not_found("sound"))?;
    if let Some(url) = practice.blobs.url(&key, method, MEDIA_TYPE).await? {
        let headers = [(LOCATION, url.to_string()), (CACHE_CONTROL, "no-store".to_owned())];
        return Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response());
    }
    let sound = practice.blobs.get(&key, MAX_BYTES).await?;
    Ok(([(CONTENT_TYPE, MEDIA_TYPE), (X_CONTENT_TYPE_OPTIONS, "nosniff")], sound).into_response())
}
