//! Our own stream: `WS /api/calls/{session_id}/stream`.
//!
//! The client says what it sends, then sends audio, and gets an acknowledgement for what is on disk. After a break it comes
//! back, is told how many bytes are on disk, and goes on from there. Who may read the call gets its events too.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use domain::principal::Scope;
use serde::Deserialize;
use serde_json::{Value, json};
use store::live::{LiveEvent, LiveSession, LiveState};
use web::{Door, Problem};

use super::format::{Encoding, Format};
use super::recorder::Recorder;
use super::{Closing, MAX_MESSAGE_BYTES, close};
use crate::hub::Follower;
use crate::service::{Live, SessionId, ended};
use crate::told;

/// How often what is there is written, and the key is looked at again.
const TICK: Duration = Duration::from_millis(500);
const STREAM: &str = "stream";

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    Start {
        encoding: Value,
        sample_rate: u32,
        channels: u16,
        #[serde(default)]
        resume_from: Option<u64>,
    },
    End,
}

/// A stream of audio, and the events of the session back.
#[utoipa::path(get, path = "/api/calls/{session_id}/stream", operation_id = "liveStream", tag = "live",
    security(("key" = ["bring_in"])),
    params(("session_id" = String, Path, description = "The sender's id of the session")),
    responses((status = 101, description = "A WebSocket: `{\"type\":\"start\",\"encoding\":\"pcm_s16le|mulaw|alaw|opus\",\"sample_rate\":8000,\"channels\":1,\"resume_from\":BYTES?}`, then binary audio, then `{\"type\":\"end\"}`; back come `{\"type\":\"ack\",\"bytes\":N}` and the events"),
        (status = 404, description = "There is no such session", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The session has ended", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn stream(State(live): State<Live>, request: Request) -> Result<Response, Problem> {
    let (mut head, _) = request.into_parts();
    let who = live.access.admit(Door::BringIn, &head).await?;
    let SessionId(id) = SessionId::from_request_parts(&mut head, &live).await?;
    let (session, _) = live.session(&who, &id).await?;
    if session.state == LiveState::Ended {
        return Err(ended());
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut head, &live).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Ok(rejection.into_response()),
    };
    let streaming = move |socket| async move {
        let follower = who.scopes.has(Scope::Read).then(|| {
            let LiveSession { workspace, call, last_event, .. } = session;
            live.hub.follow(&live.store, workspace, call, last_event)
        });
        let session = Arc::new(session);
        let mut stream = Stream { socket, live, head, session, recorder: None, follower };
        let closing = stream.run().await;
        // What was received is kept, however the stream ended.
        let flushed = stream.flush().await;
        stream.finish().await;
        close(stream.socket, flushed.err().unwrap_or(closing)).await;
    };
    Ok(upgrade.max_message_size(MAX_MESSAGE_BYTES).on_upgrade(streaming))
}

struct Stream {
    socket: WebSocket,
    live: Live,
    head: Parts,
    session: Arc<LiveSession>,
    recorder: Option<Recorder>,
    /// What the sender gets of the session. `None` where its key may not read.
    follower: Option<Follower>,
}

enum Next {
    Message(Option<Result<Message, axum::Error>>),
    Events(store::Result<Vec<LiveEvent>>),
    Tick,
    Stopping,
}

impl Stream {
    /// Takes messages until the stream ends. Returns why.
    async fn run(&mut self) -> Closing {
        let mut tick = tokio::time::interval(TICK);
        loop {
            let next = tokio::select! {
                message = self.socket.recv() => Next::Message(message),
                events = next_events(self.follower.as_mut()) => Next::Events(events),
                _ = tick.tick() => Next::Tick,
                () = self.live.stopping.cancelled() => Next::Stopping,
            };
            let taken = match next {
                Next::Message(None | Some(Err(_))) => return Closing { code: 1000, why: String::new() },
                Next::Message(Some(Ok(message))) => self.take(message).await,
                Next::Events(events) => self.tell(events).await,
                Next::Tick => self.tick().await,
                Next::Stopping => Err(Closing::again("this process stops; come again")),
            };
            if let Err(closing) = taken {
                return closing;
            }
        }
    }

    async fn take(&mut self, message: Message) -> Result<(), Closing> {
        match message {
            Message::Binary(bytes) => {
                let recorder = self.recorder.as_mut();
                let recorder =
                    recorder.ok_or_else(|| Closing::protocol("audio came before the start message"))?;
                recorder.push(&bytes).await?;
                // Nothing more is read until this is written, so a sender that is too fast waits.
                if recorder.is_due() { self.flush().await } else { Ok(()) }
            }
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(Said::Start { encoding, sample_rate, channels, resume_from }) => {
                    let encoding: Encoding = serde_json::from_value(encoding)
                        .map_err(|_| Closing::protocol("encoding must be pcm_s16le, mulaw, alaw or opus"))?;
                    let format = Format { encoding, sample_rate, channels };
                    self.start(format.checked().map_err(Closing::protocol)?, resume_from).await
                }
                Ok(Said::End) => {
                    self.flush().await?;
                    self.finish().await;
                    if let Some(follower) = &mut self.follower {
                        // The sender of the last words gets them, too.
                        let last = follower.ready().await;
                        self.tell(last).await?;
                    }
                    self.live
                        .end(&self.session, "asked")
                        .await
                        .map_err(|problem| Closing::again(problem.detail))?;
                    Err(Closing { code: 1000, why: "the session has ended".into() })
                }
                Err(error) => Err(Closing::protocol(format!("a message cannot be read: {error}"))),
            },
            Message::Close(_) => Err(Closing { code: 1000, why: String::new() }),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        }
    }

    async fn start(&mut self, format: Format, resume_from: Option<u64>) -> Result<(), Closing> {
        if self.recorder.is_some() {
            return Err(Closing::protocol("the start message came twice"));
        }
        let mut recorder = Recorder::resumed(&self.live, &self.session, STREAM, format).await?;
        let on_disk = recorder.on_disk();
        // A client that does not say where it goes on begins anew: its first byte is the next one.
        if !recorder.goes_on_from(resume_from.unwrap_or(on_disk)) {
            self.send(&json!({"type": "ack", "bytes": on_disk})).await?;
            return Err(Closing::protocol(format!("only {on_disk} bytes are on disk: go on from there")));
        }
        self.recorder = Some(recorder);
        self.send(&json!({"type": "ack", "bytes": on_disk})).await
    }

    async fn tick(&mut self) -> Result<(), Closing> {
        if !self.live.access.is_still_admitted(Door::BringIn, &self.head).await {
            return Err(Closing::policy("the key is not valid any more"));
        }
        self.flush().await
    }

    /// Writes what is there, and acknowledges it.
    async fn flush(&mut self) -> Result<(), Closing> {
        let Some(recorder) = &mut self.recorder else { return Ok(()) };
        let before = recorder.on_disk();
        recorder.flush().await?;
        let bytes = recorder.on_disk();
        if bytes > before { self.send(&json!({"type": "ack", "bytes": bytes})).await } else { Ok(()) }
    }

    /// Waits for the last words of what was received.
    async fn finish(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.finish().await;
        }
    }

    async fn tell(&mut self, events: store::Result<Vec<LiveEvent>>) -> Result<(), Closing> {
        let events = events.map_err(|error| {
            tracing::warn!(%error, "failed to read the events of a live call for a stream");
            Closing::again("the events cannot be read at the moment")
        })?;
        for event in events {
            let (kind, seq, at) = (event.kind.clone(), event.seq, event.at);
            let told = json!({"type": kind, "seq": seq, "at": at, "data": told::numbered(event)});
            self.send(&told).await?;
        }
        Ok(())
    }

    async fn send(&mut self, message: &Value) -> Result<(), Closing> {
        let sent = self.socket.send(Message::Text(message.to_string().into())).await;
        sent.map_err(|_| Closing { code: 1000, why: String::new() })
    }
}

async fn next_events(follower: Option<&mut Follower>) -> store::Result<Vec<LiveEvent>> {
    match follower {
        Some(follower) => follower.next().await,
        None => std::future::pending().await,
    }
}
