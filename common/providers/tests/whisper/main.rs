//! Whisper in the process, with a tiny model whose weights are thrown dice. It says nonsense, but it says it by the rules,
//! so everything around the words can be tested without anybody's weights.

#![expect(clippy::unwrap_used, reason = "a test should fail where it cannot go on")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    dead_code,
    reason = "sounds are made of small numbers; the sounds of another crate are more than are needed here"
)]

#[path = "../../../media/tests/audio/sounds.rs"]
mod sounds;
mod tiny;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::fault::Fault;
use domain::refusal::Refusal;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use platform::config::Values;
use providers::speech::{self, Audio, SpeechAtOnce, SpeechToText, Wanted};
use providers::{Checked, Slots};
use serde_json::Value;
use tokio::sync::Mutex;

/// The provider works on one recording at a time, and so do the tests.
static TURN: Mutex<()> = Mutex::const_new(());

fn values(folder: &Path) -> Values {
    Values::of([
        ("SPEECH", "whisper"),
        ("WHISPER_MODEL_DIR", folder.to_str().unwrap()),
        ("WHISPER_THREADS", "2"),
    ])
}

fn provider(folder: &Path) -> Arc<dyn SpeechAtOnce> {
    let made = speech::configured(&values(folder), &Slots::of_this_process()).unwrap();
    match made.into_iter().next() {
        Some(SpeechToText::AtOnce(provider)) => provider,
        _ => panic!("it is on, and answers at once"),
    }
}

/// A WAV file of 16 bits with these channels.
fn wav(channels: &[&[f32]]) -> Bytes {
    let frames = channels[0].len();
    let width = channels.len() as u16;
    let length = (frames * channels.len() * 2) as u32;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + length).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend(width.to_le_bytes());
    file.extend(16_000_u32.to_le_bytes());
    file.extend((16_000 * 2 * u32::from(width)).to_le_bytes());
    file.extend((2 * width).to_le_bytes());
    file.extend(b"\x10\0data");
    file.extend(length.to_le_bytes());
    for at in 0..frames {
        for channel in channels {
            file.extend(((channel[at].clamp(-1.0, 1.0) * 32_000.0) as i16).to_le_bytes());
        }
    }
    file.into()
}

fn audio(file: Bytes) -> Audio {
    Audio {
        bytes: file.len() as u64,
        media_type: Some("audio/wav".into()),
        body: stream::iter([Ok(file)]).boxed(),
    }
}

async fn answer(folder: &Path, file: Bytes, wanted: &Wanted) -> Result<Vec<u8>, Refusal> {
    let _turn = TURN.lock().await;
    let answer: Vec<Bytes> = provider(folder).transcribe(audio(file), wanted).await?.try_collect().await?;
    Ok(answer.concat())
}

async fn heard(folder: &Path, file: Bytes, wanted: &Wanted) -> Value {
    serde_json::from_slice(&answer(folder, file, wanted).await.unwrap()).unwrap()
}

fn ms(value: &Value, name: &str) -> i64 {
    value[name].as_i64().unwrap()
}

#[tokio::test]
async fn a_recording_longer_than_a_window_loses_no_stretch_of_speech_and_its_times_are_in_order() {
    let folder = tiny::model();
    let talk = sounds::talk(3, 130.0, 75);
    let file = wav(&[&talk.samples]);
    let first = answer(folder.path(), file.clone(), &Wanted::default()).await.unwrap();
    let again = answer(folder.path(), file, &Wanted::default()).await.unwrap();
    assert_eq!(first, again, "the same recording gives the same answer");

    let answer: Value = serde_json::from_slice(&first).unwrap();
    assert_eq!(ms(&answer, "audio_ms"), 75_000);
    let windows = answer["windows"].as_array().unwrap();
    assert!(windows.len() >= 3);
    assert!(windows.windows(2).all(|pair| ms(&pair[0], "end_ms") <= ms(&pair[1], "start_ms")));
    for [from, until] in talk.truth {
        // The detector may be some frames late, and the margin around a window is larger than that.
        let lost = (from..until).filter(|at| {
            !windows.iter().any(|window| (ms(window, "start_ms")..=ms(window, "end_ms")).contains(at))
        });
        assert!(lost.count() < 100, "what is said from {from} to {until} ms is listened to");
    }
    let reading = speech::reader("whisper").unwrap()(&first).unwrap();
    let segments = &reading.transcript.segments;
    assert!(segments.len() >= 3, "{segments:?}");
    assert!(
        segments.iter().all(|segment| segment.start_ms <= segment.end_ms && segment.end_ms <= Some(75_000))
    );
    assert!(segments.windows(2).all(|pair| pair[0].start_ms <= pair[1].start_ms));
    assert!(segments.iter().all(|segment| !segment.text.is_empty() && segment.speaker.is_none()));
}

#[tokio::test]
async fn silence_and_noise_give_no_words() {
    let folder = tiny::model();
    let mut dice = sounds::Dice::new(5);
    let noise: Vec<f32> = (0..20 * sounds::RATE).map(|_| dice.noise() * 0.05).collect();
    for sound in [vec![0.0; 40 * sounds::RATE], noise] {
        let answer = heard(folder.path(), wav(&[&sound]), &Wanted::default()).await;
        assert_eq!((answer["segments"].as_array().unwrap().len(), answer["language"].as_str()), (0, None));
    }
}

#[tokio::test]
async fn the_two_channels_of_a_call_are_heard_apart_and_other_channels_are_mixed() {
    let folder = tiny::model();
    let talk = sounds::talk(4, 190.0, 12);
    let silent = vec![0.0; talk.samples.len()];
    let file = wav(&[&silent, &talk.samples]);
    let apart = Wanted { channels: Some(2), ..Wanted::default() };
    let apart = heard(folder.path(), file.clone(), &apart).await;
    assert_eq!(ms(&apart, "channels"), 2);
    let windows = apart["windows"].as_array().unwrap();
    assert!(!windows.is_empty() && windows.iter().all(|window| window["channel"] == 1), "{windows:?}");
    let mixed = heard(folder.path(), file, &Wanted::default()).await;
    assert_eq!(ms(&mixed, "channels"), 1);
}

#[tokio::test]
async fn the_language_is_the_wanted_one_or_is_found_out_and_an_english_model_has_none() {
    let folder = tiny::model();
    let file = wav(&[&sounds::talk(1, 110.0, 6).samples]);
    let wanted = |tag: &str| Wanted { language: Some(tag.into()), ..Wanted::default() };
    assert_eq!(heard(folder.path(), file.clone(), &wanted("de-AT")).await["language"], "de");
    let found = heard(folder.path(), file.clone(), &wanted("xx")).await;
    assert!(["en", "de"].map(Value::from).contains(&found["language"]), "{found}");
    std::fs::write(folder.path().join("generation_config.json"), r#"{"is_multilingual": false}"#).unwrap();
    assert_eq!(heard(folder.path(), file, &wanted("de")).await["language"], "en");
}

/// What the plain `debrief check` says, and what a call is refused with.
async fn complaints(folder: &Path) -> (Vec<String>, Refusal) {
    let provider = providers::all().into_iter().find(|provider| provider.name() == "whisper").unwrap();
    let remarks = provider.remarks(&values(folder)).unwrap();
    let file = wav(&[&sounds::talk(1, 110.0, 3).samples]);
    (remarks, answer(folder, file, &Wanted::default()).await.unwrap_err())
}

/// What damages the files of a model in a folder.
type Damage = Box<dyn Fn(&Path)>;

#[tokio::test]
async fn a_model_that_cannot_be_used_is_said_by_the_check_and_on_the_call() {
    let without = |file: &'static str| move |folder: &Path| std::fs::remove_file(folder.join(file)).unwrap();
    let damaged: Vec<(&str, Damage)> = vec![
        ("no folder", Box::new(|folder| std::fs::remove_dir_all(folder).unwrap())),
        ("config.json", Box::new(without("config.json"))),
        ("model.safetensors", Box::new(without("model.safetensors"))),
        ("vocab.json", Box::new(without("tokenizer.json"))),
        ("in the shape [16, 80, 3]", Box::new(|folder| tiny::change_config(folder, "num_mel_bins", 128))),
        (
            "has no `model.encoder.layers.1",
            Box::new(|folder| tiny::change_config(folder, "encoder_layers", 2)),
        ),
        ("no Whisper model", Box::new(|folder| tiny::change_config(folder, "d_model", 0))),
        (
            "no Whisper model",
            Box::new(|folder| tiny::change_config(folder, "max_source_positions", 9_000_000)),
        ),
        ("cut short", Box::new(|folder| tiny::cut_weights(folder, 2_000))),
        ("cut short", Box::new(|folder| tiny::cut_weights(folder, 100))),
        ("header", Box::new(|folder| tiny::cut_weights(folder, 3))),
        ("tokenizer.json", Box::new(|folder| std::fs::write(folder.join("tokenizer.json"), "{}").unwrap())),
        ("config.json", Box::new(|folder| std::fs::write(folder.join("config.json"), "\0").unwrap())),
    ];
    for (said, damage) in damaged {
        let folder = tiny::model();
        damage(folder.path());
        let (remarks, refusal) = complaints(folder.path()).await;
        assert_eq!(
            (refusal.fault, refusal.code.name()),
            (Fault::Unavailable, "speech_to_text_model_unusable")
        );
        assert!(refusal.text.contains(said), "{said}: {refusal}");
        assert!(remarks.len() == 1 && remarks[0].contains(said), "{said}: {remarks:?}");
    }
}

#[tokio::test]
async fn weights_that_are_no_numbers_are_found_by_the_check_that_loads_them() {
    let folder = tiny::model();
    tiny::spoil_weights(folder.path());
    let (remarks, refusal) = complaints(folder.path()).await;
    assert!(remarks.is_empty(), "only the values are wrong: {remarks:?}");
    assert!(refusal.text.contains("no numbers"), "{refusal}");
    let _turn = TURN.lock().await;
    let refusal = provider(folder.path()).check().await.unwrap_err();
    assert!(refusal.text.contains("no numbers"), "{refusal}");
}

#[tokio::test]
async fn a_model_in_order_passes_the_check() {
    let folder = tiny::model();
    let _turn = TURN.lock().await;
    let checked = provider(folder.path()).check().await.unwrap();
    assert!(matches!(checked, Checked::Reached { .. }), "{checked:?}");
    assert!(provider(folder.path()).memory_bytes() > 100_000_000, "the sound is counted");
}

#[tokio::test]
async fn what_is_no_recording_is_refused_for_good() {
    let folder = tiny::model();
    let refusal =
        answer(folder.path(), Bytes::from_static(b"<html>no</html>"), &Wanted::default()).await.unwrap_err();
    assert_eq!(refusal.fault, Fault::Permanent);
    assert!(refusal.text.starts_with("failed to use Whisper in this process"), "{refusal}");
}

#[tokio::test]
async fn work_that_nobody_waits_for_any_more_ends_and_lets_the_next_begin() {
    let folder = tiny::model();
    let long = wav(&[&sounds::talk(2, 120.0, 300).samples]);
    let short = wav(&[&sounds::talk(2, 120.0, 4).samples]);
    let _turn = TURN.lock().await;
    let provider = provider(folder.path());
    let wanted = Wanted::default();
    let given_up =
        tokio::time::timeout(Duration::from_millis(300), provider.transcribe(audio(long), &wanted)).await;
    assert!(given_up.is_err(), "five minutes take longer");
    // This waits for its turn for 20 s at most, and the five minutes would take longer.
    let answer = provider.transcribe(audio(short), &wanted).await;
    assert!(answer.is_ok());
}
