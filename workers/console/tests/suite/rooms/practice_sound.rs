//! The sound of a meeting: what is spoken and heard over its WebSocket, the sound of each turn, and the recording.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RANGE};
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use domain::account::Role;
use domain::call::CallDetails;
use domain::moment::Moment;
use serde_json::{Value, json};
use store::{FloorClaim, NewTurn, TurnState};
use uuid::Uuid;
use web_console::PracticeSound;

use super::meetings::{held, planted};
use crate::browser::{Answer, Browser};
use crate::world::{HERE, KEY, WORKSPACE, World};

const ACTOR: &str = "no key";
const ALL: PracticeSound = PracticeSound { has_voice: true, understands_speech: true };
const WAV: &[u8] = b"RIFF....WAVEfmt ";

async fn started(world: &World, by: &str) -> Uuid {
    let meeting = planted(world, WORKSPACE, by, "CloudSync").await.meeting;
    assert!(world.store.start_meeting(WORKSPACE, meeting).await.unwrap());
    meeting
}

/// Says something aloud in the meeting. Returns the floor.
async fn spoken(world: &World, meeting: Uuid) -> Uuid {
    let (store, holder) = (&world.store, Uuid::now_v7());
    let lease = Duration::from_mins(1);
    assert_eq!(store.take_floor(WORKSPACE, meeting, holder, lease).await.unwrap(), FloorClaim::Taken);
    let key = format!("practice/sounds/{}", Uuid::now_v7());
    world.blobs.put(&key, Bytes::from_static(WAV)).await.unwrap();
    for audio in [Some(&*key), None, Some("practice/sounds/gone")] {
        let turn = NewTurn {
            speaker: "salesperson",
            name: "Salesperson",
            role: "salesperson",
            said: "Hello.",
            state: TurnState::Said,
            details: &Value::Null,
            answers: None,
            request: None,
            audio,
            duration_ms: 1_000,
        };
        store.add_turn(WORKSPACE, meeting, holder, turn).await.unwrap();
    }
    holder
}

#[tokio::test]
async fn a_page_offers_only_the_sound_that_there_is() {
    for (has_voice, understands_speech) in [(true, true), (true, false), (false, true), (false, false)] {
        let world = World::with_sound(&[], PracticeSound { has_voice, understands_speech }).await;
        let meeting = started(&world, ACTOR).await;
        let page = world.page(&format!("/practice/{meeting}")).await;
        assert_eq!(page.contains("id=\"sound\""), has_voice, "{page}");
        assert_eq!(page.contains("id=\"microphone\""), understands_speech, "{page}");
        assert_eq!(page.contains("/assets/sound.js"), has_voice || understands_speech, "{page}");
        assert!(page.contains("id=\"say\""), "one can always write");
    }
    let world = World::with_sound(&[], ALL).await;
    let meeting = planted(&world, WORKSPACE, ACTOR, "CloudSync").await.meeting;
    let path = format!("/practice/{meeting}");
    assert!(!world.page(&path).await.contains("id=\"microphone\""), "it has not begun");
    held(&world, WORKSPACE, meeting, ("How slow is it?", 64)).await;
    assert!(!world.page(&path).await.contains("id=\"microphone\""), "it is over");
}

async fn open(browser: &mut Browser, meeting: Uuid, origin: Option<&str>) -> Answer {
    let mut request = Request::get(format!("/practice/{meeting}/socket"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    browser.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_websocket_of_a_meeting_opens_only_for_a_page_of_ours_and_for_whoever_may_practise_in_it() {
    let ours = format!("http://{HERE}");
    // Without a key everybody on this machine may do everything, so a page of another port could try.
    let world = World::with_sound(&[], ALL).await;
    let meeting = started(&world, ACTOR).await;
    let mut browser = world.browser();
    for origin in [None, Some("http://127.0.0.1:9999"), Some("https://evil.example.com"), Some("null")] {
        assert_eq!(open(&mut browser, meeting, origin).await.status, StatusCode::FORBIDDEN, "{origin:?}");
    }
    assert!(world.api.asked().is_empty());
    open(&mut browser, meeting, Some(&ours)).await;
    let asked = &world.api.asked()[0];
    assert_eq!((&*asked.what, &*asked.who), (&*format!("GET /api/conversation/ws/{meeting}"), ACTOR));
    assert_eq!(
        (&asked.headers["upgrade"], &asked.headers["sec-websocket-version"]),
        (&"websocket".parse().unwrap(), &"13".parse().unwrap())
    );

    let world = World::with_sound(&[("DEBRIEF_API_KEY", KEY)], ALL).await;
    world.account("dana@x.com", Role::Agent).await;
    world.account("vera@x.com", Role::Viewer).await;
    let hers = started(&world, "user:dana@x.com").await;
    let his = started(&world, "user:imre@x.com").await;
    let mut dana = world.signed_in("dana@x.com").await;
    let mut vera = world.signed_in("vera@x.com").await;
    assert_eq!(open(&mut vera, hers, Some(&ours)).await.status, StatusCode::FORBIDDEN, "she only reads");
    assert_eq!(open(&mut dana, his, Some(&ours)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(open(&mut dana, hers, Some("https://evil.example.com")).await.status, StatusCode::FORBIDDEN);
    assert_ne!(
        open(&mut world.browser(), hers, Some(&ours)).await.status,
        StatusCode::OK,
        "nobody is signed in"
    );
    assert!(world.api.asked().is_empty());
    open(&mut dana, hers, Some(&ours)).await;
    assert_eq!(world.api.asked()[0].who, "user:dana@x.com");
}

#[tokio::test]
async fn the_sound_of_a_turn_can_be_played_again_by_whoever_sees_the_meeting() {
    let world = World::new().await;
    let meeting = started(&world, ACTOR).await;
    spoken(&world, meeting).await;
    let page = world.page(&format!("/practice/{meeting}")).await;
    let path = |turn: &str| format!("/practice/{meeting}/turns/{turn}/sound");
    assert!(page.contains(&format!("src=\"{}\"", path("1"))) && page.contains("Sound of turn 1"), "{page}");
    assert!(!page.contains(&path("2")), "it was written");
    assert!(!world.page(&format!("/practice/{meeting}/report")).await.contains("<audio"), "paper is silent");
    let sound = world.get(&path("1")).await;
    assert_eq!((sound.status, &sound.headers[CONTENT_TYPE]), (StatusCode::OK, &"audio/wav".parse().unwrap()));
    assert_eq!(sound.text.as_bytes(), WAV);
    let part = world.get_with(&path("1"), (RANGE.as_str(), "bytes=8-11")).await;
    assert_eq!((part.status, &*part.text), (StatusCode::PARTIAL_CONTENT, "WAVE"));
    for turn in ["2", "3", "99", "x"] {
        assert_eq!(world.get(&path(turn)).await.status, StatusCode::NOT_FOUND, "{turn}");
    }
    let theirs = planted(&world, domain::call::WorkspaceId(Uuid::from_u128(7)), ACTOR, "x").await.meeting;
    assert_eq!(world.get(&format!("/practice/{theirs}/turns/1/sound")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_of_an_ended_meeting_plays_its_recording_where_there_is_one() {
    let world = World::new().await;
    let meeting = started(&world, ACTOR).await;
    let holder = spoken(&world, meeting).await;
    let path = format!("/practice/{meeting}");
    let call = world.arrived("practice-1", CallDetails::default()).await;
    let end = (Some(call), &json!([]), Moment::now());
    assert!(world.store.end_meeting(WORKSPACE, meeting, holder, end).await.unwrap());
    assert!(!world.page(&path).await.contains("/recording\""), "the blob is not there");
    world.blobs.put(&format!("recordings/{call}/aa11"), Bytes::from_static(WAV)).await.unwrap();
    let page = world.page(&path).await;
    assert!(page.contains(&format!("src=\"/calls/{call}/recording\"")), "{page}");
}
