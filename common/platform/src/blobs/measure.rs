//! Counts and digests a stream while it is stored, and ends it where it is too long.

use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};

use super::{BlobError, Stored};

pub(super) struct Measure<'a, S> {
    key: &'a str,
    stream: Pin<Box<S>>,
    max: u64,
    bytes: u64,
    hash: Sha256,
}

impl<'a, S, E> Measure<'a, S>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    pub(super) fn new(key: &'a str, stream: S, max: u64) -> Self {
        Self { key, stream: Box::pin(stream), max, bytes: 0, hash: Sha256::new() }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        let Some(chunk) = self.stream.next().await else { return Ok(None) };
        let chunk = chunk.map_err(|error| BlobError::Source(error.into()))?;
        self.bytes += chunk.len() as u64;
        if self.bytes > self.max {
            return Err(BlobError::TooLarge { key: self.key.to_owned(), max: self.max });
        }
        self.hash.update(&chunk);
        Ok(Some(chunk))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn end(self) -> Stored {
        Stored { bytes: self.bytes, sha256_hex: hex::encode(self.hash.finalize()) }
    }
}
