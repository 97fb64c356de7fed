//! A client of Socket.IO that listens to live calls. It speaks the frames of the protocol (5, over Engine.IO 4) over a
//! WebSocket, and no more of it than a listener needs.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// A connection without a key.
pub struct SocketIo(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl SocketIo {
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let connected = async {
            let (socket, _) = connect_async_with_config(url, None, true).await.context("open a WebSocket")?;
            let mut client = Self(socket);
            // The server opens with its settings, and answers the connect with a number of the connection.
            for (sent, answer) in [(None, "0"), (Some("40{}"), "40")] {
                if let Some(sent) = sent {
                    client.send(sent.to_owned()).await?;
                }
                let frame = client.frame().await?;
                ensure!(frame.starts_with(answer), "the server says {frame}");
            }
            let (greeting, _) = client.next().await?;
            ensure!(greeting == "connection_status", "the server greets with {greeting}");
            Ok(client)
        };
        tokio::time::timeout(ANSWERS_WITHIN, connected).await.context("connect with Socket.IO")?
    }

    /// Joins a session, and waits until it is joined. With `after` the events after this number come, and otherwise those
    /// from now on.
    pub async fn join(&mut self, session: &str, after: Option<i64>) -> anyhow::Result<()> {
        let mut asked = json!({"session_id": session});
        if let Some(after) = after {
            asked["after"] = after.into();
        }
        self.send(format!("42{}", json!(["join_call_session", asked]))).await?;
        let joined = async {
            loop {
                match self.next().await? {
                    (name, _) if name == "joined_session" => return Ok(()),
                    (name, data) if name == "error" => bail!("the session cannot be joined: {data}"),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(ANSWERS_WITHIN, joined).await.context("join a session")?
    }

    /// The next event: its name and its data. This answers the pings of the server meanwhile. It can be dropped at any
    /// time.
    pub async fn next(&mut self) -> anyhow::Result<(String, Value)> {
        loop {
            let frame = self.frame().await?;
            if let Some(event) = frame.strip_prefix("42") {
                return serde_json::from_str(event).with_context(|| format!("read the event {event}"));
            }
        }
    }

    /// The next frame that is no ping.
    async fn frame(&mut self) -> anyhow::Result<String> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => self.send("3".to_owned()).await?,
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(_))) | None => bail!("the connection was closed"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error).context("read a frame"),
            }
        }
    }

    async fn send(&mut self, frame: String) -> anyhow::Result<()> {
        self.0.send(Message::text(frame)).await.context("send a frame")
    }
}
