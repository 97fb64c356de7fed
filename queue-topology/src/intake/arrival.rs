//! What one delivery says about a call, and how it becomes an event.

use std::time::Duration;

use bytes::Bytes;
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{
    CallReceived, Envelope, Event as _, Kept, MAX_BYTES, Material, MaterialAt, MaterialKind,
};
use domain::held_file::HeldFile;
use domain::moment::Moment;
use platform::blobs::Upload;
use platform::{seal, telemetry};
use sha2::{Digest as _, Sha256};

use super::fingerprint::{event_id, without_query};
use super::publish::Durable;
use super::{Intake, NotKept};
use crate::broker::{Message, Route};

const SEEN_FOR: Duration = Duration::from_hours(24);
/// Long details go to a blob first. Together with the second of the broker and the second of the outbox the answer
/// stays under three.
const STORE_WITHIN: Duration = Duration::from_millis(700);

/// What one delivery says about a call.
#[derive(Debug)]
pub struct Arrival {
    /// Who made the external id: `exotel`, `zoom`, … It is not the door that the delivery came through.
    pub source: String,
    pub external_id: String,
    pub kind: CallKind,
    pub details: CallDetails,
    pub materials: Vec<NewMaterial>,
}

/// Something to make a transcript from, where it is now.
#[derive(Debug)]
pub enum NewMaterial {
    /// The address of a recording. Nobody looks at it here: what it points to is the fetcher's to judge.
    Url(String),
    /// A file that a provider keeps and gives out by an id. Only the provider's own door may bring one: whoever names
    /// such a file gets its transcript.
    Held { kind: MaterialKind, file: HeldFile, media_type: Option<String> },
    /// A file that is stored already.
    File(MaterialKind, Upload),
    /// Material that begins at this time. A call that was recorded in several pieces has several starts.
    StartingAt(Moment, Box<NewMaterial>),
    /// A document in memory.
    Document { kind: MaterialKind, media_type: &'static str, bytes: Bytes },
}

impl NewMaterial {
    /// The same material, which begins at this time.
    #[must_use]
    pub fn starting(self, at: Option<Moment>) -> Self {
        match at {
            Some(at) => Self::StartingAt(at, Box::new(self)),
            None => self,
        }
    }

    /// The digest that the material has in its event and in the store.
    pub fn digest(&self) -> String {
        match self {
            Self::Url(url) => hex_digest(without_query(url).as_bytes()),
            Self::Held { file, .. } => hex_digest(file.name().as_bytes()),
            Self::StartingAt(_, material) => material.digest(),
            Self::File(_, upload) => upload.digest.clone(),
            Self::Document { bytes, .. } => hex_digest(bytes),
        }
    }
}

/// What became of an arrival: nothing of it can be lost any more.
#[derive(Debug)]
pub struct Accepted {
    pub call: CallId,
    /// The id that the arrival brought.
    pub external_id: String,
    /// Whether the same was published in the last day, as far as the cache knows.
    pub repeated: bool,
    pub materials: Vec<Material>,
    /// Why the call will not be transcribed, where whoever took it in knows that already.
    pub skipped: Option<String>,
}

impl Intake {
    /// Puts everything where it stays, and publishes. `Ok` means that nothing of it can be lost.
    pub async fn accept(&self, workspace: WorkspaceId, arrival: Arrival) -> Result<Accepted, NotKept> {
        let Arrival { source, external_id, kind, details, materials: brought } = arrival;
        let call = CallId::derive(workspace, &source, &external_id);
        let place = Place { workspace, call };
        let mut materials = Vec::with_capacity(brought.len());
        for material in brought {
            materials.push(self.put(place, material).await?);
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
        let route = Route::Event { key: CallReceived::KEY };
        let message = Message { route, lane: self.lane, id, body: body.into() };
        let seen_key = format!("event:{id}");
        let (repeated, durable) =
            futures::join!(self.cache.remember(&seen_key, SEEN_FOR), self.publish(&event, &message));
        if !matches!(durable, Ok(Durable::Published)) {
            // Nobody has it yet: who sends it again should not hear that it is there.
            self.cache.forget(&seen_key).await;
        }
        durable?;
        // Dedup says at `info` what became of it.
        tracing::debug!(event = %id, %call, %workspace, repeated, "accepted");
        let CallReceived { external_id, materials, .. } = event.data;
        Ok(Accepted { call, external_id, repeated, materials, skipped: None })
    }

    async fn put(&self, place: Place, material: NewMaterial) -> Result<Material, NotKept> {
        let (starts_at, material) = match material {
            NewMaterial::StartingAt(at, material) => (Some(at), *material),
            material => (None, material),
        };
        let digest = material.digest();
        Ok(match material {
            NewMaterial::Url(url) => Material {
                kind: MaterialKind::Recording,
                digest,
                at: self.sealed(place, &only_url(url)),
                media_type: None,
                starts_at,
            },
            NewMaterial::Held { kind, file, media_type } => {
                let at = self.sealed(place, &file.address());
                Material { kind, digest, at, media_type, starts_at }
            }
            // A start inside a start says nothing more.
            NewMaterial::StartingAt(_, material) => return Box::pin(self.put(place, *material)).await,
            NewMaterial::File(kind, upload) => {
                let media_type = upload.media_type.clone();
                let key = place.key(&digest);
                if let Err(error) = upload.keep_as(&key).await {
                    tracing::error!(%error, "failed to store an upload; its sender was told to send again");
                    return Err(NotKept);
                }
                platform::failpoint!("ingest.stored");
                Material { kind, digest, at: MaterialAt::Blob(key), media_type, starts_at }
            }
            NewMaterial::Document { kind, media_type, bytes } => {
                let key = place.key(&digest);
                self.store(&key, bytes).await?;
                let media_type = Some(media_type.to_owned());
                Material { kind, digest, at: MaterialAt::Blob(key), media_type, starts_at }
            }
        })
    }

    fn sealed(&self, place: Place, address: &str) -> MaterialAt {
        let context = seal::of_call(place.workspace, place.call);
        MaterialAt::SealedUrl(self.sealer.seal(&context, address))
    }

    /// A queue is no place for documents.
    async fn move_details(&self, place: Place, event: &mut Envelope<CallReceived>) -> Result<(), NotKept> {
        let Kept::Inline(details) = &event.data.details else { return Ok(()) };
        let key = place.key(&format!("details-{}", event.id));
        self.store(&key, serde_json::to_vec(details).unwrap_or_default().into()).await?;
        event.data.details = Kept::Blob(key);
        Ok(())
    }

    async fn store(&self, key: &str, bytes: Bytes) -> Result<(), NotKept> {
        let problem = match tokio::time::timeout(STORE_WITHIN, self.blobs.put(key, bytes)).await {
            Ok(Ok(())) => {
                platform::failpoint!("ingest.stored");
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::error!(key, problem, "failed to store what arrived; its sender was told to send again");
        Err(NotKept)
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

/// The address that a sender gave, as it is sealed. Where it looks like the address of a file that a provider keeps, it
/// is spoilt: with it a sender could read every recording of our account, by its id. The fetcher refuses it then.
fn only_url(url: String) -> String {
    if HeldFile::read(&url).is_some() { format!("url:{url}") } else { url }
}

fn hex_digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
