//! What every place for blobs does: the folder, and a bucket on a real S3 server.

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use platform::blobs::testing::TestBucket;
use platform::blobs::{BlobError, Blobs, Copied, Stored, copy};
use sha2::{Digest as _, Sha256};

const MIB: usize = 1024 * 1024;
/// Memory for three uploads at the same time.
const MEMORY: u64 = 30 * MIB as u64;

/// A place for blobs of one test.
enum Place {
    Folder(tempfile::TempDir),
    Bucket(TestBucket),
}

impl Place {
    fn folder() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    async fn bucket() -> Option<Self> {
        TestBucket::make().await.map(Self::Bucket)
    }

    fn blobs(&self) -> Blobs {
        match self {
            Self::Folder(folder) => Blobs::local(folder.path()).unwrap(),
            Self::Bucket(bucket) => Blobs::bucket(bucket.settings(), MEMORY).unwrap(),
        }
    }

    /// What is on its way in.
    async fn unfinished(&self) -> Vec<String> {
        match self {
            Self::Folder(folder) => {
                let there = std::fs::read_dir(folder.path().join("incoming"));
                let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
                there
                    .map(|files| files.map(name).map(|name| name.into_string().unwrap()).collect())
                    .unwrap_or_default()
            }
            Self::Bucket(bucket) => {
                let keys = bucket.keys().await.into_iter();
                keys.filter(|key| key.starts_with("incoming/") || key.starts_with("uploads/")).collect()
            }
        }
    }

    /// Waits until nothing is on its way in.
    async fn is_clean(&self) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
        loop {
            let left = self.unfinished().await;
            if left.is_empty() {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{left:?} stays");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn remove(self) {
        if let Self::Bucket(bucket) = self {
            bucket.remove().await;
        }
    }
}

/// Makes one test for each place from a function that takes a place.
macro_rules! on_every_place {
    ($($test:ident),* $(,)?) => {
        mod in_a_folder {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&super::Place::folder()).await;
            })*
        }
        mod in_a_bucket {
            $(#[tokio::test]
            async fn $test() {
                let Some(place) = super::Place::bucket().await else { return };
                super::$test(&place).await;
                place.remove().await;
            })*
        }
    };
}

on_every_place!(
    a_stored_stream_can_be_read_whole_as_a_stream_and_in_ranges,
    a_stream_of_any_length_is_stored_with_its_digest,
    a_stream_that_is_too_long_or_breaks_off_leaves_nothing,
    an_upload_that_nobody_waits_for_any_more_leaves_nothing,
    a_blob_that_is_longer_than_the_limit_is_not_read,
    an_upload_gets_its_key_when_its_call_is_known,
    a_blob_is_replaced_and_removed,
    a_blob_that_is_not_there_is_told_from_a_place_that_does_not_work,
    a_key_that_our_own_code_cannot_have_made_is_never_used,
    all_blobs_are_listed_and_nothing_else,
    a_sweep_leaves_alone_what_is_being_written,
    the_place_works,
);

/// Bytes that are not the same everywhere, in chunks of a size that fits into no part.
fn content(bytes: usize) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    let chunk =
        |start: usize| (start..).take(70_001).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<u8>>();
    let whole: Vec<u8> =
        (0..bytes.div_ceil(70_001)).flat_map(|nth| chunk(nth * 70_001)).take(bytes).collect();
    let whole = Bytes::from(whole);
    stream::iter((0..bytes).step_by(70_001).map(move |at| Ok(whole.slice(at..bytes.min(at + 70_001)))))
}

async fn read(blobs: &Blobs, key: &str) -> Stored {
    let (size, pieces) = blobs.get_stream(key).await.unwrap();
    let add = |(mut hash, bytes): (Sha256, u64), piece: Bytes| async move {
        hash.update(&piece);
        Ok((hash, bytes + piece.len() as u64))
    };
    let (hash, bytes) = pieces.try_fold((Sha256::new(), 0), add).await.unwrap();
    assert_eq!(bytes, size);
    Stored { bytes, sha256_hex: hex::encode(hash.finalize()) }
}

async fn a_stored_stream_can_be_read_whole_as_a_stream_and_in_ranges(place: &Place) {
    let blobs = place.blobs();
    let stored = blobs.put_stream("w/c/audio", content(12 * MIB), u64::MAX).await.unwrap();
    assert_eq!(stored.bytes, 12 * MIB as u64);
    let whole = blobs.get("w/c/audio", stored.bytes).await.unwrap();
    assert_eq!(stored.sha256_hex, hex::encode(Sha256::digest(&whole)));
    let across_two_parts = 5 * MIB - 3..5 * MIB + 4;
    let range = across_two_parts.start as u64..across_two_parts.end as u64;
    assert_eq!(blobs.get_range("w/c/audio", range).await.unwrap(), whole[across_two_parts]);
    assert_eq!(read(&blobs, "w/c/audio").await, stored);
    assert_eq!(blobs.head("w/c/audio").await.unwrap(), Some(stored.bytes));
    place.is_clean().await;
}

async fn a_stream_of_any_length_is_stored_with_its_digest(place: &Place) {
    let blobs = place.blobs();
    for bytes in [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 10 * MIB] {
        let key = format!("w/{bytes}");
        let stored = blobs.put_stream(&key, content(bytes), u64::MAX).await.unwrap();
        assert_eq!(stored.bytes, bytes as u64);
        assert_eq!(read(&blobs, &key).await, stored, "{bytes}");
    }
}

async fn a_stream_that_is_too_long_or_breaks_off_leaves_nothing(place: &Place) {
    let blobs = place.blobs();
    let long = blobs.put_stream("long", content(7 * MIB), 6 * MIB as u64).await.unwrap_err();
    assert!(matches!(long, BlobError::TooLarge { .. }), "{long}");
    for bytes in [4, 6 * MIB] {
        let cut = content(bytes).chain(stream::iter([Err(std::io::Error::other("cut off"))]));
        let broken = blobs.put_stream("cut", cut, u64::MAX).await.unwrap_err();
        assert!(broken.to_string().contains("cut off"), "{broken}");
    }
    assert_eq!(blobs.head("long").await.unwrap(), None);
    assert_eq!(blobs.head("cut").await.unwrap(), None);
    place.is_clean().await;
}

async fn an_upload_that_nobody_waits_for_any_more_leaves_nothing(place: &Place) {
    let blobs = place.blobs();
    let key = blobs.incoming_key().unwrap();
    // The sender goes on for ever after seven megabytes, and then its request is dropped.
    let (reached, is_reached) = tokio::sync::oneshot::channel();
    let reached = stream::once(async move {
        reached.send(()).unwrap();
        Ok(Bytes::new())
    });
    let endless = content(7 * MIB).chain(reached).chain(stream::pending());
    let upload = tokio::spawn({
        let (blobs, key) = (blobs.clone(), key.clone());
        async move { blobs.put_incoming(&key, endless, u64::MAX).await.map(drop) }
    });
    is_reached.await.unwrap();
    upload.abort();
    assert!(upload.await.unwrap_err().is_cancelled());
    place.is_clean().await;
    assert_eq!(blobs.head(&key).await.unwrap(), None);
}

async fn a_blob_that_is_longer_than_the_limit_is_not_read(place: &Place) {
    let blobs = place.blobs();
    blobs.put("a", Bytes::from_static(b"12345")).await.unwrap();
    assert!(matches!(blobs.get("a", 4).await, Err(BlobError::TooLarge { max: 4, .. })));
    assert_eq!(blobs.get("a", 5).await.unwrap(), "12345");
}

async fn an_upload_gets_its_key_when_its_call_is_known(place: &Place) {
    let blobs = place.blobs();
    for bytes in [3, 11 * MIB] {
        let incoming = blobs.incoming_key().unwrap();
        let stored = blobs.put_incoming(&incoming, content(bytes), u64::MAX).await.unwrap();
        blobs.rename(&incoming, "w/kept").await.unwrap();
        assert_eq!(blobs.head(&incoming).await.unwrap(), None);
        assert_eq!(read(&blobs, "w/kept").await, stored);
    }
    place.is_clean().await;
    let nothing = blobs.rename("incoming/none", "w/kept").await;
    assert!(matches!(nothing, Err(BlobError::NotFound(_))), "{nothing:?}");
}

async fn a_blob_is_replaced_and_removed(place: &Place) {
    let blobs = place.blobs();
    for text in ["first", "second"] {
        blobs.put("w/a", text.into()).await.unwrap();
        assert_eq!(blobs.get("w/a", 10).await.unwrap(), text);
    }
    blobs.delete("w/a").await.unwrap();
    blobs.delete("w/a").await.unwrap();
    assert_eq!(blobs.head("w/a").await.unwrap(), None);
}

async fn a_blob_that_is_not_there_is_told_from_a_place_that_does_not_work(place: &Place) {
    let blobs = place.blobs();
    assert!(matches!(blobs.get("w/a", 10).await, Err(BlobError::NotFound(_))));
    assert!(matches!(blobs.get_range("w/a", 0..3).await, Err(BlobError::NotFound(_))));
    assert!(matches!(blobs.get_stream("w/a").await.err(), Some(BlobError::NotFound(_))));
    assert_eq!(blobs.head("w/a").await.unwrap(), None);
}

async fn a_key_that_our_own_code_cannot_have_made_is_never_used(place: &Place) {
    let blobs = place.blobs();
    for key in ["../out", "/etc/passwd", "a//b", "a/../b", "a/.hidden", "", "a\0b", "a\\b", "ä"] {
        let error = blobs.put(key, Bytes::new()).await.unwrap_err();
        assert!(matches!(error, BlobError::BadKey(_)), "{key}: {error}");
    }
}

async fn all_blobs_are_listed_and_nothing_else(place: &Place) {
    let blobs = place.blobs();
    for (key, text) in [("w/c/one", "1"), ("w/d/two", "22"), ("three", "333")] {
        blobs.put(key, text.into()).await.unwrap();
    }
    assert!(blobs.healthy().await);
    blobs.try_out().await.unwrap();
    let incoming = blobs.incoming_key().unwrap();
    blobs.put_incoming(&incoming, content(7 * MIB), u64::MAX).await.unwrap();
    let mut listed: Vec<(String, u64)> = blobs.list().try_collect().await.unwrap();
    listed.sort();
    let expected = [("three", 3), ("w/c/one", 1), ("w/d/two", 2)];
    assert_eq!(listed, expected.map(|(key, bytes)| (key.to_owned(), bytes)));
}

async fn a_sweep_leaves_alone_what_is_being_written(place: &Place) {
    let (blobs, other) = (place.blobs(), place.blobs());
    let incoming = blobs.incoming_key().unwrap();
    let stored = blobs.put_incoming(&incoming, content(6 * MIB), u64::MAX).await.unwrap();
    for sweeping in [&blobs, &other] {
        assert_eq!(sweeping.sweep().await.unwrap().files, 0);
    }
    blobs.rename(&incoming, "w/kept").await.unwrap();
    assert_eq!(read(&blobs, "w/kept").await, stored);
}

async fn the_place_works(place: &Place) {
    let blobs = place.blobs();
    assert!(blobs.healthy().await);
    blobs.try_out().await.unwrap();
}

/// Copies, and returns the keys with what became of them.
async fn copied(from: &Blobs, to: &Blobs, verify: bool) -> Vec<(String, Result<Copied, String>)> {
    let all = std::sync::Mutex::new(Vec::new());
    let add = |key: &str, _, copied: Result<Copied, BlobError>| {
        all.lock().unwrap().push((key.to_owned(), copied.map_err(|error| error.to_string())));
    };
    copy(from, to, verify, add).await.unwrap();
    let mut all = all.into_inner().unwrap();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

async fn a_deployment_moves(from: &Place, to: &Place) {
    let (old, new) = (from.blobs(), to.blobs());
    let small = old.put_stream("w/small", content(1000), u64::MAX).await.unwrap();
    let large = old.put_stream("w/large", content(11 * MIB), u64::MAX).await.unwrap();
    let all = |large, small| [("w/large".to_owned(), Ok(large)), ("w/small".to_owned(), Ok(small))];
    // A first copy was interrupted after the small blob, and the large one is not there in full.
    new.put_stream("w/small", content(1000), u64::MAX).await.unwrap();
    new.put_stream("w/large", content(6 * MIB), u64::MAX).await.unwrap();
    assert_eq!(copied(&old, &new, false).await, all(Copied::Sent, Copied::There));
    assert_eq!((read(&new, "w/small").await, read(&new, "w/large").await), (small.clone(), large));
    // Somebody changed a blob at the new place without changing its length.
    new.put("w/small", vec![0; 1000].into()).await.unwrap();
    assert_eq!(copied(&old, &new, false).await, all(Copied::There, Copied::There));
    assert_eq!(copied(&old, &new, true).await, all(Copied::There, Copied::Sent));
    assert_eq!(read(&new, "w/small").await, small);
    to.is_clean().await;
}

#[tokio::test]
async fn blobs_are_copied_from_a_folder_to_a_folder() {
    a_deployment_moves(&Place::folder(), &Place::folder()).await;
}

#[tokio::test]
async fn blobs_are_copied_from_a_folder_to_a_bucket_and_back() {
    let (Some(one), folder) = (Place::bucket().await, Place::folder()) else { return };
    a_deployment_moves(&folder, &one).await;
    let other = Place::folder();
    a_deployment_moves(&one, &other).await;
    one.remove().await;
}
