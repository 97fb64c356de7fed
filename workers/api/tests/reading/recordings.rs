use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LOCATION,
};
use domain::event::{Material, MaterialAt};

use platform::blobs::Blobs;
use platform::blobs::testing::TestBucket;

use crate::world::{World, recording};

/// The start of an MP3 file.
const AUDIO: &[u8] = b"ID3\x04\x00\x00\x00\x00\x00\x00 and some sound";

#[tokio::test]
async fn an_uploaded_recording_can_be_read_whole_and_in_parts() {
    let world = World::new().await;
    world.blobs.put("w/c/aa11", AUDIO.into()).await.unwrap();
    let upload =
        Material { media_type: Some("audio/mpeg".into()), ..recording(MaterialAt::Blob("w/c/aa11".into())) };
    let path = format!("/api/calls/{}/recording", world.arrived("CALL-1", vec![upload]).await);
    let whole = world.get(&path).await;
    assert_eq!((whole.status.as_u16(), whole.bytes.as_slice()), (200, AUDIO));
    assert_eq!(whole.headers[CONTENT_TYPE], "audio/mpeg");
    assert_eq!(whole.headers[ACCEPT_RANGES], "bytes");
    assert_eq!(whole.headers[CONTENT_LENGTH], AUDIO.len().to_string());

    let part = world.get_with(&path, &[("range", "bytes=0-2")]).await;
    assert_eq!((part.status.as_u16(), part.bytes.as_slice()), (206, b"ID3".as_slice()));
    assert_eq!(part.headers[CONTENT_RANGE], format!("bytes 0-2/{}", AUDIO.len()));
    let end = world.get_with(&path, &[("range", "bytes=-5")]).await;
    assert_eq!(end.bytes, b"sound");

    let etag = whole.headers[ETAG].to_str().unwrap();
    let same = world.get_with(&path, &[("range", "bytes=0-2"), ("if-range", etag)]).await;
    let changed = world.get_with(&path, &[("range", "bytes=0-2"), ("if-range", "\"other\"")]).await;
    assert_eq!((same.status.as_u16(), changed.status.as_u16()), (206, 200));

    let beyond = world.get_with(&path, &[("range", "bytes=500-")]).await;
    beyond.is_problem(416);
    assert_eq!(beyond.headers[CONTENT_RANGE], format!("bytes */{}", AUDIO.len()));
}

#[tokio::test]
async fn a_long_recording_is_sent_completely() {
    let world = World::new().await;
    let long: Vec<u8> = (0..3_000_001_u32).map(|at| at.to_le_bytes()[1]).collect();
    world.blobs.put("w/c/aa11", long.clone().into()).await.unwrap();
    let id = world.arrived("CALL-1", vec![recording(MaterialAt::Blob("w/c/aa11".into()))]).await;
    assert_eq!(world.get(&format!("/api/calls/{id}/recording")).await.bytes, long);
}

#[tokio::test]
async fn a_recording_that_was_announced_by_its_url_can_be_read_once_it_is_fetched() {
    let world = World::new().await;
    let id = world.arrived("CALL-1", vec![recording(MaterialAt::SealedUrl("s".into()))]).await;
    let path = format!("/api/calls/{id}/recording");
    world.get(&path).await.is_problem(404);
    world.blobs.put(&format!("recordings/{id}/aa11"), AUDIO.into()).await.unwrap();
    let fetched = world.get(&path).await;
    assert_eq!(
        (fetched.bytes.as_slice(), &fetched.headers[CONTENT_TYPE]),
        (AUDIO, &"audio/mpeg".parse().unwrap())
    );
}

#[tokio::test]
async fn a_web_page_that_was_uploaded_as_a_recording_is_never_shown_as_a_page() {
    let world = World::new().await;
    world.blobs.put("w/c/aa11", "<html><script>alert(1)</script>".into()).await.unwrap();
    let page =
        Material { media_type: Some("text/html".into()), ..recording(MaterialAt::Blob("w/c/aa11".into())) };
    let id = world.arrived("CALL-1", vec![page]).await;
    let answer = world.get(&format!("/api/calls/{id}/recording")).await;
    assert_eq!(answer.headers[CONTENT_TYPE], "application/octet-stream");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn the_reader_of_a_recording_in_a_bucket_is_sent_there() {
    let Some(bucket) = TestBucket::make().await else { return };
    let world = World::on(Blobs::bucket(bucket.settings(), 0).unwrap()).await;
    world.blobs.put("w/c/aa11", AUDIO.into()).await.unwrap();
    let id = world.arrived("CALL-1", vec![recording(MaterialAt::Blob("w/c/aa11".into()))]).await;
    let path = format!("/api/calls/{id}/recording");
    let answer = world.get(&path).await;
    assert_eq!((answer.status.as_u16(), &answer.headers[CACHE_CONTROL]), (307, &"no-store".parse().unwrap()));
    let client = platform::http::client(Duration::from_secs(10));
    let there = client.get(answer.headers[LOCATION].to_str().unwrap()).header("range", "bytes=0-2");
    let there = there.send().await.unwrap();
    assert_eq!(
        (there.status().as_u16(), &there.headers()[CONTENT_TYPE]),
        (206, &"audio/mpeg".parse().unwrap())
    );
    assert_eq!(there.bytes().await.unwrap(), "ID3");
    let head = world.send(Request::head(&path).body(Body::empty()).unwrap()).await;
    let head = client.head(head.headers[LOCATION].to_str().unwrap()).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()[CONTENT_LENGTH]), (200, &AUDIO.len().into()));

    let streaming = bucket.with("BLOB_REDIRECT", "false");
    let world = World::on(Blobs::bucket(streaming, 0).unwrap()).await;
    let id = world.arrived("CALL-1", vec![recording(MaterialAt::Blob("w/c/aa11".into()))]).await;
    let part = world.get_with(&format!("/api/calls/{id}/recording"), &[("range", "bytes=0-2")]).await;
    assert_eq!((part.status.as_u16(), part.bytes.as_slice()), (206, b"ID3".as_slice()));
    bucket.remove().await;
}
