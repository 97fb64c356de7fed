//! Calls that are spoken while Debrief takes them, with a provider of speech to text that counts what is paid.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::inputs::{PhoneCall, word};
use crate::world::{Kind, World};

/// A speech server that hears the same in every audio.
pub(crate) struct Hears {
    address: String,
    paid: Arc<AtomicUsize>,
}

impl Hears {
    pub(crate) async fn start(text: &'static str) -> Self {
        let paid = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&paid);
        // The body is read whole: a server that answers before that closes the connection while the client writes.
        let hear = move |_body: Bytes| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move { Json(json!({"text": text, "duration": 2.0})) }
        };
        let router = Router::new()
            .route("/audio/transcriptions", post(hear))
            .route("/models", get(async || Json(json!({"data": []}))));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, paid }
    }
}

pub(crate) async fn world(kind: Kind, hears: &Hears) -> World {
    let settings = [
        ("LOCAL_SPEECH_BASE_URL", hears.address.as_str()),
        ("LIVE_SPEECH", "local"),
        // The client of these tests follows no redirect.
        ("BLOB_REDIRECT", "false"),
    ];
    World::start_with(kind, &settings).await
}

/// The process that works on live calls.
fn worker(kind: Kind) -> &'static str {
    if kind == Kind::Embedded { "all" } else { "live" }
}

async fn begin(world: &World, session: &str) -> Value {
    let body = json!({"session_id": session, "metadata": {"agent_name": "Dana Ortiz"}});
    let answer = world.keyed("api", "POST", "/api/calls/start").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

/// Sends a piece until it is taken. Returns how many the session has.
async fn send(world: &World, session: &str, sequence: usize, audio: &[u8]) -> i64 {
    let path = format!("/api/calls/{session}/audio");
    let form = || {
        let part = Part::bytes(audio.to_vec()).file_name("piece.wav");
        Form::new()
            .part("audio_file", part)
            .text("sequence", sequence.to_string())
            .text("speaker", "customer")
    };
    world
        .wait("a piece to be taken", async |world| {
            let answer = world.keyed("api", "POST", &path).multipart(form()).send().await.ok()?;
            (answer.status() == 200).then_some(())?;
            answer.json::<Value>().await.ok()?["files_count"].as_i64()
        })
        .await
}

async fn events(world: &World, session: &str) -> Option<Vec<Value>> {
    let answer = world.get(&format!("/api/calls/{session}/events?after=0")).await?;
    answer["events"].as_array().cloned()
}

/// Waits until the session has so many events of this kind.
async fn told(world: &World, session: &str, kind: &str, count: usize) -> Vec<Value> {
    world
        .wait(kind, async |world| {
            let of_kind: Vec<_> =
                events(world, session).await?.into_iter().filter(|event| event["type"] == kind).collect();
            (of_kind.len() >= count).then_some(of_kind)
        })
        .await
}

/// Waits until the listeners were told what the pipeline made of the call.
pub(crate) async fn finished(world: &World, session: &str) {
    world
        .wait("the end of the call", async |world| {
            let events = events(world, session).await?;
            events
                .iter()
                .any(|event| event["type"] == "call_status" && event["data"]["status"] == "completed")
                .then_some(())
        })
        .await;
}

async fn end(world: &World, session: &str) {
    let answer = world.keyed("api", "POST", &format!("/api/calls/{session}/end")).json(&json!({})).send();
    assert_eq!(answer.await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_told_while_it_is_spoken_and_then_goes_through_the_pipeline_embedded() {
    is_told_and_goes_through_the_pipeline(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_told_while_it_is_spoken_and_then_goes_through_the_pipeline_on_servers() {
    is_told_and_goes_through_the_pipeline(Kind::Servers).await;
}

async fn is_told_and_goes_through_the_pipeline(kind: Kind) {
    let hears = Hears::start("I want to cancel. When is the refund on my account?").await;
    let world = world(kind, &hears).await;
    let session = format!("session-{}", word());
    let call = begin(&world, &session).await["call_id"].as_str().unwrap().to_owned();
    assert_eq!(send(&world, &session, 0, &World::spoken(&PhoneCall::new())).await, 1);
    let said = told(&world, &session, "transcript_update", 1).await;
    assert_eq!(said[0]["data"]["speaker"], "customer");
    // The advice of the model is told beside it, in any order.
    let advice = world
        .wait("the advice of the rules", async |world| {
            let is_of_rules = |event: &Value| event["data"]["source"] == "rules";
            let all = events(world, &session).await?;
            all.into_iter().find(|event| event["type"] == "real_time_insights" && is_of_rules(event))
        })
        .await;
    assert_eq!(advice["data"]["urgency_level"], "high");
    let shown = world.get(&format!("/api/calls/{call}")).await.unwrap();
    assert_eq!(shown["status"], "processing", "the call is listed while it is spoken");
    end(&world, &session).await;
    finished(&world, &session).await;
    let last = told(&world, &session, "summary_update", 1).await;
    assert_eq!(last.last().unwrap()["data"]["is_final"], true);
    let summary = world.get(&format!("/api/calls/{session}/summary")).await.unwrap();
    assert_eq!((&summary["status"], &summary["summary"]["is_final"]), (&json!("completed"), &json!(true)));
    let transcript = world.get(&format!("/api/calls/{call}/transcript")).await.unwrap();
    let segments = transcript["segments"].as_array().unwrap();
    let turns = told(&world, &session, "transcript_update", 1).await.len();
    assert_eq!(segments.len(), turns);
    assert!(segments.iter().all(|segment| segment["role"] == "customer"), "{segments:?}");
    assert_eq!(
        hears.paid.load(Ordering::SeqCst),
        turns,
        "each turn is paid once, and the pipeline pays nothing"
    );
    let posts = world.slack_posts("cancel").await;
    assert_eq!(posts.len(), 1, "{posts:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_loses_no_piece_and_no_event_embedded() {
    nothing_is_lost(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_loses_no_piece_and_no_event_on_servers() {
    nothing_is_lost(Kind::Servers).await;
}

async fn nothing_is_lost(kind: Kind) {
    let hears = Hears::start("Something is said here.").await;
    let mut world = world(kind, &hears).await;
    let session = format!("session-{}", word());
    let call = begin(&world, &session).await["call_id"].as_str().unwrap().to_owned();
    let pieces: Vec<Vec<u8>> = (0..4).map(|_| World::spoken(&PhoneCall::new())).collect();
    let mut seen: Vec<Value> = Vec::new();
    for (sequence, piece) in pieces.iter().enumerate() {
        assert_eq!(send(&world, &session, sequence, piece).await, i64::try_from(sequence).unwrap() + 1);
        if sequence % 2 == 0 {
            seen = events(&world, &session).await.unwrap();
            world.kill(worker(kind)).await;
            world.start_role(worker(kind)).await;
        }
    }
    end(&world, &session).await;
    finished(&world, &session).await;
    let all = events(&world, &session).await.unwrap();
    assert_eq!(all[..seen.len()], seen[..], "what was told stays told");
    let numbers: Vec<i64> = all.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=i64::try_from(all.len()).unwrap()).collect::<Vec<_>>());
    let sent_ms: usize = pieces.iter().map(|piece| piece.len() / 8).sum();
    let recording = world.keyed("api", "GET", &format!("/api/calls/{call}/recording")).send().await.unwrap();
    let recorded_ms = (recording.bytes().await.unwrap().len() - 44) / 32;
    // The files that were sent have headers and a comment.
    assert!(sent_ms.abs_diff(recorded_ms) < 1_000, "{sent_ms} ms were sent, {recorded_ms} ms are there");
    world.finish().await;
}
