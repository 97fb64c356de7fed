//! The simulated streams of speech refuse what the providers refuse.

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use simulators::{Provider, assemblyai, deepgram, openai};
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
