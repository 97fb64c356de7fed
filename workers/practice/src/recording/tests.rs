use std::time::Duration;

use serde_json::Value;
use store::TurnState;

use super::*;

fn turn(number: i64, at_ms: u64, duration_ms: i64) -> TurnRow {
    TurnRow {
        number,
        speaker: if number % 2 == 1 { SALESPERSON.into() } else { "a".into() },
        name: "x".into(),
        role: "x".into(),
        said: "x".into(),
        state: TurnState::Said,
        details: Value::Null,
        answers: None,
        is_answered: true,
        request_hash: None,
        audio: None,
        duration_ms,
        created_at: start().plus(Duration::from_millis(at_ms)),
    }
}

fn start() -> Moment {
    Moment::from_micros(1_764_500_000_000_000)
}

fn sound(length_ms: i64) -> TurnSound {
    TurnSound { key: "k".into(), rate: 24_000, length_ms }
}

fn times(turns: &[TurnRow], sounds: &[Option<TurnSound>]) -> Vec<(i64, i64)> {
    spans(turns, sounds, start()).iter().map(|span| (span.start_ms, span.end_ms)).collect()
}

#[test]
fn without_sound_a_turn_begins_when_it_was_said_and_after_the_one_before_it() {
    let turns = [turn(1, 4_000, 1_000), turn(2, 4_100, 2_000), turn(3, 3_600_000, 500)];
    assert_eq!(times(&turns, &[None, None, None]), [(4_000, 5_000), (5_000, 7_000), (3_600_000, 3_600_500)]);
}

#[test]
fn with_sound_pauses_are_short_and_a_turn_is_as_long_as_its_sound() {
    let turns = [turn(1, 4_000, 1_000), turn(2, 4_100, 2_000), turn(3, 3_600_000, 500)];
    assert_eq!(
        times(&turns, &[None, Some(sound(2_500)), None]),
        [(2_000, 3_000), (3_000, 5_500), (7_500, 8_000)],
        "a written turn keeps the time that its words take"
    );
}

#[tokio::test]
async fn the_sounds_are_joined_to_the_sample_however_their_rates_differ() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::local(dir.path()).unwrap();
    let mut turns = vec![turn(1, 1_000, 1), turn(2, 1_000, 1), turn(3, 1_000, 700), turn(4, 9_000, 1)];
    for (at, rate, seconds) in [(0, SPEECH_RATE, 1), (1, 24_000, 2), (3, 24_000, 3)] {
        let key = format!("sound-{at}");
        let samples = usize::try_from(rate).unwrap() * seconds;
        let mut file = wav::header_at(rate, samples as u64, 1).to_vec();
        file.extend(repeat_n(10_000_i16.to_le_bytes(), samples).flatten());
        blobs.put(&key, file.into()).await.unwrap();
        turns[at].audio = Some(key);
    }
    let sounds = sounds_of(&blobs, &turns).await.unwrap();
    let spans = spans(&turns, &sounds, start());
    let times: Vec<_> = spans.iter().map(|span| (span.start_ms, span.end_ms)).collect();
    assert_eq!(times, [(1_000, 2_000), (2_000, 4_000), (4_000, 4_700), (6_700, 9_700)]);
    let upload = joined(&blobs, &turns, sounds, &spans).await.unwrap().unwrap();
    assert_eq!(upload.bytes, 44 + 9_700 * 16 * 4);
    upload.keep_as("joined").await.unwrap();
    let file = blobs.get("joined", u64::MAX).await.unwrap();
    assert_eq!(
        wav::written(&file),
        Some(wav::Written { rate: SPEECH_RATE, channels: 2, frames: 9_700 * 16 })
    );
    let at = |ms: usize, channel: usize| {
        let at = 44 + ms * 16 * 4 + channel * 2;
        i16::from_le_bytes([file[at], file[at + 1]])
    };
    for (ms, left, right) in [
        (500, false, false),
        (1_500, true, false),
        (2_500, false, true),
        (3_990, false, true),
        (4_300, false, false),
        (6_000, false, false),
        (8_000, false, true),
    ] {
        let found = (at(ms, 0).abs() > 9_000, at(ms, 1).abs() > 9_000);
        assert_eq!(found, (left, right), "at {ms} ms: {} {}", at(ms, 0), at(ms, 1));
    }
}

#[tokio::test]
async fn a_sound_that_is_gone_is_silence_and_one_side_alone_is_in_the_middle() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::local(dir.path()).unwrap();
    let mut turns = vec![turn(1, 0, 1_000), turn(2, 0, 1_000)];
    turns[0].audio = Some("gone".into());
    let sounds = sounds_of(&blobs, &turns).await.unwrap();
    assert_eq!(sounds, [None, None]);
    assert!(joined(&blobs, &turns, sounds, &spans(&turns, &[None, None], start())).await.unwrap().is_none());
    let file = wav::file(&[5_000; 8_000]);
    blobs.put("sound", file.into()).await.unwrap();
    turns[1].audio = Some("sound".into());
    let sounds = sounds_of(&blobs, &turns).await.unwrap();
    let spans = spans(&turns, &sounds, start());
    let upload = joined(&blobs, &turns, sounds, &spans).await.unwrap().unwrap();
    assert_eq!(upload.bytes, 44 + 1_500 * 16 * 2, "one channel, with a second of silence before the sound");
}
