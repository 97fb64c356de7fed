//! What every simulated stream of speech has: it hears when somebody speaks, and it can be told what was said and what
//! goes wrong.
//!
//! A stream has no comment that holds its dialogue. So the words of a stretch of speech are the next line that whoever drives the
//! simulator gave it (`PUT /_control/lines`), or else a sentence about its length.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde_json::Value;
use tokio::sync::watch;

use crate::control::Control;
use crate::stream_plan::StreamFault;

/// The length of a frame in milliseconds.
const FRAME_MS: u64 = 20;
/// The mean level from which on somebody speaks.
const LOUD: f64 = 400.0;
/// A pause of this length ends what is said.
const PAUSE_MS: u64 = 400;
/// How long it takes to say a word.
const WORD_MS: u64 = 300;

/// Somebody speaks, or has spoken.
#[derive(Clone, Debug)]
pub(crate) struct Burst {
    pub(crate) start_ms: u64,
    pub(crate) end_ms: u64,
    line: Option<String>,
}

impl Burst {
    /// The words so far.
    pub(crate) fn so_far(&self) -> String {
        let text = self.line.clone().unwrap_or_else(|| "Somebody speaks".to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        let spoken = usize::try_from((self.end_ms - self.start_ms) / WORD_MS).unwrap_or(usize::MAX);
        words[..spoken.clamp(1, words.len().max(1)).min(words.len())].join(" ")
    }

    /// All words.
    pub(crate) fn text(&self) -> String {
        let tenths = (self.end_ms - self.start_ms + 50) / 100;
        let derived = || format!("Somebody speaks for {}.{} seconds.", tenths / 10, tenths % 10);
        self.line.clone().unwrap_or_else(derived)
    }

    /// The words of `text` with their times.
    pub(crate) fn words(&self, text: &str) -> Vec<(String, u64, u64)> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let count = words.len().max(1) as u64;
        let at = |nth: u64| self.start_ms + (self.end_ms - self.start_ms) * nth / count;
        (0_u64..).zip(words).map(|(nth, word)| (word.to_owned(), at(nth), at(nth + 1))).collect()
    }
}

/// What is noticed in the audio.
pub(crate) enum Noticed {
    Begins(Burst),
    GoesOn(Burst),
    Ends(Burst),
}

/// Hears when somebody speaks.
pub(crate) struct Ear {
    control: Arc<Control>,
    rate: u64,
    pending: Vec<i16>,
    pub(crate) heard_ms: u64,
    burst: Option<Burst>,
    /// When the last words so far were noticed.
    noticed_ms: u64,
    never_ends: bool,
}

impl Ear {
    pub(crate) fn new(control: &Arc<Control>, rate: u64, fault: &StreamFault) -> Self {
        Self {
            control: control.clone(),
            rate,
            pending: Vec::new(),
            heard_ms: 0,
            burst: None,
            noticed_ms: 0,
            never_ends: fault.never_ends,
        }
    }

    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Vec<Noticed> {
        let frame = usize::try_from(self.rate * FRAME_MS / 1_000).unwrap_or(320);
        let mut noticed = Vec::new();
        for sample in bytes.chunks_exact(2) {
            self.pending.push(i16::from_le_bytes([sample[0], sample[1]]));
            if self.pending.len() == frame {
                noticed.extend(self.frame());
                self.pending.clear();
            }
        }
        noticed
    }

    fn frame(&mut self) -> Option<Noticed> {
        #[expect(clippy::cast_precision_loss, reason = "a frame has few samples")]
        let count = self.pending.len().max(1) as f64;
        let energy: f64 = self.pending.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let is_loud = (energy / count).sqrt() > LOUD;
        let start = self.heard_ms;
        self.heard_ms += FRAME_MS;
        match &mut self.burst {
            None if is_loud => {
                let line = self.control.streams.next_line();
                let burst = Burst { start_ms: start, end_ms: self.heard_ms, line };
                self.burst = Some(burst.clone());
                self.noticed_ms = start;
                Some(Noticed::Begins(burst))
            }
            Some(burst) if is_loud => {
                burst.end_ms = self.heard_ms;
                let is_due = self.heard_ms - self.noticed_ms >= WORD_MS;
                if is_due {
                    self.noticed_ms = self.heard_ms;
                }
                is_due.then(|| Noticed::GoesOn(burst.clone()))
            }
            Some(burst) if self.heard_ms - burst.end_ms >= PAUSE_MS && !self.never_ends => {
                let burst = burst.clone();
                self.burst = None;
                Some(Noticed::Ends(burst))
            }
            _ => None,
        }
    }

    /// Ends what is said now, if somebody speaks.
    pub(crate) fn end(&mut self) -> Option<Burst> {
        if self.never_ends { None } else { self.burst.take() }
    }

    /// The connection ends, so everything that was said is said.
    pub(crate) fn finish(&mut self) -> Option<Burst> {
        self.burst.take()
    }
}

/// The next message. There is none when the other side is gone, or when the stream is to break off.
pub(crate) async fn next(socket: &mut WebSocket, broken: &mut watch::Receiver<()>) -> Option<Message> {
    tokio::select! {
        message = socket.recv() => message?.ok(),
        _ = broken.changed() => None,
    }
}

/// Sends a message. Returns whether the other side is there.
pub(crate) async fn send(socket: &mut WebSocket, message: &Value) -> bool {
    socket.send(Message::Text(message.to_string().into())).await.is_ok()
}

/// Closes a stream with this code.
pub(crate) async fn close(mut socket: WebSocket, code: u16, reason: &str) {
    let frame = CloseFrame { code, reason: reason.to_owned().into() };
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        // The other side answers the close, or goes away.
        while let Some(Ok(_)) = socket.recv().await {}
    }
}
