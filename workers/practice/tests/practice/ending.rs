use chrono_tz::Tz;
use domain::call::CallKind;
use domain::event::{CallReceived, Envelope, Kept, MaterialAt, MaterialKind};
use media::transcripts::{People, parse};
use serde_json::{Value, json};

use crate::world::{World, text};

/// The events that wait to be published.
async fn events(world: &World) -> Vec<Envelope<CallReceived>> {
    let mut found = Vec::new();
    let taken = world.store.relay_outbox(9, async |rows| {
        found.extend(rows.iter().map(|row| Envelope::<CallReceived>::decode(row.body.as_bytes()).unwrap()));
        Vec::new()
    });
    taken.await.unwrap();
    found
}

#[tokio::test]
async fn a_meeting_becomes_a_call_of_the_kind_practice_with_its_words_and_people() {
    let world = World::new().await;
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    world.say(&meeting, "Maria, what slows your month-end down?").await;
    world.say(&meeting, "How do you measure that?").await;
    let ended = world.post(&format!("/api/meeting/{meeting}/end"), &json!({})).await.data();
    let events = events(&world).await;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(event.call.0.to_string(), text(&ended["call_id"]));
    assert_eq!((event.data.kind, event.data.source.as_str()), (CallKind::Practice, "practice"));
    let Kept::Inline(details) = &event.data.details else { panic!("{event:?}") };
    assert_eq!(details.participants.len(), 2);
    let material = &event.data.materials[0];
    assert_eq!(material.kind, MaterialKind::Transcript);
    let MaterialAt::Blob(key) = &material.at else { panic!("{material:?}") };
    let bytes = world.blobs.get(key, 1_000_000).await.unwrap();
    let transcript = parse(MaterialKind::Transcript, &bytes, Tz::UTC, &People::default()).unwrap();
    assert_eq!(transcript.segments.len(), 4);
    assert_eq!(transcript.segments[0].speaker.as_deref(), Some("Salesperson"));
    assert_eq!(transcript.segments[1].speaker.as_deref(), Some("Maria Garcia"));
    let times: Vec<_> =
        transcript.segments.iter().flat_map(|one| [one.start_ms.unwrap(), one.end_ms.unwrap()]).collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
}

#[tokio::test]
async fn the_score_names_the_turns_on_which_it_rests_and_only_the_trainees_words_count() {
    let world = World::new().await;
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    for words in [
        "What slows your month-end down today?",
        "I understand. How do you measure that cost?",
        "Shall we schedule a pilot on Tuesday?",
    ] {
        world.say(&meeting, words).await;
    }
    let before = world.get(&format!("/api/conversation/{meeting}/analytics")).await.data();
    assert_eq!(before["score"], Value::Null);
    let ended = world.post(&format!("/api/meeting/{meeting}/end"), &json!({})).await.data();
    let after = world.get(&format!("/api/conversation/{meeting}/analytics")).await.data();
    assert_eq!(after["score"]["overall"], ended["score"]["overall"]);
    assert_eq!(after["scorecards"].as_array().unwrap().len(), 4);
    let own: Vec<i64> = world
        .history(&meeting)
        .await
        .iter()
        .filter(|turn| turn["speaker"] == "salesperson")
        .map(|turn| turn["turn_number"].as_i64().unwrap())
        .collect();
    for criterion in after["score"]["criteria"].as_array().unwrap() {
        for turn in criterion["turns"].as_array().unwrap() {
            assert!(own.contains(&turn.as_i64().unwrap()), "{criterion}");
        }
    }
    let discovery = &after["score"]["criteria"][0];
    assert!(
        discovery["score"].as_i64().unwrap() > 0 && !discovery["turns"].as_array().unwrap().is_empty(),
        "{discovery}"
    );
}
