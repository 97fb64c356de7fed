//! Stores a stream of unknown length in parts. A small stream is stored by one request.
//!
//! S3 refuses parts below 5 MiB, except the last, so an upload holds that much in memory. How many uploads may do that at
//! the same time follows from the memory that the process may use. An upload that stays small needs no such place.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::super::measure::Measure;
use super::super::{BlobError, Stored, UPLOADS};
use super::Bucket;
use super::presence::Live;

/// The size of a part. Some servers want all parts but the last to have the same size.
pub(super) const PART_BYTES: usize = 5 * 1024 * 1024;
/// An upload that has not become larger than this is not counted.
const SMALL_BYTES: u64 = 256 * 1024;
/// How long an upload waits for a place before it is refused.
const ROOM_WITHIN: Duration = Duration::from_secs(10);

impl Bucket {
    pub(in super::super) async fn write<S, E>(
        self: &Arc<Self>,
        key: &str,
        path: &Path,
        stream: S,
        max: u64,
    ) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.presence.be_known().await.map_err(|error| self.unusable(&error))?;
        let mut content = Measure::new(key, stream, max);
        let mut room: Option<OwnedSemaphorePermit> = None;
        let mut part = BytesMut::new();
        let mut parts: Option<Parts> = None;
        while let Some(mut chunk) = content.next().await? {
            if room.is_none() && content.bytes() > SMALL_BYTES {
                room = Some(self.room().await?);
                // A part that grew would be copied on the way, and would hold more than it needs.
                part.reserve(PART_BYTES - part.len());
            }
            while !chunk.is_empty() {
                let piece = chunk.split_to(chunk.len().min(PART_BYTES - part.len()));
                part.extend_from_slice(&piece);
                if part.len() == PART_BYTES {
                    let full = std::mem::replace(&mut part, BytesMut::with_capacity(PART_BYTES)).freeze();
                    if parts.is_none() {
                        parts = Some(Parts::begin(self, path).await?);
                    }
                    if let Some(parts) = &mut parts {
                        parts.send(full).await?;
                    }
                }
            }
        }
        match parts {
            None => {
                let stored = self.store.put(path, part.freeze().into()).await;
                stored.map_err(|error| self.unusable(&error))?;
            }
            Some(mut parts) => {
                if !part.is_empty() {
                    parts.send(part.freeze()).await?;
                }
                parts.complete().await?;
            }
        }
        drop(room);
        Ok(content.end())
    }

    async fn room(&self) -> Result<OwnedSemaphorePermit, BlobError> {
        let place = Arc::clone(&self.room).acquire_owned();
        match tokio::time::timeout(ROOM_WITHIN, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(BlobError::Busy),
        }
    }
}

/// An upload in parts. When this is dropped before it is complete, the upload is ended and its parts are removed.
struct Parts {
    bucket: Arc<Bucket>,
    path: Path,
    id: String,
    /// The note by which a sweep finds the upload when this process is killed.
    note: Path,
    sent: Vec<PartId>,
    /// The part that is being sent, while the next one is filled.
    sending: Option<JoinHandle<object_store::Result<PartId>>>,
    is_complete: bool,
    live: Option<Live>,
}

impl Parts {
    async fn begin(bucket: &Arc<Bucket>, path: &Path) -> Result<Self, BlobError> {
        let failed = |error| bucket.unusable(&error);
        let live = bucket.presence.live();
        let note = Path::from(format!("{UPLOADS}/{}", live.name()));
        let id = bucket.store.create_multipart(path).await.map_err(failed)?;
        let parts = Self {
            bucket: Arc::clone(bucket),
            path: path.clone(),
            id,
            note,
            sent: Vec::new(),
            sending: None,
            is_complete: false,
            live: Some(live),
        };
        // The note is written before the first part, so no part can be left without one.
        let text = format!("{path}\n{}", parts.id);
        bucket.store.put(&parts.note, text.into()).await.map_err(failed)?;
        Ok(parts)
    }

    async fn send(&mut self, part: Bytes) -> Result<(), BlobError> {
        self.sent().await?;
        let (store, path, id) = (self.bucket.store.clone(), self.path.clone(), self.id.clone());
        let number = self.sent.len();
        self.sending =
            Some(tokio::spawn(
                async move { store.put_part(&path, &id, number, PutPayload::from(part)).await },
            ));
        Ok(())
    }

    /// Waits for the part that is being sent.
    async fn sent(&mut self) -> Result<(), BlobError> {
        if let Some(sending) = &mut self.sending {
            let part = sending.await.map_err(|error| BlobError::Store(error.to_string()))?;
            self.sending = None;
            self.sent.push(part.map_err(|error| self.bucket.unusable(&error))?);
        }
        Ok(())
    }

    async fn complete(mut self) -> Result<(), BlobError> {
        self.sent().await?;
        let parts = std::mem::take(&mut self.sent);
        let completed = self.bucket.patient.complete_multipart(&self.path, &self.id, parts).await;
        completed.map_err(|error| self.bucket.unusable(&error))?;
        self.is_complete = true;
        // A note that stays behind is swept later.
        if let Err(error) = self.bucket.store.delete(&self.note).await {
            tracing::debug!(error = %self.bucket.unusable(&error), "failed to remove the note about an upload");
        }
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if self.is_complete {
            return;
        }
        if let Some(sending) = &self.sending {
            sending.abort();
        }
        let (bucket, path, note) = (Arc::clone(&self.bucket), self.path.clone(), self.note.clone());
        let (id, live) = (std::mem::take(&mut self.id), self.live.take());
        // What cannot be removed now is swept later.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let removed = async {
                bucket.store.abort_multipart(&path, &id).await?;
                bucket.store.delete(&note).await
            };
            if let Err(error) = removed.await {
                tracing::debug!(error = %bucket.unusable(&error), "failed to remove a broken upload");
            }
            drop(live);
        });
    }
}
