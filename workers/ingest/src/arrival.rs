//! What one delivery says about a call, and how it becomes an event.
//!
//! The event's id is a hash of what it says, without what differs when the same thing is said again: the
//! queries of URLs (they are signed anew each time), the time of the event and the delivery's own id. So
//! the same delivery twice is the same event, and one that brings something new is not.

use std::time::Duration;

use bytes::Bytes;
use common::call::{CallDetails, CallId, CallKind, WorkspaceId};
use common::event::{CallReceived, Envelope, Kept, MAX_BYTES, Material, MaterialAt, MaterialKind};
use common::moment::Moment;
use common::web::Problem;
use common::{seal, telemetry};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::Ingest;
use crate::form::Upload;
use crate::publish::{self, Durable, Outgoing};

/// Names that deliveries carry for themselves and not for the call.
const DELIVERY_FIELDS: [&str; 6] =
    ["delivery_id", "event_id", "event_time", "event_ts", "request_id", "sent_at"];
const SEEN_FOR: Duration = Duration::from_hours(24);
/// Long details go to a blob first; with the broker's and the outbox's second the answer stays under three.
const STORE_WITHIN: Duration = Duration::from_millis(700);

#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) source: String,
    pub(crate) external_id: String,
    pub(crate) kind: CallKind,
    pub(crate) details: CallDetails,
    pub(crate) found: Vec<Found>,
}

/// Something to make a transcript from, where it is now.
#[derive(Debug)]
pub(crate) enum Found {
    /// Not looked at any further: what it points to is the fetcher's to judge.
    Url(String),
    Upload(MaterialKind, Upload),
    Session(Bytes),
}

pub(crate) struct Accepted {
    pub(crate) call: CallId,
    /// The same was published in the last day, as far as the cache knows.
    pub(crate) repeated: bool,
}

impl Ingest {
    /// Puts everything where it stays, and publishes. `Ok` means that nothing of it can be lost.
    pub(crate) async fn accept(&self, workspace: WorkspaceId, arrival: Arrival) -> Result<Accepted, Problem> {
        let Arrival { source, external_id, kind, details, found } = arrival;
        let call = CallId::derive(workspace, &source, &external_id);
        let place = Place { workspace, call };
        let mut materials = Vec::with_capacity(found.len());
        for found in found {
            materials.push(self.put(place, found).await?);
        }
        let data = CallReceived { source, external_id, kind, details: Kept::Inline(details), materials };
        let id = event_id(call, &data);
        let (time, traceparent) = (Moment::now(), telemetry::traceparent());
        let mut event = Envelope { id, workspace, call, generation: 0, time, traceparent, data };
        let mut body = event.encode();
        if body.len() > MAX_BYTES {
            self.move_details(place, &mut event).await?;
            body = event.encode();
        }
        let outgoing = Outgoing { event, body: body.into(), lane: self.lane };
        let seen_key = format!("event:{id}");
        let (repeated, durable) = futures::join!(
            self.cache.remember(&seen_key, SEEN_FOR),
            publish::publish(self.publisher.as_ref(), self.outbox.as_ref(), &outgoing)
        );
        if !matches!(durable, Ok(Durable::Published)) {
            // Nobody has it yet: who sends it again should not hear that it is there.
            self.cache.forget(&seen_key).await;
        }
        durable?;
        // Dedup says at `info` what became of it.
        tracing::debug!(event = %id, %call, %workspace, repeated, "accepted");
        Ok(Accepted { call, repeated })
    }

    async fn put(&self, place: Place, found: Found) -> Result<Material, Problem> {
        Ok(match found {
            Found::Url(url) => Material {
                kind: MaterialKind::Recording,
                digest: hex_digest(without_query(&url).as_bytes()),
                at: MaterialAt::SealedUrl(
                    self.sealer.seal(&seal::of_call(place.workspace, place.call), &url),
                ),
                media_type: None,
            },
            Found::Upload(kind, upload) => {
                let (digest, media_type) = (upload.digest.clone(), upload.media_type.clone());
                let key = place.key(&digest);
                upload.keep_as(&key).await?;
                common::failpoint!("ingest.stored");
                Material { kind, digest, at: MaterialAt::Blob(key), media_type }
            }
            Found::Session(session) => {
                let digest = hex_digest(&session);
                let key = place.key(&digest);
                self.store(&key, session).await?;
                let media_type = Some("application/json".to_owned());
                Material { kind: MaterialKind::Session, digest, at: MaterialAt::Blob(key), media_type }
            }
        })
    }

    /// A queue is no place for documents.
    async fn move_details(&self, place: Place, event: &mut Envelope<CallReceived>) -> Result<(), Problem> {
        let Kept::Inline(details) = &event.data.details else { return Ok(()) };
        let key = place.key(&format!("details-{}", event.id));
        self.store(&key, serde_json::to_vec(details).unwrap_or_default().into()).await?;
        event.data.details = Kept::Blob(key);
        Ok(())
    }

    async fn store(&self, key: &str, bytes: Bytes) -> Result<(), Problem> {
        let problem = match tokio::time::timeout(STORE_WITHIN, self.blobs.put(key, bytes)).await {
            Ok(Ok(())) => {
                common::failpoint!("ingest.stored");
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::error!(key, problem, "failed to store what arrived; its sender was told to send again");
        Err(publish::unavailable())
    }
}

#[derive(Clone, Copy)]
struct Place {
    workspace: WorkspaceId,
    call: CallId,
}

impl Place {
    fn key(self, name: &str) -> String {
        format!("{}/{}/{name}", self.workspace, self.call)
    }
}

fn event_id(call: CallId, data: &CallReceived) -> Uuid {
    let Kept::Inline(details) = &data.details else { return Uuid::nil() };
    let materials: Vec<Value> =
        data.materials.iter().map(|material| json!([material.kind, material.digest])).collect();
    let said = json!([data.source, data.external_id, data.kind, details, materials]);
    let mut text = Vec::new();
    canonical(&said, &mut text);
    Uuid::new_v5(&call.0, &text)
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
pub(crate) fn without_query(text: &str) -> &str {
    let is_url = text.contains("://") && !text.contains(char::is_whitespace);
    if is_url { text.split(['?', '#']).next().unwrap_or(text) } else { text }
}

pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(details: &Value) -> Uuid {
        let data = CallReceived {
            source: "exotel".into(),
            external_id: "CALL-1".into(),
            kind: CallKind::Phone,
            details: Kept::Inline(serde_json::from_value(details.clone()).unwrap()),
            materials: vec![],
        };
        event_id(CallId(Uuid::nil()), &data)
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
}
