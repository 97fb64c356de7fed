//! A conversation over a WebSocket.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::voices::{Ear, Parrot, speech};
use crate::world::{World, text};

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub(crate) async fn connect(world: &World, meeting: &str) -> Self {
        let address = world.listen().await;
        let (socket, _) =
            connect_async(format!("ws://{address}/api/conversation/ws/{meeting}")).await.unwrap();
        let mut client = Self { socket };
        let connected = client.next("connected").await;
        assert_eq!(connected["meeting_id"], meeting);
        client
    }

    async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    pub(crate) async fn message(&mut self, text: &str) {
        self.say(json!({"type": "message", "text": text})).await;
    }

    async fn any(&mut self) -> Value {
        loop {
            let message =
                tokio::time::timeout(Duration::from_secs(30), self.socket.next()).await.expect("a message");
            match message {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("the conversation broke: {other:?}"),
            }
        }
    }

    /// The next message of this type. Those before it are passed over.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        loop {
            let message = self.any().await;
            if message["type"] == kind {
                return message;
            }
        }
    }
}

/// How long a piece of sound is, in milliseconds.
fn ms(audio: &Value) -> usize {
    STANDARD.decode(audio["data"].as_str().unwrap()).unwrap().len().saturating_sub(44) / 48
}

#[tokio::test]
async fn a_conversation_in_text_is_complete_without_a_voice() {
    let world = World::new().await;
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let mut client = Client::connect(&world, &meeting).await;
    client.say(json!({"type": "ping"})).await;
    client.next("pong").await;
    client.message("Maria, what do you need?").await;
    client.next("ai_thinking").await;
    let first = client.next("ai_response_text").await;
    assert_eq!((&first["speaker_name"], &first["is_chunk"]), (&json!("Maria Garcia"), &json!(true)));
    let saved = client.next("turn_saved").await;
    let turns = world.history(&meeting).await;
    assert_eq!((turns.len(), &turns[1]["text"]), (2, &saved["ai_response"]["response_text"]));
    assert_eq!((&turns[1]["state"], &saved["ai_response"]["is_cut"]), (&json!("said"), &json!(false)));
    for wrong in [json!({"type": "sing"}), json!({"type": "message", "text": " "}), json!([])] {
        client.say(wrong).await;
        assert_eq!(client.next("error").await["status"], 422);
    }
    client.say(json!({"type": "audio_chunk", "data": "AAAA", "is_speaking": false})).await;
    assert_eq!(client.next("error").await["status"], 422, "nobody understands speech here");
    client.say(json!({"type": "disconnect"})).await;
    let closed = tokio::time::timeout(Duration::from_secs(10), client.socket.next()).await.unwrap();
    assert!(matches!(closed, Some(Ok(Message::Close(_)))), "{closed:?}");
    assert_eq!(world.history(&meeting).await.len(), 2);
}

#[tokio::test]
async fn whoever_interrupts_stops_the_voice_at_once_and_only_what_was_played_was_said() {
    let world = World::new().await.with_sound(vec![Parrot::new()], Vec::new());
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let mut client = Client::connect(&world, &meeting).await;
    client.message("Maria, what do you need?").await;
    let audio = client.next("ai_audio").await;
    assert!(ms(&audio) > 0, "{audio}");
    // The client has played three words of a tenth of a second each.
    client.say(json!({"type": "interrupt", "played_ms": 300})).await;
    let asked = std::time::Instant::now();
    let interrupted = client.next("interrupted").await;
    let took = asked.elapsed();
    assert!(took < Duration::from_millis(100), "{took:?}");
    assert_eq!(interrupted["was_speaking"], true);
    // No stale sound comes behind it.
    let saved = client.any().await;
    assert_eq!(saved["type"], "turn_saved", "{saved}");
    assert_eq!(saved["ai_response"]["is_cut"], true);
    let turns = world.history(&meeting).await;
    let said = text(&turns[1]["text"]);
    assert_eq!((said.split_whitespace().count() <= 3, &turns[1]["state"]), (true, &json!("cut")), "{said}");
    assert_eq!(said, text(&saved["ai_response"]["response_text"]));
    let sound = world.get(&text(&turns[1]["audio_url"])).await.bytes;
    assert_eq!(sound.len() - 44, 3 * 4_800, "the sound that was not played is not kept");
    // The meeting goes on, and the answer is to what was heard.
    client.message("Let me ask another thing. What is your budget?").await;
    client.next("ai_audio").await;
    client.say(json!({"type": "interrupt"})).await;
    client.next("turn_saved").await;
    let turns = world.history(&meeting).await;
    let numbers: Vec<i64> = turns.iter().map(|turn| turn["turn_number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[tokio::test]
async fn signs_that_somebody_listens_do_not_interrupt_and_other_words_do() {
    let world = World::new().await.with_sound(vec![Parrot::new()], Vec::new());
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let mut client = Client::connect(&world, &meeting).await;
    client.message("Maria, what do you need?").await;
    client.next("ai_audio").await;
    client.message("Mm, yes, yes.").await;
    client.say(json!({"type": "interrupt", "text": "mhm"})).await;
    client.say(json!({"type": "ping"})).await;
    loop {
        let message = client.any().await;
        assert_ne!(message["type"], "interrupted", "{message}");
        if message["type"] == "pong" {
            break;
        }
    }
    client.message("Wait, how many people are that?").await;
    client.next("interrupted").await;
    assert_eq!(client.next("turn_saved").await["ai_response"]["is_cut"], true);
    // What interrupted is the next turn.
    client.next("ai_thinking").await;
    client.next("ai_response_text").await;
    client.say(json!({"type": "interrupt"})).await;
    client.next("turn_saved").await;
    let turns = world.history(&meeting).await;
    let own: Vec<&Value> =
        turns.iter().filter(|turn| turn["speaker"] == "salesperson").map(|turn| &turn["text"]).collect();
    assert_eq!(own, ["Maria, what do you need?", "Wait, how many people are that?"]);
}

#[tokio::test]
async fn a_client_that_vanishes_has_heard_no_more_and_the_floor_is_free() {
    let world = World::new().await.with_sound(vec![Parrot::new()], Vec::new());
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let mut client = Client::connect(&world, &meeting).await;
    client.message("Maria, what do you need?").await;
    client.next("ai_audio").await;
    drop(client);
    // Whoever speaks next gets the floor as soon as the turn is stored.
    let answer = world.say(&meeting, "Are you still there?").await;
    assert_eq!(answer["salesperson_turn"], 3, "{answer}");
    let turns = world.history(&meeting).await;
    assert_eq!(turns[1]["state"], "cut", "{turns:?}");
}

#[tokio::test]
async fn what_is_said_aloud_is_a_turn_and_silence_is_none() {
    let (_, speech_to_text) = Ear::hears("Maria, what slows you down?");
    let world = World::new().await.with_sound(Vec::new(), speech_to_text);
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let mut client = Client::connect(&world, &meeting).await;
    client.socket.send(Message::binary(vec![0_u8; 64_000])).await.unwrap();
    client.say(json!({"type": "audio_chunk", "is_speaking": false, "sample_rate": 16_000})).await;
    let nothing = client.next("transcription").await;
    assert_eq!((&nothing["text"], &nothing["is_turn"]), (&json!(""), &json!(false)));
    for piece in speech().chunks(9_999) {
        let chunk = json!({"type": "audio_chunk", "data": STANDARD.encode(piece), "is_speaking": true});
        client.say(chunk).await;
    }
    client.say(json!({"type": "audio_chunk", "is_speaking": false})).await;
    let heard = client.next("transcription").await;
    assert_eq!((&heard["text"], &heard["is_turn"]), (&json!("Maria, what slows you down?"), &json!(true)));
    client.next("turn_saved").await;
    assert_eq!(world.history(&meeting).await.len(), 2);
}

#[tokio::test]
async fn a_meeting_that_has_not_begun_or_is_over_has_no_conversation() {
    let world = World::new().await;
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    world.post(&format!("/api/meeting/{meeting}/end"), &json!({})).await.data();
    world.get(&format!("/api/conversation/ws/{meeting}")).await.is_problem(409);
    world.get("/api/conversation/ws/no-meeting").await.is_problem(404);
}
