//! Blobs hold what is too large for a row or an event: uploads, fetched recordings, long details.
//!
//! They are files in a local folder. When a function that writes returns Ok, the bytes are on the disk, because the
//! file and its folder are synced before. This matters, since a sender who got the answer "accepted" does not send
//! again. When writing is interrupted, the incomplete file never appears under its key.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};
use sha2::{Digest as _, Sha256};

mod incoming;

pub use incoming::Swept;
use incoming::Writer;

/// How much of an upload is held in memory. (A store such as S3 would refuse parts below 5 MiB.)
const PART_BYTES: usize = 256 * 1024;
const MAX_KEY_CHARS: usize = 512;
/// The key that the health check writes.
const HEALTH: &str = "health";

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("failed to find the blob `{0}`")]
    NotFound(String),
    #[error("the blob `{key}` is longer than {max} bytes")]
    TooLarge { key: String, max: u64 },
    /// The key cannot have been made from our own ids.
    #[error("`{0}` is not the key of a blob")]
    BadKey(String),
    /// The stream that was to be stored broke off. Nothing of it is kept.
    #[error("failed to read the content of the blob: {0}")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("failed to use the blob store: {0}")]
    Store(#[source] object_store::Error),
}

/// The size and the digest of what was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub bytes: u64,
    pub sha256_hex: String,
}

#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// The same folder without syncing. The health check uses it, because it asks whether the folder can be written,
    /// not how fast the disk is.
    unsynced: Arc<dyn ObjectStore>,
    writer: Arc<Writer>,
}

impl Blobs {
    /// Blobs in the folder `dir`, which is made if it does not exist.
    pub fn local(dir: &std::path::Path) -> Result<Self, BlobError> {
        std::fs::create_dir_all(dir).map_err(folder_error)?;
        let folder = LocalFileSystem::new_with_prefix(dir).map_err(BlobError::Store)?;
        let writer = Arc::new(Writer::new(dir));
        Ok(Self { unsynced: Arc::new(folder.clone()), store: Arc::new(folder.with_fsync(true)), writer })
    }

    /// The key for a new file whose place is not known yet. The caller renames the blob or deletes it. When the process
    /// ends before that, [`Blobs::sweep`] removes it.
    pub fn incoming_key(&self) -> Result<String, BlobError> {
        self.writer.new_key().map_err(folder_error)
    }

    /// Removes the files that processes left half-written when they were killed.
    pub async fn sweep(&self) -> Result<Swept, BlobError> {
        let writer = Arc::clone(&self.writer);
        let swept = tokio::task::spawn_blocking(move || writer.sweep()).await;
        swept.map_err(std::io::Error::other).flatten().map_err(folder_error)
    }

    /// Whether a text can be the key of a blob.
    pub fn is_key(text: &str) -> bool {
        path(text).is_ok()
    }

    /// Whether a key, or the folder that it names, is not for blobs: files on their way in, and the file of the health
    /// check.
    pub fn is_for_own_use(key: &str) -> bool {
        key == HEALTH || incoming::is_for_own_use(key)
    }

    /// Stores `bytes` under `key`, and replaces the blob that had this key before.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        self.store.put(&path(key)?, bytes.into()).await.map_err(|error| blob_error(key, error))?;
        Ok(())
    }

    /// Stores a stream of unknown length. Only a part of it is held in memory. Nothing is stored when the stream
    /// breaks off or is longer than `max` bytes. The file gets its key when it is complete.
    pub async fn put_stream<S, E>(&self, key: &str, stream: S, max: u64) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        path(key)?;
        let incoming = self.incoming_key()?;
        let stored = self.put_incoming(&incoming, stream, max).await?;
        if let Err(error) = self.rename(&incoming, key).await {
            self.delete(&incoming).await.ok();
            return Err(error);
        }
        Ok(stored)
    }

    /// As [`Blobs::put_stream`], under a key of [`Blobs::incoming_key`].
    pub async fn put_incoming<S, E>(&self, key: &str, stream: S, max: u64) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut upload =
            self.store.put_multipart(&path(key)?).await.map_err(|error| blob_error(key, error))?;
        let written = write_parts(key, upload.as_mut(), stream, max).await;
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

    /// Gives a blob the key `to`, and replaces the blob that had this key before.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), BlobError> {
        self.store.rename(&path(from)?, &path(to)?).await.map_err(|error| blob_error(from, error))
    }

    /// The whole blob. It is an error when the blob is longer than `max` bytes.
    pub async fn get(&self, key: &str, max: u64) -> Result<Bytes, BlobError> {
        let found = self.store.get(&path(key)?).await.map_err(|error| blob_error(key, error))?;
        if found.meta.size > max {
            return Err(BlobError::TooLarge { key: key.to_owned(), max });
        }
        found.bytes().await.map_err(|error| blob_error(key, error))
    }

    /// The length of a blob in bytes, and its content as a stream.
    pub async fn get_stream(
        &self,
        key: &str,
    ) -> Result<(u64, BoxStream<'static, Result<Bytes, BlobError>>), BlobError> {
        let found = self.store.get(&path(key)?).await.map_err(|error| blob_error(key, error))?;
        let (size, key) = (found.meta.size, key.to_owned());
        Ok((size, found.into_stream().map_err(move |error| blob_error(&key, error)).boxed()))
    }

    /// The bytes of `range`. There are fewer when the blob ends before the range does.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        self.store.get_range(&path(key)?, range).await.map_err(|error| blob_error(key, error))
    }

    /// The length of a blob in bytes; `None` when there is no such blob.
    pub async fn head(&self, key: &str) -> Result<Option<u64>, BlobError> {
        match self.store.head(&path(key)?).await.map_err(|error| blob_error(key, error)) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(BlobError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a blob. It is no error when there is no such blob.
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        match self.store.delete(&path(key)?).await.map_err(|error| blob_error(key, error)) {
            Err(BlobError::NotFound(_)) => Ok(()),
            other => other,
        }
    }

    /// Whether the folder can be written now.
    pub async fn healthy(&self) -> bool {
        let path = Path::from(HEALTH);
        let written = self.unsynced.put(&path, Bytes::from_static(b"ok").into());
        matches!(tokio::time::timeout(Duration::from_secs(2), written).await, Ok(Ok(_)))
    }
}

async fn write_parts<S, E>(
    key: &str,
    upload: &mut dyn MultipartUpload,
    stream: S,
    max: u64,
) -> Result<Stored, BlobError>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut stream = std::pin::pin!(stream);
    let (mut part, mut part_bytes) = (Vec::<Bytes>::new(), 0);
    let (mut hash, mut bytes) = (Sha256::new(), 0_u64);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| BlobError::Source(error.into()))?;
        bytes += chunk.len() as u64;
        if bytes > max {
            return Err(BlobError::TooLarge { key: key.to_owned(), max });
        }
        hash.update(&chunk);
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
    Ok(Stored { bytes, sha256_hex: hex::encode(hash.finalize()) })
}

/// The path of a key. Our own code makes keys from ids and digests. Any other text is a mistake, and is never used
/// as a path.
fn path(key: &str) -> Result<Path, BlobError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain);
    if key.len() <= MAX_KEY_CHARS && key.split('/').all(part) {
        Ok(Path::from(key))
    } else {
        Err(BlobError::BadKey(key.chars().take(80).collect()))
    }
}

fn folder_error(source: std::io::Error) -> BlobError {
    BlobError::Store(object_store::Error::Generic { store: "folder", source: Box::new(source) })
}

fn blob_error(key: &str, error: object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::NotFound(key.to_owned()),
        error => BlobError::Store(error),
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(&dir.path().join("made")).unwrap();
        (dir, blobs)
    }

    fn chunks(count: usize) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
        stream::iter((0..count).map(|_| Ok(Bytes::from(vec![b'x'; 1024 * 1024]))))
    }

    #[tokio::test]
    async fn a_stored_stream_can_be_read_whole_as_a_stream_and_in_ranges() {
        let (_dir, blobs) = blobs();
        let stored = blobs.put_stream("w/c/audio", chunks(12), u64::MAX).await.unwrap();
        assert_eq!(stored.bytes, 12 * 1024 * 1024);
        let whole = blobs.get("w/c/audio", stored.bytes).await.unwrap();
        assert_eq!(stored.sha256_hex, hex::encode(Sha256::digest(&whole)));
        assert_eq!(blobs.get_range("w/c/audio", 3..7).await.unwrap(), "xxxx");
        let (size, pieces) = blobs.get_stream("w/c/audio").await.unwrap();
        let read: usize =
            pieces.map_ok(|piece| piece.len()).try_fold(0, |a, b| async move { Ok(a + b) }).await.unwrap();
        assert_eq!(read as u64, size);
        assert_eq!(blobs.head("w/c/audio").await.unwrap(), Some(size));
    }

    #[tokio::test]
    async fn a_stream_that_is_too_long_or_breaks_off_leaves_no_file() {
        let (dir, blobs) = blobs();
        let long = blobs.put_stream("long", chunks(3), 2 * 1024 * 1024).await.unwrap_err();
        assert!(matches!(long, BlobError::TooLarge { .. }), "{long}");
        let cut = stream::iter([Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("cut off"))]);
        let broken = blobs.put_stream("cut", cut, u64::MAX).await.unwrap_err();
        assert!(broken.to_string().contains("cut off"), "{broken}");
        assert_eq!(blobs.head("long").await.unwrap(), None);
        assert_eq!(std::fs::read_dir(dir.path().join("made/incoming")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_blob_that_is_longer_than_the_limit_is_not_read() {
        let (_dir, blobs) = blobs();
        blobs.put("a", Bytes::from_static(b"12345")).await.unwrap();
        assert!(matches!(blobs.get("a", 4).await, Err(BlobError::TooLarge { max: 4, .. })));
    }

    #[tokio::test]
    async fn a_renamed_blob_has_only_its_new_key() {
        let (_dir, blobs) = blobs();
        blobs.put("incoming/1", Bytes::from_static(b"a")).await.unwrap();
        blobs.rename("incoming/1", "w/kept").await.unwrap();
        assert_eq!(blobs.head("incoming/1").await.unwrap(), None);
        assert_eq!(blobs.get("w/kept", 10).await.unwrap(), "a");
        blobs.delete("w/kept").await.unwrap();
        blobs.delete("w/kept").await.unwrap();
        assert!(matches!(blobs.get("w/kept", 10).await, Err(BlobError::NotFound(_))));
    }

    #[tokio::test]
    async fn a_key_that_our_own_code_cannot_have_made_is_never_used_as_a_path() {
        let (_dir, blobs) = blobs();
        for key in ["../out", "/etc/passwd", "a//b", "a/../b", "a/.hidden", "", "a\0b", "a\\b", "ä"] {
            let error = blobs.put(key, Bytes::new()).await.unwrap_err();
            assert!(matches!(error, BlobError::BadKey(_)), "{key}: {error}");
        }
        assert!(blobs.healthy().await);
    }
}
