//! A file on its way in. Memory does not grow with it.
//!
//! The file is stored under a key of its own until everything beside it was read and its call is known. A file
//! that does not get that far is removed again.

use super::{BlobError, Blobs};
use bytes::Bytes;
use futures::Stream;

/// A file that is stored for now. It is removed when it is dropped before it became material of a call.
#[derive(Debug)]
pub struct Upload {
    /// SHA-256 of the content, in hexadecimal digits.
    pub digest: String,
    pub bytes: u64,
    pub media_type: Option<String>,
    place: Place,
}

impl Upload {
    /// Stores `content` piece by piece. [`BlobError::TooLarge`] where it is longer than `max` bytes, and
    /// [`BlobError::Source`] with the stream's own error where that breaks off.
    pub async fn store<E>(
        blobs: &Blobs,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
        max: u64,
        media_type: Option<String>,
    ) -> Result<Self, BlobError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let key = blobs.incoming_key()?;
        let place = Place { blobs: blobs.clone(), key, is_final: false };
        let stored = blobs.put_incoming(&place.key, content, max).await?;
        Ok(Self { digest: stored.sha256_hex, bytes: stored.bytes, media_type, place })
    }

    /// Moves the file to where it stays.
    pub async fn keep_as(mut self, key: &str) -> Result<(), BlobError> {
        self.place.blobs.rename(&self.place.key, key).await?;
        self.place.is_final = true;
        Ok(())
    }
}

struct Place {
    blobs: Blobs,
    key: String,
    is_final: bool,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (blobs, key) = (self.blobs.clone(), std::mem::take(&mut self.key));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.is_final {
            runtime.spawn(async move {
                if let Err(error) = blobs.delete(&key).await {
                    tracing::warn!(key, %error, "failed to remove an upload that was not accepted");
                }
            });
        }
    }
}
