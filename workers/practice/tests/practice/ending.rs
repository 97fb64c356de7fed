use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono_tz::Tz;
use domain::call::CallKind;
use domain::event::{CallReceived, Envelope, Kept, MaterialAt, MaterialKind};
use domain::transcript::Transcript;
use media::audio::{SPEECH_RATE, wav};
use media::transcripts::{People, parse};
use serde_json::{Value, json};

use crate::voices::{Ear, Parrot, speech};
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

/// The material of this kind.
async fn material(world: &World, event: &Envelope<CallReceived>, kind: MaterialKind) -> Vec<u8> {
    let material = event.data.materials.iter().find(|material| material.kind == kind).unwrap();
    let MaterialAt::Blob(key) = &material.at else { panic!("{material:?}") };
    world.blobs.get(key, 10_000_000).await.unwrap().to_vec()
}

async fn transcript(world: &World, event: &Envelope<CallReceived>) -> Transcript {
    let bytes = material(world, event, MaterialKind::Transcript).await;
    parse(MaterialKind::Transcript, &bytes, Tz::UTC, &People::default()).unwrap()
}

#[tokio::test]
async fn a_meeting_with_sound_has_one_recording_whose_times_are_those_of_the_transcript() {
    let (_, speech_to_text) = Ear::hears("Maria, what slows you down?");
    let world = World::new().await.with_sound(vec![Parrot::new()], speech_to_text);
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let aloud = json!({"meeting_id": meeting, "audio_data": STANDARD.encode(speech())});
    world.post("/api/conversation/send-message", &aloud).await.data();
    world.say(&meeting, "How do you measure that?").await;
    let turns = world.history(&meeting).await;
    let spoken = world.get(&text(&turns[0]["audio_url"])).await.bytes;
    assert!(wav::written(&spoken).is_some(), "what the trainee says aloud is kept");
    assert_eq!(turns[2]["audio_url"], Value::Null, "what she writes has no sound");

    world.post(&format!("/api/meeting/{meeting}/end"), &json!({})).await.data();
    let events = events(&world).await;
    let recording = material(&world, &events[0], MaterialKind::Recording).await;
    let written = wav::written(&recording).unwrap();
    assert_eq!((written.rate, written.channels), (SPEECH_RATE, 2));
    let Kept::Inline(details) = &events[0].data.details else { panic!("{events:?}") };
    let transcript = transcript(&world, &events[0]).await;
    let times: Vec<(i64, i64)> =
        transcript.segments.iter().map(|one| (one.start_ms.unwrap(), one.end_ms.unwrap())).collect();
    assert_eq!(times.len(), 4);
    assert!(times.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{times:?}");
    assert_eq!(written.frames * 1000 / u64::from(SPEECH_RATE), u64::try_from(times[3].1).unwrap());
    assert_eq!(details.duration_ms, Some(times[3].1), "the call is as long as its recording");
    let is_heard = |channel: usize, (start, end): (i64, i64)| {
        let at = |ms: i64| 44 + usize::try_from(ms).unwrap() * 16 * 4;
        let frames = recording[at(start)..at(end)].chunks_exact(4);
        let loudest = frames
            .map(|frame| i16::from_le_bytes([frame[channel * 2], frame[channel * 2 + 1]]).unsigned_abs());
        loudest.max().unwrap_or(0) > 500
    };
    // The trainee is on the left where she spoke, and silent where she wrote. Maria is on the right.
    let heard: Vec<(bool, bool)> =
        times.iter().map(|time| (is_heard(0, *time), is_heard(1, *time))).collect();
    assert_eq!(heard, [(true, false), (false, true), (false, false), (false, true)]);
    let pause = times.windows(2).map(|pair| pair[1].0 - pair[0].1).max().unwrap();
    assert!(pause <= 2_000, "{times:?}");
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
    assert_eq!(event.data.materials.len(), 1, "without sound there is no recording");
    let transcript = transcript(&world, event).await;
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
