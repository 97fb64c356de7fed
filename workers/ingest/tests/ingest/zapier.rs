use axum::body::Body;
use axum::http::{Method, Request};
use bytes::Bytes;
use domain::call::{CallId, CallKind, WorkspaceId};
use domain::event::{Kept, MAX_BYTES, MaterialKind};
use futures::stream;
use serde_json::{Value, json};

use crate::world::{World, post};

const PATH: &str = "/webhook/zapier";

fn samples() -> Vec<(String, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/zapier");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut samples: Vec<_> = files
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    samples.sort_by(|(a, _), (b, _)| a.cmp(b));
    samples
}

#[tokio::test]
async fn every_payload_is_one_small_event_of_its_call() {
    let samples = samples();
    assert_eq!(samples.len(), 21);
    for (name, body) in samples {
        let world = World::new();
        let answer = world.json(PATH, body.clone()).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert_eq!(answer.body["success"], true, "{name}");
        assert_eq!(answer.body["message"], "Call queued for processing", "{name}");
        assert_eq!(answer.body["call_id"], body["call_id"], "{name}");
        let event = world.event();
        assert!(event.encode().len() < MAX_BYTES, "{name}: {}", event.encode().len());
        let id = body["call_id"].as_str().unwrap();
        assert_eq!(event.call, CallId::derive(WorkspaceId::DEFAULT, "exotel", id), "{name}");
        assert_eq!((event.data.external_id.as_str(), event.data.kind), (id, CallKind::Phone), "{name}");
        match body["recording_url"].as_str() {
            Some(url) => {
                assert_eq!(world.opened_url(&event), url, "{name}");
                assert!(!String::from_utf8(event.encode()).unwrap().contains("recordings.example"), "{name}");
            }
            None => assert!(event.data.materials.is_empty(), "{name}"),
        }
    }
}

#[tokio::test]
async fn what_a_payload_says_is_kept_where_it_belongs() {
    let world = World::new();
    let body = samples().into_iter().find(|(name, _)| name == "16_unknown_extra_fields").unwrap().1;
    world.json(PATH, body).await;
    let details = world.details();
    assert_eq!(details.from_number.as_deref(), Some("+12025550131"));
    assert_eq!(details.duration_ms, Some(56_000));
    assert_eq!(details.started_at.unwrap().to_string(), "2025-10-04T17:58:27Z");
    assert_eq!(details.source_status.as_deref(), Some("completed"));
    assert_eq!(details.agent_slack_handle.as_deref(), Some("@dana.ortiz"));
    assert_eq!(Value::from(details.metadata), json!({ "ConversationDuration": 40, "Leg": "1" }));
    assert_eq!(world.event().data.materials[0].kind, MaterialKind::Recording);
}

#[tokio::test]
async fn numbers_as_texts_texts_as_numbers_nulls_and_blanks_are_taken() {
    let world = World::new();
    let body = json!({
        "call_id": 4711, "source": "Twilio", "duration": "12.5", "from_number": 12_025_550_131_i64, "to_number": null,
        "timestamp": "", "department": "  ", "agent_name": " Dana ", "extra": null, "recording_url": "",
    });
    let answer = world.json(PATH, body).await;
    assert_eq!((answer.status.as_u16(), &answer.body["call_id"]), (200, &json!("4711")));
    let (event, details) = (world.event(), world.details());
    assert_eq!(event.call, CallId::derive(WorkspaceId::DEFAULT, "twilio", "4711"));
    assert_eq!(details.duration_ms, Some(12_500));
    assert_eq!(details.from_number.as_deref(), Some("12025550131"));
    assert_eq!(details.agent_name.as_deref(), Some("Dana"));
    assert_eq!((details.to_number, details.department, details.started_text), (None, None, None));
    assert!(details.metadata.is_empty() && event.data.materials.is_empty());
}

#[tokio::test]
async fn an_id_that_cannot_be_used_is_named() {
    let world = World::new();
    for id in [json!(null), json!("x".repeat(256)), json!("x".repeat(10_000)), json!("a\u{0}b"), json!(1.5)] {
        world.json(PATH, json!({ "call_id": id })).await.names(422, &["/call_id"]);
    }
    world.json(PATH, json!({})).await.names(422, &["/call_id"]);
    assert_eq!(world.events(), []);
}

#[tokio::test]
async fn the_longest_recording_url_still_fits_into_an_event() {
    let world = World::new();
    let url = format!("https://r.example.com/{}", "x".repeat(2048 - 22));
    assert_eq!(world.json(PATH, json!({ "call_id": "a", "recording_url": url })).await.status, 200);
    let event = world.event();
    assert!(event.encode().len() <= MAX_BYTES, "{}", event.encode().len());
    assert_eq!(world.opened_url(&event), url);
}

#[tokio::test]
async fn ids_of_every_writing_system_and_shape_are_kept_as_they_are() {
    for id in ["../../etc/passwd", "%00", "звонок-1", &"😀".repeat(255), "' OR 1=1 --", "a b"] {
        let world = World::new();
        assert_eq!(world.json(PATH, json!({ "call_id": id })).await.status, 200, "{id}");
        assert_eq!(world.event().data.external_id, id);
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused_in_words() {
    let world = World::new();
    let nested = "[".repeat(100_000);
    for body in ["{bad", "", "\u{feff}{}", "{\"call_id\": \"a\"} trailing", &nested] {
        world.send(post(PATH, "application/json", body.to_owned())).await.is_problem(422);
    }
    for body in [json!([]), json!("a"), json!(null), json!(5)] {
        world.json(PATH, body).await.is_problem(422);
    }
    let latin1 = b"{\"call_id\":\"caf\xe9\"}".to_vec();
    world.send(post(PATH, "application/json", latin1)).await.is_problem(422);
    assert_eq!(world.events(), []);
}

#[tokio::test]
async fn other_types_longer_bodies_and_broken_ones_have_their_own_status() {
    let world = World::new();
    world.send(post(PATH, "text/plain", "{\"call_id\":\"a\"}")).await.is_problem(415);
    world.send(post(PATH, "application/x-www-form-urlencoded", "call_id=a")).await.is_problem(415);
    let json_with_charset = post(PATH, "application/json; charset=utf-8", "{\"call_id\":\"a\"}");
    assert_eq!(world.send(json_with_charset).await.status, 200);

    let long = json!({ "call_id": "a", "extra": "x".repeat(1024 * 1024) });
    world.json(PATH, long).await.is_problem(413);
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 4096])));
    world.send(post(PATH, "application/json", Body::from_stream(endless))).await.is_problem(413);

    let cut = stream::iter([Ok(Bytes::from_static(b"{\"call_id\":")), Err(std::io::Error::other("reset"))]);
    world.send(post(PATH, "application/json", Body::from_stream(cut))).await.is_problem(400);
    assert_eq!(world.events().len(), 1);
}

#[tokio::test]
async fn an_unknown_path_and_an_unknown_method_are_problems_too() {
    let world = World::new();
    world.json("/webhook/nobody", json!({})).await.is_problem(404);
    world.json("/process", json!({ "webvtt_file": "/etc/passwd" })).await.is_problem(404);
    let get = Request::builder().method(Method::GET).uri(PATH).body(Body::empty()).unwrap();
    let answer = world.send(get).await;
    answer.is_problem(405);
    assert_eq!(answer.headers["allow"], "POST");
}

#[tokio::test]
async fn the_same_delivery_again_is_the_same_event_and_says_so() {
    let world = World::new();
    let body = |signature: &str| json!({ "call_id": "a", "recording_url": format!("https://r.example.com/a.mp3?sig={signature}") });
    world.json(PATH, body("1")).await;
    // The cache remembers the event only after the answer, so the test waits for it.
    tokio::task::yield_now().await;
    let again = world.json(PATH, body("2")).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.body["message"], "Duplicate call - already received");
    let events = world.events();
    // The cache decides nothing: the event is published again, and the store finds that it is the same.
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].id, events[1].id);
    assert_eq!(events[0].data.materials[0].digest, events[1].data.materials[0].digest);
}

#[tokio::test]
async fn a_later_delivery_that_says_more_is_the_same_call_and_another_event() {
    let world = World::new();
    world.json(PATH, json!({ "call_id": "a" })).await;
    let more =
        world.json(PATH, json!({ "call_id": "a", "recording_url": "https://r.example.com/a.mp3" })).await;
    assert_eq!(more.body["message"], "Call queued for processing");
    let events = world.events();
    assert_eq!(events[0].call, events[1].call);
    assert_ne!(events[0].id, events[1].id);
}

#[tokio::test]
async fn details_too_large_for_a_queue_go_to_a_blob() {
    let world = World::new();
    let notes = "words ".repeat(20_000);
    let (id, url) = ("i".repeat(255), format!("https://r.example.com/a?sig={}", "s".repeat(1970)));
    let body = json!({ "call_id": id, "recording_url": url, "department": "Sales", "notes": notes });
    world.json(PATH, body).await;
    let event = world.event();
    assert_eq!(world.opened_url(&event), url);
    assert!(event.encode().len() < MAX_BYTES);
    let Kept::Blob(key) = &event.data.details else { panic!("{event:?}") };
    let kept: Value = serde_json::from_slice(&world.blobs.get(key, u64::MAX).await.unwrap()).unwrap();
    assert_eq!(kept["department"], "Sales");
    assert_eq!(kept["metadata"]["notes"], notes);
}

#[tokio::test]
async fn a_time_without_an_offset_is_read_in_the_zone_that_was_set() {
    let world = World::with(
        &[("DEBRIEF_TIMEZONE", "Asia/Kolkata")],
        crate::world::Mood::Works,
        crate::world::Mood::Works,
    );
    world.json(PATH, json!({ "call_id": "a", "timestamp": "2025-10-09 17:58:27" })).await;
    assert_eq!(world.details().started_at.unwrap().to_string(), "2025-10-09T12:28:27Z");
}

#[tokio::test]
async fn a_time_that_is_none_is_kept_as_it_came() {
    let world = World::new();
    world.json(PATH, json!({ "call_id": "a", "timestamp": "yesTerday", "note": "a\u{0}b" })).await;
    let details = world.details();
    assert_eq!(details.started_text.as_deref(), Some("yesTerday"));
    assert_eq!(details.metadata["note"], "ab", "no database keeps a NUL");
}
