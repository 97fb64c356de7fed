//! Fields that are not what they should be. The tools that send them do not repeat a refused request, so a call is
//! taken with what can be used of it, and the call says what could not.

use domain::call::CallDetails;
use domain::event::{CallReceived, Envelope, Kept};
use serde_json::{Value, json};

use crate::world::{Answer, Form, World, post};

const PATH: &str = "/webhook/zapier";
const VTT: &str = "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nTom Björk: Good morning.\n";
const WAV: &[u8] = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00";

fn inline(event: &Envelope<CallReceived>) -> CallDetails {
    match &event.data.details {
        Kept::Inline(details) => details.clone(),
        Kept::Blob(key) => panic!("the details are in the blob {key}"),
    }
}

/// The notes of a call, each as `code field`.
fn notes(details: &CallDetails) -> Vec<String> {
    let named = |note: &domain::note::Note| {
        assert!(note.text.ends_with('.') && note.text.len() > 20, "{note:?}");
        format!("{} {}", note.code, note.field.as_deref().unwrap_or("-"))
    };
    details.notes.iter().map(named).collect()
}

async fn raw(world: &World, body: &str) -> Answer {
    world.send(post(PATH, "application/json", body.to_owned())).await
}

/// What a field of the webhook became: the details without the metadata and the notes, the metadata, and the notes.
async fn taken(body: &str) -> (Value, Value, Vec<String>) {
    let world = World::new();
    let answer = raw(&world, body).await;
    assert_eq!(answer.status, 200, "{body}: {answer:?}");
    let mut details = inline(&world.event());
    let notes = notes(&details);
    let metadata = Value::from(std::mem::take(&mut details.metadata));
    details.notes.clear();
    (serde_json::to_value(details).unwrap(), metadata, notes)
}

/// One line for each input: the field as it was sent, what the call holds, the metadata, and the notes.
#[tokio::test]
async fn a_field_that_cannot_be_used_costs_no_call_and_the_call_says_so() {
    let long = "x".repeat(1001);
    let long_url = format!("https://r.example.com/{}?sig=secret", "x".repeat(2048));
    let none = || json!({});
    let other_type = |field: &str| vec![format!("field_of_another_type {field}")];
    let unreadable = || vec!["duration_unusable duration".to_owned()];
    let table: Vec<(&str, Value, Value, Value, Vec<String>)> = vec![
        (
            "agent_name",
            json!(["Dana Ortiz"]),
            none(),
            json!({"agent_name": ["Dana Ortiz"]}),
            other_type("agent_name"),
        ),
        ("agent_phone", json!({"n": 1}), none(), json!({"agent_phone": {"n": 1}}), other_type("agent_phone")),
        ("from_number", json!({}), none(), json!({"from_number": {}}), other_type("from_number")),
        ("to_number", json!([]), none(), json!({"to_number": []}), other_type("to_number")),
        ("status", json!([["x"]]), none(), json!({"status": [["x"]]}), other_type("status")),
        ("department", json!(true), json!({"department": "true"}), none(), vec![]),
        ("timestamp", json!({"at": 1}), none(), json!({"timestamp": {"at": 1}}), other_type("timestamp")),
        ("timestamp", json!("yesterday"), json!({"started_text": "yesterday"}), none(), vec![]),
        (
            "timestamp",
            json!(1_760_012_907.25),
            json!({"started_at": "2025-10-09T12:28:27.250Z"}),
            none(),
            vec![],
        ),
        (
            "agent_name",
            json!(long),
            none(),
            json!({"agent_name": long}),
            vec!["field_too_long agent_name".into()],
        ),
        ("recording_url", json!(5), none(), json!({"recording_url": 5}), other_type("recording_url")),
        (
            "recording_url",
            json!(["https://r.example.com/a?sig=secret"]),
            none(),
            json!({"recording_url": ["https://r.example.com/a"]}),
            other_type("recording_url"),
        ),
        (
            "recording_url",
            json!(long_url),
            none(),
            json!({"recording_url": long_url.split('?').next()}),
            vec!["field_too_long recording_url".into()],
        ),
        ("duration", json!("00:02:05"), json!({"duration_ms": 125_000}), none(), vec![]),
        ("duration", json!(" 1:02:05.5 "), json!({"duration_ms": 3_725_500}), none(), vec![]),
        (
            "duration",
            json!("02:05"),
            json!({"duration_ms": 125_000}),
            none(),
            vec!["duration_in_minutes_and_seconds duration".into()],
        ),
        ("duration", json!("125"), json!({"duration_ms": 125_000}), none(), vec![]),
        ("duration", json!("12.5"), json!({"duration_ms": 12_500}), none(), vec![]),
        ("duration", json!(900_000), none(), json!({"duration": 900_000}), unreadable()),
        (
            "duration",
            json!(90_000),
            json!({"duration_ms": 90_000_000}),
            none(),
            vec!["duration_unlikely duration".into()],
        ),
        ("duration", json!(-5), none(), json!({"duration": -5}), unreadable()),
        ("duration", json!("-5"), none(), json!({"duration": "-5"}), unreadable()),
        ("duration", json!({}), none(), json!({"duration": {}}), unreadable()),
        ("duration", json!([5]), none(), json!({"duration": [5]}), unreadable()),
        ("duration", json!(true), none(), json!({"duration": true}), unreadable()),
        ("duration", json!("99:00:00:00"), none(), json!({"duration": "99:00:00:00"}), unreadable()),
        ("duration", json!("00:75:00"), none(), json!({"duration": "00:75:00"}), unreadable()),
        ("duration", json!("::"), none(), json!({"duration": "::"}), unreadable()),
        ("duration", json!("-1:00:00"), none(), json!({"duration": "-1:00:00"}), unreadable()),
        ("duration", json!("many"), none(), json!({"duration": "many"}), unreadable()),
        ("duration", json!("NaN"), none(), json!({"duration": "NaN"}), unreadable()),
        ("duration", json!("inf"), none(), json!({"duration": "inf"}), unreadable()),
        ("duration", json!(1e300), none(), json!({"duration": 1e300}), unreadable()),
        (
            "duration",
            json!("9999999999999:00:00"),
            none(),
            json!({"duration": "9999999999999:00:00"}),
            unreadable(),
        ),
    ];
    for (field, sent, details, metadata, noted) in table {
        let body = json!({ "call_id": "a", field: sent }).to_string();
        let what: String = body.chars().take(80).collect();
        assert_eq!(taken(&body).await, (details, metadata, noted), "{what}");
    }
}

#[tokio::test]
async fn a_text_that_says_that_there_is_nothing_is_nothing() {
    for word in ["null", "None", "N/A", "undefined", "-", "NULL", " n/a ", "Undefined", "", " \u{a0}"] {
        for field in
            ["agent_name", "from_number", "to_number", "duration", "timestamp", "department", "source"]
        {
            let body = json!({ "call_id": "a", field: word }).to_string();
            assert_eq!(taken(&body).await, (json!({}), json!({}), vec![]), "{body}");
        }
        let world = World::new();
        raw(&world, &json!({ "call_id": "a", "recording_url": word }).to_string()).await;
        let event = world.event();
        assert!(event.data.materials.is_empty() && event.data.source == "exotel", "{word}");
        raw(&world, &json!({ "call_id": word }).to_string()).await.names(422, &["/call_id"]);
    }
    let (details, metadata, _) = taken(r#"{"call_id":"a","agent_name":"Nona","their_word":"N/A"}"#).await;
    assert_eq!(details, json!({"agent_name": "Nona"}));
    assert_eq!(metadata, json!({"their_word": "N/A"}), "what we do not know is kept as it came");
}

#[tokio::test]
async fn blanks_around_an_id_do_not_count_and_a_whole_number_keeps_all_its_digits() {
    let table = [
        (r#""CA-77""#, "CA-77"),
        (r#"" CA-77 ""#, "CA-77"),
        (r#""CA-77\n""#, "CA-77"),
        (r#""\r\n\tCA-77\u00a0\u3000""#, "CA-77"),
        (r#""\ufeffCA-77\u200b""#, "CA-77"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("-123456789012345678901234567890", "-123456789012345678901234567890"),
        ("18446744073709551616", "18446744073709551616"),
        ("9007199254740993", "9007199254740993"),
        ("4711", "4711"),
        ("4711.0", "4711"),
    ];
    for (sent, wanted) in table {
        let world = World::new();
        let answer = raw(&world, &format!("{{\"call_id\":{sent}}}")).await;
        assert_eq!((answer.status.as_u16(), &answer.body["call_id"]), (200, &json!(wanted)), "{sent}");
        assert_eq!(world.event().data.external_id, wanted, "{sent}");
    }
    let world = World::new();
    for body in [r#"{"call_id":"CA-77"}"#, r#"{"call_id":" CA-77 "}"#, r#"{"call_id":"CA-77\n"}"#] {
        raw(&world, body).await;
    }
    let events = world.events();
    assert!(
        events.iter().all(|event| event.call == events[0].call && event.id == events[0].id),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_body_that_is_nearly_json_is_read() {
    let table = [
        (r#""Dana \ud83d""#, json!("Dana \u{fffd}")),
        (r#""\udc00 Dana""#, json!("\u{fffd} Dana")),
        (r#""\ud83d\ud83d\ude00""#, json!("\u{fffd}\u{1f600}")),
        (r#""\uD83Dx\uDE00""#, json!("\u{fffd}x\u{fffd}")),
        (r#""a\\ud83d""#, json!("a\\ud83d")),
        ("\"Dana\nOrtiz\"", json!("Dana\nOrtiz")),
        ("\"Dana\tOrtiz\"", json!("Dana\tOrtiz")),
        ("123456789012345678901234567890", json!("123456789012345678901234567890")),
    ];
    for (sent, wanted) in table {
        let (details, ..) = taken(&format!("{{\"call_id\":\"a\",\"agent_name\":{sent}}}")).await;
        assert_eq!(details, json!({ "agent_name": wanted }), "{sent}");
    }
    for (sent, wanted) in [
        ("123456789012345678901234567890", json!("123456789012345678901234567890")),
        ("1e400", json!("1e400")),
        ("[-1e999, 0.1, 1e3]", json!(["-1e999", 0.1, 1e3])),
        (r#"{"\ud800": "\ud800"}"#, json!({"\u{fffd}": "\u{fffd}"})),
    ] {
        let (_, metadata, _) = taken(&format!("{{\"call_id\":\"a\",\"their_field\":{sent}}}")).await;
        assert_eq!(metadata, json!({ "their_field": wanted }), "{sent}");
    }
}

#[tokio::test]
async fn a_source_that_cannot_be_a_name_becomes_one_and_no_two_become_the_same() {
    let mut seen = std::collections::HashSet::new();
    let long = "x".repeat(60);
    for sent in [
        json!(long),
        json!(format!("{long}y")),
        json!("a/b"),
        json!("a b"),
        json!("../x"),
        json!("звонки"),
        json!("вызовы"),
        json!(["a"]),
    ] {
        let world = World::new();
        let answer = world.json(PATH, json!({ "call_id": "a", "source": sent })).await;
        assert_eq!(answer.status, 200, "{sent}: {answer:?}");
        let event = world.event();
        let source = &event.data.source;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        assert!((1..=40).contains(&source.len()) && source.chars().all(plain), "{sent}: {source}");
        assert!(seen.insert(source.clone()), "{sent}: {source}");
        let details = inline(&event);
        assert_eq!(details.metadata["source"], sent);
        assert_eq!(details.notes.len(), 1, "{sent}: {details:?}");
    }
    let world = World::new();
    world.json(PATH, json!({ "call_id": "a", "source": " Twilio " })).await;
    assert_eq!((world.event().data.source.as_str(), inline(&world.event()).notes.len()), ("twilio", 0));
}

#[tokio::test]
async fn only_a_body_that_is_no_object_and_an_id_that_cannot_be_used_are_refused() {
    let world = World::new();
    for body in [
        "{bad",
        "",
        "[]",
        "null",
        "5",
        "\"a\"",
        "{\"call_id\":\"a\"} more",
        "{\"call_id\":\"a",
        "{'call_id':'a'}",
    ] {
        raw(&world, body).await.is_problem(422);
    }
    for id in
        [r#""""#, "null", "[\"x\"]", "{}", "true", "1.5", "1e22", r#""a\u0000b""#, r#""a\nb""#, "\"a\nb\""]
    {
        let body = format!("{{\"call_id\":{id},\"from_number\":{{}},\"duration\":\"many\"}}");
        raw(&world, &body).await.names(422, &["/call_id"]);
    }
    assert_eq!(world.events(), []);
}

#[tokio::test]
async fn the_metadata_of_an_upload_is_read_as_the_webhook_is() {
    let world = World::new();
    let metadata = "{\"call_id\":\" CA-1\\n\",\"agent_name\":[\"Dana\"],\"department\":\"\\ud800\",\"duration\":\"00:02:05\",\"to_number\":\"null\"}";
    let form = Form::default().part("audio", "a.wav", WAV).part("metadata", "m.json", metadata);
    world.form("/api/calls", form).await.accepted();
    let (event, details) = (world.event(), world.details());
    assert_eq!(event.data.external_id, "CA-1");
    assert_eq!((details.duration_ms, details.to_number.as_deref()), (Some(125_000), None));
    assert_eq!(details.department.as_deref(), Some("\u{fffd}"));
    assert_eq!(notes(&details), ["field_of_another_type agent_name"]);
}

#[tokio::test]
async fn a_meeting_is_taken_with_what_can_be_used_of_it() {
    for (meeting, people, metadata, noted) in [
        (r#"{"duration":-1}"#, 0, json!({"duration": -1}), vec!["duration_unusable duration"]),
        (r#"{"duration":"00:45:00","topic":"\ud800"}"#, 0, json!({}), vec![]),
        (r#"{"participants":5}"#, 0, json!({"participants": 5}), vec!["field_of_another_type participants"]),
        (
            r#"{"participants":[{"name":"Ann"},{"name":"Bo","email":[]},7]}"#,
            2,
            json!({"participants": [{"name": "Bo", "email": []}, 7]}),
            vec!["field_of_another_type participants/1/email", "field_of_another_type participants/2"],
        ),
        (r#"{"topic":{"a":1}}"#, 0, json!({"topic": {"a": 1}}), vec!["field_of_another_type topic"]),
        (r#"{"end_time":"late"}"#, 0, json!({"end_time": "late"}), vec!["time_unreadable end_time"]),
    ] {
        let world = World::new();
        let form = Form::default().part("meeting", "m", meeting).part("transcript", "t.vtt", VTT);
        world.form("/api/meetings", form).await.accepted();
        let details = world.details();
        assert_eq!(details.participants.len(), people, "{meeting}");
        assert_eq!(notes(&details), noted, "{meeting}");
        assert_eq!(Value::from(details.metadata), metadata, "{meeting}");
    }
    let many = format!("{{\"participants\":[{}7]}}", "7,".repeat(5000));
    let world = World::new();
    let form = Form::default().part("meeting", "m", many).part("transcript", "t.vtt", VTT);
    world.form("/api/meetings", form).await.accepted();
    let Kept::Blob(key) = &world.event().data.details else { panic!("5000 entries fit into an event") };
    let kept: CallDetails = serde_json::from_slice(&world.blobs.get(key, u64::MAX).await.unwrap()).unwrap();
    assert_eq!(kept.notes.len(), 100, "what one sender says about a call is bounded");
}

#[tokio::test]
async fn a_session_is_taken_with_what_can_be_used_of_it() {
    let items = r#"[{"role":"user","content":["hello"]}]"#;
    for (beside, head, noted) in [
        (r#""caller_phone":["+1"]"#, "", vec!["field_of_another_type caller_phone"]),
        (r#""lead":"Jane","caller_phone":"None""#, "", vec!["field_of_another_type lead"]),
        ("", r#""duration_seconds":"00:01:00""#, vec![]),
        (
            "",
            r#""duration_seconds":{},"start_time":[1]"#,
            vec!["duration_unusable duration_seconds", "field_of_another_type start_time"],
        ),
        ("", r#""start_time":1760012907.5"#, vec![]),
    ] {
        let join = |field: &str| if field.is_empty() { String::new() } else { format!(",{field}") };
        let body = format!(
            r#"{{"call_id":" s-1\n","transcript":{{"items":{items}{}}}{}}}"#,
            join(head),
            join(beside)
        );
        let world = World::new();
        world.send(post("/api/sessions", "application/json", body.clone())).await.accepted();
        let details = world.details();
        assert_eq!(world.event().data.external_id, "s-1");
        let mut found = notes(&details);
        found.sort();
        assert_eq!(found, noted, "{body}");
        assert!(details.from_number.is_none() && details.lead.is_none());
    }
}
