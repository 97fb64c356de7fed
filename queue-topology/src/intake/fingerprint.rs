//! The id of an event: a hash of what it says.
//!
//! Left out is what differs when the same thing is said again: the queries of URLs (they are signed anew each
//! time), the time of the event and the delivery's own id. So the same delivery twice is the same event, and one
//! that brings something new is not. What is hashed may never change: a webhook that is sent again after an
//! upgrade would be another event.

use domain::call::{CallDetails, CallId};
use domain::event::{CallReceived, Kept};
use serde::Serialize;
use serde_json::Value;
use sha1::{Digest as _, Sha1};
use uuid::Uuid;

/// Names that deliveries carry for themselves and not for the call.
const DELIVERY_FIELDS: [&str; 6] =
    ["delivery_id", "event_id", "event_time", "event_ts", "request_id", "sent_at"];
/// What a webhook with all its fields says.
const TYPICAL_BYTES: usize = 1024;

pub(super) fn event_id(call: CallId, data: &CallReceived) -> Uuid {
    let Kept::Inline(details) = &data.details else { return Uuid::nil() };
    let mut text = Vec::with_capacity(TYPICAL_BYTES);
    said(data, details, &mut text);
    version_5(call.0, &text)
}

/// As `Uuid::new_v5`, whose SHA-1 does without the processor's instructions for it.
/// <https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-5>
fn version_5(namespace: Uuid, name: &[u8]) -> Uuid {
    let hash: [u8; 20] = Sha1::new().chain_update(namespace).chain_update(name).finalize().into();
    let [id @ .., _, _, _, _] = hash;
    uuid::Builder::from_sha1_bytes(id).into_uuid()
}

/// What [`canonical`] makes of `[source, external_id, kind, details, [[kind, digest], …]]`, without making values
/// of all that first: this is done for every webhook.
fn said(data: &CallReceived, details: &CallDetails, text: &mut Vec<u8>) {
    text.push(b'[');
    for words in [&data.source, &data.external_id] {
        item(text, |text| json_text(without_query(words), text));
    }
    item(text, |text| value_of(&data.kind, text));
    item(text, |text| said_details(details, text));
    item(text, |text| {
        text.push(b'[');
        for material in &data.materials {
            item(text, |text| {
                text.push(b'[');
                item(text, |text| value_of(&material.kind, text));
                item(text, |text| json_text(without_query(&material.digest), text));
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

/// Its fields in the order of their names, those that are there.
fn said_details(details: &CallDetails, text: &mut Vec<u8>) {
    // All of them, so that a new field is not forgotten.
    let CallDetails {
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
        participants,
        source_status,
        started_at,
        started_text,
        to_number,
        topic,
    } = details;
    text.push(b'{');
    words("agent_name", agent_name.as_deref(), text);
    words("agent_phone", agent_phone.as_deref(), text);
    words("agent_slack_handle", agent_slack_handle.as_deref(), text);
    words("customer_segment", customer_segment.as_deref(), text);
    words("department", department.as_deref(), text);
    field("direction", direction.as_ref(), text);
    field("duration_ms", duration_ms.as_ref(), text);
    field("ended_at", ended_at.as_ref(), text);
    words("from_number", from_number.as_deref(), text);
    field("lead", lead.as_ref(), text);
    field("metadata", Some(metadata).filter(|map| !map.is_empty()), text);
    field("participants", Some(participants).filter(|list| !list.is_empty()), text);
    words("source_status", source_status.as_deref(), text);
    field("started_at", started_at.as_ref(), text);
    words("started_text", started_text.as_deref(), text);
    words("to_number", to_number.as_deref(), text);
    words("topic", topic.as_deref(), text);
    text.push(b'}');
}

fn words(name: &str, words: Option<&str>, text: &mut Vec<u8>) {
    if let Some(words) = words {
        item(text, |text| {
            named(name, text);
            json_text(without_query(words), text);
        });
    }
}

fn field(name: &str, value: Option<&impl Serialize>, text: &mut Vec<u8>) {
    if let Some(value) = value {
        item(text, |text| {
            named(name, text);
            value_of(value, text);
        });
    }
}

/// A name of ours: nothing in it has to be escaped.
fn named(name: &str, text: &mut Vec<u8>) {
    text.push(b'"');
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b"\":");
}

fn value_of(value: &impl Serialize, text: &mut Vec<u8>) {
    // Nothing of an event refuses to be written.
    canonical(&serde_json::to_value(value).unwrap_or_default(), text);
}

/// JSON with its names in order, without delivery fields and without the queries of URLs.
fn canonical(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> =
                map.iter().filter(|(name, _)| !DELIVERY_FIELDS.contains(&name.as_str())).collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            text.push(b'{');
            for (name, value) in fields {
                json_text(name, text);
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
        Value::String(words) => json_text(without_query(words), text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            text.extend_from_slice(value.to_string().as_bytes());
        }
    }
}

fn json_text(words: &str, text: &mut Vec<u8>) {
    // Neither a text nor a list of bytes can refuse.
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
            agent_name: some(),
            agent_phone: some(),
            agent_slack_handle: some(),
            department: some(),
            customer_segment: some(),
            topic: some(),
            participants: vec![participant],
            lead: Some(json!({ "b": [1.5, null, true], "a": word, "sent_at": "now" })),
            metadata: json!({ word: { "event_id": 1, "z": word, "a": {} } }).as_object().unwrap().clone(),
        };
        let material = Material {
            kind: MaterialKind::Recording,
            digest: word.to_owned(),
            at: MaterialAt::Blob("a/b".into()),
            media_type: some(),
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

    /// What it means, as values.
    fn by_values(data: &CallReceived) -> String {
        let Kept::Inline(details) = &data.details else { unreachable!("the tests' details are inline") };
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
                said(&data, details, &mut text);
                prop_assert_eq!(String::from_utf8(text).unwrap(), by_values(&data));
            }
        }
    }
}
