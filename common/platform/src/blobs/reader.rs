//! Reads a blob as a file is read, from any place on. A decoder needs that: the index of a recording often stands at its
//! end.
//!
//! The blob is read in ranges, so it works for a bucket as well as for a folder, and only some megabytes are in memory.
//! While the caller works on one range, the next one is already on its way.

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::{BlobError, Blobs};

/// The first range is short, because a caller that looks for an index reads little in each place. Each further range that
/// follows the one before it is twice as long, up to the longest.
const SHORTEST: u64 = 64 * 1024;
const LONGEST: u64 = 1024 * 1024;

type Fetched = Result<Bytes, BlobError>;

/// A blob as a [`Read`] and [`Seek`]. It blocks, so it is for threads that may block.
pub struct BlobReader {
    blobs: Blobs,
    key: String,
    bytes: u64,
    at: u64,
    runtime: Handle,
    /// The range that was read last, and where it begins.
    held: Bytes,
    held_from: u64,
    /// The range that is on its way, and where it begins.
    ahead: Option<(u64, JoinHandle<Fetched>)>,
    length: u64,
}

impl Blobs {
    /// Reads the blob `key`, which has so many bytes. It must be called within a runtime, and the reader must be used on a
    /// thread that may block.
    pub fn reader(&self, key: &str, bytes: u64) -> BlobReader {
        BlobReader {
            blobs: self.clone(),
            key: key.to_owned(),
            bytes,
            at: 0,
            runtime: Handle::current(),
            held: Bytes::new(),
            held_from: 0,
            ahead: None,
            length: SHORTEST,
        }
    }
}

impl BlobReader {
    /// The part of the range in memory that begins at the present place.
    fn rest(&self) -> &[u8] {
        let skipped = self.at.checked_sub(self.held_from).and_then(|skipped| usize::try_from(skipped).ok());
        skipped.and_then(|skipped| self.held.get(skipped..)).unwrap_or_default()
    }

    fn fetch(&mut self) -> io::Result<()> {
        let follows = self.held_from + self.held.len() as u64 == self.at && !self.held.is_empty();
        self.length = if follows { (self.length * 2).min(LONGEST) } else { SHORTEST };
        let fetched = match self.ahead.take() {
            Some((from, ahead)) if from == self.at => {
                self.runtime.block_on(ahead).map_err(io::Error::other)?
            }
            other => {
                if let Some((_, unwanted)) = other {
                    unwanted.abort();
                }
                let range = self.at..(self.at + self.length).min(self.bytes);
                self.runtime.block_on(self.blobs.get_range(&self.key, range))
            }
        };
        self.held = fetched.map_err(io::Error::other)?;
        self.held_from = self.at;
        if self.held.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the blob became shorter"));
        }
        self.look_ahead(follows);
        Ok(())
    }

    /// Asks for the next range, once the caller reads one after the other.
    fn look_ahead(&mut self, follows: bool) {
        let from = self.held_from + self.held.len() as u64;
        if follows && from < self.bytes {
            let until = (from + (self.length * 2).min(LONGEST)).min(self.bytes);
            let (blobs, key) = (self.blobs.clone(), self.key.clone());
            let ahead = self.runtime.spawn(async move { blobs.get_range(&key, from..until).await });
            self.ahead = Some((from, ahead));
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.bytes || into.is_empty() {
            return Ok(0);
        }
        if self.rest().is_empty() {
            self.fetch()?;
        }
        let rest = self.rest();
        let taken = rest.len().min(into.len());
        into[..taken].copy_from_slice(&rest[..taken]);
        self.at += taken as u64;
        Ok(taken)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = place.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the place is before the start of the blob")
        })?;
        Ok(self.at)
    }
}

impl Drop for BlobReader {
    fn drop(&mut self) {
        if let Some((_, unwanted)) = self.ahead.take() {
            unwanted.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Vec<u8> {
        (0..3_000_000_u32)
            .map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 24).unwrap_or_default())
            .collect()
    }

    #[tokio::test]
    async fn a_blob_is_read_from_its_start_to_its_end_and_from_any_place_on() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(folder.path()).unwrap();
        let content = content();
        blobs.put("a/b", Bytes::from(content.clone())).await.unwrap();
        let mut reader = blobs.reader("a/b", content.len() as u64);
        tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            assert!(all == content, "the whole blob");
            for place in [2_999_990, 5, 1_500_000, 0, 70_000] {
                assert_eq!(reader.seek(SeekFrom::Start(place)).unwrap(), place);
                let mut some = [0; 10];
                reader.read_exact(&mut some).unwrap();
                let place = usize::try_from(place).unwrap();
                assert_eq!(some, content[place..place + 10]);
            }
            assert_eq!(reader.seek(SeekFrom::End(-3)).unwrap(), 2_999_997);
            let mut end = Vec::new();
            reader.read_to_end(&mut end).unwrap();
            assert_eq!(end, content[2_999_997..]);
            assert_eq!(reader.seek(SeekFrom::Start(9_000_000)).unwrap(), 9_000_000);
            assert_eq!(reader.read(&mut [0; 4]).unwrap(), 0);
            assert!(reader.seek(SeekFrom::Current(-10_000_000)).is_err());
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_blob_that_is_gone_is_an_error_and_not_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::local(folder.path()).unwrap();
        let mut reader = blobs.reader("gone", 10);
        let read = tokio::task::spawn_blocking(move || reader.read(&mut [0; 4])).await.unwrap();
        assert!(read.unwrap_err().to_string().contains("gone"));
    }
}
