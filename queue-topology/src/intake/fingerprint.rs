//! Makes the id of an event: a hash of what the event says.
//!
//! Some parts differ each time the same thing is said, and are left out: the queries of URLs (they are signed anew each
//! time), the time of the event and the delivery's own id. So a delivery that comes twice is one event, and a delivery
//! that brings something new is another. What is hashed may never change: a webhook that is sent again after an upgrade
//! would be another event.

use domain::call::{CallDetails, CallId};
use domain::event::{CallReceived, Kept};
use serde::Serialize;
use serde_json::Value;
use sha1::{Digest as _, Sha1};
use uuid::Uuid;

/// Fields that describe the delivery and not the call.
const DELIVERY_FIELDS: [&str; 6] =
    ["delivery_id", "event_id", "event_time", "event_ts", "request_id", "sent_at"];
/// The length of the hashed text of a webhook with all its fields.
const TYPICAL_BYTES: usize = 1024;

pub(super) fn event_id(call: CallId, data: &CallReceived) -> Uuid {
    let Kept::Inline(details) = &data.details else { return Uuid::nil() };
    let mut text = Vec::with_capacity(TYPICAL_BYTES);
    write_data(data, details, &mut text);
    version_5(call.0, &text)
}

/// Does what `Uuid::new_v5` does, but with a SHA-1 that uses the processor's instructions for it.
/// <https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5>
fn version_5(namespace: Uuid, name: &[u8]) -> Uuid {
    let hash: [u8; 20] = Sha1::new().chain_update(namespace).chain_update(name).finalize().into();
    let [id @ .., _, _, _, _] = hash;
    uuid::Builder::from_sha1_bytes(id).into_uuid()
}

/// Writes what [`canonical`] makes of `[source, external_id, kind, details, [[kind, digest], …]]`. It makes no JSON
/// values first, because this is done for every webhook.
fn write_data(data: &CallReceived, details: &CallDetails, text: &mut Vec<u8>) {
    text.push(b'[');
    for words in [&data.source, &data.external_id] {
        item(text, |text| write_text(without_query(words), text));
    }
    item(text, |text| write_value(&data.kind, text));
    item(text, |text| write_details(details, text));
    item(text, |text| {
        text.push(b'[');
        for material in &data.materials {
            item(text, |text| {
                text.push(b'[');
                item(text, |text| write_value(&material.kind, text));
                item(text, |text| write_text(without_query(&material.digest), text));
                text.push(b']');
            });
        }
        text.push(b']');
    });
    text.push(b']');
}

fn item(text: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    write(text);
    text.push(b',');
}

/// Writes the fields that have a value, in the order of their names.
fn write_details(details: &CallDetails, text: &mut Vec<u8>) {
    // Every field is named here, so that the compiler reports a new one.
    let CallDetails {
        agent_email,
        agent_name,
        agent_phone,
        agent_slack_handle,
        customer_segment,
        department,
        direction,
        duration_ms,
        ended_at,
        from_number,
        lead,
        metadata,
        // Notes are made of what is hashed already, and their words may change with a version.
        notes: _,
        participants,
        source_status,
        started_at,
        started_text,
        to_number,
        topic,
    } = details;
    text.push(b'{');
    text_field("agent_email", agent_email.as_deref(), text);
    text_field("agent_name", agent_name.as_deref(), text);
    text_field("agent_phone", agent_phone.as_deref(), text);
    text_field("agent_slack_handle", agent_slack_handle.as_deref(), text);
    text_field("customer_segment", customer_segment.as_deref(), text);
    text_field("department", department.as_deref(), text);
    field("direction", direction.as_ref(), text);
    field("duration_ms", duration_ms.as_ref(), text);
    field("ended_at", ended_at.as_ref(), text);
    text_field("from_number", from_number.as_deref(), text);
    field("lead", lead.as_ref(), text);
    field("metadata", Some(metadata).filter(|map| !map.is_empty()), text);
    field("participants", Some(participants).filter(|list| !list.is_empty()), text);
    text_field("source_status", source_status.as_deref(), text);
    field("started_at", started_at.as_ref(), text);
    text_field("started_text", started_text.as_deref(), text);
    text_field("to_number", to_number.as_deref(), text);
    text_field("topic", topic.as_deref(), text);
    text.push(b'}');
}

fn text_field(name: &str, words: Option<&str>, text: &mut Vec<u8>) {
    if let Some(words) = words {
        item(text, |text| {
            write_name(name, text);
            write_text(without_query(words), text);
        });
    }
}

fn field(name: &str, value: Option<&impl Serialize>, text: &mut Vec<u8>) {
    if let Some(value) = value {
        item(text, |text| {
            write_name(name, text);
            write_value(value, text);
        });
    }
}

/// Writes a name of ours. Nothing in it has to be escaped.
fn write_name(name: &str, text: &mut Vec<u8>) {
    text.push(b'"');
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b"\":");
}

fn write_value(value: &impl Serialize, text: &mut Vec<u8>) {
    // No value of an event fails to serialize.
    canonical(&serde_json::to_value(value).unwrap_or_default(), text);
}

/// Writes JSON with its names in order, without the fields of the delivery and without the queries of URLs.
fn canonical(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> =
                map.iter().filter(|(name, _)| !DELIVERY_FIELDS.contains(&name.as_str())).collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            text.push(b'{');
            for (name, value) in fields {
                write_text(name, text);
                text.push(b':');
                canonical(value, text);
                text.push(b',');
            }
            text.push(b'}');
        }
        Value::Array(values) => {
            text.push(b'[');
            for value in values {
                canonical(value, text);
                text.push(b',');
            }
            text.push(b']');
        }
        Value::String(words) => write_text(without_query(words), text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            text.extend_from_slice(value.to_string().as_bytes());
        }
    }
}

fn write_text(words: &str, text: &mut Vec<u8>) {
    // Writing a text to a list of bytes does not fail.
    serde_json::to_writer(text, words).unwrap_or_default();
}

/// A URL without its query and fragment; any other text as it is.
pub fn without_query(text: &str) -> &str {
    let is_url = text.contains("://") && !text.contains(char::is_whitespace);
    if is_url { text.split(['?', '#']).next().unwrap_or(text) } else { text }
}

#[cfg(test)]
mod tests {
    use domain::call::{CallKind, Direction, Participant};
    use domain::event::{Material, MaterialAt, MaterialKind};
    use domain::moment::Moment;
    use domain::note::Note;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn received(details: CallDetails) -> CallReceived {
        CallReceived {
            source: "exotel".into(),
            external_id: "CALL-1".into(),
            kind: CallKind::Phone,
            details: Kept::Inline(details),
            materials: vec![],
        }
    }

    fn id(details: &Value) -> Uuid {
        let details = serde_json::from_value(details.clone()).unwrap();
        event_id(CallId(Uuid::nil()), &received(details))
    }

    #[test]
    fn the_same_thing_said_again_is_the_same_event() {
        let first =
            json!({ "metadata": { "a": 1, "link": "https://x.example.com/a?sig=1", "event_id": "1" } });
        let again =
            json!({ "metadata": { "event_id": "2", "link": "https://x.example.com/a?sig=2", "a": 1 } });
        assert_eq!(id(&first), id(&again));
    }

    #[test]
    fn whatever_else_differs_is_another_event() {
        let first = id(&json!({ "metadata": { "a": "what? no" } }));
        for other in [
            json!({ "metadata": { "a": "what" } }),
            json!({ "metadata": { "b": "what? no" } }),
            json!({ "duration_ms": 1, "metadata": { "a": "what? no" } }),
        ] {
            assert_ne!(first, id(&other), "{other}");
        }
    }

    fn with_everything(word: &str) -> CallReceived {
        let some = || Some(word.to_owned());
        let participant = Participant { name: some(), ..Participant::default() };
        let details = CallDetails {
            from_number: some(),
            to_number: some(),
            direction: Some(Direction::Outgoing),
            started_at: Some(Moment::from_micros(1_795_170_000_000_001)),
            started_text: some(),
            ended_at: Some(Moment::from_micros(1_795_170_184_000_000)),
            duration_ms: Some(184_000),
            source_status: some(),
            agent_email: None,
            agent_name: some(),
            agent_phone: some(),
            agent_slack_handle: some(),
            department: some(),
            customer_segment: some(),
            topic: some(),
            participants: vec![participant],
            lead: Some(json!({ "b": [1.5, null, true], "a": word, "sent_at": "now" })),
            metadata: json!({ word: { "event_id": 1, "z": word, "a": {} } }).as_object().unwrap().clone(),
            notes: vec![Note::new("time_unreadable", word)],
        };
        let material = Material {
            kind: MaterialKind::Recording,
            digest: word.to_owned(),
            at: MaterialAt::Blob("a/b".into()),
            media_type: some(),
            starts_at: None,
        };
        CallReceived {
            source: word.to_owned(),
            external_id: word.to_owned(),
            kind: CallKind::Meeting,
            details: Kept::Inline(details),
            materials: vec![material.clone(), material],
        }
    }

    #[test]
    fn an_id_stays_what_earlier_versions_made_it() {
        let of = |data: &CallReceived| event_id(CallId(Uuid::from_u128(7)), data).to_string();
        let all = with_everything("https://x.example.com/a?sig=1#b \"Björk\"\n");
        assert_eq!(of(&all), "8ca011c5-5d31-5fd9-a02d-7492fcbfbadf");
        assert_eq!(
            of(&with_everything("https://x.example.com/a?sig=1#b")),
            "d2a67321-30ec-5046-af26-305ae81777d9"
        );
        assert_eq!(of(&received(CallDetails::default())), "1a8df333-4b8b-5bcb-b80e-a5726a053b9a");
    }

    /// The text that is hashed, made by way of JSON values.
    fn by_values(data: &CallReceived) -> String {
        let Kept::Inline(details) = &data.details else { unreachable!("the tests' details are inline") };
        let details = CallDetails { notes: Vec::new(), ..details.clone() };
        let materials: Vec<Value> =
            data.materials.iter().map(|material| json!([material.kind, material.digest])).collect();
        let mut text = Vec::new();
        canonical(&json!([data.source, data.external_id, data.kind, details, materials]), &mut text);
        String::from_utf8(text).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_hashed_is_the_canonical_text(word in any::<String>(), url in "https?://[a-z]{1,9}/[a-z?#= ]*") {
            for data in [with_everything(&word), with_everything(&url), received(CallDetails::default())] {
                let Kept::Inline(details) = &data.details else { unreachable!("the tests' details are inline") };
                let mut text = Vec::new();
                write_data(&data, details, &mut text);
                prop_assert_eq!(String::from_utf8(text).unwrap(), by_values(&data));
            }
        }
    }
}
