//! Takes a piece of audio in. It is acknowledged once it is on disk.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use store::live::{NewLivePiece, PieceKept};
use utoipa::ToSchema;
use web::{Authorized, BringIn, Problem};

use super::form;
use crate::places::place;
use crate::service::{Live, SessionId, ended, unknown};

#[derive(ToSchema)]
#[expect(dead_code, reason = "the form is read part by part; this type describes it")]
pub(crate) struct AudioForm {
    #[schema(schema_with = web::openapi::recording)]
    audio_file: Vec<u8>,
    /// The place of the piece in the session, from 0. Pieces come in any order, and twice. Absent: after the last one.
    #[schema(nullable = false, minimum = 0)]
    sequence: Option<i64>,
    /// The channel whose sound the piece holds. Each channel has a time of its own. Absent: the channels of the file.
    #[schema(nullable = false, minimum = 0)]
    channel: Option<i64>,
    /// Who speaks: `agent`, `customer`, or a name of our directory.
    #[schema(nullable = false)]
    speaker: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Uploaded {
    message: &'static str,
    session_id: String,
    filename: String,
    status: &'static str,
    files_count: i64,
}

/// Takes a piece of audio in.
#[utoipa::path(post, path = "/api/calls/{session_id}/audio", operation_id = "addLiveAudio", tag = "live",
    security(("key" = ["bring_in"])),
    params(("session_id" = String, Path, description = "The sender's id of the session"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names the piece, where it has no `sequence`")),
    request_body(content = AudioForm, content_type = "multipart/form-data"),
    responses((status = 200, body = Uploaded),
        (status = 404, description = "There is no such session", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The session has ended, or another piece has this place", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The piece is too long", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not audio that is known", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part is missing or cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn audio(
    who: Authorized<BringIn>,
    State(state): State<Live>,
    SessionId(id): SessionId,
    request: Request,
) -> Result<Json<Uploaded>, Problem> {
    let (session, _) = state.session(&who, &id).await?;
    let request_key = web::idempotency_key(request.headers())?;
    let folder = place(&session, "pieces");
    let form = form::read(request, (&state.blobs, &folder), &state.settings).await?;
    let piece = form.piece.ok_or_else(|| Problem::field("/audio_file", "is missing"))?;
    let blob = piece.blob.clone();
    let new = NewLivePiece {
        sequence: form.sequence,
        blob: piece.blob,
        digest: piece.digest,
        bytes: i64::try_from(piece.bytes).unwrap_or(i64::MAX),
        media_type: Some(piece.media_type.to_owned()),
        filename: piece.filename,
        channel: form.channel,
        speaker: form.speaker,
        request_key,
        is_streamed: false,
    };
    let kept = state.keep_piece((session.workspace, session.call), &session.session_id, &new).await;
    if !matches!(kept, Ok(PieceKept::New { .. })) {
        state.remove(&blob).await;
    }
    let (filename, files_count) = match kept? {
        PieceKept::New { pieces, filename, .. } | PieceKept::Known { pieces, filename } => (filename, pieces),
        PieceKept::PlaceTaken { sequence } => {
            let detail = format!(
                "another piece has the sequence {sequence}; each piece has its own, over all channels"
            );
            return Err(Problem::field("/sequence", detail).status(StatusCode::CONFLICT));
        }
        PieceKept::Ended => return Err(ended()),
        PieceKept::Unknown => return Err(unknown(&id)),
    };
    Ok(Json(Uploaded {
        message: "Audio uploaded successfully",
        session_id: session.session_id,
        filename,
        status: "uploaded",
        files_count,
    }))
}
