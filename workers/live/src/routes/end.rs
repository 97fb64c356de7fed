//! Ends a session, once.

use axum::Json;
use axum::extract::{Request, State};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use web::{Authorized, BringIn, Problem};

use crate::service::{Live, SessionId};

const MAX_BODY_BYTES: u64 = 64 * 1024;

#[derive(ToSchema)]
#[expect(dead_code, reason = "nothing in the body changes anything; this type describes it")]
pub(crate) struct EndBody {
    /// A summary is always made, so this changes nothing.
    generate_summary: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Ended {
    message: &'static str,
    session_id: String,
    status: &'static str,
    audio_files_count: i64,
    processing_status: &'static str,
}

/// Ends a session. The same request again gets the same answer, and nothing is done twice.
#[utoipa::path(post, path = "/api/calls/{session_id}/end", operation_id = "endLiveCall", tag = "live",
    security(("key" = ["bring_in"])),
    params(("session_id" = String, Path, description = "The sender's id of the session")),
    request_body(content = Option<EndBody>),
    responses((status = 200, body = Ended),
        (status = 404, description = "There is no such session", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn end(
    who: Authorized<BringIn>,
    State(state): State<Live>,
    SessionId(id): SessionId,
    request: Request,
) -> Result<Json<Ended>, Problem> {
    let (head, body) = request.into_parts();
    let body = web::raw(&head.headers, body, MAX_BODY_BYTES).await?;
    if !body.is_empty() {
        check(&body)?;
    }
    let (session, _) = state.session(&who, &id).await?;
    state.end(&session, "asked").await?;
    let (session, _) = state.session(&who, &id).await?;
    let processing_status =
        if session.pieces > 0 { "Audio processing started" } else { "No audio files to process" };
    Ok(Json(Ended {
        message: "Call session ended successfully",
        session_id: session.session_id,
        status: "ended",
        audio_files_count: session.pieces,
        processing_status,
    }))
}

/// Nothing in the body changes anything, but a body of another form is a mistake of its sender.
fn check(body: &[u8]) -> Result<(), Problem> {
    let body =
        web::parse(body).map_err(|problem| Problem::field("", format!("is not valid JSON: {problem}")))?;
    match &body {
        Value::Null => Ok(()),
        Value::Object(fields) => match fields.get("generate_summary") {
            None | Some(Value::Null | Value::Bool(_)) => Ok(()),
            Some(_) => Err(Problem::field("/generate_summary", "must be true or false")),
        },
        _ => Err(Problem::field("", "must be an object")),
    }
}
