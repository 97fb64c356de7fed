//! What the streams of telephony providers share: the key inside the stream, the session that begins with it, and a
//! recorder for each side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::call::CallDetails;
use serde_json::{Map, Value};
use store::live::LiveSession;
use web::Door;

use super::format::Format;
use super::recorder::Recorder;
use super::{Closing, close};
use crate::service::Live;

/// The provider has to begin within this time.
const BEGIN_WITHIN: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(500);
/// The names under which a key stands among the parameters of a stream.
const KEYS: [&str; 2] = ["key", "token"];

/// What a provider said.
#[expect(clippy::large_enum_variant, reason = "there is one of them at a time")]
pub(super) enum Heard {
    /// The stream begins.
    Start(Start),
    /// Audio of one side, in base64.
    Media { side: Side, payload: String },
    /// The call is over.
    Stop,
    /// Something that says nothing about the audio.
    Nothing,
}

pub(super) struct Start {
    pub(super) stream: String,
    /// The provider's id of the call.
    pub(super) call: String,
    pub(super) parameters: Map<String, Value>,
    pub(super) details: CallDetails,
    pub(super) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// Who is on the telephone line.
    Caller,
    /// What is played to the line: our side.
    Ours,
}

/// Takes the messages of a provider until its stream ends. `read` reads one message.
pub(super) async fn run(
    mut socket: WebSocket,
    live: Live,
    head: Parts,
    source: &'static str,
    read: fn(&Value) -> Result<Heard, String>,
) {
    let mut call: Option<OnCall> = None;
    let closing = take_all(&mut socket, &live, head, source, read, &mut call).await;
    let mut failed = None;
    if let Some(call) = &mut call {
        failed = call.flush().await.err();
        call.finish().await;
    }
    close(socket, failed.unwrap_or(closing)).await;
}

async fn take_all(
    socket: &mut WebSocket,
    live: &Live,
    mut head: Parts,
    source: &'static str,
    read: fn(&Value) -> Result<Heard, String>,
    call: &mut Option<OnCall>,
) -> Closing {
    let begun = tokio::time::Instant::now();
    let mut tick = tokio::time::interval(TICK);
    loop {
        let message = tokio::select! {
            message = socket.recv() => message,
            _ = tick.tick() => {
                let ticked = match call {
                    None if begun.elapsed() > BEGIN_WITHIN => Err(Closing::protocol("the start message did not come")),
                    None => Ok(()),
                    Some(_) if !live.access.is_still_admitted(Door::BringIn, &head).await => {
                        Err(Closing::policy("the key is not valid any more"))
                    }
                    Some(call) => call.flush().await,
                };
                match ticked {
                    Ok(()) => continue,
                    Err(closing) => return closing,
                }
            }
            () = live.stopping.cancelled() => return Closing::again("this process stops; come again"),
        };
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Closing { code: 1000, why: String::new() },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Binary(_))) => {
                return Closing::protocol("a binary message is not of this protocol");
            }
        };
        let heard =
            match serde_json::from_str(&text).map_err(|error| error.to_string()).and_then(|it| read(&it)) {
                Ok(heard) => heard,
                Err(why) => return Closing::protocol(format!("a message cannot be read: {why}")),
            };
        let taken = match (heard, call.as_mut()) {
            (Heard::Nothing, _) => Ok(()),
            (Heard::Start(_), Some(_)) => Err(Closing::protocol("the start message came twice")),
            (Heard::Start(start), None) => {
                OnCall::begin(live, &mut head, source, start).await.map(|begun| *call = Some(begun))
            }
            (_, None) => Err(Closing::protocol("the start message did not come first")),
            (Heard::Media { side, payload }, Some(call)) => call.media(side, &payload).await,
            (Heard::Stop, Some(call)) => call.stop().await,
        };
        if let Err(closing) = taken {
            return closing;
        }
    }
}

/// A call whose audio comes.
struct OnCall {
    live: Live,
    session: Arc<LiveSession>,
    stream: String,
    format: Format,
    sides: BTreeMap<Side, Recorder>,
}

impl OnCall {
    async fn begin(live: &Live, head: &mut Parts, source: &str, start: Start) -> Result<Self, Closing> {
        let key = KEYS.iter().find_map(|name| start.parameters.get(*name)?.as_str());
        if let Some(key) = key
            && let Ok(value) = format!("Bearer {key}").parse()
        {
            head.headers.insert(AUTHORIZATION, value);
        }
        // A provider that can send no header of our choice may also put the key into the address.
        let who = live
            .access
            .admit(Door::Unsigned, head)
            .await
            .map_err(|problem| Closing::policy(problem.detail))?;
        let mut details = start.details;
        for (name, value) in start.parameters {
            if !KEYS.contains(&name.as_str()) {
                details.metadata.insert(name, value);
            }
        }
        let named = details.metadata.get("session_id").and_then(Value::as_str).map(str::to_owned);
        let id = named.unwrap_or(start.call);
        crate::service::check(&id).map_err(Closing::protocol)?;
        let begun = live.begin(&who, source.to_owned(), id.clone(), details).await;
        begun.map_err(|problem| Closing::policy(problem.detail))?;
        let (session, _) =
            live.session(&who, &id).await.map_err(|problem| Closing::policy(problem.detail))?;
        Ok(Self {
            live: live.clone(),
            session: Arc::new(session),
            stream: start.stream,
            format: start.format.checked().map_err(Closing::protocol)?,
            sides: BTreeMap::new(),
        })
    }

    async fn media(&mut self, side: Side, payload: &str) -> Result<(), Closing> {
        let bytes = STANDARD.decode(payload).map_err(|_| Closing::protocol("the payload is not base64"))?;
        if !self.sides.contains_key(&side) {
            let (channel, speaker) = match side {
                Side::Caller => (0, "customer"),
                Side::Ours => (1, "agent"),
            };
            let stream = format!("{}/{channel}", self.stream);
            let recorder = Recorder::resumed(&self.live, &self.session, &stream, self.format).await?;
            self.sides.insert(side, recorder.of(channel, speaker));
        }
        let Some(recorder) = self.sides.get_mut(&side) else { return Ok(()) };
        recorder.push(&bytes.into()).await?;
        if recorder.is_due() { recorder.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Closing> {
        for recorder in self.sides.values_mut() {
            recorder.flush().await?;
        }
        Ok(())
    }

    /// Waits for the last words of both sides.
    async fn finish(&mut self) {
        let finishing = self.sides.values_mut().map(Recorder::finish);
        futures::future::join_all(finishing).await;
    }

    async fn stop(&mut self) -> Result<(), Closing> {
        self.flush().await?;
        self.finish().await;
        self.live.end(&self.session, "asked").await.map_err(|problem| Closing::again(problem.detail))?;
        Err(Closing { code: 1000, why: "the call is over".into() })
    }
}
