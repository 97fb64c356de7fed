//! The webhooks of Exotel. Each pitfall of its interface is a test.

use axum::body::Body;
use axum::http::Request;
use domain::call::{CallId, Direction, WorkspaceId};
use domain::held_file::{HeldFile, Holder};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::world::{Answer, Form, Mood, World, post};

const PATH: &str = "/webhooks/exotel";
const FORM: &str = "application/x-www-form-urlencoded";
const SID: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";
const URL: &str = "https://recordings.exotel.com/exotelrecordings/acme/c0ffee.mp3?sig=1";

/// What Exotel sends when a call has ended.
const CALLBACK: [(&str, &str); 12] = [
    ("CallSid", SID),
    ("EventType", "terminal"),
    ("From", "09876543210"),
    ("To", "08030752522"),
    ("PhoneNumberSid", "08030752522"),
    ("Direction", "inbound"),
    ("Status", "completed"),
    ("StartTime", "2026-01-18 10:47:05"),
    ("EndTime", "2026-01-18 10:48:09"),
    ("ConversationDuration", "48"),
    ("RecordingUrl", URL),
    ("CustomField", "order=42"),
];

fn encoded(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn sent(world: &World, pairs: &[(&str, &str)]) -> Answer {
    world.send(post(PATH, FORM, encoded(pairs))).await
}

async fn passed_through(world: &World, pairs: &[(&str, &str)]) -> Answer {
    world.send(Request::get(format!("{PATH}?{}", encoded(pairs))).body(Body::empty()).unwrap()).await
}

fn with_account() -> World {
    let settings = [("EXOTEL_API_KEY", "k"), ("EXOTEL_API_TOKEN", "t"), ("EXOTEL_SID", "acme")];
    World::with(&settings, Mood::Works, Mood::Works)
}

#[tokio::test]
async fn a_callback_is_the_same_as_a_form_as_a_multipart_form_and_as_json() {
    let object: Value = CALLBACK.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let mut ids = Vec::new();
    for way in 0..3 {
        let world = World::new();
        let answer = match way {
            0 => sent(&world, &CALLBACK).await,
            1 => world.form(PATH, multipart()).await,
            _ => world.json(PATH, object.clone()).await,
        };
        assert_eq!((answer.status.as_u16(), &answer.body["success"]), (200, &json!(true)), "{answer:?}");
        let (event, details) = (world.event(), world.details());
        assert_eq!(event.call, CallId::derive(WorkspaceId::DEFAULT, "exotel", SID));
        assert_eq!(details.from_number.as_deref(), Some("09876543210"));
        assert_eq!(details.direction, Some(Direction::Incoming));
        assert_eq!(details.duration_ms, Some(48_000));
        assert_eq!(details.source_status.as_deref(), Some("completed"));
        let file = HeldFile::read(&world.opened_url(&event)).unwrap();
        assert_eq!(file, HeldFile::new(Holder::Exotel, SID).with("url", URL));
        assert!(!String::from_utf8(event.encode()).unwrap().contains("recordings.exotel"));
        ids.push(event.id);
    }
    assert_eq!([ids[0]; 3], ids[..], "one call, announced three times");
}

fn multipart() -> Form {
    CALLBACK.iter().fold(Form::default(), |form, (name, value)| form.part(name, "", value))
}

#[tokio::test]
async fn nothing_is_signed_so_the_sender_shows_a_key() {
    let keys = [("DEBRIEF_API_KEY", "api"), ("DEBRIEF_WEBHOOK_KEY", "hook")];
    let world = World::with(&keys, Mood::Works, Mood::Works);
    for (path, status) in
        [(PATH.to_owned(), 401), (format!("{PATH}?key=no"), 401), (format!("{PATH}?key=hook"), 200)]
    {
        let answer = world.send(post(&path, FORM, encoded(&CALLBACK))).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
    }
    let asked = Request::get(format!("{PATH}?CallSid=a&key=hook")).body(Body::empty()).unwrap();
    assert_eq!(world.send(asked).await.status, 200);
    let events = world.events();
    assert_eq!(events.len(), 2);
    assert!(!String::from_utf8(events[1].encode()).unwrap().contains("hook"), "the key is kept nowhere");
}

#[tokio::test]
async fn times_without_a_zone_are_indian_whatever_our_own_zone_is() {
    let world = World::with(&[("DEBRIEF_TIMEZONE", "America/New_York")], Mood::Works, Mood::Works);
    sent(&world, &CALLBACK).await;
    let details = world.details();
    assert_eq!(details.started_at.unwrap().to_string(), "2026-01-18T05:17:05Z");
    assert_eq!(details.ended_at.unwrap().to_string(), "2026-01-18T05:18:09Z");
}

#[tokio::test]
async fn a_passthru_is_answered_and_what_it_does_not_know_yet_is_not_taken_for_a_fact() {
    let world = World::new();
    let pairs = [
        ("CallSid", SID),
        ("CallFrom", "09876543210"),
        ("CallTo", "08030752522"),
        ("Direction", "incoming"),
        ("CallType", "completed"),
        ("StartTime", "2026-01-18 10:47:05"),
        ("EndTime", "1970-01-01 05:30:00"),
        ("DialCallDuration", "0"),
        ("DialWhomNumber", "09876500000"),
        ("digits", "\"1234\""),
    ];
    assert_eq!(passed_through(&world, &pairs).await.status, 200);
    let details = world.details();
    assert_eq!((details.ended_at, details.duration_ms), (None, None));
    assert_eq!(details.from_number.as_deref(), Some("09876543210"));
    assert_eq!(details.to_number.as_deref(), Some("08030752522"));
    assert_eq!(details.agent_phone.as_deref(), Some("09876500000"));
    assert_eq!(details.metadata["digits"], "1234");
    assert_eq!(details.metadata["DialCallDuration"], "0");
    assert!(details.notes.is_empty(), "{:?}", details.notes);
}

#[tokio::test]
async fn the_directions_of_exotel_are_known_and_another_word_is_noted() {
    for (word, direction) in [
        ("inbound", Some(Direction::Incoming)),
        ("outbound-dial", Some(Direction::Outgoing)),
        ("outbound-api", Some(Direction::Outgoing)),
        ("sideways", None),
    ] {
        let world = World::new();
        sent(&world, &[("CallSid", SID), ("Direction", word)]).await;
        let details = world.details();
        assert_eq!(details.direction, direction, "{word}");
        assert_eq!(details.metadata["Direction"], word);
        assert_eq!(details.notes.len(), usize::from(direction.is_none()), "{word}");
    }
}

#[tokio::test]
async fn legs_a_custom_field_and_whatever_else_is_sent_are_kept_as_metadata() {
    let world = World::new();
    let legs = r#"[{"Leg": 1, "Status": "completed"}]"#;
    sent(&world, &[("CallSid", SID), ("Legs", legs), ("CustomField", "order=42"), ("Price", "0.8")]).await;
    let metadata = Value::from(world.details().metadata);
    assert_eq!(
        metadata,
        json!({ "Legs": [{ "Leg": 1, "Status": "completed" }], "CustomField": "order=42", "Price": "0.8" })
    );
}

#[tokio::test]
async fn numbers_come_as_texts_or_as_numbers_and_a_field_of_another_type_is_kept_and_noted() {
    let world = World::new();
    let body = json!({
        "Sid": SID, "Duration": 48, "Price": 0.8, "From": 9_876_543_210_i64, "To": ["a"],
        "RecordingUrl": { "a": 1 }, "Status": "completed",
    });
    assert_eq!(world.json(PATH, body).await.status, 200);
    let details = world.details();
    assert_eq!(details.duration_ms, Some(48_000));
    assert_eq!(details.from_number.as_deref(), Some("9876543210"));
    let noted: Vec<_> = details.notes.iter().filter_map(|note| note.field.as_deref()).collect();
    assert_eq!(noted, ["RecordingUrl", "To"]);
    assert!(world.event().data.materials.is_empty());
}

#[tokio::test]
async fn exotel_is_asked_later_for_a_recording_that_a_callback_does_not_name() {
    let talked = [("CallSid", SID), ("Status", "completed")];
    let world = with_account();
    sent(&world, &talked).await;
    assert_eq!(world.opened_url(&world.event()), format!("exotel:{SID}"));
    for status in ["busy", "no-answer", "failed"] {
        let world = with_account();
        sent(&world, &[("CallSid", SID), ("Status", status), ("ConversationDuration", "0")]).await;
        assert!(world.event().data.materials.is_empty(), "{status}");
        assert_eq!(world.details().duration_ms, Some(0), "{status}");
    }
    let world = World::new();
    sent(&world, &talked).await;
    assert!(world.event().data.materials.is_empty(), "without an account nobody can be asked");
}

#[tokio::test]
async fn only_a_delivery_without_a_usable_call_is_refused() {
    for pairs in [&[("From", "1")][..], &[("CallSid", "")], &[("CallSid", "null")], &[]] {
        sent(&World::new(), pairs).await.names(422, &["/CallSid"]);
    }
    World::new().json(PATH, json!([1])).await.is_problem(422);
    let odd = World::new();
    assert_eq!(odd.send(post(PATH, "text/plain", encoded(&CALLBACK))).await.status, 200);
}

#[tokio::test]
async fn a_call_that_the_settings_do_not_want_is_taken_and_the_answer_says_why() {
    let settings = [("MIN_DURATION", "1m"), ("DIRECTIONS", "incoming")];
    let world = World::with(&settings, Mood::Works, Mood::Works);
    let answer = sent(&world, &CALLBACK).await;
    assert_eq!(answer.body["message"], "Call skipped - it took 48 s, and MIN_DURATION is 1 min");
    assert_eq!(world.event().data.materials.len(), 1);
}
