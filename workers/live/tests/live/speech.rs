//! Streams that are transcribed while they are spoken, by the simulators of the providers.

use std::time::Duration;

use domain::call::CallId;
use domain::event::MaterialKind;
use domain::transcript::Transcript;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use simulators::{Options, Provider, Simulator, Simulators, assemblyai, deepgram, openai};
use store::live::NewLiveEvent;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::world::{WORKSPACE, World, voice};

/// A process with the provider's simulator as its only provider, beside the local one that is always there.
struct Stage {
    world: World,
    simulators: Simulators,
    provider: &'static Provider,
}

impl Stage {
    async fn new(provider: &'static Provider) -> Self {
        let options = Options { transcription_time: Duration::from_millis(50), ..Options::default() };
        let simulators = Simulators::start_only(&[provider], &options).await.unwrap();
        let settings = simulators.settings();
        let mut settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        settings.retain(|(name, _)| *name != "SPEECH");
        Self { world: World::with(&settings).await, simulators, provider }
    }

    fn simulator(&self) -> &Simulator {
        self.simulators.of(self.provider)
    }

    /// Tells the simulator what is said, or what goes wrong.
    async fn put(&self, what: &str, body: Value) {
        #[expect(clippy::disallowed_methods, reason = "a test asks a simulator on loopback")]
        let client = reqwest::Client::new();
        let address = self.simulator().url(&format!("/_control/{what}"));
        let answer = client.put(address).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// How many recordings or turns were paid for by themselves.
    fn paid_in_pieces(&self) -> u64 {
        let effects = self.simulator().effects();
        let of = |kind: &str| effects.get(kind).map_or(0, |made| made.values().sum());
        of("transcription") + of("transcript")
    }

    fn connections(&self) -> u64 {
        self.simulator().effects().get("stream").map_or(0, |made| made.values().sum())
    }

    /// Sends audio as a stream, in messages of a tenth of a second, and ends the session.
    async fn speak(&self, session: &str, audio: &[f32]) {
        self.world.start(session).await;
        let address = format!("ws://{}/api/calls/{session}/stream", self.world.listen().await);
        let (mut socket, _) = connect_async(address).await.unwrap();
        let start = json!({"type": "start", "encoding": "pcm_s16le", "sample_rate": 16_000, "channels": 1});
        socket.send(Message::text(start.to_string())).await.unwrap();
        for chunk in audio.chunks(1_600) {
            let bytes: Vec<u8> =
                chunk.iter().flat_map(|sample| media::audio::wav::pcm(*sample).to_le_bytes()).collect();
            socket.send(Message::binary(bytes)).await.unwrap();
        }
        socket.send(Message::text(json!({"type": "end"}).to_string())).await.unwrap();
        // The stream is closed when the last words are known.
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                assert_eq!(frame.map(|frame| u16::from(frame.code)), Some(1000));
            }
        }
    }

    /// The transcript that went into the pipeline.
    async fn transcript(&self) -> Vec<(String, i64, i64)> {
        let arrival = self.world.arrival().await;
        let transcript = self.world.material(&arrival, MaterialKind::Transcript).await;
        let transcript: Transcript = serde_json::from_slice(&transcript).unwrap();
        let times = |ms: Option<i64>| ms.unwrap();
        transcript
            .segments
            .into_iter()
            .map(|segment| (segment.text, times(segment.start_ms), times(segment.end_ms)))
            .collect()
    }
}

/// Three stretches of speech.
fn dialogue() -> Vec<f32> {
    let mut audio = voice(1, 1_500, 1_200);
    audio.extend(voice(2, 900, 1_200));
    audio.extend(voice(3, 1_200, 800));
    audio
}

fn texts(transcript: &[(String, i64, i64)]) -> Vec<&str> {
    transcript.iter().map(|(text, _, _)| text.as_str()).collect()
}

fn seconds(text: &str) -> f64 {
    text.split(' ').find_map(|word| word.parse().ok()).unwrap()
}

async fn a_stream_by(provider: &'static Provider) {
    let stage = Stage::new(provider).await;
    stage.put("lines", json!(["Good morning to you.", "I have a question.", "What does it cost?"])).await;
    stage.speak("s-1", &dialogue()).await;
    let transcript = stage.transcript().await;
    assert_eq!(texts(&transcript), ["Good morning to you.", "I have a question.", "What does it cost?"]);
    for (at, wanted) in [(0, 0_i64), (1, 2_700), (2, 4_800)] {
        let (_, start_ms, end_ms) = &transcript[at];
        assert!((start_ms - wanted).abs() < 300 && end_ms > start_ms, "{transcript:?}");
    }
    assert_eq!(stage.paid_in_pieces(), 0, "the audio is paid for once");
    let events = stage.world.events("s-1").await;
    let updates: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "transcript_update")
        .map(|event| &event["data"])
        .collect();
    let finals: Vec<&&Value> = updates.iter().filter(|data| data["is_final"] == true).collect();
    assert_eq!(finals.len(), 3, "{updates:#?}");
    let partials: Vec<&&Value> = updates.iter().filter(|data| data["is_final"] == false).collect();
    assert!(!partials.is_empty());
    for partial in partials {
        // What is not final has the number of the turn that takes its place.
        assert!(finals.iter().any(|last| last["turn"] == partial["turn"] && last["seq"].as_i64() > partial["seq"].as_i64()));
    }
}

#[tokio::test]
async fn assemblyai_says_the_words_of_a_stream_while_it_is_spoken() {
    a_stream_by(&assemblyai::PROVIDER).await;
}

#[tokio::test]
async fn deepgram_says_the_words_of_a_stream_while_it_is_spoken() {
    a_stream_by(&deepgram::PROVIDER).await;
}

#[tokio::test]
async fn openai_says_the_words_of_a_stream_while_it_is_spoken() {
    a_stream_by(&openai::PROVIDER).await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_opened_again_and_no_word_is_lost_or_doubled() {
    let whole = Stage::new(&deepgram::PROVIDER).await;
    whole.speak("s-1", &dialogue()).await;
    let expected = whole.transcript().await;
    assert_eq!(expected.len(), 3);
    let broken = Stage::new(&deepgram::PROVIDER).await;
    // The first connection breaks in the first stretch of speech, the second one in the third.
    broken.put("streams", json!([{"break_after_ms": 900}, {"break_after_ms": 5_300}])).await;
    broken.speak("s-1", &dialogue()).await;
    let transcript = broken.transcript().await;
    assert_eq!(transcript.len(), 3, "{transcript:?}");
    for (broken, whole) in texts(&transcript).into_iter().zip(texts(&expected)) {
        // The simulator says how long somebody spoke.
        assert!((seconds(broken) - seconds(whole)).abs() < 0.15, "{broken} {whole}");
    }
    assert!(transcript.windows(2).all(|pair| pair[0].2 <= pair[1].1), "{transcript:?}");
    assert_eq!((broken.connections(), broken.paid_in_pieces()), (3, 0));
}

#[tokio::test]
async fn where_no_connection_can_be_made_the_turns_are_transcribed_by_themselves() {
    let stage = Stage::new(&deepgram::PROVIDER).await;
    stage.put("streams", json!([{"refuse": 403}])).await;
    stage.speak("s-1", &dialogue()).await;
    let transcript = stage.transcript().await;
    assert_eq!(transcript.len(), 3, "{transcript:?}");
    assert!(transcript.iter().all(|(text, _, _)| text.starts_with("This recording has")), "{transcript:?}");
    assert_eq!((stage.connections(), stage.paid_in_pieces()), (0, 3));
}

#[tokio::test]
async fn a_turn_that_the_provider_does_not_end_ends_nevertheless() {
    let stage = Stage::new(&deepgram::PROVIDER).await;
    stage.put("lines", json!(["Good morning to you."])).await;
    stage.put("streams", json!([{"never_ends": true}])).await;
    stage.world.start("s-1").await;
    let address = format!("ws://{}/api/calls/s-1/stream", stage.world.listen().await);
    let (mut socket, _) = connect_async(address).await.unwrap();
    let start = json!({"type": "start", "encoding": "pcm_s16le", "sample_rate": 16_000, "channels": 1});
    socket.send(Message::text(start.to_string())).await.unwrap();
    let bytes: Vec<u8> = voice(1, 1_500, 2_000)
        .iter()
        .flat_map(|sample| media::audio::wav::pcm(*sample).to_le_bytes())
        .collect();
    socket.send(Message::binary(bytes)).await.unwrap();
    let last = stage
        .world
        .until("the turn ends", async |world: &World| {
            let events = world.events("s-1").await;
            events.into_iter().map(|event| event["data"].clone()).find(|data| data["is_final"] == true)
        })
        .await;
    assert!("Good morning to you.".starts_with(last["text"].as_str().unwrap()), "{last}");
    assert_eq!(stage.paid_in_pieces(), 0);
}

#[tokio::test]
async fn both_sides_of_a_telephone_call_keep_their_speakers() {
    use base64::Engine as _;
    let stage = Stage::new(&deepgram::PROVIDER).await;
    let address = format!("ws://{}/streams/twilio", stage.world.listen().await);
    let (mut socket, _) = connect_async(address).await.unwrap();
    let started = json!({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": {
        "streamSid": "MZ1", "callSid": "CA1", "tracks": ["inbound", "outbound"], "customParameters": {},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}}});
    socket.send(Message::text(started.to_string())).await.unwrap();
    for (track, sound) in [("inbound", voice(1, 1_500, 900)), ("outbound", voice(2, 1_000, 900))] {
        for bytes in crate::sounds::telephone(&sound).chunks(160) {
            let payload = base64::engine::general_purpose::STANDARD.encode(bytes);
            let media = json!({"event": "media", "media": {"track": track, "payload": payload}});
            socket.send(Message::text(media.to_string())).await.unwrap();
        }
    }
    socket.send(Message::text(json!({"event": "stop"}).to_string())).await.unwrap();
    let arrival = stage.world.arrival().await;
    let transcript = stage.world.material(&arrival, MaterialKind::Transcript).await;
    let transcript: Transcript = serde_json::from_slice(&transcript).unwrap();
    let mut labels: Vec<String> = transcript.segments.iter().map(|segment| segment.label().clone()).collect();
    labels.sort_unstable();
    assert_eq!(labels, ["agent", "customer"]);
    assert_eq!((stage.connections(), stage.paid_in_pieces()), (2, 0));
}

/// A process tells the first words of a turn, and is killed. Returns the number of the turn.
async fn a_turn_is_left_open(world: &World, call: CallId) -> i64 {
    let stream = world.store.begin_stream((WORKSPACE, call), 0).await.unwrap();
    let number = world.store.begin_streamed_turn(stream, None, (200, 900)).await.unwrap().unwrap();
    let data = json!({"session_id": "s-1", "turn": number, "text": "Good mor", "is_final": false});
    world.store.tell_live(stream, &[NewLiveEvent { kind: "transcript_update", data }]).await.unwrap();
    number
}

/// The texts of a turn, and whether each is final.
async fn versions(world: &World, turn: i64) -> Vec<(String, bool)> {
    let events = world.events("s-1").await;
    let of_it = events.iter().map(|event| &event["data"]).filter(|data| data["turn"] == turn);
    of_it.map(|data| (data["text"].as_str().unwrap().to_owned(), data["is_final"] == true)).collect()
}

#[tokio::test]
async fn the_next_stream_takes_back_what_a_killed_process_left_open() {
    let stage = Stage::new(&deepgram::PROVIDER).await;
    let call = stage.world.start("s-1").await;
    let turn = a_turn_is_left_open(&stage.world, call).await;
    stage.speak("s-1", &dialogue()).await;
    assert_eq!(stage.transcript().await.len(), 3);
    assert_eq!(versions(&stage.world, turn).await, [("Good mor".to_owned(), false), (String::new(), true)]);
}

#[tokio::test]
async fn where_no_stream_follows_the_end_takes_back_what_a_killed_process_left_open() {
    let world = World::new().await;
    let call = world.start("s-1").await;
    let turn = a_turn_is_left_open(&world, call).await;
    world.end("s-1").await;
    world.told("s-1", "call_status", 3).await;
    assert_eq!(versions(&world, turn).await, [("Good mor".to_owned(), false), (String::new(), true)]);
}
