//! The lines of an answer over one WebSocket, with a provider that does what a test says.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::socket::KEEP_ALIVE_EVERY;
use super::*;
use crate::testing;

type Sounds = tokio::sync::mpsc::UnboundedReceiver<Result<bytes::Bytes, Refusal>>;

/// A provider that listens.
struct Server {
    listener: TcpListener,
    base: String,
}

/// A connection to it.
struct Connection {
    socket: WebSocketStream<TcpStream>,
    asked: String,
    key: String,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, base }
    }

    async fn accept(&self) -> Connection {
        let (stream, _) = self.listener.accept().await.unwrap();
        let (mut asked, mut key) = (String::new(), String::new());
        #[expect(clippy::result_large_err, reason = "the callback of the library has this type")]
        let note = |request: &Request, response: Response| {
            asked = request.uri().to_string();
            key = request.headers()["xi-api-key"].to_str().unwrap().to_owned();
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, note).await.unwrap();
        Connection { socket, asked, key }
    }
}

impl Connection {
    /// What is said next to the provider. `None` where the connection was closed.
    async fn next(&mut self) -> Option<Value> {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => Some(serde_json::from_str(&text).unwrap()),
            _ => None,
        }
    }

    async fn next_text(&mut self) -> String {
        self.next().await.expect("the connection is open")["text"].as_str().unwrap().to_owned()
    }

    /// Waits until this is to be said. The provider has no sound before.
    async fn is_asked_for(&mut self, text: &str) {
        while self.next_text().await != text {}
    }

    async fn answers(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    /// Says a piece in which these letters are heard. Its sound is the letters.
    async fn sounds(&mut self, letters: &str) {
        let chars: Vec<String> = letters.chars().map(String::from).collect();
        self.answers(json!({"audio": encoded(letters), "isFinal": null, "alignment": {"chars": chars}}))
            .await;
    }
}

fn encoded(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn voice(base: &str) -> ElevenLabs {
    testing::tls();
    let values = [("ELEVENLABS_API_KEY", "secret-key"), ("ELEVENLABS_BASE_URL", base), (SOCKET, "true")];
    ElevenLabs::from_values(&Values::of(values), &Slots::of_this_process()).unwrap().unwrap()
}

fn begin(voice: &ElevenLabs) -> AnswerLines {
    let manner = Manner {
        stability: 0.3,
        similarity: 0.8,
        style: 0.6,
        speaker_boost: true,
        speed: 1.5,
        directions: "",
    };
    voice.begin_answer(&Line { text: "", voice: None, seat: 0, manner }).expect("a connection")
}

/// All that is heard of a line until it is over.
async fn heard(mut line: Sounds) -> Result<String, Refusal> {
    let mut all = Vec::new();
    while let Some(piece) = line.recv().await {
        all.extend_from_slice(&piece?);
    }
    Ok(String::from_utf8(all).unwrap())
}

#[tokio::test]
async fn the_lines_of_an_answer_go_over_one_connection_and_each_has_its_own_sound() {
    let server = Server::start().await;
    let lines = begin(&voice(&server.base));
    let (first, second) = (lines.say("It is slow."), lines.say(" So what? "));
    drop(lines);
    let mut connection = server.accept().await;
    assert_eq!(
        connection.asked,
        "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb/stream-input?output_format=pcm_24000&model_id=eleven_flash_v2_5&sync_alignment=true"
    );
    assert_eq!(connection.key, "secret-key");
    let opening = connection.next().await.unwrap();
    assert_eq!((&opening["text"], &opening["voice_settings"]["speed"]), (&json!(" "), &json!(1.2)));
    assert_eq!(connection.next().await, Some(json!({"text": "It is slow. ", "flush": true})));
    assert_eq!(connection.next_text().await, "So what? ");
    assert_eq!(connection.next_text().await, "", "nothing more is asked for");
    for letters in ["It is ", "slow. ", "", "So", " what?"] {
        connection.sounds(letters).await;
    }
    connection.answers(json!({"audio": null, "isFinal": true})).await;
    assert_eq!(heard(first).await.unwrap(), "It is slow. ");
    assert_eq!(heard(second).await.unwrap(), "So what?");
    assert_eq!(connection.next().await, None, "the connection is one of this answer");
}

#[tokio::test]
async fn a_line_without_letters_does_not_end_the_connection() {
    let server = Server::start().await;
    let lines = begin(&voice(&server.base));
    let (nothing, something) = (lines.say("  "), lines.say("Yes."));
    let mut connection = server.accept().await;
    assert_eq!(connection.next_text().await, " ");
    assert_eq!(connection.next_text().await, "Yes. ", "an empty text would have ended it");
    connection.sounds("Yes.").await;
    assert_eq!(heard(nothing).await.unwrap(), "");
    assert_eq!(heard(something).await.unwrap(), "Yes.");
}

#[tokio::test]
async fn a_space_keeps_a_connection_open_on_which_nothing_is_said_for_a_while() {
    assert!(KEEP_ALIVE_EVERY < Duration::from_secs(20), "then the provider closes it");
    let server = Server::start().await;
    let lines = begin(&voice(&server.base));
    let mut connection = server.accept().await;
    assert_eq!(connection.next_text().await, " ");
    tokio::time::pause();
    let kept = tokio::time::timeout(Duration::from_secs(19), connection.next_text());
    assert_eq!(kept.await.unwrap(), " ");
    tokio::time::resume();
    drop(lines);
    assert_eq!(connection.next_text().await, "");
}

#[tokio::test]
async fn whoever_interrupts_closes_the_connection_and_hears_no_late_sound() {
    let server = Server::start().await;
    let lines = begin(&voice(&server.base));
    let mut line = lines.say("It is slow.");
    let mut connection = server.accept().await;
    assert_eq!(
        (connection.next_text().await, connection.next_text().await),
        (" ".into(), "It is slow. ".into())
    );
    connection.sounds("It").await;
    assert_eq!(line.recv().await.unwrap().unwrap(), "It");
    drop((line, lines));
    assert_eq!(connection.next_text().await, "");
    assert_eq!(connection.next().await, None);
}

#[tokio::test]
async fn where_the_connection_breaks_a_line_that_has_not_begun_gets_the_reason_and_so_does_every_later_one() {
    let server = Server::start().await;
    let lines = begin(&voice(&server.base));
    let (begun, waiting) = (lines.say("It is slow."), lines.say("So what?"));
    let mut connection = server.accept().await;
    connection.is_asked_for("So what? ").await;
    connection.sounds("It").await;
    connection
        .answers(json!({"message": "Odile has no credit", "error": "quota_exceeded", "code": 1008}))
        .await;
    let error = heard(waiting).await.unwrap_err();
    assert!(error.text.contains("quota_exceeded") && !error.text.contains("Odile"), "{error}");
    assert!(heard(begun).await.is_err(), "it is no shorter sentence");
    assert!(heard(lines.say("And now?")).await.is_err());
}

#[tokio::test]
async fn a_connection_that_does_not_open_refuses_its_lines() {
    let server = wiremock::MockServer::start().await;
    let refused = wiremock::ResponseTemplate::new(401);
    wiremock::Mock::given(wiremock::matchers::any()).respond_with(refused).mount(&server).await;
    let error = heard(begin(&voice(&server.uri())).say("Yes.")).await.unwrap_err();
    assert_eq!(error.fault, Fault::Unavailable);
    let nobody = testing::nobody().await;
    let error = heard(begin(&voice(&nobody)).say("Yes.")).await.unwrap_err();
    assert_eq!(error.code, CODES.unreachable);
}

#[tokio::test]
async fn a_line_whose_letters_are_not_told_is_over_when_nothing_more_comes() {
    let server = Server::start().await;
    let lines = begin(&voice(&server.base));
    let line = lines.say("It is slow.");
    let mut connection = server.accept().await;
    connection.is_asked_for("It is slow. ").await;
    connection.answers(json!({"audio": encoded("It is"), "alignment": null})).await;
    assert_eq!(heard(line).await.unwrap(), "It is");
    assert_eq!(heard_after(&lines, &mut connection).await, "So");
}

async fn heard_after(lines: &AnswerLines, connection: &mut Connection) -> String {
    let line = lines.say("So");
    connection.is_asked_for("So ").await;
    connection.sounds("So").await;
    heard(line).await.unwrap()
}

#[test]
fn without_the_setting_each_line_is_a_request_of_its_own() {
    testing::tls();
    let values = Values::of([("ELEVENLABS_API_KEY", "k")]);
    let voice = ElevenLabs::from_values(&values, &Slots::of_this_process()).unwrap().unwrap();
    assert!(voice.connects.is_none());
    let wrong = Values::of([("ELEVENLABS_API_KEY", "k"), (SOCKET, "perhaps")]);
    assert_eq!(ElevenLabs::from_values(&wrong, &Slots::of_this_process()).err().unwrap().name, SOCKET);
}
