//! The sound of a meeting: the WebSocket over which somebody speaks and hears, the sound of each turn, and the recording.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use store::MeetingRow;
use uuid::Uuid;
use web::session::check_origin;
use web::{Practise, Problem, ReadOwn};

use super::find;
use crate::texts::PracticeTexts;
use crate::{Answer, Console, Refusal, Visitor};

/// What practice keeps of everything that was said aloud.
const MEDIA_TYPE: &str = "audio/wav";

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/practice/{id}/socket", get(socket))
        .route("/practice/{id}/turns/{turn}/sound", get(of_turn))
}

/// The path of the sound of a turn.
pub(super) fn path(meeting: Uuid, turn: i64) -> String {
    format!("/practice/{meeting}/turns/{turn}/sound")
}

/// The path of the recording of an ended meeting, where there is one that the visitor may hear.
pub(super) async fn recording<N>(
    visitor: &Visitor<N>,
    console: &Console,
    meeting: &MeetingRow,
) -> Result<Option<String>, Refusal> {
    let Some(call) = meeting.call else { return Ok(None) };
    let call = visitor.store(console.store.call(visitor.workspace, call).await)?;
    let Some(call) = call.filter(|call| visitor.sees.includes(&call.details)) else { return Ok(None) };
    match web::recording::exists(&console.store, &console.blobs, &call).await {
        Ok(exists) => Ok(exists.then(|| format!("/calls/{}/recording", call.id))),
        Err(error) => Err(unavailable(visitor, &error)),
    }
}

/// A conversation in the meeting, as `WS /api/conversation/ws/{meeting_id}` holds it. A page of another site could open it in
/// the name of the visitor, so it has to come from a page of ours.
async fn socket(
    visitor: Visitor<Practise>,
    State(console): State<Console>,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let (head, body) = request.into_parts();
    check_origin(&head).map_err(|problem| visitor.refuse(problem))?;
    let meeting = find(&visitor, &console, &id).await?;
    let path = format!("/api/conversation/ws/{}", meeting.id);
    let request = Request::from_parts(head, body);
    let opened = console.own_api.open_socket(&visitor.principal, &path, request).await;
    opened.map_err(|problem| visitor.refuse(problem))
}

/// The sound of a turn, for the player of the page. A page plays no sound from another host, so the bytes come from here also
/// where the blobs are in a bucket.
async fn of_turn(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    Path((id, turn)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let meeting = find(&visitor, &console, &id).await?;
    let texts = PracticeTexts::of(visitor.language);
    let none = || visitor.refuse(Problem::new(StatusCode::NOT_FOUND, texts.no_sound));
    let turns = visitor.store(console.store.turns_of(visitor.workspace, meeting.id).await)?;
    let turn = turns.into_iter().find(|one| turn.parse() == Ok(one.number)).ok_or_else(none)?;
    let key = turn.audio.ok_or_else(none)?;
    let sound = web::recording::of_blob(&console.blobs, (&key, MEDIA_TYPE), &headers).await;
    sound.map_err(|error| unavailable(&visitor, &error.into()))?.ok_or_else(none)
}

fn unavailable<N>(visitor: &Visitor<N>, error: &web::recording::RecordingError) -> Refusal {
    tracing::warn!(%error, "failed to read the sound of a meeting for a page");
    let texts = PracticeTexts::of(visitor.language);
    visitor.refuse(Problem::new(StatusCode::SERVICE_UNAVAILABLE, texts.sound_unavailable))
}
