//! Tests a deployment whose blobs are in a bucket, and what it tells when the bucket does not work.

use std::time::Duration;

use platform::blobs::testing::TestBucket;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

use crate::inputs::{PhoneCall, word};
use crate::proxy::Proxy;
use crate::world::{Kind, World};

async fn world_with(bucket: &TestBucket, more: &[(&str, &str)]) -> World {
    let values = bucket.values();
    let values = values.iter().map(|(name, value)| (*name, value.as_str()));
    World::start_with(Kind::Embedded, &values.chain(more.iter().copied()).collect::<Vec<_>>()).await
}

fn upload(world: &World, call: &PhoneCall) -> reqwest::RequestBuilder {
    let audio = Part::bytes(World::spoken(call)).file_name("call.wav");
    let metadata = Part::text(format!(r#"{{"call_id": "{}"}}"#, call.id));
    world.request("POST", "/api/calls").multipart(Form::new().part("metadata", metadata).part("audio", audio))
}

/// The run of transcription of a call, which waits for the blobs and has spent no attempt.
async fn waits_for_the_blobs(world: &World, call: &PhoneCall) {
    let path = format!("/api/calls/{}/timeline", call.id);
    let run = world.wait("the call to wait for the blobs", async |world| {
        let timeline = world.get(&path).await?;
        let stages: Vec<Value> = timeline["stages"].as_array()?.clone();
        stages.into_iter().find(|stage| stage["stage"] == "transcription" && stage["waits_for"] == "blobs")
    });
    let run = run.await;
    assert_eq!((&run["state"], &run["attempts"]), (&"parked".into(), &0.into()), "{run}");
    assert_eq!(run["error_code"], "blobs_unavailable");
}

async fn is_ready(world: &World, status: u16, blobs: &str) {
    world
        .wait(&format!("/ready to answer {status}"), async |world| {
            (world.ready("all").await == status).then_some(())
        })
        .await;
    assert_eq!(world.health("all").await["blobs"], blobs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_vanishes_loses_no_call_and_all_goes_on_when_it_is_back() {
    let Some(bucket) = TestBucket::make().await else { return };
    let world = world_with(&bucket, &[]).await;
    is_ready(&world, 200, "connected").await;
    bucket.remove().await;
    is_ready(&world, 503, "unreachable").await;
    let (announced, uploaded) = (PhoneCall::new(), PhoneCall::new());
    // The recording is somewhere else, so nothing has to be stored to accept the call.
    world.webhook(&announced).await;
    waits_for_the_blobs(&world, &announced).await;
    let refused = upload(&world, &uploaded).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    bucket.create().await;
    is_ready(&world, 200, "connected").await;
    world.completed(&announced.id).await;
    let accepted = upload(&world, &uploaded).send().await.unwrap();
    assert_eq!(accepted.status(), 202, "{}", accepted.text().await.unwrap());
    world.completed(&uploaded.id).await;
    assert_eq!(world.slack_posts(&announced.id).await.len(), 1);
    assert!(world.said("all").contains("there is no bucket `test-"), "the log says what is wrong");
    world.finish().await;
    bucket.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_away_is_waited_for() {
    let Some(bucket) = TestBucket::make().await else { return };
    let endpoint = bucket.values().into_iter().find(|(name, _)| *name == "AWS_ENDPOINT").unwrap().1;
    let endpoint = url::Url::parse(&endpoint).unwrap();
    let proxy = Proxy::to(format!("{}:{}", endpoint.host_str().unwrap(), endpoint.port().unwrap())).await;
    let through = format!("http://{}", proxy.address);
    let world = world_with(&bucket, &[("AWS_ENDPOINT", &through)]).await;
    for is_cut in [true, false] {
        if is_cut {
            proxy.cut();
        } else {
            proxy.stall();
        }
        is_ready(&world, 503, "unreachable").await;
        let call = PhoneCall::new();
        world.webhook(&call).await;
        if is_cut {
            waits_for_the_blobs(&world, &call).await;
        }
        proxy.mend();
        is_ready(&world, 200, "connected").await;
        world.completed(&call.id).await;
    }
    world.finish().await;
    bucket.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_in_a_bucket_is_read_through_a_redirect_whole_and_in_parts() {
    let Some(bucket) = TestBucket::make().await else { return };
    let world = world_with(&bucket, &[("DEBRIEF_API_KEY", "the-key-of-this-test")]).await;
    let call = PhoneCall::new();
    let sent = upload(&world, &call).bearer_auth("the-key-of-this-test").send().await.unwrap();
    assert_eq!(sent.status(), 202, "{}", sent.text().await.unwrap());
    world.completed(&call.id).await;
    #[expect(clippy::disallowed_methods, reason = "this client follows redirects, as a browser does")]
    let browser = reqwest::Client::builder().build().unwrap();
    let address = format!("http://127.0.0.1:{}/api/calls/{}/recording", world.port("all"), call.id);
    let asked = || browser.get(&address).bearer_auth("the-key-of-this-test");
    let whole = asked().send().await.unwrap();
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.bytes().await.unwrap(), World::spoken(&call));
    let part = asked().header("range", "bytes=0-3").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.unwrap(), "RIFF");
    assert_eq!(browser.get(&address).send().await.unwrap().status(), 401);
    world.finish().await;
    bucket.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_in_words_what_is_wrong_with_a_bucket() {
    let Some(bucket) = TestBucket::make().await else { return };
    let world = world_with(&bucket, &[]).await;
    let (code, said) = world.command(&["check", "--connect"], &[]).await;
    assert!(said.contains("\nblobs: reached\n") && said.contains("\nblobs: s3://test-"), "{code:?} {said}");
    for (name, value, told) in [
        (
            "BLOB_URL",
            "s3://no-such-bucket-is-there",
            "blobs: failed to use the blob store: there is no bucket `no-such-",
        ),
        ("AWS_ACCESS_KEY_ID", "nobody", "does not know the access key: check AWS_ACCESS_KEY_ID"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2", "refuses our signature: check AWS_SECRET_ACCESS_KEY"),
        ("AWS_ENDPOINT", "http://127.0.0.1:9", "127.0.0.1:9 cannot be reached: Connection refused"),
    ] {
        let (code, said) = world.command(&["check", "--connect"], &[(name, value)]).await;
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(said.contains(told) && !said.contains("hunter2"), "{name}: {said}");
    }
    world.finish().await;
    bucket.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_moves_its_blobs_into_a_bucket() {
    let Some(bucket) = TestBucket::make().await else { return };
    let mut world = World::start_with(Kind::Embedded, &[("BLOB_URL", "")]).await;
    let call = PhoneCall::new();
    let sent = upload(&world, &call).send().await.unwrap();
    assert_eq!(sent.status(), 202, "{}", sent.text().await.unwrap());
    world.completed(&call.id).await;
    assert_eq!(world.stop_role("all").await, Some(0));
    let values = bucket.values();
    let folder = world.folder().join("blobs");
    let (folder, url) = (folder.to_str().unwrap(), values[0].1.as_str());
    let account: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (code, said) = world.command(&["blobs", "copy", folder, url], &account).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" there already, 0 failed") && !said.starts_with("0 copied"), "{said}");
    let (code, said) = world.command(&["blobs", "copy", folder, url, "--verify"], &account).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("0 copied (0 bytes), "), "{said}");
    std::fs::remove_dir_all(folder).unwrap();
    for (name, value) in &values {
        world.set(name, value);
    }
    world.start_role("all").await;
    let path = format!("/api/calls/{}/recording", call.id);
    let answer = world.request("GET", &path).send().await.unwrap();
    assert_eq!(answer.status(), 307);
    let there = world.fetch(answer.headers()["location"].to_str().unwrap()).await;
    assert_eq!(there, World::spoken(&call));

    let wrong = [
        (["/nowhere/at/all", url], Some(2), "FROM: there is no folder"),
        ([folder, "s3://X"], Some(2), "TO: is not the address of a bucket"),
        ([url, "/dev/null/blobs"], Some(1), "open the folder"),
    ];
    for ([from, to], expected, told) in wrong {
        std::fs::create_dir_all(folder).unwrap();
        let (code, said) = world.command(&["blobs", "copy", from, to], &account).await;
        assert_eq!(code, expected, "{from} {to}: {said}");
        assert!(said.contains(told), "{from} {to}: {said}");
    }
    // A file that no Debrief wrote cannot be copied, and the last line counts it.
    std::fs::write(format!("{folder}/some file"), "x").unwrap();
    std::fs::write(format!("{folder}/{}", word()), "x").unwrap();
    let (code, said) = world.command(&["blobs", "copy", folder, url], &account).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("`some file` is not the key of a blob"), "{said}");
    assert_eq!(said.lines().last(), Some("1 copied (1 bytes), 0 there already, 1 failed"), "{said}");
    world.finish().await;
    bucket.remove().await;
}

/// A process that is killed leaves an upload behind. The next one does not remove it before a quarter of an hour, because
/// another process could write it.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_is_not_waited_for_and_its_upload_is_known_to_the_bucket() {
    let Some(bucket) = TestBucket::make().await else { return };
    let mut world = world_with(&bucket, &[]).await;
    let (chunks, body) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let mut wav = b"RIFF\x24\0\0\0WAVEfmt ".to_vec();
    wav.resize(6 * 1024 * 1024, 0);
    chunks.unbounded_send(Ok(wav)).unwrap();
    let part = Part::stream(reqwest::Body::wrap_stream(body)).file_name("a.wav");
    let request = world.request("POST", "/api/calls").timeout(Duration::from_mins(5));
    let sending = tokio::spawn(request.multipart(Form::new().part("audio", part)).send());
    let unfinished =
        async || bucket.keys().await.into_iter().filter(|key| key.starts_with("uploads/")).count();
    world.wait("the upload to begin", async |_| (unfinished().await == 1).then_some(())).await;
    world.kill("all").await;
    assert!(sending.await.unwrap().is_err());
    world.start_role("all").await;
    assert_eq!(unfinished().await, 1, "another process could write it");
    world.finish().await;
    bucket.remove().await;
}
