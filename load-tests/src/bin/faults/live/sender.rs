//! The sender of a stream, which is killed again and again, and goes on from the byte that was acknowledged last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use futures::{SinkExt as _, StreamExt as _};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{self, Message};

use super::{SESSION, sound};

/// A sender connects again within this time.
const CONNECTS_WITHIN: Duration = Duration::from_mins(1);
/// The length of a message, and how much faster than it is spoken the audio is sent.
const MESSAGE_MS: u64 = 100;
const FASTER: u32 = 2;
/// The pause before a sender connects again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How far a sender is.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// How many bytes it has sent over all connections. What was sent again counts again.
    sent: usize,
    has_asked_to_end: bool,
}

/// By these the sender is led.
pub(super) struct Strings {
    cut: watch::Sender<()>,
    enough: watch::Sender<bool>,
    state: watch::Receiver<State>,
}

impl Strings {
    /// Breaks the connection without a word.
    pub(super) fn cut(&self) {
        self.cut.send_replace(());
    }

    /// The sender sends nothing new any more, and ends the session.
    pub(super) fn enough(&self) {
        self.enough.send_replace(true);
    }

    /// Waits until so many bytes more were sent.
    pub(super) async fn sent_more(&mut self, bytes: usize) -> anyhow::Result<()> {
        let until = self.state.borrow_and_update().sent + bytes;
        self.state.wait_for(|state| state.sent >= until).await.context("the sender has stopped")?;
        Ok(())
    }

    /// Waits until the session was asked to end.
    pub(super) async fn asked_to_end(&mut self) -> anyhow::Result<()> {
        self.state.wait_for(|state| state.has_asked_to_end).await.context("the sender has stopped")?;
        Ok(())
    }
}

pub(super) struct Sender {
    doors: Vec<SocketAddr>,
    audio: Arc<Vec<u8>>,
    dice: StdRng,
    cuts: watch::Receiver<()>,
    enough: watch::Receiver<bool>,
    state: watch::Sender<State>,
    /// How many bytes are acknowledged, and how many were sent at most.
    acknowledged: usize,
    farthest: usize,
}

/// How a connection ended.
enum Ended {
    /// It broke, was cut or was refused.
    Broken,
    /// The session has ended.
    Session,
}

impl Sender {
    pub(super) fn new(doors: Vec<SocketAddr>, audio: Arc<Vec<u8>>, dice: StdRng) -> (Self, Strings) {
        let (cut, cuts) = watch::channel(());
        let (tell, enough) = watch::channel(false);
        let (state, states) = watch::channel(State::default());
        let sender = Self { doors, audio, dice, cuts, enough, state, acknowledged: 0, farthest: 0 };
        (sender, Strings { cut, enough: tell, state: states })
    }

    /// Sends audio to whoever takes it until it is enough, and ends the session. Returns how many bytes were sent.
    pub(super) async fn send(mut self) -> anyhow::Result<usize> {
        let mut since = Instant::now();
        loop {
            let door = *self.doors.choose(&mut self.dice).context("there is a door")?;
            self.cuts.mark_unchanged();
            let before = self.acknowledged;
            if let Ended::Session = self.send_once(door).await? {
                return Ok(self.farthest);
            }
            if self.acknowledged > before {
                since = Instant::now();
            }
            ensure!(
                since.elapsed() < CONNECTS_WITHIN,
                "nobody takes the audio behind byte {}",
                self.acknowledged
            );
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Sends over one connection, until it breaks or is cut.
    async fn send_once(&mut self, door: SocketAddr) -> anyhow::Result<Ended> {
        let mut socket = match connect_async(format!("ws://{door}/api/calls/{SESSION}/stream")).await {
            Ok((socket, _)) => socket,
            // The connection broke after the end was taken, and before it was confirmed.
            Err(tungstenite::Error::Http(answer)) if answer.status() == 409 => {
                ensure!(self.state.borrow().has_asked_to_end, "the session has ended by itself");
                return Ok(Ended::Session);
            }
            Err(_) => return Ok(Ended::Broken),
        };
        let start = json!({"type": "start", "encoding": "pcm_s16le", "sample_rate": sound::RATE, "channels": 1,
            "resume_from": self.acknowledged});
        if socket.send(Message::text(start.to_string())).await.is_err() {
            return Ok(Ended::Broken);
        }
        let message = sound::bytes_in(MESSAGE_MS);
        let mut tick = tokio::time::interval(Duration::from_millis(MESSAGE_MS) / FASTER);
        // What is on disk and was not known to be is skipped there, so the audio goes on from where the start said.
        let (mut at, mut is_taken, mut has_ended) = (self.acknowledged, false, false);
        loop {
            tokio::select! {
                _ = self.cuts.changed() => return Ok(Ended::Broken),
                heard = socket.next() => match heard {
                    Some(Ok(Message::Text(text))) => {
                        let heard: Value = serde_json::from_str(&text).context("read a message")?;
                        if heard["type"] == "ack" {
                            is_taken = true;
                            self.acknowledge(&heard)?;
                        }
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let is_over = has_ended && frame.is_some_and(|frame| u16::from(frame.code) == 1000);
                        return Ok(if is_over { Ended::Session } else { Ended::Broken });
                    }
                    Some(Ok(_)) => {}
                    _ => return Ok(Ended::Broken),
                },
                _ = tick.tick(), if is_taken => {
                    let end = if *self.enough.borrow() { self.farthest } else { self.audio.len() };
                    let to = (at + message).min(end);
                    let said = if at < to {
                        Message::binary(self.audio[at..to].to_vec())
                    } else if *self.enough.borrow() && !has_ended && self.acknowledged == end {
                        has_ended = true;
                        Message::text(json!({"type": "end"}).to_string())
                    } else {
                        continue;
                    };
                    if socket.send(said).await.is_err() {
                        return Ok(Ended::Broken);
                    }
                    self.state.send_modify(|state| {
                        state.sent += to - at;
                        state.has_asked_to_end |= has_ended;
                    });
                    at = to;
                    self.farthest = self.farthest.max(at);
                }
            }
        }
    }

    fn acknowledge(&mut self, ack: &Value) -> anyhow::Result<()> {
        let bytes = ack["bytes"].as_u64().and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.with_context(|| format!("read the acknowledgement {ack}"))?;
        if bytes < self.acknowledged {
            bail!("{} bytes were acknowledged, and now only {bytes} are", self.acknowledged);
        }
        ensure!(
            bytes <= self.farthest,
            "{bytes} bytes are acknowledged, and only {} were sent",
            self.farthest
        );
        self.acknowledged = bytes;
        Ok(())
    }
}
