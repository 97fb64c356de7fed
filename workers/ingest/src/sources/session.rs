//! A conversation that a voice agent held and wrote down itself, with the lead that the agent noted.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use chrono_tz::Tz;
use domain::call::{CallDetails, CallKind};
use domain::event::MaterialKind;
use queue_topology::intake::{Accepted, Arrival, NewMaterial};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use web::Problem;

use crate::Ingest;
use crate::door::{AcceptedView, Read, Sender, Sent, Source, upload_accepted};
use crate::fields::{Fields, clean};

const SOURCE: &str = "session";
/// The longest body, in bytes. So it is also the longest session.
pub const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// A voice agent's session.
#[utoipa::path(post, path = "/api/sessions", operation_id = "uploadSession", tag = "bringing in", security(("key" = ["bring_in"])), request_body = SessionBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Names the call, where the session has no id")),
    responses((status = 202, body = AcceptedView),
        (status = 422, description = "A field is missing or cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn sessions(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
) -> Result<Response, Problem> {
    ingest.receive(Session { timezone: ingest.settings.timezone }, request).await
}

struct Session {
    timezone: Tz,
}

impl Source for Session {
    const SENDER: Sender<Self> = Sender::Key(web::Door::BringIn);

    fn max_bytes(&self) -> u64 {
        MAX_BYTES
    }

    async fn read(&self, sent: Sent) -> Result<Read, Problem> {
        let idempotency_key = sent.idempotency_key()?;
        Ok(Read::Arrivals(vec![arrival(sent.json().await?, idempotency_key, self.timezone)?]))
    }

    fn answer(&self, accepted: &[Accepted]) -> Response {
        upload_accepted(accepted)
    }
}

/// A conversation that a voice agent held and wrote down itself.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is read field by field; this type describes it")]
struct SessionBody {
    #[schema(inline)]
    transcript: SessionItems,
    /// What the agent noted about the caller.
    #[schema(nullable = false)]
    lead: Option<Map<String, Value>>,
    caller_phone: Option<String>,
    /// The id of the call. Without it, the session's own `session_id` is used, and without both the
    /// `Idempotency-Key`.
    call_id: Option<String>,
}

/// The session as the agent wrote it. Its other fields are kept as they are.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes a part of the body above")]
struct SessionItems {
    /// What was said and done, in the order in which it happened.
    items: Vec<Value>,
}

/// Makes an arrival of a session. `call_id` names the call. Without it the session's own id does, and without both
/// `idempotency_key` does. A session that is only a list of items has no id of its own.
pub fn arrival(body: Value, idempotency_key: Option<String>, timezone: Tz) -> Result<Arrival, Problem> {
    let mut fields = Fields::of(body, "")?;
    let call_id = fields.id("call_id");
    let caller_phone = fields.text("caller_phone");
    let lead = match fields.value("lead") {
        Some(lead) if !lead.is_object() => {
            fields.other_type("lead", lead, "an object");
            None
        }
        lead => lead,
    };
    let transcript = fields.value("transcript");
    match &transcript {
        None => fields.refuse("transcript", "is missing"),
        Some(Value::Object(session)) if has_items(session) => {}
        Some(_) => fields.refuse("transcript", "must be a session: an object with a list of `items`"),
    }
    let rest = fields.rest()?;
    let session = clean(transcript.unwrap_or_default());
    let kept: Bytes = serde_json::to_vec(&session).unwrap_or_default().into();
    let (session_id, details) = read(session, timezone)?;
    let external_id = call_id.or(session_id).or(idempotency_key).ok_or_else(|| {
        Problem::field("/call_id", "is missing, and the session has no `session_id` of its own")
    })?;
    let mut details =
        CallDetails { from_number: caller_phone.or(details.from_number), lead: lead.map(clean), ..details };
    rest.add_to(&mut details);
    let materials = vec![NewMaterial::Document {
        kind: MaterialKind::Session,
        media_type: "application/json",
        bytes: kept,
    }];
    Ok(Arrival { source: SOURCE.to_owned(), external_id, kind: CallKind::Session, details, materials })
}

fn has_items(session: &Map<String, Value>) -> bool {
    ["items", "conversation"].iter().any(|name| session.get(*name).is_some_and(Value::is_array))
}

/// Reads the session's own id, and what the head of the session says about the call. The metadata stays as the agent
/// wrote it. The head is kept in the metadata under `session`.
fn read(session: Value, timezone: Tz) -> Result<(Option<String>, CallDetails), Problem> {
    let head: Map<String, Value> = match &session {
        Value::Object(session) => session
            .iter()
            .filter(|(name, value)| !value.is_array() && *name != "metadata")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        _ => Map::new(),
    };
    let mut fields = Fields::of(session, "/transcript")?;
    let session_id = fields.id("session_id");
    let (started_at, started_text) = fields.time("start_time", timezone);
    let mut metadata = match fields.value("metadata") {
        Some(Value::Object(metadata)) => metadata,
        None => Map::new(),
        Some(other) => {
            let metadata = Map::from_iter([("metadata".to_owned(), other.clone())]);
            fields.other_type("metadata", other, "an object");
            metadata
        }
    };
    let dialed =
        metadata.get("campaign_metadata").and_then(|campaign| campaign.get("dialedNumber")?.as_str());
    let details = CallDetails {
        from_number: dialed.map(str::to_owned),
        started_at,
        started_text,
        ended_at: fields.time_only("end_time", timezone),
        duration_ms: fields.span_ms("duration_seconds", 1000.0),
        ..CallDetails::default()
    };
    // The head below holds all fields of the session, also those that cannot be used.
    let notes = fields.rest()?.notes;
    if !head.is_empty() {
        metadata.insert("session".to_owned(), head.into());
    }
    Ok((session_id, CallDetails { metadata, notes, ..details }))
}
