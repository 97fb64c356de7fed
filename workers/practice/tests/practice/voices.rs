use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::fault::Fault;
use domain::refusal::{Failure, Refusal, Remote};
use domain::transcript::{Segment, Transcript};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use providers::speech::{Answer, Audio, Reading, SpeechAtOnce, SpeechToText, Unreadable, Wanted};
use providers::voices::{AnswerLines, Line, Sound, Voice};
use providers::{Check, Checked};
use serde_json::{Value, json};

use crate::sounds;
use crate::speaking::REMOTE;
use crate::world::{World, message, streaming, text};

const SEND: &str = "/api/conversation/send-message";

/// A voice that says each word in a tenth of a second.
pub(crate) struct Parrot {
    fails: Option<Fault>,
    pub(crate) said: Mutex<Vec<(String, Option<String>, usize)>>,
}

impl Parrot {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { fails: None, said: Mutex::default() })
    }

    fn failing(fault: Fault) -> Arc<Self> {
        Arc::new(Self { fails: Some(fault), said: Mutex::default() })
    }
}

/// A tenth of a second.
const WORD_BYTES: usize = 4_800;

impl Check for Parrot {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async { Ok(Checked::reached()) }.boxed()
    }
}

impl Voice for Parrot {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn speak<'a>(&'a self, line: &'a Line<'a>) -> BoxFuture<'a, Result<Sound, Refusal>> {
        self.said.lock().unwrap().push((line.text.into(), line.voice.map(str::to_owned), line.seat));
        let words = line.text.split_whitespace().count();
        async move {
            if let Some(fault) = self.fails {
                let refusal = Refusal::of(&REMOTE, &Failure::Lost { problem: "gone".into() });
                return Err(Refusal { fault, ..refusal });
            }
            // The pieces end in the middle of a sample.
            let sound: Vec<u8> = (0..words * WORD_BYTES).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let pieces: Vec<_> = sound.chunks(1_001).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            Ok(stream::iter(pieces).boxed())
        }
        .boxed()
    }
}

/// A provider that understands this in every sound.
pub(crate) struct Ear(pub(crate) &'static str, pub(crate) Mutex<usize>);

impl Ear {
    pub(crate) fn hears(text: &'static str) -> (Arc<Self>, Vec<SpeechToText>) {
        let ear = Arc::new(Self(text, Mutex::default()));
        (Arc::clone(&ear), vec![SpeechToText::AtOnce(ear)])
    }
}

impl Check for Ear {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async { Ok(Checked::reached()) }.boxed()
    }
}

impl SpeechAtOnce for Ear {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn transcribe<'a>(&'a self, audio: Audio, _: &'a Wanted) -> BoxFuture<'a, Result<Answer, Refusal>> {
        *self.1.lock().unwrap() += 1;
        async move {
            let sound: Vec<Bytes> = audio.body.try_collect().await.unwrap();
            assert!(sound.concat().starts_with(b"RIFF"));
            Ok(stream::iter([Ok(Bytes::from_static(self.0.as_bytes()))]).boxed())
        }
        .boxed()
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn read(&self, answer: &[u8]) -> Result<Reading, Unreadable> {
        let text = String::from_utf8_lossy(answer).into_owned();
        let segment = Segment {
            id: 1,
            speaker: None,
            role: None,
            start_ms: None,
            end_ms: None,
            text,
            confidence: None,
        };
        let transcript = Transcript { segments: vec![segment], ..Transcript::default() };
        Ok(Reading { transcript, ..Reading::default() })
    }
}

/// Somebody who speaks for a second and a half, as samples of 16 bits.
pub(crate) fn speech() -> Vec<u8> {
    let mut dice = sounds::Dice::new(3);
    let mut sound = sounds::babble(&mut dice, 130.0, sounds::RATE * 3 / 2);
    sound.extend(vec![0.0; sounds::RATE / 2]);
    let room = sounds::room(4, sound.len());
    let mixed = sound.iter().zip(room).map(|(voice, noise)| voice * 0.3 + noise * 0.001);
    mixed.flat_map(|sample| media::audio::wav::pcm(sample).to_le_bytes()).collect()
}

#[tokio::test]
async fn an_answer_has_its_sound_at_an_address_of_our_own() {
    let parrot = Parrot::new();
    let world = World::new().await.with_sound(vec![parrot.clone()], Vec::new());
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let answer = world.say(&meeting, "Maria, what do you need?").await;
    let response = &answer["ai_response"];
    let words = text(&response["response_text"]).split_whitespace().count();
    let url = text(&response["audio_url"]);
    assert_eq!(url, format!("/api/conversation/{meeting}/audio/2"));
    let sound = world.get(&url).await;
    assert_eq!(
        (&sound.headers["content-type"], sound.bytes.len()),
        (&"audio/wav".parse().unwrap(), 44 + words * WORD_BYTES)
    );
    assert!(sound.bytes.starts_with(b"RIFF"));
    #[expect(clippy::cast_precision_loss, reason = "an answer has some words")]
    let seconds = words as f64 / 10.0;
    assert!((response["duration_seconds"].as_f64().unwrap() - seconds).abs() < 1e-9, "{response}");
    let turns = world.history(&meeting).await;
    assert_eq!((&turns[1]["audio_url"], &turns[0]["audio_url"]), (&json!(url), &Value::Null));
    // Each sentence was said by itself, with the seat of who says it.
    let said = parrot.said.lock().unwrap().clone();
    let joined: Vec<&str> = said.iter().map(|(text, _, _)| text.as_str()).collect();
    assert_eq!(joined.join(" "), text(&response["response_text"]));
    for none in ["1", "7", "x", "-1"] {
        world.get(&format!("/api/conversation/{meeting}/audio/{none}")).await.is_problem(404);
    }
    world.delete(&format!("/api/meeting/{meeting}")).await.data();
    world.get(&url).await.is_problem(404);
}

#[tokio::test]
async fn the_sound_comes_with_the_sentences_in_pieces_that_make_the_whole() {
    let world = World::new().await.with_sound(vec![Parrot::new()], Vec::new());
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let answer = world.send(streaming(SEND, &message(&meeting, "Hello!"))).await;
    let events: Vec<(&str, Value)> = answer
        .body
        .split("\n\n")
        .filter_map(|event| {
            let (name, data) = event.strip_prefix("event: ")?.split_once("\ndata: ")?;
            Some((name, serde_json::from_str(data).unwrap()))
        })
        .collect();
    let done = &events.last().unwrap().1;
    let sound: Vec<&Value> =
        events.iter().filter(|(name, _)| *name == "ai_audio").map(|(_, data)| data).collect();
    let (last, pieces) = sound.split_last().unwrap();
    assert_eq!((&last["is_final"], &last["mime_type"]), (&json!(true), &json!("audio/wav")));
    let mut samples = Vec::new();
    for (at, piece) in (1..).zip(pieces) {
        assert_eq!((&piece["chunk_no"], &piece["is_final"]), (&json!(at), &json!(false)));
        let file = STANDARD.decode(piece["data"].as_str().unwrap()).unwrap();
        assert!(file.starts_with(b"RIFF"), "each piece can be played by itself");
        samples.extend_from_slice(&file[44..]);
    }
    let whole = world.get(&text(&done["ai_response"]["audio_url"])).await.bytes;
    assert!(samples == whole[44..], "{} and {}", samples.len(), whole.len());
    let names: Vec<&str> = events.iter().map(|(name, _)| *name).collect();
    assert_eq!(names[..2], ["ai_response_text", "ai_audio"]);
}

#[tokio::test]
async fn a_voice_that_fails_costs_the_sound_and_nothing_else_and_the_next_one_speaks() {
    for fault in [Fault::Unavailable, Fault::Transient, Fault::Permanent] {
        let (mute, parrot) = (Parrot::failing(fault), Parrot::new());
        let world = World::new().await.with_sound(vec![mute.clone()], Vec::new());
        let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
        let answer = world.say(&meeting, "Maria, what do you need?").await;
        assert_eq!(answer["ai_response"]["audio_url"], Value::Null);
        assert!(!text(&answer["ai_response"]["response_text"]).is_empty());
        let tries = mute.said.lock().unwrap().len();
        world.say(&meeting, "And what else?").await;
        // A provider that refuses our account is not asked at each sentence.
        assert_eq!(mute.said.lock().unwrap().len() == tries, fault == Fault::Unavailable, "{fault:?}");

        let world = World::new().await.with_sound(vec![mute, parrot], Vec::new());
        let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
        assert!(world.say(&meeting, "Hello!").await["ai_response"]["audio_url"].is_string());
    }
}

#[tokio::test]
async fn what_is_said_aloud_is_understood_once_and_a_piece_without_speech_is_no_turn() {
    let (ear, speech_to_text) = Ear::hears("Maria, what slows you down?");
    let world = World::new().await.with_sound(Vec::new(), speech_to_text);
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let aloud = |sound: &[u8]| json!({"meeting_id": meeting, "audio_data": STANDARD.encode(sound)});
    let first = world.post_with_key(SEND, &aloud(&speech()), "k").await.data();
    let again = world.post_with_key(SEND, &aloud(&speech()), "k").await.data();
    assert_eq!(first, again);
    assert_eq!(*ear.1.lock().unwrap(), 1, "what was answered once is not paid for again");
    let turns = world.history(&meeting).await;
    assert_eq!((turns.len(), &turns[0]["text"]), (2, &json!("Maria, what slows you down?")));
    let spoken = turns[0]["duration_seconds"].as_f64().unwrap();
    assert!((1.0..2.0).contains(&spoken), "{spoken}");
    for sound in [vec![0; 64_000], vec![7; 3], Vec::new()] {
        world.post(SEND, &aloud(&sound)).await.is_problem(422);
    }
    for wrong in ["*", "RIFF"] {
        let body = json!({"meeting_id": meeting, "audio_data": wrong});
        world.post(SEND, &body).await.is_problem(422);
    }
    assert_eq!(*ear.1.lock().unwrap(), 1, "silence costs nothing");
    assert_eq!(world.history(&meeting).await.len(), 2);
}

#[tokio::test]
async fn a_provider_that_hears_no_words_makes_no_turn() {
    let (_, speech_to_text) = Ear::hears(" ");
    let world = World::new().await.with_sound(Vec::new(), speech_to_text);
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let body = json!({"meeting_id": meeting, "audio_data": STANDARD.encode(speech())});
    world.post(SEND, &body).await.is_problem(422);
    assert!(world.history(&meeting).await.is_empty());
}

/// A voice that says the first line of an answer over a connection, and then loses it.
struct Connected(Arc<Parrot>);

impl Check for Connected {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        self.0.check()
    }
}

impl Voice for Connected {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn speak<'a>(&'a self, line: &'a Line<'a>) -> BoxFuture<'a, Result<Sound, Refusal>> {
        self.0.speak(line)
    }

    fn begin_answer(&self, _: &Line<'_>) -> Option<AnswerLines> {
        let (lines, mut asked) = AnswerLines::new();
        tokio::spawn(async move {
            if let Some(first) = asked.recv().await {
                first.sound.send(Ok(vec![1; WORD_BYTES].into())).unwrap();
            }
            if let Some(second) = asked.recv().await {
                let refusal = Refusal::of(&REMOTE, &Failure::Lost { problem: "gone".into() });
                second.sound.send(Err(refusal)).unwrap();
            }
        });
        Some(lines)
    }
}

#[tokio::test]
async fn lines_that_a_connection_does_not_say_are_requests_of_their_own() {
    let parrot = Parrot::new();
    let world = World::new().await.with_sound(vec![Arc::new(Connected(parrot.clone()))], Vec::new());
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let answer = world.say(&meeting, "Maria, what do you need?").await;
    let said = text(&answer["ai_response"]["response_text"]);
    let rest: Vec<String> = parrot.said.lock().unwrap().iter().map(|(line, _, _)| line.clone()).collect();
    assert!(!rest.is_empty() && said.ends_with(&rest.join(" ")), "{said}: {rest:?}");
    assert!(said.len() > rest.join(" ").len(), "the first line was said over the connection");
    let words = rest.join(" ").split_whitespace().count();
    let sound = world.get(&format!("/api/conversation/{meeting}/audio/2")).await;
    assert_eq!(
        sound.bytes.len() - 44,
        (words + 1) * WORD_BYTES,
        "no line is said twice, and none is missing"
    );
}
