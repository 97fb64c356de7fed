//! What one delivery says about a call, and how it becomes an event.

use std::time::Duration;

use bytes::Bytes;
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{CallReceived, Envelope, Kept, MAX_BYTES, Material, MaterialAt, MaterialKind};
use domain::moment::Moment;
use platform::{seal, telemetry};
use sha2::{Digest as _, Sha256};
use web::Problem;

use crate::Ingest;
use crate::fingerprint::{event_id, without_query};
use crate::form::Upload;
use crate::publish::{self, Durable, Outgoing};

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
                platform::failpoint!("ingest.stored");
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
                platform::failpoint!("ingest.stored");
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

pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
