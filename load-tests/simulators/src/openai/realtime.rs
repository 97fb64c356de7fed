//! Realtime transcription. The client ends the turns, an empty turn is an error, and the words of every second turn come
//! later than those of the next one.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts as _;
use axum::extract::Request;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::refusal::refusal;
use crate::control::Control;
use crate::stream_plan::StreamFault;
use crate::streams::{Burst, Ear, Noticed, next, send};

const RATE: u64 = 24_000;
/// The shortest turn, in milliseconds.
const SHORTEST_MS: u64 = 100;
/// How much later the words of every second turn come.
const LATER: Duration = Duration::from_millis(150);

pub(super) async fn stream(control: &Arc<Control>, request: Request) -> Response {
    let (mut head, _) = request.into_parts();
    if head.uri.query() != Some("intent=transcription") {
        return refusal(StatusCode::BAD_REQUEST);
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut head, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    match control.streams.next_fault() {
        Err(status) => refusal(status),
        Ok(fault) => {
            let control = control.clone();
            upgrade.on_upgrade(move |socket| talk(socket, control, fault))
        }
    }
}

fn error(code: &str) -> Value {
    json!({"type": "error", "event_id": "event_0", "error": {"type": "invalid_request_error", "code": code,
        "message": "The request cannot be done.", "param": null, "event_id": null}})
}

#[derive(Default)]
struct Turn {
    bytes: u64,
    bursts: Vec<Burst>,
}

async fn talk(mut socket: WebSocket, control: Arc<Control>, fault: StreamFault) {
    let mut ear = Ear::new(&control, RATE, &fault);
    let mut broken = control.streams.open();
    let (mut turn, mut count, mut previous) = (Turn::default(), 0_u64, Value::Null);
    let (say, mut said) = mpsc::unbounded_channel::<Value>();
    control.made("stream", &uuid::Uuid::new_v4().to_string());
    if !send(&mut socket, &json!({"type": "session.created", "session": {"type": "transcription"}})).await {
        return;
    }
    loop {
        let text = tokio::select! {
            message = next(&mut socket, &mut broken) => match message {
                Some(Message::Text(text)) => text,
                Some(Message::Ping(_) | Message::Pong(_)) => continue,
                _ => return,
            },
            Some(answer) = said.recv() => {
                if !send(&mut socket, &answer).await {
                    return;
                }
                continue;
            }
        };
        let asked: Value = serde_json::from_str(&text).unwrap_or_default();
        let mut answers = Vec::new();
        match asked["type"].as_str() {
            Some("session.update") => {
                let input = &asked["session"]["audio"]["input"];
                let is_right = asked["session"]["type"] == "transcription"
                    && input["transcription"]["model"].is_string()
                    && input["format"] == json!({"type": "audio/pcm", "rate": RATE})
                    && input["turn_detection"].is_null();
                answers.push(if is_right {
                    json!({"type": "session.updated", "session": asked["session"]})
                } else {
                    error("invalid_value")
                });
            }
            Some("input_audio_buffer.append") => {
                let bytes = STANDARD.decode(asked["audio"].as_str().unwrap_or_default()).unwrap_or_default();
                turn.bytes += bytes.len() as u64;
                let item = format!("item_{count}");
                for noticed in ear.hear(&bytes) {
                    match noticed {
                        Noticed::GoesOn(burst) => answers.push(json!({
                            "type": "conversation.item.input_audio_transcription.delta", "item_id": item,
                            "content_index": 0, "delta": format!("{} ", burst.so_far().split(' ').next_back().unwrap_or_default())})),
                        Noticed::Ends(burst) => turn.bursts.push(burst),
                        Noticed::Begins(_) => {}
                    }
                }
                if fault.break_after_ms.is_some_and(|after| ear.heard_ms >= after) {
                    return;
                }
            }
            Some("input_audio_buffer.clear") => {
                turn = Turn::default();
                answers.push(json!({"type": "input_audio_buffer.cleared"}));
            }
            Some("input_audio_buffer.commit") if turn.bytes * 1_000 / (2 * RATE) < SHORTEST_MS => {
                answers.push(error("input_audio_buffer_commit_empty"));
            }
            Some("input_audio_buffer.commit") => {
                let mut done = std::mem::take(&mut turn);
                done.bursts.extend(ear.finish());
                let item = format!("item_{count}");
                answers.push(json!({"type": "input_audio_buffer.committed", "item_id": item, "previous_item_id": previous}));
                let text = done.bursts.iter().map(Burst::text).collect::<Vec<_>>().join(" ");
                let completed = json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": item,
                    "content_index": 0, "transcript": text, "usage": {"type": "duration", "seconds": done.bytes / (2 * RATE)}});
                let (say, is_later) = (say.clone(), count.is_multiple_of(2));
                control.in_background(async move {
                    if is_later {
                        tokio::time::sleep(LATER).await;
                    }
                    // Whoever is gone does not want it.
                    say.send(completed).ok();
                });
                previous = json!(item);
                count += 1;
            }
            _ => answers.push(error("unknown_event")),
        }
        for answer in answers {
            if !send(&mut socket, &answer).await {
                return;
            }
        }
    }
}
