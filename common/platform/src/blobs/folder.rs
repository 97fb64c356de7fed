//! Blobs in a folder. When a function that writes returns, the file and its folder are synced.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use object_store::local::LocalFileSystem;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload, path};

use super::incoming::Writer;
use super::measure::Measure;
use super::{BlobError, HEALTH, Stored, Swept, blob_error};

/// How much of an upload is held in memory.
const PART_BYTES: usize = 256 * 1024;

#[derive(Clone)]
pub(super) struct Folder {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same folder without syncing. The health check uses it, because it asks whether the folder can be written,
    /// not how fast the disk is.
    unsynced: Arc<dyn ObjectStore>,
    writer: Arc<Writer>,
}

impl Folder {
    pub(super) fn open(dir: &Path) -> Result<Self, BlobError> {
        std::fs::create_dir_all(dir).map_err(|error| failed(&error))?;
        let folder =
            LocalFileSystem::new_with_prefix(dir).map_err(|error| BlobError::Store(error.to_string()))?;
        let writer = Arc::new(Writer::new(dir));
        Ok(Self { unsynced: Arc::new(folder.clone()), store: Arc::new(folder.with_fsync(true)), writer })
    }

    pub(super) fn incoming_key(&self) -> Result<String, BlobError> {
        self.writer.new_key().map_err(|error| failed(&error))
    }

    pub(super) async fn sweep(&self) -> Result<Swept, BlobError> {
        let writer = Arc::clone(&self.writer);
        let swept = tokio::task::spawn_blocking(move || writer.sweep()).await;
        swept.map_err(std::io::Error::other).flatten().map_err(|error| failed(&error))
    }

    pub(super) async fn write<S, E>(
        &self,
        key: &str,
        path: &path::Path,
        stream: S,
        max: u64,
    ) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut upload = self.store.put_multipart(path).await.map_err(|error| blob_error(key, error))?;
        let written = write_parts(key, upload.as_mut(), Measure::new(key, stream, max)).await;
        let result = match written {
            Ok(stored) => upload.complete().await.map(|_| stored).map_err(|error| blob_error(key, error)),
            Err(error) => Err(error),
        };
        if result.is_err()
            && let Err(error) = upload.abort().await
        {
            tracing::debug!(%error, "failed to remove a broken upload");
        }
        result
    }

    /// Writes a small file.
    pub(super) async fn try_out(&self) -> Result<(), BlobError> {
        let path = path::Path::from(HEALTH);
        let written = self.unsynced.put(&path, Bytes::from_static(b"ok").into()).await;
        written.map(drop).map_err(|error| blob_error(HEALTH, error))
    }
}

async fn write_parts<S, E>(
    key: &str,
    upload: &mut dyn MultipartUpload,
    mut content: Measure<'_, S>,
) -> Result<Stored, BlobError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut part, mut part_bytes) = (Vec::<Bytes>::new(), 0);
    while let Some(chunk) = content.next().await? {
        part_bytes += chunk.len();
        part.push(chunk);
        if part_bytes >= PART_BYTES {
            let full: PutPayload = std::mem::take(&mut part).into_iter().collect();
            upload.put_part(full).await.map_err(|error| blob_error(key, error))?;
            part_bytes = 0;
        }
    }
    if !part.is_empty() {
        upload.put_part(part.into_iter().collect()).await.map_err(|error| blob_error(key, error))?;
    }
    Ok(content.end())
}

fn failed(error: &std::io::Error) -> BlobError {
    BlobError::Store(error.to_string())
}
