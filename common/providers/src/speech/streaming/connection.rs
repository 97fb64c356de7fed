//! One WebSocket to a provider of speech to text.

use std::time::Duration;

use bytes::Bytes;
use domain::refusal::{Failure, Refusal, Remote};
use futures::{SinkExt as _, StreamExt as _};
use platform::http::HttpError;
use reqwest::{RequestBuilder, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::protocol::{Broken, Heard, Pace, Protocol};
use crate::websocket;

/// How long the writing of a message may take.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// A connection to a provider on which audio is sent and words come back.
pub struct Connection {
    socket: WebSocketStream<Upgraded>,
    protocol: Box<dyn Protocol>,
}

impl Connection {
    /// Opens a connection. `refusal` says what a failed request means.
    pub(super) async fn open(
        request: RequestBuilder,
        protocol: Box<dyn Protocol>,
        remote: &Remote,
        refusal: impl Fn(&HttpError) -> Refusal,
    ) -> Result<Self, Refusal> {
        let socket = websocket::open(request, remote, refusal).await?;
        let lost = |problem: String| Refusal::of(remote, &Failure::Lost { problem });
        let mut opened = Self { socket, protocol };
        let hello = opened.protocol.hello();
        opened.send_all(hello).await.map_err(|Broken(problem)| lost(problem))?;
        Ok(opened)
    }

    pub(super) fn pace(&self) -> Pace {
        self.protocol.pace()
    }

    pub(super) async fn send_audio(&mut self, samples: &[i16]) -> Result<(), Broken> {
        let messages = self.protocol.audio(samples);
        self.send_all(messages).await
    }

    pub(super) async fn end_turn(&mut self) -> Result<(), Broken> {
        let message = self.protocol.end_turn();
        self.send_all(message.into_iter().collect()).await
    }

    /// Asks whether somebody is there. The answer is a message.
    pub(super) async fn ping(&mut self) -> Result<(), Broken> {
        self.send_all(vec![Message::Ping(Bytes::new())]).await
    }

    pub(super) async fn keep_alive(&mut self) -> Result<(), Broken> {
        let message = self.protocol.keep_alive();
        self.send_all(message.into_iter().collect()).await
    }

    pub(super) async fn finish(&mut self) -> Result<(), Broken> {
        let messages = self.protocol.finish();
        self.send_all(messages).await
    }

    /// What the provider says next. This waits, and it can be dropped at any time.
    pub(super) async fn next(&mut self) -> Result<Vec<Heard>, Broken> {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => self.protocol.read(&text),
            Some(Ok(Message::Close(frame))) => {
                let code = frame.map(|frame| u16::from(frame.code));
                let problem = code.map_or_else(
                    || "it closed the stream".to_owned(),
                    |code| format!("it closed the stream with the code {code}"),
                );
                Err(Broken(problem))
            }
            // Whatever else comes shows that somebody is there.
            Some(Ok(_)) => Ok(Vec::new()),
            Some(Err(_)) | None => Err(Broken("the stream broke".into())),
        }
    }

    /// Closes the connection. Nothing more is expected from it.
    pub(super) async fn close(mut self) {
        // Whoever is gone need not be told.
        tokio::time::timeout(WRITE_WITHIN, self.socket.close(None)).await.ok();
    }

    async fn send_all(&mut self, messages: Vec<Message>) -> Result<(), Broken> {
        for message in messages {
            match tokio::time::timeout(WRITE_WITHIN, self.socket.send(message)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Broken("the stream broke".into())),
                Err(_) => return Err(Broken("it does not read what it is sent".into())),
            }
        }
        Ok(())
    }
}
