//! The routes by which things come in.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{Router, post};
use domain::call::CallId;
use domain::moment::Moment;
use platform::seal::{WEBHOOK_SECRET_HEADER, same_secret};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};
use tower::ServiceBuilder;
use tower_http::timeout::RequestBodyTimeoutLayer;
use web::{self, Authorized, BringIn, BringInUnsigned, Problem};

use crate::overload::{self, Places};
use crate::sources::{assemblyai, meeting, session, upload, zapier};
use crate::{Ingest, form, linger, publish};

const MAX_WEBHOOK_BYTES: usize = 1024 * 1024;
const MAX_SESSION_BYTES: usize = 8 * 1024 * 1024;
/// A sender that stops in the middle of a body for longer has gone.
const BODY_IDLE: Duration = Duration::from_secs(30);

/// The routes of ingest. [`web::finish`] goes around those of all roles together.
pub fn router(ingest: Ingest) -> Router {
    let longest = ingest.settings.longest_form();
    let places = Places::new(ingest.settings.max_requests);
    Router::new()
        .route("/webhook/zapier", post(from_zapier))
        .route("/webhooks/assemblyai", post(from_assemblyai))
        .route("/api/meetings", post(meetings))
        .route("/api/calls", post(calls))
        .route("/api/sessions", post(sessions))
        .layer(
            // Each layer of its own would copy all that it goes around, for every request.
            ServiceBuilder::new()
                .layer(from_fn_with_state(places, guarded))
                .layer(RequestBodyTimeoutLayer::new(BODY_IDLE))
                .layer(DefaultBodyLimit::max(usize::try_from(longest).unwrap_or(usize::MAX))),
        )
        .with_state(Arc::new(ingest))
}

/// What goes around every request. One that is turned away is told so as well.
async fn guarded(State(places): State<Places>, request: Request, next: Next) -> Response {
    linger::until_told(request, async |request| overload::admit(&places, request, next).await).await
}

async fn from_zapier(
    State(ingest): State<Arc<Ingest>>,
    sender: Authorized<BringInUnsigned>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = web::json(&parts.headers, body, MAX_WEBHOOK_BYTES).await?;
    let arrival = zapier::arrival(body, ingest.settings.timezone)?;
    let call_id = arrival.external_id.clone();
    let accepted = ingest.accept(sender.workspace, arrival).await?;
    let message =
        if accepted.repeated { "Duplicate call - already received" } else { "Call queued for processing" };
    Ok(Json(Queued { success: true, message, call_id, timestamp: Moment::now() }).into_response())
}

#[derive(Serialize)]
struct Queued {
    success: bool,
    message: &'static str,
    call_id: String,
    timestamp: Moment,
}

async fn meetings(
    State(ingest): State<Arc<Ingest>>,
    sender: Authorized<BringIn>,
    request: Request,
) -> Result<Response, Problem> {
    let idempotency_key = web::idempotency_key(request.headers())?;
    let mut parts = form::open(request, ingest.settings.longest_form()).await?;
    let (mut meeting, mut transcript, mut audio) = (None, None, None);
    while let Some(part) = form::next(&mut parts).await? {
        match part.name().unwrap_or_default() {
            "meeting" => once(&mut meeting, "/meeting", form::json(part, "/meeting").await?)?,
            "transcript" => {
                let file = form::transcript(&ingest.blobs, part, "/transcript").await?;
                once(&mut transcript, "/transcript", file)?;
            }
            "audio" => {
                let max = ingest.settings.max_audio_bytes;
                once(&mut audio, "/audio", form::audio(&ingest.blobs, part, "/audio", max).await?)?;
            }
            _ => {}
        }
    }
    let meeting: Value = meeting.ok_or_else(|| Problem::field("/meeting", "is missing"))?;
    if transcript.is_none() && audio.is_none() {
        return Err(Problem::field("/transcript", "is missing; or send `audio`"));
    }
    let timezone = ingest.settings.timezone;
    let arrival = meeting::arrival(meeting, transcript, audio, idempotency_key, timezone)?;
    Ok(accepted(ingest.accept(sender.workspace, arrival).await?.call))
}

async fn calls(
    State(ingest): State<Arc<Ingest>>,
    sender: Authorized<BringIn>,
    request: Request,
) -> Result<Response, Problem> {
    let idempotency_key = web::idempotency_key(request.headers())?;
    let mut parts = form::open(request, ingest.settings.longest_form()).await?;
    let (mut audio, mut metadata) = (None, None);
    while let Some(part) = form::next(&mut parts).await? {
        match part.name().unwrap_or_default() {
            "audio" => {
                let max = ingest.settings.max_audio_bytes;
                once(&mut audio, "/audio", form::audio(&ingest.blobs, part, "/audio", max).await?)?;
            }
            "metadata" => once(&mut metadata, "/metadata", form::json(part, "/metadata").await?)?,
            _ => {}
        }
    }
    let audio = audio.ok_or_else(|| Problem::field("/audio", "is missing"))?;
    let arrival = upload::arrival(audio, metadata, idempotency_key, ingest.settings.timezone)?;
    Ok(accepted(ingest.accept(sender.workspace, arrival).await?.call))
}

async fn sessions(
    State(ingest): State<Arc<Ingest>>,
    sender: Authorized<BringIn>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let idempotency_key = web::idempotency_key(&parts.headers)?;
    let body = web::json(&parts.headers, body, MAX_SESSION_BYTES).await?;
    let arrival = session::arrival(body, idempotency_key, ingest.settings.timezone)?;
    Ok(accepted(ingest.accept(sender.workspace, arrival).await?.call))
}

async fn from_assemblyai(State(ingest): State<Arc<Ingest>>, request: Request) -> Result<Response, Problem> {
    let sent = request.headers().get(WEBHOOK_SECRET_HEADER).and_then(|secret| secret.to_str().ok());
    let wanted = ingest.settings.assemblyai_secret.as_ref().map(ExposeSecret::expose_secret);
    if !sent.zip(wanted).is_some_and(|(sent, wanted)| same_secret(sent, wanted)) {
        let detail = format!("{WEBHOOK_SECRET_HEADER} is missing or wrong");
        return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    }
    let nudge = assemblyai::nudge(request.uri().query().unwrap_or_default())?;
    publish::nudge(ingest.publisher.as_ref(), nudge).await?;
    Ok(Json(json!({ "success": true })).into_response())
}

fn accepted(call: CallId) -> Response {
    let body = json!({ "call_id": call, "status_url": format!("/api/calls/{call}") });
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

fn once<T>(place: &mut Option<T>, pointer: &str, value: T) -> Result<(), Problem> {
    if place.is_some() {
        return Err(Problem::field(pointer, "was sent twice"));
    }
    *place = Some(value);
    Ok(())
}
