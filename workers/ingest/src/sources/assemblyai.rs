//! The webhook with which AssemblyAI says that a transcript is ready. The webhook proves nothing: it only makes the
//! worker ask AssemblyAI about the job that the worker stored.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use domain::call::{CallId, WorkspaceId};
use platform::config::Values;
use platform::seal::{WEBHOOK_SECRET_HEADER, same_secret, webhook_secret};
use queue_topology::intake::{Accepted, Nudge};
use queue_topology::table::TRANSCRIPTION;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use web::{FieldProblem, Problem};

use crate::Ingest;
use crate::door::{MAX_WEBHOOK_BYTES, Read, Sender, Sent, Source};

/// A transcript is ready. The header that we set when we asked for it is checked.
#[utoipa::path(post, path = "/webhooks/assemblyai", operation_id = "transcriptReady", tag = "bringing in", security(()),
    params(("call" = Uuid, Query, description = "Our id of the call", example = "0d7a3f6e-6f4c-5a53-9d39-2a1b6c2f9a10"),
        ("workspace" = Uuid, Query, description = "The workspace of the call", example = "64656272-6965-6600-8000-000000000001"),
        ("generation" = i64, Query, description = "The generation of the call that asked for the transcript", example = 1),
        ("X-Debrief-Webhook-Secret" = String, Header, description = "The secret that we set when we asked for the transcript")),
    responses((status = 200, body = Success),
        (status = 422, description = "The query does not name a call", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The secret is missing or wrong", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn assemblyai(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<Response, Problem> {
    ingest.receive(AssemblyAi { secret: ingest.settings.assemblyai_secret.as_ref() }, request).await
}

struct AssemblyAi<'a> {
    secret: Option<&'a SecretString>,
}

impl AssemblyAi<'_> {
    /// Checks the header that we chose when we submitted the recording. AssemblyAI does not sign its requests.
    fn check(&self, head: &Parts, _: &[u8]) -> Result<(), Problem> {
        let sent = head.headers.get(WEBHOOK_SECRET_HEADER).and_then(|secret| secret.to_str().ok());
        let wanted = self.secret.map(ExposeSecret::expose_secret);
        if sent.zip(wanted).is_some_and(|(sent, wanted)| same_secret(sent, wanted)) {
            return Ok(());
        }
        let detail = format!("{WEBHOOK_SECRET_HEADER} is missing or wrong");
        Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
    }
}

impl Source for AssemblyAi<'_> {
    const SENDER: Sender<Self> = Sender::Signature(Self::check);

    fn max_bytes(&self) -> u64 {
        MAX_WEBHOOK_BYTES
    }

    async fn read(&self, sent: Sent) -> Result<Read, Problem> {
        nudge(sent.query()).map(Read::Nudge)
    }

    fn answer(&self, _: &[Accepted]) -> Response {
        Json(Success { success: true }).into_response()
    }
}

#[derive(Serialize, ToSchema)]
struct Success {
    success: bool,
}

/// The secret that the webhook has to bring: `ASSEMBLYAI_WEBHOOK_SECRET`, or else one that is made from
/// `ASSEMBLYAI_API_KEY`. `None` where neither is set, and then every webhook is refused.
pub(crate) fn secret(values: &Values) -> Option<SecretString> {
    let (configured, api_key) =
        (values.secret("ASSEMBLYAI_WEBHOOK_SECRET"), values.secret("ASSEMBLYAI_API_KEY"));
    (configured.is_some() || api_key.is_some()).then(|| {
        let api_key = api_key.as_ref().map_or("", |key| key.expose_secret());
        webhook_secret(configured.as_ref().map(ExposeSecret::expose_secret), api_key).into()
    })
}

/// Reads the query that we put into the address when we submitted the recording.
fn nudge(query: &str) -> Result<Nudge, Problem> {
    let value = |wanted: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let (call, workspace) = (id(value("call")), id(value("workspace")));
    let generation = value("generation").and_then(|text| text.parse().ok());
    match (call, workspace, generation) {
        (Some(call), Some(workspace), Some(generation)) => Ok(Nudge {
            stage: TRANSCRIPTION.spec.stage,
            workspace: WorkspaceId(workspace),
            call: CallId(call),
            generation,
        }),
        (call, workspace, generation) => {
            let missing = [
                ("/call", call.is_none()),
                ("/workspace", workspace.is_none()),
                ("/generation", generation.is_none()),
            ];
            let named =
                missing.into_iter().filter(|(_, missing)| *missing).map(|(pointer, _)| FieldProblem {
                    pointer: pointer.to_owned(),
                    detail: "is missing from the query, or is not one".to_owned(),
                });
            Err(Problem::fields(named.collect()))
        }
    }
}

fn id(text: Option<String>) -> Option<Uuid> {
    text?.parse().ok()
}
