//! A conversation that was written down, with its traps.

use super::*;

fn conversation() -> Conversation {
    Conversation::new(
        "gpt-live-transcribe".into(),
        &StreamWanted { language: Some("en-GB".into()), ..StreamWanted::default() },
    )
}

fn sound(ms: i64, loudness: i16) -> Vec<i16> {
    (0..samples_of(ms)).map(|at| if at / 40 % 2 == 0 { loudness } else { -loudness }).collect()
}

fn kinds(messages: &[Message]) -> Vec<String> {
    let kind = |message: &Message| {
        let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        message["type"].as_str().unwrap().to_owned()
    };
    messages.iter().map(kind).filter(|kind| kind != "input_audio_buffer.append").collect()
}

fn say(conversation: &mut Conversation, audio: &[i16]) -> Vec<String> {
    audio.chunks(800).flat_map(|chunk| kinds(&conversation.audio(chunk))).collect()
}

fn read(conversation: &mut Conversation, message: &Value) -> Vec<(&'static str, i64, String)> {
    let heard = conversation.read(&message.to_string()).unwrap();
    heard
        .into_iter()
        .map(|heard| match heard {
            Heard::Partial(spoken) | Heard::Ending(spoken) => ("partial", spoken.turn, spoken.text),
            Heard::Final(spoken) => ("final", spoken.turn, spoken.text),
            Heard::Finished => ("finished", 0, String::new()),
        })
        .collect()
}

fn delta(item: &str, words: &str) -> Value {
    json!({"type": "conversation.item.input_audio_transcription.delta", "item_id": item, "content_index": 0, "delta": words})
}

fn completed(item: &str, words: &str) -> Value {
    json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": item, "content_index": 0,
        "transcript": words, "usage": {"type": "duration", "seconds": 1}})
}

#[test]
fn the_session_is_one_of_transcription_and_finds_no_turns_by_itself() {
    let hello = conversation().hello();
    let hello: Value = serde_json::from_str(hello[0].to_text().unwrap()).unwrap();
    let input = &hello["session"]["audio"]["input"];
    assert_eq!(hello["session"]["type"], "transcription");
    assert_eq!(input["transcription"], json!({"model": "gpt-live-transcribe", "language": "en"}));
    assert!(input["turn_detection"].is_null() && input.as_object().unwrap().contains_key("turn_detection"));
}

#[test]
fn the_golden_conversation_has_the_order_of_the_turns_and_not_that_of_the_answers() {
    let mut talk = conversation();
    assert!(talk.end_turn().is_none(), "a turn without audio is an error there");
    assert!(say(&mut talk, &sound(500, 10)).is_empty());
    let mut first = sound(1_000, 3_000);
    first.extend(sound(700, 10));
    assert_eq!(say(&mut talk, &first), ["input_audio_buffer.commit"]);
    assert_eq!(
        read(&mut talk, &delta("a", "Good")),
        [("partial", 0, "Good".into())],
        "before its place is known"
    );
    let committed = json!({"type": "input_audio_buffer.committed", "item_id": "a", "previous_item_id": null});
    assert!(read(&mut talk, &committed).is_empty());
    assert_eq!(read(&mut talk, &delta("a", " morning.")), [("partial", 0, "Good morning.".into())]);
    let mut second = sound(800, 3_000);
    second.extend(sound(700, 10));
    assert_eq!(say(&mut talk, &second), ["input_audio_buffer.commit"]);
    let committed = json!({"type": "input_audio_buffer.committed", "item_id": "b", "previous_item_id": "a"});
    read(&mut talk, &committed);
    assert!(read(&mut talk, &completed("b", "Bye.")).is_empty(), "the first turn is not over");
    let over = read(&mut talk, &completed("a", "Good morning."));
    assert_eq!(over, [("final", 0, "Good morning.".into()), ("final", 1, "Bye.".into())]);
}

#[test]
fn a_turn_has_the_times_of_its_audio_and_a_failed_one_holds_up_no_other() {
    let mut talk = conversation();
    say(&mut talk, &sound(1_000, 10));
    let mut audio = sound(1_000, 3_000);
    audio.extend(sound(700, 10));
    say(&mut talk, &audio);
    let mut next = sound(500, 3_000);
    next.extend(sound(700, 10));
    say(&mut talk, &next);
    for (item, previous) in [("a", Value::Null), ("b", json!("a"))] {
        read(
            &mut talk,
            &json!({"type": "input_audio_buffer.committed", "item_id": item, "previous_item_id": previous}),
        );
    }
    read(&mut talk, &completed("b", "Bye."));
    let failed = json!({"type": "conversation.item.input_audio_transcription.failed", "item_id": "a", "error": {"code": "audio_unintelligible"}});
    let heard = talk.read(&failed.to_string()).unwrap();
    let Heard::Final(second) = &heard[1] else { panic!("it is not final") };
    assert!(
        (2_600..=2_800).contains(&second.start_ms) && (3_100..=3_300).contains(&second.end_ms),
        "{second:?}"
    );
}

#[test]
fn an_empty_commit_is_forgotten_and_the_end_waits_for_the_last_words() {
    let mut talk = conversation();
    let mut audio = sound(500, 10);
    audio.extend(sound(600, 3_000));
    say(&mut talk, &audio);
    assert_eq!(kinds(&talk.finish()), ["input_audio_buffer.commit"]);
    read(
        &mut talk,
        &json!({"type": "input_audio_buffer.committed", "item_id": "a", "previous_item_id": null}),
    );
    assert_eq!(
        read(&mut talk, &completed("a", "Yes.")),
        [("final", 0, "Yes.".into()), ("finished", 0, String::new())]
    );
    let mut silent = conversation();
    assert_eq!(kinds(&silent.finish()), ["session.update"]);
    assert_eq!(read(&mut silent, &json!({"type": "session.updated"})), [("finished", 0, String::new())]);
    let mut refused = conversation();
    say(&mut refused, &audio);
    refused.finish();
    let error = json!({"type": "error", "error": {"type": "invalid_request_error", "code": "input_audio_buffer_commit_empty"}});
    assert_eq!(read(&mut refused, &error), [("finished", 0, String::new())]);
}
