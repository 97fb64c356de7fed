//! Copies all blobs from one place to another, for a deployment that moves.
//!
//! A copy that was interrupted is begun again. A blob appears at its key only when it is complete, so a blob of the same
//! length is there already. What was sent is read back, and its digest is compared.

use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};

use super::{BlobError, Blobs, Stored};

/// How many blobs are copied at the same time.
pub const AT_ONCE: usize = 4;

/// What became of one blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It was sent, and it is the same at both places.
    Sent,
    /// It was there already.
    There,
}

/// Copies every blob, and tells `report` the key, the length in bytes, and what became of it. With `verify`, what is there
/// already is read at both places and compared. The error is that of a place that cannot be listed.
pub async fn copy(
    from: &Blobs,
    to: &Blobs,
    verify: bool,
    report: impl Fn(&str, u64, Result<Copied, BlobError>),
) -> Result<(), BlobError> {
    let report = &report;
    let all = from.list();
    all.try_for_each_concurrent(AT_ONCE, |(key, bytes)| async move {
        let copied = copy_one(from, to, verify, &key, bytes).await;
        report(&key, bytes, copied);
        Ok(())
    })
    .await
}

async fn copy_one(
    from: &Blobs,
    to: &Blobs,
    verify: bool,
    key: &str,
    bytes: u64,
) -> Result<Copied, BlobError> {
    let is_there = to.head(key).await? == Some(bytes);
    if is_there && (!verify || read(from, key).await? == read(to, key).await?) {
        return Ok(Copied::There);
    }
    let (_, content) = from.get_stream(key).await?;
    let sent = to.put_stream(key, content, u64::MAX).await?;
    if read(to, key).await? == sent {
        return Ok(Copied::Sent);
    }
    to.delete(key).await?;
    Err(BlobError::Store("what arrived is not what was sent, and it was removed again".to_owned()))
}

/// Reads a blob to its end.
async fn read(blobs: &Blobs, key: &str) -> Result<Stored, BlobError> {
    let (_, content) = blobs.get_stream(key).await?;
    let add = |(mut hash, bytes): (Sha256, u64), chunk: bytes::Bytes| async move {
        hash.update(&chunk);
        Ok((hash, bytes + chunk.len() as u64))
    };
    let (hash, bytes) = content.try_fold((Sha256::new(), 0), add).await?;
    Ok(Stored { bytes, sha256_hex: hex::encode(hash.finalize()) })
}
