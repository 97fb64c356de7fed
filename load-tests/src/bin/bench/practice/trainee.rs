//! A trainee in a conversation over a WebSocket.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use simulators::{Utterance, recording_with};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Every message comes within this time, the end of an answer that is heard to its end included.
const PATIENCE: Duration = Duration::from_mins(2);
const LINES: [&str; 4] = [
    "Maria, what slows your month-end down today?",
    "I understand. How do you measure what that costs you?",
    "Our customers save two days on average. What would that mean for you?",
    "Shall we begin with a small pilot in your team?",
];
/// How long the trainee speaks where she speaks, in milliseconds.
const SPOKEN_MS: u64 = 2_000;

/// What the trainee does when she hears the first sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manners {
    Interrupts,
    /// She hears the answer to its end.
    Listens,
}

pub(super) struct Trainee {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    said: usize,
}

/// The fields of a message that are looked at.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    is_final: bool,
    #[serde(default)]
    is_turn: Option<bool>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    ai_response: Value,
}

impl Trainee {
    pub(super) async fn enter(address: SocketAddr, meeting: &str) -> anyhow::Result<Self> {
        let (socket, _) = connect_async(format!("ws://{address}/api/conversation/ws/{meeting}"))
            .await
            .context("open a conversation")?;
        let mut trainee = Self { socket, said: 0 };
        trainee.until("connected").await?;
        Ok(trainee)
    }

    /// Writes something. Returns the time until the first sound of the answer.
    pub(super) async fn writes(&mut self, manners: Manners) -> anyhow::Result<Duration> {
        let text = LINES[self.said % LINES.len()];
        self.turn(&json!({ "type": "message", "text": text }), manners).await
    }

    /// Says something aloud. The time begins when the last of it was sent.
    pub(super) async fn speaks(&mut self, manners: Manners) -> anyhow::Result<Duration> {
        let text = LINES[self.said % LINES.len()].to_owned();
        let said = Utterance { speaker: "trainee".to_owned(), start: 200, end: 200 + SPOKEN_MS, text };
        let sound = STANDARD.encode(recording_with(&[said]));
        self.turn(&json!({ "type": "audio_chunk", "data": sound, "is_speaking": false }), manners).await
    }

    async fn turn(&mut self, said: &Value, manners: Manners) -> anyhow::Result<Duration> {
        self.said += 1;
        let said = Message::text(said.to_string());
        let begun = Instant::now();
        self.socket.send(said).await.context("say something")?;
        let took = loop {
            let (told, at) = self.next().await?;
            match told.kind.as_str() {
                "ai_audio" if !told.is_final => break at - begun,
                "turn_saved" => bail!("an answer has no sound"),
                "transcription" if told.is_turn == Some(false) => bail!("what was said aloud is no turn"),
                _ => {}
            }
        };
        if manners == Manners::Interrupts {
            let interrupt = Message::text(json!({ "type": "interrupt" }).to_string());
            self.socket.send(interrupt).await.context("interrupt")?;
        }
        let saved = self.until("turn_saved").await?;
        let source = &saved.ai_response["source"];
        ensure!(source == "model", "an answer comes from {source} and not from the model");
        Ok(took)
    }

    async fn until(&mut self, kind: &str) -> anyhow::Result<Told> {
        loop {
            let (told, _) = self.next().await?;
            if told.kind == kind {
                return Ok(told);
            }
        }
    }

    /// The next message, and when it came.
    async fn next(&mut self) -> anyhow::Result<(Told, Instant)> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let at = Instant::now();
            let message =
                message.context("nothing is told any more")?.context("the conversation has ended")?;
            let Message::Text(text) = message.context("listen to a conversation")? else { continue };
            let told: Told = serde_json::from_str(&text).context("read a message")?;
            ensure!(told.kind != "error", "a turn failed: {}", told.message.unwrap_or_default());
            return Ok((told, at));
        }
    }
}
