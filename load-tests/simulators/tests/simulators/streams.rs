//! The simulated streams of speech refuse what the providers refuse.

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use simulators::{Provider, assemblyai, deepgram, elevenlabs, openai};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::playground::Playground;

/// Opens a stream. An error is the status of the refusal.
async fn open(
    play: &Playground,
    provider: &Provider,
    path: &str,
    key: &str,
) -> Result<tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>, u16>
{
    let mut request = format!("ws://{}{path}", play.of(provider).address).into_client_request().unwrap();
    request.headers_mut().insert("authorization", key.parse().unwrap());
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

async fn until(
    socket: &mut (impl futures::Stream<Item = Result<Message, Error>> + Unpin),
    kind: &str,
) -> Value {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["type"] == kind {
            return message;
        }
    }
    panic!("there is no {kind}");
}

#[tokio::test]
async fn assemblyai_refuses_a_stream_without_a_model_and_a_frame_that_is_too_short() {
    let play = Playground::start().await;
    let provider = &assemblyai::PROVIDER;
    let right = "/v3/ws?sample_rate=16000&encoding=pcm_s16le&speech_model=universal-streaming-english";
    assert_eq!(open(&play, provider, right, "Bearer key").await.unwrap_err(), 401);
    assert_eq!(open(&play, provider, "/v3/ws?encoding=pcm_s16le", "key").await.unwrap_err(), 400);
    let mut socket = open(&play, provider, right, "key").await.unwrap();
    assert!(until(&mut socket, "Begin").await["id"].is_string());
    socket.send(Message::binary(vec![0; 640])).await.unwrap();
    assert_eq!(until(&mut socket, "Error").await["error_code"], 3007);
}

#[tokio::test]
async fn deepgram_ends_utterances_only_with_results_that_may_change() {
    let play = Playground::start().await;
    let provider = &deepgram::PROVIDER;
    let path = |rest: &str| format!("/v1/listen?model=nova-3&encoding=linear16&sample_rate=16000{rest}");
    assert_eq!(open(&play, provider, &path("&utterance_end_ms=1000"), "Token key").await.unwrap_err(), 400);
    assert_eq!(open(&play, provider, &path("&colour=red"), "Token key").await.unwrap_err(), 400);
    let mut socket = open(&play, provider, &path("&interim_results=true"), "Token key").await.unwrap();
    socket.send(Message::text(json!({"type": "CloseStream"}).to_string())).await.unwrap();
    assert_eq!(until(&mut socket, "Metadata").await["channels"], 1);
}

#[tokio::test]
async fn openai_refuses_an_empty_turn() {
    let play = Playground::start().await;
    let path = "/v1/realtime?intent=transcription";
    assert_eq!(open(&play, &openai::PROVIDER, "/v1/realtime", "Bearer key").await.unwrap_err(), 400);
    let mut socket = open(&play, &openai::PROVIDER, path, "Bearer key").await.unwrap();
    socket.send(Message::text(json!({"type": "input_audio_buffer.commit"}).to_string())).await.unwrap();
    assert_eq!(until(&mut socket, "error").await["error"]["code"], "input_audio_buffer_commit_empty");
}

#[tokio::test]
async fn streams_that_are_open_break_off_when_they_are_told_to() {
    let play = Playground::start().await;
    let provider = &deepgram::PROVIDER;
    let path = "/v1/listen?model=nova-3&encoding=linear16&sample_rate=16000&interim_results=true";
    let mut socket = open(&play, provider, path, "Token key").await.unwrap();
    while play.of(provider).break_streams() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!matches!(socket.next().await, Some(Ok(_))), "the connection breaks without a word");
    let mut socket = open(&play, provider, path, "Token key").await.unwrap();
    socket.send(Message::text(json!({"type": "CloseStream"}).to_string())).await.unwrap();
    assert_eq!(until(&mut socket, "Metadata").await["channels"], 1, "the next stream is a whole one");
}

/// Opens a connection for speech, which a request without a key does not get.
async fn speech(
    play: &Playground,
    path: &str,
    key: Option<&str>,
) -> Result<tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>, u16>
{
    let address = play.of(&elevenlabs::PROVIDER).address;
    let mut request = format!("ws://{address}/v1/text-to-speech/{path}").into_client_request().unwrap();
    if let Some(key) = key {
        request.headers_mut().insert("xi-api-key", key.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn elevenlabs_says_a_text_over_a_connection_with_its_letters_and_ends_after_an_empty_text() {
    let play = Playground::start().await;
    let path = |rest: &str| format!("abc/stream-input?output_format=pcm_24000{rest}");
    assert_eq!(speech(&play, &path(""), None).await.unwrap_err(), 401);
    assert_eq!(speech(&play, "a.b/stream-input?output_format=pcm_24000", Some("k")).await.unwrap_err(), 404);
    assert_eq!(speech(&play, &path("&model_id=parrot"), Some("k")).await.unwrap_err(), 400);
    assert_eq!(speech(&play, "abc/stream-input", Some("k")).await.unwrap_err(), 400);
    for wrong in [json!({"text": "No space first"}), json!({"text": " ", "voice_settings": {"speed": 3}})] {
        let mut socket = speech(&play, &path(""), Some("k")).await.unwrap();
        socket.send(Message::text(wrong.to_string())).await.unwrap();
        let Some(Ok(Message::Text(text))) = socket.next().await else { panic!("no answer to {wrong}") };
        assert!(text.contains("\"code\":1008"), "{text}");
    }
    let mut socket = speech(&play, &path("&sync_alignment=true"), Some("k")).await.unwrap();
    for text in [" ", "It is ", "slow. ", ""] {
        let message = json!({"text": text, "flush": text == "slow. "});
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
    let (mut letters, mut sound, mut is_over) = (String::new(), 0, false);
    while let Some(Ok(Message::Text(text))) = socket.next().await {
        let message: Value = serde_json::from_str(&text).unwrap();
        let chars = message["alignment"]["chars"].as_array().cloned().unwrap_or_default();
        letters.extend(chars.iter().map(|letter| letter.as_str().unwrap().to_owned()));
        sound += message["audio"].as_str().map_or(0, str::len);
        is_over |= message["isFinal"] == true;
    }
    assert!(is_over && sound > 10_000);
    assert_eq!(letters, "It is slow. ");
}
