//! What was said, in the form of the call-data API: a session in its own words, or a transcript told like one.

use std::time::Duration;

use domain::call::{Call, Role};
use domain::transcript::{Segment, Transcript};
use serde_json::{Map, Value, json};

use super::text;
use super::times::{Times, stamp};

pub(super) fn from_session(call: &Call, session: &Value, times: &Times) -> Value {
    let items = session.get("items").or_else(|| session.get("conversation")).and_then(Value::as_array);
    let items = items.map(Vec::as_slice).unwrap_or_default();
    let spoken: Vec<Value> = items.iter().filter_map(spoken_item).collect();
    let as_written = |field: &str| session.get(field).filter(|value| !value.is_null()).cloned();
    let lead_generated = session
        .get("lead_generated")
        .and_then(Value::as_bool)
        .unwrap_or_else(|| call.details.lead.is_some() || items.iter().any(makes_lead));
    json!({
        "session_id": text(session, "session_id").unwrap_or(&call.external_id),
        "start_time": as_written("start_time").unwrap_or_else(|| stamp(times.start).into()),
        "end_time": as_written("end_time").unwrap_or_else(|| stamp(times.end).into()),
        "duration_seconds": as_written("duration_seconds").unwrap_or_else(|| seconds(times.duration_ms)),
        "total_items": spoken.len(),
        "conversation_items": spoken,
        "lead_generated": lead_generated,
        "metadata": as_written("metadata").unwrap_or_else(|| json!({})),
    })
}

/// What one of the two parties said, in the fields that the API knows. Calls of functions, notes of the
/// system and the like are nobody's words.
fn spoken_item(item: &Value) -> Option<Value> {
    let role = match text(item, "role")? {
        "user" | "customer" => "user",
        "assistant" | "agent" => "assistant",
        _ => return None,
    };
    let content = match item.get("content")? {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => return None,
    };
    let mut spoken =
        Map::from_iter([("role".to_owned(), role.into()), ("content".to_owned(), content.into())]);
    for field in ["timestamp", "source", "transcript_confidence", "interrupted"] {
        if let Some(value) = item.get(field).filter(|value| !value.is_null()) {
            spoken.insert(field.to_owned(), value.clone());
        }
    }
    Some(spoken.into())
}

fn makes_lead(item: &Value) -> bool {
    text(item, "type") == Some("function_call") && text(item, "name") == Some("create_lead")
}

pub(super) fn from_transcript(call: &Call, transcript: &Transcript, times: &Times) -> Value {
    let items: Vec<Value> = transcript.segments.iter().map(|segment| said(segment, call)).collect();
    json!({
        "session_id": call.external_id,
        "start_time": stamp(times.start),
        "end_time": stamp(times.end),
        "duration_seconds": seconds(times.duration_ms),
        "total_items": items.len(),
        "conversation_items": items,
        "lead_generated": call.details.lead.is_some(),
        "metadata": {},
    })
}

/// The API knows two parties: the customer's side is `user`, ours is `assistant`. Its `source` says which
/// part of a voice agent wrote the item down, in words that the API's other clients use.
fn said(segment: &Segment, call: &Call) -> Value {
    let (role, source) = match segment.role {
        Some(Role::Customer | Role::Participant) => ("user", "transcription_node"),
        Some(Role::Agent | Role::Host | Role::Presenter) | None => ("assistant", "agent"),
    };
    let mut item = json!({ "role": role, "content": segment.text, "source": source });
    let offset = segment.start_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
    if let (Some(start), Some(offset)) = (call.details.started_at, offset) {
        item["timestamp"] = stamp(start.plus(offset)).into();
    }
    if let Some(confidence) = segment.confidence {
        item["transcript_confidence"] = confidence.into();
    }
    item
}

#[expect(clippy::cast_precision_loss, reason = "no call lasts 2^53 milliseconds")]
fn seconds(ms: u64) -> Value {
    (ms as f64 / 1000.0).into()
}
