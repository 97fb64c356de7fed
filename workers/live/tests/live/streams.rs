//! Audio that comes as a stream.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::event::MaterialKind;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::sounds;
use crate::world::{World, voice};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(world: &World, path: &str) -> Socket {
    connect_async(format!("ws://{}{path}", world.listen().await)).await.unwrap().0
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message of this type.
async fn next(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(30), socket.next()).await.expect("a message");
        match message {
            Some(Ok(Message::Text(text))) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["type"] == kind {
                    return message;
                }
            }
            Some(Ok(Message::Close(frame))) => panic!("it is closed: {frame:?}"),
            Some(Ok(_)) => {}
            other => panic!("the stream broke: {other:?}"),
        }
    }
}

/// Why the server closes the stream.
async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(30), socket.next()).await.expect("a message");
        match message {
            Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.to_string()),
            Some(Ok(_)) => {}
            other => panic!("it is not closed in order: {other:?}"),
        }
    }
}

fn pcm(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| media::audio::wav::pcm(*sample).to_le_bytes()).collect()
}

fn start(resume_from: Option<u64>) -> Value {
    json!({"type": "start", "encoding": "pcm_s16le", "sample_rate": 16_000, "channels": 1, "resume_from": resume_from})
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_where_its_audio_is_on_disk() {
    let world = World::new().await;
    world.says(&["Good morning."]).await;
    world.start("s-1").await;
    let audio = pcm(&voice(1, 2_000, 1_500));
    let mut socket = open(&world, "/api/calls/s-1/stream").await;
    say(&mut socket, start(None)).await;
    assert_eq!(next(&mut socket, "ack").await["bytes"], 0);
    socket.send(Message::binary(audio[..50_001].to_vec())).await.unwrap();
    let mut acknowledged = 0;
    while acknowledged < 50_000 {
        acknowledged = next(&mut socket, "ack").await["bytes"].as_u64().unwrap();
    }
    // The connection breaks without a word, in the middle of a sample.
    drop(socket);
    let mut socket = open(&world, "/api/calls/s-1/stream").await;
    say(&mut socket, start(Some(40_000))).await;
    assert_eq!(next(&mut socket, "ack").await["bytes"], 50_000);
    socket.send(Message::binary(audio[40_000..].to_vec())).await.unwrap();
    assert_eq!(next(&mut socket, "transcript_update").await["data"]["text"], "Good morning.");
    say(&mut socket, json!({"type": "end"})).await;
    assert_eq!(closed(&mut socket).await.0, 1000);
    let arrival = world.arrival().await;
    let recording = world.material(&arrival, MaterialKind::Recording).await;
    assert_eq!(recording[44..], audio[..], "not a byte is lost or doubled");
}

#[tokio::test]
async fn what_is_out_of_protocol_closes_the_connection_and_never_the_session() {
    let world = World::new().await;
    world.start("s-1").await;
    for (messages, why) in [
        (vec![Message::binary(vec![0; 4])], "before the start"),
        (vec![Message::text("{")], "cannot be read"),
        (vec![Message::text(start(Some(5)).to_string())], "only 0 bytes are on disk"),
        (vec![Message::text(start(None).to_string()), Message::text(start(None).to_string())], "came twice"),
        (
            vec![Message::text(
                json!({"type": "start", "encoding": "mp3", "sample_rate": 8_000, "channels": 1}).to_string(),
            )],
            "encoding must be",
        ),
    ] {
        let mut socket = open(&world, "/api/calls/s-1/stream").await;
        for message in messages {
            socket.send(message).await.unwrap();
        }
        let (code, reason) = closed(&mut socket).await;
        assert_eq!(code, 1002);
        assert!(reason.contains(why), "{reason}");
    }
    assert_eq!(world.get("/api/calls/s-1/summary").await.body["status"], "active");
    let nobody = connect_async(format!("ws://{}/api/calls/nobody/stream", world.listen().await)).await;
    assert!(nobody.unwrap_err().to_string().contains("404"));
}

#[tokio::test]
async fn twilio_streams_both_sides_of_a_call() {
    let world = World::new().await;
    world.says(&["Something."]).await;
    let mut socket = open(&world, "/streams/twilio").await;
    say(&mut socket, json!({"event": "connected", "protocol": "Call", "version": "1.0.0"})).await;
    let started = json!({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": {
        "streamSid": "MZ1", "callSid": "CA1", "accountSid": "AC1", "tracks": ["inbound", "outbound"],
        "customParameters": {"from": "+12025550131"},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}}});
    say(&mut socket, started).await;
    let (caller, ours) = (voice(1, 1_500, 500), voice(2, 1_000, 500));
    for (track, sound) in [("inbound", caller), ("outbound", ours)] {
        for (chunk, bytes) in sounds::telephone(&sound).chunks(160).enumerate() {
            let payload = STANDARD.encode(bytes);
            let media = json!({"track": track, "chunk": (chunk + 1).to_string(), "timestamp": (chunk * 20).to_string(), "payload": payload});
            say(
                &mut socket,
                json!({"event": "media", "sequenceNumber": "2", "streamSid": "MZ1", "media": media}),
            )
            .await;
        }
    }
    say(&mut socket, json!({"event": "stop", "streamSid": "MZ1", "stop": {"callSid": "CA1"}})).await;
    assert_eq!(closed(&mut socket).await.0, 1000);
    let told = world.told("CA1", "transcript_update", 2).await;
    let mut speakers: Vec<_> = told.iter().map(|event| event["data"]["speaker"].as_str().unwrap()).collect();
    speakers.sort_unstable();
    assert_eq!(speakers, ["agent", "customer"]);
    let arrival = world.arrival().await;
    assert_eq!((arrival.source.as_str(), arrival.external_id.as_str()), ("twilio", "CA1"));
}

#[tokio::test]
async fn a_stream_of_a_provider_without_a_key_is_refused() {
    let world = World::with(&[("DEBRIEF_API_KEY", "the-key-of-the-installation")]).await;
    let started = |parameters: Value| {
        json!({"event": "start", "stream_sid": "s", "start": {"stream_sid": "s", "call_sid": "c", "custom_parameters": parameters,
            "media_format": {"encoding": "base64", "sample_rate": "8000"}}})
    };
    let mut socket = open(&world, "/streams/exotel").await;
    say(&mut socket, started(json!({"key": "wrong"}))).await;
    assert_eq!(closed(&mut socket).await.0, 1008);
    let mut socket = open(&world, "/streams/exotel").await;
    say(&mut socket, started(json!({"key": "the-key-of-the-installation"}))).await;
    say(&mut socket, json!({"event": "media", "media": {"payload": "!"}})).await;
    assert_eq!(closed(&mut socket).await, (1002, "the payload is not base64".into()));
}

#[tokio::test]
async fn exotel_streams_a_call_in_the_format_that_its_start_names() {
    let world = World::new().await;
    world.says(&["Something."]).await;
    let mut socket = open(&world, "/streams/exotel").await;
    say(&mut socket, json!({"event": "connected"})).await;
    // Its names are in snake case, its numbers are texts, and this version sends mu-law.
    let started = json!({"event": "start", "sequence_number": "1", "stream_sid": "ST1", "start": {
        "stream_sid": "ST1", "call_sid": "EX1", "account_sid": "AC1", "from": "08012345678", "to": "08087654321",
        "custom_parameters": {"queue": "sales"},
        "media_format": {"encoding": "mulaw", "sample_rate": "8000", "bit_rate": "64kbps"}}});
    say(&mut socket, started).await;
    let sound = voice(1, 1_500, 500);
    for (chunk, bytes) in sounds::telephone(&sound).chunks(320).enumerate() {
        let media = json!({"chunk": (chunk + 1).to_string(), "timestamp": (chunk * 40).to_string(), "payload": STANDARD.encode(bytes)});
        say(
            &mut socket,
            json!({"event": "media", "sequence_number": "2", "stream_sid": "ST1", "media": media}),
        )
        .await;
        if chunk == 3 {
            say(
                &mut socket,
                json!({"event": "dtmf", "stream_sid": "ST1", "dtmf": {"digit": "1", "duration": "100"}}),
            )
            .await;
            say(&mut socket, json!({"event": "mark", "stream_sid": "ST1", "mark": {"name": "played"}})).await;
        }
    }
    let stop =
        json!({"event": "stop", "stream_sid": "ST1", "stop": {"call_sid": "EX1", "reason": "callended"}});
    say(&mut socket, stop).await;
    assert_eq!(closed(&mut socket).await.0, 1000);
    let told = world.told("EX1", "transcript_update", 1).await;
    assert_eq!(told[0]["data"]["speaker"], "customer");
    let arrival = world.arrival().await;
    assert_eq!((arrival.source.as_str(), arrival.external_id.as_str()), ("exotel", "EX1"));
    let recording = world.material(&arrival, MaterialKind::Recording).await;
    let seconds = recording.len() / (2 * 16_000);
    assert_eq!(seconds, 2, "the samples were read as what they are");
}
