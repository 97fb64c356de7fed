//! Speech over a WebSocket (`stream-input`): text comes in parts, and its sound goes back with the letters that are heard in each
//! piece. One space keeps the connection open, an empty text ends it, and a connection on which nothing comes for 20 seconds is
//! closed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::{SPEAKING, error, is_allowed, out_of_range, refusal, speed};
use crate::control::Control;
use crate::digest::digest;
use crate::spoken::{PIECE, PIECE_LENGTH, Said};
use crate::stream_plan::StreamFault;
use crate::streams::{close, next, send};

const NOTHING_FOR: Duration = Duration::from_secs(20);
/// The code with which a connection is closed that was not used as it should be.
const POLICY: u16 = 1008;

pub(super) async fn speak(
    State(control): State<Arc<Control>>,
    Path(voice): Path<String>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let asks = |name: &str| asked.get(name).map(String::as_str);
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    if !voice.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return error(StatusCode::NOT_FOUND, "voice_not_found", "A voice with this id does not exist");
    }
    if !asks("model_id").is_none_or(|model| SPEAKING.contains(&model)) {
        return error(StatusCode::BAD_REQUEST, "invalid_model_id", "The model is not a valid model");
    }
    if asks("output_format") != Some("pcm_24000") {
        return error(
            StatusCode::BAD_REQUEST,
            "invalid_output_format",
            "this simulator makes only pcm_24000",
        );
    }
    let tells_letters = asks("sync_alignment") == Some("true");
    match control.streams.next_fault() {
        Err(status) => refusal(status),
        Ok(fault) => upgrade.on_upgrade(move |socket| talk(socket, control, (voice, tells_letters), fault)),
    }
}

/// A text whose sound is being made.
struct Making {
    said: Said,
    words: Vec<String>,
    begun: Instant,
    next: u32,
}

impl Making {
    /// The letters and the sound of the next piece. `None` after the last one.
    fn piece(&mut self) -> Option<(String, Vec<u8>)> {
        let samples = self.next * PIECE..((self.next + 1) * PIECE).min(self.said.length());
        if samples.is_empty() {
            return None;
        }
        self.next += 1;
        let words = self
            .said
            .words_in(&samples)
            .filter_map(|nth| Some(self.words.get(usize::try_from(nth).ok()?)?.as_str()));
        let letters = words.flat_map(|word| [word, " "]).collect();
        Some((letters, self.said.samples(samples)))
    }
}

/// What a client wants.
enum Wants {
    /// The sound of all text that came.
    Sound,
    /// The sound of all text that came, and then the end.
    End,
    Nothing,
}

/// A conversation with a client.
struct Talk {
    control: Arc<Control>,
    voice: String,
    tells_letters: bool,
    speed: Option<f64>,
    /// Text that waits until its sound is asked for.
    text: String,
    waiting: VecDeque<(String, Instant)>,
    making: Option<Making>,
    made_ms: u64,
}

async fn talk(
    mut socket: WebSocket,
    control: Arc<Control>,
    (voice, tells_letters): (String, bool),
    fault: StreamFault,
) {
    let mut broken = control.streams.open();
    let (text, waiting) = (String::new(), VecDeque::new());
    let mut talk =
        Talk { control, voice, tells_letters, speed: None, text, waiting, making: None, made_ms: 0 };
    let (mut is_ended, mut heard_at) = (false, Instant::now());
    loop {
        talk.make_next();
        if is_ended && talk.making.is_none() {
            send(&mut socket, &json!({"audio": null, "isFinal": true})).await;
            return close(socket, 1000, "").await;
        }
        tokio::select! {
            message = next(&mut socket, &mut broken), if !is_ended => {
                let Some(message) = message else { return };
                heard_at = Instant::now();
                let Message::Text(text) = message else { continue };
                match talk.take(&text) {
                    Ok(Wants::Nothing) => {}
                    Ok(Wants::Sound) => talk.flush(),
                    Ok(Wants::End) => {
                        talk.flush();
                        is_ended = true;
                    }
                    Err(word) => {
                        send(&mut socket, &json!({"message": "Error", "error": word, "code": POLICY})).await;
                        return close(socket, POLICY, word).await;
                    }
                }
            }
            piece = talk.piece(), if talk.making.is_some() => {
                if let Some(piece) = piece && !send(&mut socket, &piece).await {
                    return;
                }
                if fault.break_after_ms.is_some_and(|after| talk.made_ms >= after) {
                    return;
                }
            }
            () = sleep_until(heard_at + NOTHING_FOR), if !is_ended => {
                return close(socket, POLICY, "input_timeout_exceeded").await;
            }
        }
    }
}

impl Talk {
    /// Reads a message. The error is the word with which the connection is closed.
    fn take(&mut self, message: &str) -> Result<Wants, &'static str> {
        let message: Value = serde_json::from_str(message).map_err(|_| "invalid_message")?;
        let text = message["text"].as_str().ok_or("invalid_message")?;
        if self.speed.is_none() {
            let settings = &message["voice_settings"];
            if text != " " {
                return Err("first_message_must_be_a_space");
            }
            if out_of_range(settings).is_some() {
                return Err("invalid_voice_settings");
            }
            self.speed = Some(speed(settings).ok_or("invalid_voice_settings")?);
            return Ok(Wants::Nothing);
        }
        if text.is_empty() {
            return Ok(Wants::End);
        }
        if !text.ends_with(' ') {
            return Err("text_must_end_with_a_space");
        }
        self.text.push_str(text);
        Ok(if message["flush"] == json!(true) { Wants::Sound } else { Wants::Nothing })
    }

    /// Has the sound made of all text that came.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.trim().is_empty() {
            self.control.made("speech", &digest(text.trim().as_bytes()));
            self.waiting.push_back((text, Instant::now()));
        }
    }

    /// Begins with the next text, when the sound of the one before it is made.
    fn make_next(&mut self) {
        if self.making.is_none()
            && let Some((text, begun)) = self.waiting.pop_front()
        {
            let said = Said::new(&text, &self.voice, self.speed.unwrap_or(1.0));
            let words = text.split_whitespace().map(str::to_owned).collect();
            self.making = Some(Making { said, words, begun, next: 0 });
        }
    }

    /// Waits until the next piece is made. `None` where the text is over.
    async fn piece(&mut self) -> Option<Value> {
        let making = self.making.as_mut()?;
        let due = making.begun + self.control.pace.now().sound(PIECE_LENGTH * making.next);
        sleep_until(due).await;
        let Some((letters, samples)) = making.piece() else {
            self.making = None;
            return None;
        };
        self.made_ms += samples.len() as u64 / 48;
        let chars: Vec<String> = letters.chars().map(String::from).collect();
        let alignment = if self.tells_letters { json!({ "chars": chars }) } else { Value::Null };
        Some(json!({"audio": STANDARD.encode(samples), "isFinal": null, "alignment": alignment}))
    }
}
