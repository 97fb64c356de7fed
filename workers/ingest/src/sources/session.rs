//! A conversation that a voice agent held and wrote down itself, with the lead it noted.

use bytes::Bytes;
use chrono_tz::Tz;
use domain::call::{CallDetails, CallKind};
use serde_json::{Map, Value};
use web::Problem;

use crate::arrival::{Arrival, Found};
use crate::fields::{Fields, clean};

const SOURCE: &str = "session";

/// `call_id` names the call, else the session's own id, else `idempotency_key`. A dump of the bare items has
/// none.
pub(crate) fn arrival(
    body: Value,
    idempotency_key: Option<String>,
    timezone: Tz,
) -> Result<Arrival, Problem> {
    let mut fields = Fields::of(body, "")?;
    let call_id = fields.id("call_id");
    let caller_phone = fields.text("caller_phone");
    let lead = fields.value("lead");
    if lead.as_ref().is_some_and(|lead| !lead.is_object()) {
        fields.refuse("lead", "must be an object");
    }
    let transcript = fields.value("transcript");
    match &transcript {
        None => fields.refuse("transcript", "is missing"),
        Some(Value::Object(session)) if has_items(session) => {}
        Some(_) => fields.refuse("transcript", "must be a session: an object with a list of `items`"),
    }
    fields.rest()?;
    let session = clean(transcript.unwrap_or_default());
    let kept: Bytes = serde_json::to_vec(&session).unwrap_or_default().into();
    let (session_id, details) = read(session, timezone)?;
    let external_id = call_id.or(session_id).or(idempotency_key).ok_or_else(|| {
        Problem::field("/call_id", "is missing, and the session has no `session_id` of its own")
    })?;
    let details =
        CallDetails { from_number: caller_phone.or(details.from_number), lead: lead.map(clean), ..details };
    let found = vec![Found::Session(kept)];
    Ok(Arrival { source: SOURCE.to_owned(), external_id, kind: CallKind::Session, details, found })
}

fn has_items(session: &Map<String, Value>) -> bool {
    ["items", "conversation"].iter().any(|name| session.get(*name).is_some_and(Value::is_array))
}

/// The session's own id, and what its head says of the call. The metadata stays what the agent wrote;
/// the head itself is kept under `session`.
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
        _ => Map::new(),
    };
    let dialed =
        metadata.get("campaign_metadata").and_then(|campaign| campaign.get("dialedNumber")?.as_str());
    let details = CallDetails {
        from_number: dialed.map(str::to_owned),
        started_at,
        started_text,
        ended_at: fields.time("end_time", timezone).0,
        duration_ms: fields.span_ms("duration_seconds", 1000.0),
        ..CallDetails::default()
    };
    fields.rest()?;
    if !head.is_empty() {
        metadata.insert("session".to_owned(), head.into());
    }
    Ok((session_id, CallDetails { metadata, ..details }))
}
