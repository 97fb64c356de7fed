use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use domain::call::{CallId, CallKind, Role, WorkspaceId};
use domain::event::{Kept, MAX_BYTES, MaterialKind};
use serde_json::{Value, json};

use crate::world::{Answer, Form, Mood, World, post};

const MEETING: &str = include_str!("../samples/meeting.json");
const VTT: &str = "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nTom Björk: Good morning.\n";

fn wav(samples: usize) -> Vec<u8> {
    let mut wav = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00".to_vec();
    wav.resize(44 + samples * 2, 0);
    wav
}

fn session(name: &str) -> Value {
    let path = format!("{}/tests/samples/sessions/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

async fn with_key(world: &World, path: &str, form: Vec<u8>, key: &str) -> Answer {
    let request = Request::post(path).header(CONTENT_TYPE, Form::TYPE).header("idempotency-key", key);
    world.send(request.body(Body::from([form, b"--edge--\r\n".to_vec()].concat())).unwrap()).await
}

#[tokio::test]
async fn a_meeting_with_its_transcript_is_a_call_with_its_people() {
    let world = World::new();
    let form = Form::default().part("transcript", "a.VTT", VTT).part("meeting", "m.json", MEETING);
    let call = world.form("/api/meetings", form).await.accepted();
    let (event, details) = (world.event(), world.details());
    assert_eq!(call, CallId::derive(WorkspaceId::DEFAULT, "zoom", "q7Vt0sX9RkSxkq3Tz0Jd2A=="));
    assert_eq!((event.call, event.data.kind), (call, CallKind::Meeting));
    assert_eq!(details.duration_ms, Some(45 * 60 * 1000));
    assert_eq!(details.started_at.unwrap().to_string(), "2025-06-03T14:00:00Z");
    let roles: Vec<_> = details.participants.iter().map(|person| person.role).collect();
    let guest = Some(Role::Participant);
    assert_eq!(roles, [Some(Role::Host), Some(Role::Presenter), guest, guest]);
    assert_eq!(details.participants[3].name.as_deref(), Some("Tom Björk"));
    assert_eq!(details.metadata["timezone"], "America/Chicago");
    let [material] = event.data.materials.as_slice() else { panic!("{event:?}") };
    assert_eq!((material.kind, material.media_type.as_deref()), (MaterialKind::Transcript, Some("vtt")));
    assert_eq!(world.material(&event, 0).await, VTT.as_bytes());
    assert!(event.encode().len() < MAX_BYTES);
    world.nothing_left_over().await;
}

#[tokio::test]
async fn odd_people_and_a_meeting_without_any_are_taken() {
    for meeting in
        [include_str!("../samples/meeting_edge_participants.json"), "{}", "{\"participants\":null}"]
    {
        let world = World::new();
        let form = Form::default().part("meeting", "m", meeting).part("transcript", "t.vtt", VTT);
        world.form("/api/meetings", form).await.accepted();
    }
}

#[tokio::test]
async fn a_meeting_that_cannot_be_used_is_refused_by_the_field() {
    let world = World::new();
    for (meeting, status, pointer) in [
        ("{bad", 422, "/meeting"),
        ("[]", 422, "/meeting"),
        ("{\"uuid\":\"a\\u0000b\"}", 422, "/meeting/uuid"),
    ] {
        let form = Form::default().part("meeting", "m", meeting).part("transcript", "t.vtt", VTT);
        world.form("/api/meetings", form).await.names(status, &[pointer]);
    }
    let long = format!("{{\"topic\":\"{}\"}}", "x".repeat(1024 * 1024));
    let form = Form::default().part("meeting", "m", long);
    world.form("/api/meetings", form).await.names(413, &["/meeting"]);
    world.form("/api/meetings", Form::default().part("transcript", "t", VTT)).await.names(422, &["/meeting"]);
    world
        .form("/api/meetings", Form::default().part("meeting", "m", MEETING))
        .await
        .names(422, &["/transcript"]);
    assert_eq!(world.events(), []);
    world.nothing_left_over().await;
}

#[tokio::test]
async fn a_transcript_that_is_no_text_is_refused_and_leaves_nothing() {
    let world = World::new();
    for transcript in
        [&b"%PDF-1.7\n"[..], b"PK\x03\x04\x14\0\x06\0", b"\x01\x02\x03\x04", b"\x7fELF\x02", b""]
    {
        let form = Form::default().part("meeting", "m", MEETING).part("transcript", "t.vtt", transcript);
        world.form("/api/meetings", form).await.names(422, &["/transcript"]);
    }
    let twice = Form::default().part("transcript", "a", VTT).part("transcript", "b", VTT);
    world.form("/api/meetings", twice).await.names(422, &["/transcript"]);
    assert_eq!(world.events(), []);
    world.nothing_left_over().await;
}

#[tokio::test]
async fn a_transcript_is_taken_in_every_encoding_that_can_be_read() {
    let world = World::new();
    let wide: Vec<u8> = "\u{feff}WEBVTT\n\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for transcript in
        [&wide[..], b"Ann: caf\xe9 au lait", b"Ann: a \0 between two words is damage and no reason to refuse"]
    {
        let form = Form::default().part("meeting", "m", MEETING).part("transcript", "t.txt", transcript);
        world.form("/api/meetings", form).await.accepted();
    }
    assert_eq!(world.events().len(), 3);
}

#[tokio::test]
async fn a_transcript_in_a_word_document_is_taken_as_it_is() {
    // The first entry of the archive: 30 bytes, and then its name.
    let document = [&b"PK\x03\x04"[..], &[0; 26], b"[Content_Types].xml", &[7; 100]].concat();
    let world = World::new();
    let form = Form::default().part("transcript", "Pilot.docx", &document).part("meeting", "m.json", MEETING);
    world.form("/api/meetings", form).await.accepted();
    assert_eq!(world.material(&world.event(), 0).await, document);
}

#[tokio::test]
async fn a_late_recording_of_a_known_meeting_is_the_same_call() {
    let world = World::new();
    let first = Form::default().part("meeting", "m", MEETING).part("transcript", "t.vtt", VTT);
    let second = Form::default().part("meeting", "m", MEETING).part("audio", "a.wav", wav(100));
    let first = world.form("/api/meetings", first).await.accepted();
    assert_eq!(world.form("/api/meetings", second).await.accepted(), first);
    let events = world.events();
    assert_ne!(events[0].id, events[1].id);
    assert_eq!(events[1].data.materials[0].media_type.as_deref(), Some("audio/wav"));
}

#[tokio::test]
async fn a_recording_is_the_call_of_its_id_its_key_or_its_content() {
    let world = World::new();
    let derive = |source: &str, id: &str| CallId::derive(WorkspaceId::DEFAULT, source, id);
    let audio = || Form::default().part("audio", "a.wav", wav(10));
    let known = audio().part("metadata", "m.json", "{\"call_id\":\"CALL-1\",\"duration\":\"7\"}");
    assert_eq!(world.form("/api/calls", known).await.accepted(), derive("exotel", "CALL-1"));
    let keyed = with_key(&world, "/api/calls", audio().cut(0), "upload-7").await;
    assert_eq!(keyed.accepted(), derive("upload", "upload-7"));
    let first = world.form("/api/calls", audio()).await.accepted();
    assert_eq!(world.form("/api/calls", audio()).await.accepted(), first);
    let other = Form::default().part("audio", "a.wav", wav(11));
    assert_ne!(world.form("/api/calls", other).await.accepted(), first);
    with_key(&world, "/api/calls", audio().cut(0), &"k".repeat(256)).await.is_problem(422);
    let events = world.events();
    assert_eq!(events[2].id, events[3].id, "the same upload again is the same event");
}

#[tokio::test]
async fn what_is_no_recording_is_refused_whatever_it_is_called() {
    let world = World::new();
    for (audio, status) in [(VTT.as_bytes(), 415), (b"<!DOCTYPE html><html>", 415), (b"", 422)] {
        let form = Form::default().part("audio", "call.wav", audio);
        world.form("/api/calls", form).await.names(status, &["/audio"]);
    }
    world.form("/api/calls", Form::default().part("metadata", "m", "{}")).await.names(422, &["/audio"]);
    let bad = Form::default().part("audio", "a", wav(1)).part("metadata", "m", "{\"call_id\":{}}");
    world.form("/api/calls", bad).await.names(422, &["/metadata/call_id"]);
    world.send(post("/api/calls", "application/json", "{}")).await.is_problem(415);
    world.send(post("/api/calls", "multipart/form-data", "x")).await.is_problem(422);
    assert_eq!(world.events(), []);
    world.nothing_left_over().await;
}

#[tokio::test]
async fn an_upload_that_is_too_long_or_cut_off_leaves_nothing() {
    let world = World::with(&[("DEBRIEF_MAX_UPLOAD_MB", "1")], Mood::Works, Mood::Works);
    let long = Form::default().part("audio", "a.wav", wav(600_000));
    world.form("/api/calls", long).await.names(413, &["/audio"]);
    let cut = Form::default().part("metadata", "m", "{}").part("audio", "a.wav", wav(100_000)).cut(50_000);
    world.send(post("/api/calls", Form::TYPE, cut)).await.names(400, &["/audio"]);
    let cut = Form::default().part("audio", "a.wav", wav(1000)).cut(0);
    world.send(post("/api/calls", Form::TYPE, cut)).await.is_problem(400);
    let junk = Form::default().part("unknown", "x", vec![b'x'; 70 * 1024 * 1024]);
    world.form("/api/calls", junk).await.is_problem(413);
    assert_eq!(world.events(), []);
    world.nothing_left_over().await;
}

#[tokio::test]
async fn a_session_with_its_lead_is_a_call() {
    let world = World::new();
    let body = json!({ "transcript": session("session"), "lead": session("lead") });
    let call = world.json("/api/sessions", body).await.accepted();
    let event = world.event();
    assert_eq!(call, CallId::derive(WorkspaceId::DEFAULT, "session", "session_20251023_101500_a1b2c3d4"));
    assert_eq!((event.data.kind, event.data.materials[0].kind), (CallKind::Session, MaterialKind::Session));
    let details = world.details();
    assert_eq!(details.started_at.unwrap().to_string(), "2025-10-23T10:15:00.120Z");
    assert_eq!(details.ended_at.unwrap().to_string(), "2025-10-23T10:18:30.480Z");
    assert_eq!(details.duration_ms, Some(210_360));
    assert_eq!(details.from_number.as_deref(), Some("+12025550171"));
    assert_eq!(details.lead.unwrap()["job_title"], "Owner");
    assert_eq!(details.metadata["campaign_metadata"]["egressId"], "EG_SAMPLE0001");
    assert_eq!(details.metadata["session"]["start_time"], "2025-10-23 10:15:00.120000");
    let kept: Value = serde_json::from_slice(&world.material(&event, 0).await).unwrap();
    assert_eq!(kept, session("session"));
}

#[tokio::test]
async fn a_session_without_an_id_needs_one_beside_it() {
    let world = World::new();
    for shape in ["raw_dump", "conversation"] {
        let body = json!({ "transcript": session(shape) });
        world.json("/api/sessions", body.clone()).await.names(422, &["/call_id"]);
        let named = json!({ "transcript": session(shape), "call_id": shape, "caller_phone": "+12025550131" });
        world.json("/api/sessions", named).await.accepted();
    }
    let lists = json!({ "transcript": session("session_lists"), "call_id": "CALL-9" });
    let call = world.json("/api/sessions", lists).await.accepted();
    assert_eq!(call, CallId::derive(WorkspaceId::DEFAULT, "session", "CALL-9"));
    let Kept::Inline(details) = &world.events()[0].data.details else { panic!() };
    assert_eq!(details.from_number.as_deref(), Some("+12025550131"));
}

#[tokio::test]
async fn a_session_that_cannot_be_used_is_refused_by_the_field() {
    let world = World::new();
    for (body, pointers) in [
        (json!({}), &["/transcript"][..]),
        (json!({ "transcript": [] , "call_id": "a"}), &["/transcript"]),
        (json!({ "transcript": { "items": {} }, "call_id": "a" }), &["/transcript"]),
        (json!({ "transcript": [], "lead": [], "call_id": [] }), &["/call_id", "/transcript"]),
        (json!({ "transcript": { "items": [], "session_id": 1.5 } }), &["/transcript/session_id"]),
    ] {
        world.json("/api/sessions", body).await.names(422, pointers);
    }
    world
        .send(post("/api/sessions", "application/json", "{\"transcript\": {\"items\": ["))
        .await
        .is_problem(422);
    assert_eq!(world.events(), []);
}
