//! A recording that somebody uploads, with metadata of the call.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use chrono_tz::Tz;
use domain::call::{CallDetails, CallKind};
use domain::event::MaterialKind;
use platform::blobs::Upload;
use queue_topology::intake::{Accepted, Arrival, NewMaterial};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use web::Problem;

use super::zapier;
use crate::door::{AcceptedView, Read, Sender, Sent, Source, upload_accepted};
use crate::{Ingest, form};

/// The source of a call that arrives without an id of its own.
pub(crate) const SOURCE: &str = "upload";
const MAX_JSON_BYTES: u64 = 1024 * 1024;

/// A recording.
#[utoipa::path(post, path = "/api/calls", operation_id = "uploadRecording", tag = "bringing in", security(("key" = ["bring_in"])),
    request_body(content = CallForm, content_type = "multipart/form-data"),
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the call, where its metadata has no `call_id`")),
    responses((status = 202, body = AcceptedView),
        (status = 413, description = "Longer than `DEBRIEF_MAX_UPLOAD_MB`", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not audio that is known", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part is missing or cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn calls(State(ingest): State<Arc<Ingest>>, request: Request) -> Result<Response, Problem> {
    ingest.receive(Recording { ingest: &ingest }, request).await
}

struct Recording<'a> {
    ingest: &'a Ingest,
}

impl Source for Recording<'_> {
    const SENDER: Sender<Self> = Sender::Key(web::Door::BringIn);

    fn max_bytes(&self) -> u64 {
        self.ingest.settings.longest_form()
    }

    async fn read(&self, sent: Sent) -> Result<Read, Problem> {
        let Ingest { settings, intake, .. } = self.ingest;
        let idempotency_key = sent.idempotency_key()?;
        let mut parts = sent.form().await?;
        let (mut audio, mut metadata) = (None, None);
        while let Some(part) = form::next(&mut parts).await? {
            match part.name().unwrap_or_default() {
                "audio" => {
                    let max = settings.max_audio_bytes;
                    let file = form::recording(&intake.blobs, part, "/audio", max).await?;
                    form::once(&mut audio, "/audio", file)?;
                }
                "metadata" => {
                    let read = form::json(part, "/metadata", MAX_JSON_BYTES).await?;
                    form::once(&mut metadata, "/metadata", read)?;
                }
                _ => {}
            }
        }
        let audio = audio.ok_or_else(|| Problem::field("/audio", "is missing"))?;
        let arrival = arrival(audio, metadata, idempotency_key, settings.timezone)?;
        Ok(Read::Arrivals(vec![arrival]))
    }

    fn answer(&self, accepted: &[Accepted]) -> Response {
        upload_accepted(accepted)
    }
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the form is read part by part; this type describes it")]
struct CallForm {
    #[schema(schema_with = web::openapi::recording)]
    audio: Vec<u8>,
    /// The fields of `CallAnnounced`, in JSON, all of them optional.
    #[schema(nullable = false)]
    metadata: Option<Map<String, Value>>,
}

/// Makes an arrival of a recording. `metadata` has the fields of the Zapier webhook. Its `call_id` names the call, so
/// the recording can join a known call. Without it, `idempotency_key` names the call. Without both, the content does.
/// A `recording_url` is ignored, because the recording itself is here.
pub fn arrival(
    audio: Upload,
    metadata: Option<Value>,
    idempotency_key: Option<String>,
    timezone: Tz,
) -> Result<Arrival, Problem> {
    let read = metadata.map(|metadata| zapier::read(metadata, "/metadata", false, timezone)).transpose()?;
    let (source, call_id, details) = read.map_or((None, None, CallDetails::default()), |fields| {
        (Some(fields.source), fields.call_id, fields.details)
    });
    let (source, external_id) = match (source, call_id) {
        (Some(source), Some(call_id)) => (source, call_id),
        _ => (SOURCE.to_owned(), idempotency_key.unwrap_or_else(|| audio.digest.clone())),
    };
    let materials = vec![NewMaterial::File(MaterialKind::Recording, audio)];
    Ok(Arrival { source, external_id, kind: CallKind::Phone, details, materials })
}
