//! Begins a session.

use axum::Json;
use axum::extract::{Request, State};
use domain::call::CallDetails;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Authorized, BringIn, Problem};

use crate::service::{Live, check};

/// Who issued the ids of sessions, where their metadata does not say it.
const SOURCE: &str = "live";
const MAX_BODY_BYTES: u64 = 256 * 1024;

#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is read as JSON; this type describes it")]
pub(crate) struct StartBody {
    /// The sender's id of the session, 1 to 255 characters.
    #[schema(min_length = 1, max_length = 255)]
    session_id: String,
    /// The fields of `CallAnnounced` and whatever else the sender wants to keep. `agent_channel` says which channel is the
    /// agent's.
    #[schema(nullable = false)]
    metadata: Option<Map<String, Value>>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Started {
    call_id: Uuid,
    session_id: String,
    status: &'static str,
    message: &'static str,
}

/// Begins a session. The same request again gets the same answer while the session is active.
#[utoipa::path(post, path = "/api/calls/start", operation_id = "startLiveCall", tag = "live", security(("key" = ["bring_in"])),
    request_body(content = StartBody),
    responses((status = 200, body = Started),
        (status = 409, description = "The session has ended", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn start(
    who: Authorized<BringIn>,
    State(live): State<Live>,
    request: Request,
) -> Result<Json<Started>, Problem> {
    let (head, body) = request.into_parts();
    let body = web::json(&head.headers, body, MAX_BODY_BYTES).await?;
    let (session_id, metadata) = fields(body)?;
    let (source, details) = match metadata {
        Some(metadata) => (live.read_metadata)(metadata, "/metadata")?,
        None => (None, CallDetails::default()),
    };
    let source = source.unwrap_or_else(|| SOURCE.to_owned());
    let call = live.begin(&who, source, session_id.clone(), details).await?;
    Ok(Json(Started {
        call_id: call.0,
        session_id,
        status: "started",
        message: "Call session started successfully",
    }))
}

fn fields(body: Value) -> Result<(String, Option<Value>), Problem> {
    let Value::Object(mut fields) = body else {
        return Err(Problem::field("", "must be an object"));
    };
    let id = match fields.remove("session_id") {
        Some(Value::String(id)) => id.trim().to_owned(),
        Some(Value::Null) | None => return Err(Problem::field("/session_id", "is missing")),
        Some(_) => return Err(Problem::field("/session_id", "must be a text")),
    };
    check(&id).map_err(|problem| Problem::field("/session_id", problem))?;
    let metadata = fields.remove("metadata").filter(|metadata| !metadata.is_null());
    if metadata.as_ref().is_some_and(|metadata| !metadata.is_object()) {
        return Err(Problem::field("/metadata", "must be an object"));
    }
    Ok((id, metadata))
}
