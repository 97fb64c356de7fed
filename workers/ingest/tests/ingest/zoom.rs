//! Tests the webhook of Zoom on bodies like Zoom's, each signed as Zoom signs it.

use axum::body::Body;
use axum::http::Request;
use chrono::Utc;
use domain::call::{CallId, CallKind, WorkspaceId};
use domain::event::{CallReceived, Envelope, Kept, MAX_BYTES, MaterialAt, MaterialKind};
use domain::held_file::{HeldFile, Holder};
use providers::meetings::zoom::signature::sign;
use serde_json::{Value, json};

use crate::world::{Answer, Mood, World, post};

const PATH: &str = "/webhooks/zoom";
const SECRET: &str = "a secret token";
const SECRET_SETTING: (&str, &str) = ("ZOOM_WEBHOOK_SECRET_TOKEN", SECRET);
const FIRST: &str = "2026-03-04T09:30:12Z";
const SECOND: &str = "2026-03-04T10:10:00Z";

fn world() -> World {
    World::with(&[SECRET_SETTING], Mood::Works, Mood::Works)
}

fn signed_at(seconds: i64, body: &str) -> Request<Body> {
    let timestamp = seconds.to_string();
    let signature = sign(SECRET, &timestamp, body.as_bytes());
    let mut request = post(PATH, "application/json; charset=utf-8", body.to_owned());
    let headers = request.headers_mut();
    headers.insert("x-zm-signature", signature.parse().unwrap());
    headers.insert("x-zm-request-timestamp", timestamp.parse().unwrap());
    // Zoom's own sample of a trace context is none.
    headers.insert("traceparent", "00-49ba5b7fd04b48c1-bd6a2ab8f6ae-01".parse().unwrap());
    request
}

fn signed(body: &str) -> Request<Body> {
    signed_at(Utc::now().timestamp(), body)
}

async fn sent(world: &World, body: &Value) -> Answer {
    world.send(signed(&body.to_string())).await
}

fn file(id: &str, kind: &str, start: &str) -> Value {
    json!({
        "id": id, "meeting_id": "4444AAAiAAAAAiAiAiiAii==", "recording_start": start, "recording_end": start,
        "file_type": kind, "file_extension": kind, "file_size": 1200, "status": "completed",
        "play_url": format!("https://zoom.us/rec/play/{id}"),
        "download_url": format!("https://zoom.us/rec/webhook_download/{id}"),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the files are written where they are passed")]
fn event(name: &str, files: Value) -> Value {
    json!({
        "event": name, "event_ts": 1_772_620_000_123_i64, "download_token": "download-token",
        "payload": {
            "account_id": "hT2vYbQ0RkKx9Lr1cJdAPw",
            "object": {
                "id": 84_512_376_903_i64, "uuid": "4444AAAiAAAAAiAiAiiAii==", "host_id": "x1yCzABCDEfg23HiJKl4mN",
                "host_email": "iris@northbeam.example.com", "topic": "Route planning", "type": 2,
                "start_time": "2026-03-04T09:30:00Z", "timezone": "Europe/Dublin", "duration": 30,
                "share_url": "https://zoom.us/rec/share/abc?pwd=secret", "total_size": 3_328_371,
                "recording_count": 2, "password": "secret", "recording_files": files,
            },
        },
    })
}

fn recorded() -> Value {
    event("recording.completed", json!([file("sound", "M4A", FIRST), file("video", "MP4", FIRST)]))
}

fn transcribed() -> Value {
    event("recording.transcript_completed", json!([file("words", "TRANSCRIPT", FIRST)]))
}

/// The addresses of the material of an event.
fn held(world: &World, event: &Envelope<CallReceived>) -> Vec<HeldFile> {
    let addresses = event.data.materials.iter().map(|material| match &material.at {
        MaterialAt::SealedUrl(sealed) => world.opened(event, sealed),
        MaterialAt::Blob(key) => panic!("{key}"),
    });
    addresses.map(|address| HeldFile::read(&address).unwrap()).collect()
}

#[tokio::test]
async fn a_recording_is_one_call_with_the_sound_and_what_opens_it() {
    let world = world();
    let answer = sent(&world, &recorded()).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!({ "success": true })));
    let event = world.event();
    assert_eq!(event.call, CallId::derive(WorkspaceId::DEFAULT, "zoom", "4444AAAiAAAAAiAiAiiAii=="));
    assert_eq!((event.data.source.as_str(), event.data.kind), ("zoom", CallKind::Meeting));
    let [material] = event.data.materials.as_slice() else { panic!("{event:?}") };
    assert_eq!((material.kind, material.media_type.as_deref()), (MaterialKind::Recording, Some("audio/mp4")));
    assert_eq!(material.starts_at.unwrap().to_string(), FIRST);
    let address = &held(&world, &event)[0];
    assert_eq!((address.holder(), address.id()), (Holder::Zoom, "sound"));
    assert_eq!(address.value("token"), Some("download-token"));
    assert_eq!(address.value("url"), Some("https://zoom.us/rec/webhook_download/sound"));
    assert_eq!(address.value("meeting"), Some("4444AAAiAAAAAiAiAiiAii=="));
    let details = world.details();
    assert_eq!(details.topic.as_deref(), Some("Route planning"));
    assert_eq!(details.duration_ms, Some(30 * 60 * 1000));
    assert_eq!(details.started_at.unwrap().to_string(), "2026-03-04T09:30:00Z");
    assert_eq!(
        Value::from(details.metadata),
        json!({
            "account_id": "hT2vYbQ0RkKx9Lr1cJdAPw", "meeting_id": 84_512_376_903_i64, "type": 2,
            "host_id": "x1yCzABCDEfg23HiJKl4mN", "host_email": "iris@northbeam.example.com",
            "timezone": "Europe/Dublin", "share_url": "https://zoom.us/rec/share/abc",
        })
    );
    let text = String::from_utf8(event.encode()).unwrap();
    assert!(!text.contains("secret") && !text.contains("download-token"), "{text}");
}

#[tokio::test]
async fn the_transcript_and_the_recording_are_one_call_in_either_order_and_alone() {
    for order in [vec![recorded(), transcribed()], vec![transcribed(), recorded()], vec![transcribed()]] {
        let world = world();
        for body in &order {
            assert_eq!(sent(&world, body).await.status, 200);
        }
        let events = world.events();
        assert_eq!(events.len(), order.len());
        assert!(events.iter().all(|event| event.call == events[0].call));
        let kinds: Vec<_> = events.iter().map(|event| event.data.materials[0].kind).collect();
        assert!(kinds.contains(&MaterialKind::Transcript), "{kinds:?}");
        let ids: std::collections::HashSet<_> = events.iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), order.len(), "each says something new");
    }
}

#[tokio::test]
async fn a_replayed_webhook_is_the_same_event() {
    let world = world();
    let mut again = recorded();
    sent(&world, &again).await;
    // Zoom sends the same body again. Another token and another time are still the same recording.
    again["event_ts"] = json!(1_772_620_300_000_i64);
    again["download_token"] = "another-token".into();
    let files = &mut again["payload"]["object"]["recording_files"];
    files[0]["download_url"] = "https://zoom.us/rec/webhook_download/sound?x=2".into();
    sent(&world, &again).await;
    let events = world.events();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].id, events[1].id);
    assert_eq!(events[0].data.materials[0].digest, events[1].data.materials[0].digest);
}

#[tokio::test]
async fn the_token_is_taken_from_the_top_and_from_the_payload_and_may_be_missing() {
    let mut inside = recorded();
    inside["payload"]["download_token"] = inside["download_token"].take();
    let mut without = transcribed();
    without.as_object_mut().unwrap().remove("download_token");
    for (body, token) in
        [(recorded(), Some("download-token")), (inside, Some("download-token")), (without, None)]
    {
        let world = world();
        assert_eq!(sent(&world, &body).await.status, 200);
        assert_eq!(held(&world, &world.event())[0].value("token"), token);
    }
}

#[tokio::test]
async fn zooms_own_example_with_a_repeated_name_and_a_transcript_called_m4a_is_read() {
    let world = world();
    let body = r#"{"event":"recording.transcript_completed","event_ts":1626230691572,"payload":{"account_id":"AAAAAABBBB",
        "object":{"id":"1234567890","uuid":"4444AAAiAAAAAiAiAiiAii==","host_id":"x1yCzABCDEfg23HiJKl4mN","topic":"My Meeting",
        "type":"4","start_time":"2021-07-13T21:44:51Z","duration":"60","recording_files":[{"id":"ed6c2f27",
        "recording_start":"2021-07-13T23:14:16Z","recording_end":"2021-07-13T23:26:13Z","file_type":"TRANSCRIPT",
        "file_size":142,"file_extension":"M4A","recording_type":"audio_transcript","status":"completed",
        "recording_type":"audio_only","download_url":"https://zoom.us/rec/download/ed6c2f27"}]}},"download_token":"t"}"#;
    assert_eq!(world.send(signed(body)).await.status, 200);
    let event = world.event();
    assert_eq!(event.data.materials[0].kind, MaterialKind::Transcript);
    assert_eq!(event.data.materials[0].media_type.as_deref(), Some("text/vtt"));
    let details = world.details();
    assert_eq!(details.duration_ms, Some(60 * 60 * 1000));
    assert_eq!(details.metadata["meeting_id"], "1234567890");
}

#[tokio::test]
async fn instances_of_a_recurring_meeting_are_calls_of_their_own() {
    let world = world();
    let mut next = recorded();
    next["payload"]["object"]["uuid"] = "5555BBBjBBBBBjBjBjjBjj==".into();
    sent(&world, &recorded()).await;
    sent(&world, &next).await;
    let events = world.events();
    assert_ne!(events[0].call, events[1].call);
}

#[tokio::test]
async fn a_meeting_that_was_recorded_twice_is_one_event_with_two_starts() {
    let world = world();
    let files = json!([file("b", "M4A", SECOND), file("a", "M4A", FIRST), file("chat", "CHAT", FIRST)]);
    sent(&world, &event("recording.completed", files)).await;
    let event = world.event();
    let starts: Vec<_> = event.data.materials.iter().map(|one| one.starts_at.unwrap().to_string()).collect();
    assert_eq!(starts, [FIRST, SECOND]);
    assert_eq!(held(&world, &event).iter().map(HeldFile::id).collect::<Vec<_>>(), ["a", "b"]);
}

#[tokio::test]
async fn many_recordings_with_long_addresses_are_several_small_events_of_one_call() {
    let world = world();
    let pieces = (0..9).map(|hour| {
        let mut piece = file(&format!("piece-{hour}"), "M4A", &format!("2026-03-04T0{hour}:00:00Z"));
        piece["download_url"] = format!("https://zoom.us/rec/{}", "x".repeat(400)).into();
        piece
    });
    let mut body = event("recording.completed", pieces.collect());
    body["download_token"] = "t".repeat(500).into();
    assert_eq!(sent(&world, &body).await.status, 200);
    let events = world.events();
    assert!(events.iter().all(|event| event.encode().len() <= MAX_BYTES && event.call == events[0].call));
    let pieces: Vec<_> =
        events.iter().flat_map(|event| held(&world, event)).map(|file| file.id().to_owned()).collect();
    assert_eq!(pieces, (0..9).map(|hour| format!("piece-{hour}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_recording_without_anything_to_transcribe_is_announced() {
    let world = world();
    sent(&world, &event("recording.completed", json!([file("chat", "CHAT", FIRST)]))).await;
    let event = world.event();
    assert!(event.data.materials.is_empty());
    assert!(matches!(event.data.details, Kept::Inline(_)));
}

#[tokio::test]
async fn other_events_are_answered_and_left_out() {
    let world = world();
    for body in [
        json!({ "event": "meeting.started", "payload": { "object": { "uuid": "a" } } }),
        json!({ "event": "recording.trashed" }),
        json!({ "event": 5 }),
        json!({}),
    ] {
        assert_eq!(sent(&world, &body).await.status, 200, "{body}");
    }
    assert_eq!(world.events(), []);
}

#[tokio::test]
async fn a_forged_webhook_is_refused_and_nothing_is_kept() {
    let world = world();
    let body = recorded().to_string();
    let now = Utc::now().timestamp();
    let unsigned = post(PATH, "application/json", body.clone());
    let mut changed = signed(&body);
    *changed.body_mut() = Body::from(body.replace("Route planning", "Route planning!"));
    let mut other_time = signed(&body);
    other_time.headers_mut().insert("x-zm-request-timestamp", (now + 1).to_string().parse().unwrap());
    let mut no_time = signed(&body);
    no_time.headers_mut().remove("x-zm-request-timestamp");
    for request in
        [unsigned, changed, other_time, no_time, signed_at(now - 301, &body), signed_at(now + 301, &body)]
    {
        world.send(request).await.is_problem(401);
    }
    assert_eq!(world.events(), []);
    world.nothing_left_over().await;
}

#[tokio::test]
async fn without_a_secret_token_every_webhook_is_refused() {
    let world = World::new();
    world.send(signed(&recorded().to_string())).await.is_problem(401);
    assert_eq!(world.events(), []);
}

#[tokio::test]
async fn the_question_whether_the_address_is_ours_is_answered_once_its_signature_was_checked() {
    let world = world();
    let question = json!({ "event": "endpoint.url_validation", "payload": { "plainToken": "qgg8vlvZRS6UYooatFL8Aw" }, "event_ts": 1 });
    let answer = sent(&world, &question).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["plainToken"], "qgg8vlvZRS6UYooatFL8Aw");
    let encrypted = answer.body["encryptedToken"].as_str().unwrap();
    assert_eq!(
        encrypted,
        providers::meetings::zoom::signature::answer(SECRET, "qgg8vlvZRS6UYooatFL8Aw").unwrap()
    );
    world.send(post(PATH, "application/json", question.to_string())).await.is_problem(401);
    assert_eq!(world.events(), []);
}

#[tokio::test]
async fn the_question_cannot_be_used_to_have_a_webhook_signed() {
    let world = world();
    let forged = format!("v0:{}:{}", Utc::now().timestamp(), recorded());
    for token in [json!(forged), json!("a:b"), json!("v0:"), json!(""), json!(5), json!(null)] {
        let question = json!({ "event": "endpoint.url_validation", "payload": { "plainToken": token } });
        sent(&world, &question).await.names(422, &["/payload/plainToken"]);
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_sent_again_so_it_is_never_answered_with_4xx() {
    let away = World::with(&[SECRET_SETTING], Mood::Refuses, Mood::Refuses);
    let answer = sent(&away, &recorded()).await;
    answer.is_problem(503);
    assert!(answer.headers.contains_key("retry-after"));

    let busy = World::with(&[SECRET_SETTING, ("DEBRIEF_MAX_REQUESTS", "1")], Mood::Hangs, Mood::Works);
    let (recorded, transcribed) = (recorded(), transcribed());
    let (first, second) = futures::join!(sent(&busy, &recorded), sent(&busy, &transcribed));
    assert_eq!([first.status, second.status].map(|status| status.as_u16()), [200, 503]);
}

#[tokio::test]
async fn no_limit_of_requests_stands_in_front_of_zoom() {
    let settings =
        [SECRET_SETTING, ("DEBRIEF_RATE_LIMIT", "1/h"), ("DEBRIEF_API_KEY", "a-key-of-some-length")];
    let world = World::with(&settings, Mood::Works, Mood::Works);
    for _ in 0..30 {
        assert_eq!(sent(&world, &recorded()).await.status, 200);
    }
}

#[tokio::test]
async fn a_meeting_without_a_uuid_is_named() {
    let world = world();
    let mut body = recorded();
    body["payload"]["object"]["uuid"].take();
    sent(&world, &body).await.names(422, &["/payload/object/uuid"]);
    let without = json!({ "event": "recording.completed", "payload": {} });
    sent(&world, &without).await.names(422, &["/payload/object"]);
}
