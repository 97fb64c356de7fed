//! Recognizes a recording that came to the same call before, by another way.
//!
//! A telephony provider announces a recording by its own callback, and an automation tool forwards its address. The two
//! differ, and the bytes behind them do not. Whoever was paid for the bytes once is not paid again: what is kept about the
//! first material holds for the second.

use bytes::Bytes;
use domain::event::{Material, MaterialKind};
use platform::blobs::BlobError;
use queue_topology::{Cx, StageError};

use crate::material::{self, Source, StoredRecording};

/// A digest has 64 characters. What is longer was not written here.
const MAX_DIGEST_BYTES: u64 = 1_000;

/// Returns the digest of the material that brought the bytes of `stored` to this call first, if `material` was not the
/// first.
pub(crate) async fn first_of(
    cx: &Cx,
    source: &Source,
    material: &Material,
    stored: &StoredRecording,
) -> Result<Option<String>, StageError> {
    let Some(sha256_hex) = &stored.sha256_hex else { return Ok(None) };
    let key = format!("contents/{}/{sha256_hex}", cx.run.call);
    let known = match source.blobs.get(&key, MAX_DIGEST_BYTES).await {
        Ok(digest) => Some(String::from_utf8_lossy(&digest).into_owned()),
        Err(BlobError::NotFound(_)) => uploaded(cx, sha256_hex).await?,
        Err(error) => return Err(material::blob_fault(error)),
    };
    match known {
        Some(first) if first == material.digest => Ok(None),
        Some(first) => {
            tracing::info!("the recording came to this call before, by another way");
            Ok(Some(first))
        }
        None => {
            let digest = Bytes::from(material.digest.clone());
            source.blobs.put(&key, digest).await.map_err(material::blob_fault)?;
            Ok(None)
        }
    }
}

/// The digest of a file that somebody uploaded with these bytes. It is the digest of the bytes.
async fn uploaded(cx: &Cx, sha256_hex: &str) -> Result<Option<String>, StageError> {
    let arrived = cx.store.materials(cx.run.workspace, cx.run.call).await?;
    let mut recordings = arrived.iter().map(|stored| &stored.material);
    let is_it =
        |material: &&Material| material.kind == MaterialKind::Recording && material.digest == sha256_hex;
    Ok(recordings.find(is_it).map(|material| material.digest.clone()))
}
