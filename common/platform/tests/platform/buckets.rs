//! What can be wrong with a bucket, and what is said about it.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use platform::blobs::testing::TestBucket;
use platform::blobs::{BlobError, Blobs, BucketSettings};
use reqwest::Method;
use tokio::net::TcpListener;

const MIB: u64 = 1024 * 1024;

fn blobs(settings: BucketSettings) -> Blobs {
    Blobs::bucket(settings, 20 * MIB).unwrap()
}

/// Every kind of request fails because of the bucket, and each says why. None of them says that a blob is missing.
async fn nothing_works(blobs: &Blobs, why: &str) {
    let large = || stream::iter((0..7).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![1; 1024 * 1024]))));
    let incoming = blobs.incoming_key().unwrap();
    let problems = [
        ("put", blobs.put("a", "1".into()).await.err()),
        ("put_stream", blobs.put_stream("a", large(), u64::MAX).await.err()),
        ("put_incoming", blobs.put_incoming(&incoming, large().take(1), u64::MAX).await.err()),
        ("get", blobs.get("a", 10).await.err()),
        ("get_stream", blobs.get_stream("a").await.err()),
        ("get_range", blobs.get_range("a", 0..2).await.err()),
        ("head", blobs.head("a").await.err()),
        ("rename", blobs.rename("a", "b").await.err()),
        ("delete", blobs.delete("a").await.err()),
        ("list", blobs.list().next().await.and_then(Result::err)),
        ("sweep", blobs.sweep().await.err()),
        ("try_out", blobs.try_out().await.err()),
    ];
    for (what, problem) in problems {
        let problem = problem.unwrap_or_else(|| panic!("{what} is no error"));
        assert!(matches!(problem, BlobError::Store(_)), "{what}: {problem:?}");
        let text = problem.to_string();
        assert!(text.starts_with("failed to use the blob store: ") && text.contains(why), "{what}: {text}");
        assert!(text.len() < 500 && !text.contains('\n'), "{what}: {text}");
    }
    assert!(!blobs.healthy().await);
}

#[tokio::test]
async fn a_missing_bucket_is_named_and_all_goes_on_when_it_is_there() {
    let Some(bucket) = TestBucket::named() else { return };
    let blobs = blobs(bucket.settings());
    nothing_works(&blobs, "there is no bucket `test-").await;
    bucket.create().await;
    assert!(blobs.healthy().await);
    blobs.put("a", "1".into()).await.unwrap();
    assert_eq!(blobs.get("a", 1).await.unwrap(), "1");
    bucket.remove().await;
    nothing_works(&blobs, "there is no bucket `test-").await;
}

#[tokio::test]
async fn credentials_that_are_refused_are_named_by_their_setting() {
    let Some(bucket) = TestBucket::make().await else { return };
    for (name, value) in [("AWS_ACCESS_KEY_ID", "nobody"), ("AWS_SECRET_ACCESS_KEY", "wrong-hunter2")] {
        nothing_works(&blobs(bucket.with(name, value)), name).await;
    }
    bucket.remove().await;
}

#[tokio::test]
async fn an_endpoint_that_refuses_connections_is_named() {
    let Some(bucket) = TestBucket::named() else { return };
    // Port 9 belongs to the discard protocol, and no program listens there.
    let blobs = blobs(bucket.with("AWS_ENDPOINT", "http://127.0.0.1:9"));
    nothing_works(&blobs, "127.0.0.1:9 cannot be reached: Connection refused").await;
}

#[tokio::test]
async fn an_endpoint_that_takes_connections_and_never_answers_is_not_healthy() {
    let Some(bucket) = TestBucket::named() else { return };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let blobs = blobs(bucket.with("AWS_ENDPOINT", &address));
    assert!(!blobs.healthy().await);
}

/// A reader is sent to an address that works without our credentials, and for this blob only.
#[tokio::test]
async fn whoever_has_the_address_of_a_blob_reads_it_whole_and_in_ranges() {
    let Some(bucket) = TestBucket::make().await else { return };
    let blobs = blobs(bucket.settings());
    blobs.put("w/a", "0123456789".into()).await.unwrap();
    let client = platform::http::client(Duration::from_secs(10));
    let url = blobs.url("w/a", Method::GET, "audio/wav").await.unwrap().expect("an address");
    let whole = client.get(url.clone()).send().await.unwrap();
    assert_eq!(
        (whole.status().as_u16(), &whole.headers()["content-type"]),
        (200, &"audio/wav".parse().unwrap())
    );
    assert_eq!(whole.text().await.unwrap(), "0123456789");
    let part = client.get(url.clone()).header("range", "bytes=3-5").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], "bytes 3-5/10");
    assert_eq!(part.text().await.unwrap(), "345");
    let beyond = client.get(url.clone()).header("range", "bytes=10-").send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    let head = blobs.url("w/a", Method::HEAD, "audio/wav").await.unwrap().expect("an address");
    assert_eq!(client.head(head).send().await.unwrap().status(), 200);
    let mut other = url.clone();
    other.set_path(&url.path().replace("/w/a", "/w/b"));
    assert_eq!(client.get(other).send().await.unwrap().status(), 403);
    let mut other_type = url.to_string();
    other_type = other_type.replace("audio%2Fwav", "text%2Fhtml");
    assert_ne!(other_type, url.as_str());
    assert_eq!(client.get(other_type).send().await.unwrap().status(), 403);
    let without = Blobs::bucket(bucket.with("BLOB_REDIRECT", "false"), MIB).unwrap();
    assert_eq!(without.url("w/a", Method::GET, "audio/wav").await.unwrap(), None);
    bucket.remove().await;
}

/// An upload waits for memory; a small one needs none.
#[tokio::test]
async fn uploads_share_the_memory_and_a_small_one_does_not_wait() {
    let Some(bucket) = TestBucket::make().await else { return };
    let one_at_a_time = Blobs::bucket(bucket.settings(), MIB).unwrap();
    let (begun, is_begun) = tokio::sync::oneshot::channel();
    let (go_on, may_go_on) = tokio::sync::oneshot::channel::<()>();
    let slow = stream::iter([Ok(Bytes::from(vec![1; 1024 * 1024]))]).chain(stream::once(async move {
        begun.send(()).unwrap();
        may_go_on.await.map_err(std::io::Error::other)?;
        Ok::<_, std::io::Error>(Bytes::from_static(b"end"))
    }));
    let first = tokio::spawn({
        let blobs = one_at_a_time.clone();
        async move { blobs.put_stream("first", slow, u64::MAX).await }
    });
    is_begun.await.unwrap();
    let of = |bytes: usize| stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![2; bytes]))]);
    one_at_a_time.put_stream("small", of(200_000), u64::MAX).await.unwrap();
    let refused = one_at_a_time.put_stream("second", of(300_000), u64::MAX).await.unwrap_err();
    assert!(matches!(refused, BlobError::Busy), "{refused}");
    go_on.send(()).unwrap();
    first.await.unwrap().unwrap();
    one_at_a_time.put_stream("second", of(300_000), u64::MAX).await.unwrap();
    bucket.remove().await;
}
