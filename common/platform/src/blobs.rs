//! Blobs hold what is too large for a row or an event: uploads, fetched recordings, long details.
//!
//! They are files in a local folder, or objects in a bucket of S3. When a function that writes returns Ok, the bytes are
//! where they stay: in the folder the file and its folder are synced before, and a bucket has confirmed them. This matters,
//! since a sender who got the answer "accepted" does not send again. When writing is interrupted, the incomplete blob never
//! appears under its key.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use reqwest::Method;
use url::Url;

mod bucket;
mod copy;
mod folder;
mod incoming;
mod measure;
mod reader;
mod settings;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod upload;

use bucket::Bucket;
pub use bucket::UPLOAD_BYTES;
pub use copy::{AT_ONCE, Copied, copy};
use folder::Folder;
pub use incoming::Swept;
use incoming::writer_of;
pub use reader::BlobReader;
pub use settings::{BucketSettings, Settings};
pub use upload::Upload;

const MAX_KEY_CHARS: usize = 512;
/// How long the answer to the question whether the blobs work may take.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);
/// The folder of the blobs on their way in.
const INCOMING: &str = "incoming";
/// The folder in which the processes that write say that they are alive.
const WRITERS: &str = "writers";
/// The folder of the notes about uploads in parts that are under way in a bucket.
const UPLOADS: &str = "uploads";
/// What is written or asked for to find out whether the blobs work.
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
    /// The memory for uploads is in use.
    #[error("failed to store the blob: other uploads leave no memory for it")]
    Busy,
    /// The folder or the bucket does not work, or does not let us in. The text says why.
    #[error("failed to use the blob store: {0}")]
    Store(String),
}

/// The size and the digest of what was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub bytes: u64,
    pub sha256_hex: String,
}

#[derive(Clone)]
pub struct Blobs {
    place: Place,
    /// Whether the blobs did not work when they were last looked at.
    is_away: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Place {
    Folder(Folder),
    Bucket(Arc<Bucket>),
}

impl Blobs {
    /// Blobs in the bucket of the settings, or in the folder `dir`. `memory` is how many bytes of uploads to a bucket may
    /// be in memory at the same time. It is no error when the bucket is away.
    pub fn open(settings: &Settings, dir: &std::path::Path, memory: u64) -> Result<Self, BlobError> {
        match settings {
            Settings::Folder => Self::local(dir),
            Settings::Bucket(bucket) => Self::bucket(bucket.clone(), memory),
        }
    }

    /// Blobs in the folder `dir`, which is made if it does not exist.
    pub fn local(dir: &std::path::Path) -> Result<Self, BlobError> {
        Ok(Self { place: Place::Folder(Folder::open(dir)?), is_away: Arc::default() })
    }

    /// Blobs in a bucket.
    pub fn bucket(settings: BucketSettings, memory: u64) -> Result<Self, BlobError> {
        let bucket = Bucket::open(settings, memory)?;
        Ok(Self { place: Place::Bucket(Arc::new(bucket)), is_away: Arc::default() })
    }

    /// The key for a new blob whose place is not known yet. The caller renames the blob or deletes it. When the process
    /// ends before that, [`Blobs::sweep`] removes it.
    pub fn incoming_key(&self) -> Result<String, BlobError> {
        match &self.place {
            Place::Folder(folder) => folder.incoming_key(),
            Place::Bucket(bucket) => Ok(bucket.incoming_key()),
        }
    }

    /// Removes what processes left half-written when they were killed.
    pub async fn sweep(&self) -> Result<Swept, BlobError> {
        match &self.place {
            Place::Folder(folder) => folder.sweep().await,
            Place::Bucket(bucket) => bucket.sweep().await,
        }
    }

    /// Whether a text can be the key of a blob.
    pub fn is_key(text: &str) -> bool {
        path(text).is_ok()
    }

    /// Whether a key, or the folder that it names, is not for blobs: blobs on their way in, and what the health check
    /// writes.
    pub fn is_for_own_use(key: &str) -> bool {
        let rooms = [INCOMING, WRITERS, UPLOADS];
        key == HEALTH || rooms.iter().any(|room| key == *room || name_in(room, key).is_some())
    }

    /// Stores `bytes` under `key`, and replaces the blob that had this key before.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        self.store().put(&path(key)?, bytes.into()).await.map_err(|error| self.unusable(key, error))?;
        Ok(())
    }

    /// Stores a stream of unknown length. Only a part of it is held in memory. Nothing is stored when the stream
    /// breaks off or is longer than `max` bytes. The blob gets its key when it is complete.
    pub async fn put_stream<S, E>(&self, key: &str, stream: S, max: u64) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = path(key)?;
        // An object appears when it is complete, so it needs no other key before.
        if let Place::Bucket(bucket) = &self.place {
            return bucket.write(key, &path, stream, max).await;
        }
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
        let path = path(key)?;
        match &self.place {
            Place::Folder(folder) => folder.write(key, &path, stream, max).await,
            Place::Bucket(bucket) => bucket.write(key, &path, stream, max).await,
        }
    }

    /// Gives a blob the key `to`, and replaces the blob that had this key before.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), BlobError> {
        let (from_path, to) = (path(from)?, path(to)?);
        match &self.place {
            Place::Folder(folder) => {
                folder.store.rename(&from_path, &to).await.map_err(|error| blob_error(from, error))
            }
            Place::Bucket(bucket) => bucket.rename((from, &from_path), &to).await,
        }
    }

    /// The whole blob. It is an error when the blob is longer than `max` bytes.
    pub async fn get(&self, key: &str, max: u64) -> Result<Bytes, BlobError> {
        let found = self.store().get(&path(key)?).await.map_err(|error| self.failed(key, error))?;
        if found.meta.size > max {
            return Err(BlobError::TooLarge { key: key.to_owned(), max });
        }
        found.bytes().await.map_err(|error| self.failed(key, error))
    }

    /// The length of a blob in bytes, and its content as a stream.
    pub async fn get_stream(
        &self,
        key: &str,
    ) -> Result<(u64, BoxStream<'static, Result<Bytes, BlobError>>), BlobError> {
        let store: &dyn ObjectStore = match &self.place {
            Place::Folder(folder) => folder.store.as_ref(),
            Place::Bucket(bucket) => &bucket.streams,
        };
        let found = store.get(&path(key)?).await.map_err(|error| self.failed(key, error))?;
        let (size, key, blobs) = (found.meta.size, key.to_owned(), self.clone());
        Ok((size, found.into_stream().map_err(move |error| blobs.failed(&key, error)).boxed()))
    }

    /// The bytes of `range`. There are fewer when the blob ends before the range does.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        self.store().get_range(&path(key)?, range).await.map_err(|error| self.failed(key, error))
    }

    /// The length of a blob in bytes; `None` when there is no such blob.
    pub async fn head(&self, key: &str) -> Result<Option<u64>, BlobError> {
        let path = path(key)?;
        let size = match &self.place {
            Place::Folder(folder) => {
                folder.store.head(&path).await.map(|meta| meta.size).map_err(|error| blob_error(key, error))
            }
            Place::Bucket(bucket) => bucket.head(key, &path).await,
        };
        match size {
            Ok(size) => Ok(Some(size)),
            Err(BlobError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a blob. It is no error when there is no such blob.
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        let path = path(key)?;
        let deleted = match &self.place {
            Place::Folder(folder) => folder.store.delete(&path).await.map_err(|error| blob_error(key, error)),
            Place::Bucket(bucket) => bucket.delete(key, &path).await,
        };
        match deleted {
            Err(BlobError::NotFound(_)) => Ok(()),
            other => other,
        }
    }

    /// An address at which whoever knows it can read the blob for an hour, whole and in ranges. `method` is GET or HEAD,
    /// and the answer there says that the blob is of `media_type`. `None` where the blobs have no addresses.
    pub async fn url(&self, key: &str, method: Method, media_type: &str) -> Result<Option<Url>, BlobError> {
        match &self.place {
            Place::Folder(_) => Ok(None),
            Place::Bucket(bucket) => bucket.url(&path(key)?, method, media_type).await,
        }
    }

    /// The key and the length in bytes of every blob. Blobs on their way in are left out.
    pub fn list(&self) -> BoxStream<'_, Result<(String, u64), BlobError>> {
        self.store()
            .list(None)
            .map_err(|error| self.unusable("", error))
            .map_ok(|meta| (meta.location.to_string(), meta.size))
            .try_filter(move |(key, _)| futures::future::ready(!Self::is_for_own_use(key)))
            .boxed()
    }

    /// Whether the folder can be written now, or the bucket answers. When this changes, it is logged with the reason.
    pub async fn healthy(&self) -> bool {
        let look = async {
            match &self.place {
                Place::Folder(folder) => folder.try_out().await,
                Place::Bucket(bucket) => bucket.answers().await,
            }
        };
        let looked = tokio::time::timeout(HEALTH_TIMEOUT, look).await;
        let looked = looked.unwrap_or_else(|_| Err(BlobError::Store("there was no answer in time".into())));
        let was_away = self.is_away.swap(looked.is_err(), Ordering::Relaxed);
        match &looked {
            Err(error) if !was_away => tracing::warn!(%error, "the blobs do not work"),
            Ok(()) if was_away => tracing::info!("the blobs work again"),
            _ => {}
        }
        looked.is_ok()
    }

    /// Tries everything that is needed from the folder or the bucket, and says what does not work.
    pub async fn try_out(&self) -> Result<(), BlobError> {
        match &self.place {
            Place::Folder(folder) => folder.try_out().await,
            Place::Bucket(bucket) => bucket.try_out().await,
        }
    }

    fn store(&self) -> &dyn ObjectStore {
        match &self.place {
            Place::Folder(folder) => folder.store.as_ref(),
            Place::Bucket(bucket) => &bucket.store,
        }
    }

    /// What a failed request about a blob means.
    fn failed(&self, key: &str, error: object_store::Error) -> BlobError {
        match &self.place {
            Place::Folder(_) => blob_error(key, error),
            Place::Bucket(bucket) => bucket.failed(key, &error),
        }
    }

    /// What a failed request means that does not need a blob to be there.
    fn unusable(&self, key: &str, error: object_store::Error) -> BlobError {
        match self.failed(key, error) {
            BlobError::NotFound(_) => BlobError::Store("a part of it is not there any more".into()),
            other => other,
        }
    }
}

/// The path of a key. Our own code makes keys from ids and digests. Any other text is a mistake, and is never used
/// as a path.
fn path(key: &str) -> Result<Path, BlobError> {
    if key.len() <= MAX_KEY_CHARS && key.split('/').all(is_part) {
        Ok(Path::from(key))
    } else {
        Err(BlobError::BadKey(key.chars().take(80).collect()))
    }
}

/// Whether this can stand between two slashes of a key.
fn is_part(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !part.is_empty() && !part.starts_with('.') && part.chars().all(plain)
}

/// The name of what stands directly in a folder, from its key.
fn name_in<'a>(folder: &str, key: &'a str) -> Option<&'a str> {
    key.strip_prefix(folder)?.strip_prefix('/')
}

fn blob_error(key: &str, error: object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::NotFound(key.to_owned()),
        error => BlobError::Store(error.to_string()),
    }
}
