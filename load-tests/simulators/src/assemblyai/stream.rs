//! Universal streaming. Frames outside 50 to 1,000 ms and audio that comes much faster than it was spoken close the
//! connection, `transcript` is the whole running turn, and a turn that is over comes a second time with punctuation.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::Account;
use crate::control::Control;
use crate::stream_plan::StreamFault;
use crate::streams::{Burst, Ear, Noticed, close, next, send};

const PARAMETERS: [&str; 12] = [
    "sample_rate",
    "encoding",
    "speech_model",
    "format_turns",
    "speaker_labels",
    "max_speakers",
    "keyterms_prompt",
    "end_of_turn_confidence_threshold",
    "min_turn_silence",
    "max_turn_silence",
    "inactivity_timeout",
    "language_detection",
];
/// So much more than real time is taken, in milliseconds.
const AHEAD_MS: u64 = 5_000;

pub(super) async fn stream(
    State(account): State<Arc<Account>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if key.is_empty() || key.starts_with("Bearer ") {
        return super::refusal(StatusCode::UNAUTHORIZED);
    }
    let query = query.unwrap_or_default();
    let asked: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into(), value.into())).collect();
    let value = |name: &str| asked.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let is_known = asked.iter().all(|(name, _)| PARAMETERS.contains(&name.as_str()));
    // There is no default model.
    if !is_known || value("speech_model").is_none_or(str::is_empty) || value("encoding") != Some("pcm_s16le")
    {
        return super::refusal(StatusCode::BAD_REQUEST);
    }
    let rate = value("sample_rate").and_then(|rate| rate.parse().ok()).unwrap_or(16_000);
    let formats = value("format_turns") == Some("true");
    match account.control.streams.next_fault() {
        Err(status) => super::refusal(status),
        Ok(fault) => {
            let control = account.control.clone();
            upgrade.on_upgrade(move |socket| talk(socket, control, (rate, formats), fault))
        }
    }
}

struct Turns {
    order: u64,
    formats: bool,
}

impl Turns {
    fn message(&self, burst: &Burst, text: &str, is_over: bool, is_formatted: bool) -> Value {
        let plain = if is_formatted || !self.formats {
            text.to_owned()
        } else {
            text.to_lowercase().trim_end_matches(['.', '?', '!']).to_owned()
        };
        let words: Vec<Value> = burst
            .words(&plain)
            .into_iter()
            .map(|(text, start, end)| {
                json!({"text": text, "start": start, "end": end, "confidence": 0.95, "word_is_final": true})
            })
            .collect();
        json!({"type": "Turn", "turn_order": self.order, "turn_is_formatted": is_formatted, "end_of_turn": is_over,
            "transcript": plain, "end_of_turn_confidence": if is_over { 0.9 } else { 0.1 }, "words": words,
            // A whole utterance is no end of the turn.
            "utterance": plain})
    }

    fn over(&mut self, burst: &Burst) -> Vec<Value> {
        let text = burst.text();
        let mut messages = vec![self.message(burst, &text, true, !self.formats)];
        if self.formats {
            messages.push(self.message(burst, &text, true, true));
        }
        self.order += 1;
        messages
    }
}

async fn talk(
    mut socket: WebSocket,
    control: Arc<Control>,
    (rate, formats): (u64, bool),
    fault: StreamFault,
) {
    let (id, begun) = (Uuid::new_v4(), Instant::now());
    let mut ear = Ear::new(&control, rate, &fault);
    let mut turns = Turns { order: 0, formats };
    let mut broken = control.streams.open();
    control.made("stream", &id.to_string());
    if !send(&mut socket, &json!({"type": "Begin", "id": id, "expires_at": 0})).await {
        return;
    }
    while let Some(message) = next(&mut socket, &mut broken).await {
        let mut answers = Vec::new();
        match message {
            Message::Binary(bytes) => {
                let length_ms = bytes.len() as u64 * 1_000 / (2 * rate);
                let elapsed = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                if !(50..=1_000).contains(&length_ms) || ear.heard_ms > elapsed * 3 / 2 + AHEAD_MS {
                    let error =
                        json!({"type": "Error", "error_code": 3007, "error": "Input duration violation"});
                    send(&mut socket, &error).await;
                    return close(socket, 3007, "Input duration violation").await;
                }
                for noticed in ear.hear(&bytes) {
                    match noticed {
                        Noticed::Begins(burst) => {
                            answers.push(json!({"type": "SpeechStarted", "timestamp": burst.start_ms}));
                            answers.push(turns.message(&burst, "", false, false));
                        }
                        Noticed::GoesOn(burst) => {
                            answers.push(turns.message(&burst, &burst.so_far(), false, false));
                        }
                        Noticed::Ends(burst) => answers.extend(turns.over(&burst)),
                    }
                }
                if fault.break_after_ms.is_some_and(|after| ear.heard_ms >= after) {
                    return;
                }
            }
            Message::Text(text) => {
                let said: Value = serde_json::from_str(&text).unwrap_or_default();
                match said["type"].as_str() {
                    Some("ForceEndpoint") => {
                        answers.extend(ear.end().iter().flat_map(|burst| turns.over(burst)));
                    }
                    Some("Terminate") => {
                        answers.extend(ear.finish().iter().flat_map(|burst| turns.over(burst)));
                        answers.push(
                            json!({"type": "Termination", "audio_duration_seconds": ear.heard_ms / 1_000,
                            "session_duration_seconds": begun.elapsed().as_secs()}),
                        );
                        for answer in answers {
                            send(&mut socket, &answer).await;
                        }
                        return close(socket, 1000, "").await;
                    }
                    Some("KeepAlive" | "UpdateConfiguration") => {}
                    _ => return close(socket, 3006, "Invalid Message Type").await,
                }
            }
            _ => {}
        }
        for answer in answers {
            if !send(&mut socket, &answer).await {
                return;
            }
        }
    }
}
