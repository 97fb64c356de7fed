//! Live transcription. A turn comes in two parts that are final, and only the second ends the speech. Times begin at 0 with
//! each connection, and a connection on which nothing comes for ten seconds is closed.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::{PARAMETERS, is_allowed, legacy, refusal};
use crate::control::Control;
use crate::heard::seconds;
use crate::stream_plan::StreamFault;
use crate::streams::{Burst, Ear, Noticed, close, next, send};

/// The parameters that only streams have.
const OF_STREAMS: [&str; 7] = [
    "channels",
    "endpointing",
    "interim_results",
    "no_delay",
    "sample_rate",
    "utterance_end_ms",
    "vad_events",
];
const NOTHING_FOR: Duration = Duration::from_secs(10);

pub(super) async fn stream(
    State(control): State<Arc<Control>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let query = query.unwrap_or_default();
    let asked: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into(), value.into())).collect();
    let value = |name: &str| asked.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let is_known = |name: &str| PARAMETERS.contains(&name) || OF_STREAMS.contains(&name);
    if let Some((unknown, _)) = asked.iter().find(|(name, _)| !is_known(name)) {
        let message = format!("Unknown parameter {unknown}");
        return legacy(StatusCode::BAD_REQUEST, "INVALID_QUERY_PARAMETER", &message);
    }
    let ends_utterances = value("utterance_end_ms").is_some();
    let is_right = value("interim_results") == Some("true")
        && value("utterance_end_ms").is_none_or(|ms| ms.parse().is_ok_and(|ms: u64| ms >= 1_000));
    if ends_utterances && !is_right {
        let message = "utterance_end_ms needs interim_results and at least 1000.";
        return legacy(StatusCode::BAD_REQUEST, "INVALID_QUERY_PARAMETER", message);
    }
    let rate = value("sample_rate").and_then(|rate| rate.parse().ok()).unwrap_or(16_000);
    let voices = value("diarize_model").is_some() || value("diarize") == Some("true");
    match control.streams.next_fault() {
        Err(status) => refusal(status),
        Ok(fault) => upgrade.on_upgrade(move |socket| talk(socket, control, (rate, voices), fault)),
    }
}

fn results(burst: &Burst, text: &str, words: &[(String, u64, u64)], flags: [bool; 3], voices: bool) -> Value {
    let words: Vec<Value> = words
        .iter()
        .map(|(word, start, end)| {
            let mut shown = json!({"word": word.to_lowercase(), "punctuated_word": word, "start": seconds(*start),
                "end": seconds(*end), "confidence": 0.95});
            if voices {
                shown["speaker"] = json!(0);
            }
            shown
        })
        .collect();
    json!({"type": "Results", "channel_index": [0, 1], "start": seconds(burst.start_ms),
        "duration": seconds(burst.end_ms - burst.start_ms), "is_final": flags[0], "speech_final": flags[1],
        "from_finalize": flags[2],
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.95, "words": words}]},
        "metadata": {"request_id": Uuid::nil(), "model_info": {"name": "simulated"}}})
}

/// The parts of what was said. Only the last one says that the speech is over.
fn over(burst: &Burst, is_asked: bool, voices: bool) -> Vec<Value> {
    let words = burst.words(&burst.text());
    let (first, second) = words.split_at(words.len() / 2);
    let text = |words: &[(String, u64, u64)]| {
        words.iter().map(|(word, _, _)| word.as_str()).collect::<Vec<_>>().join(" ")
    };
    let mut messages = Vec::new();
    if !first.is_empty() {
        messages.push(results(burst, &text(first), first, [true, false, false], voices));
    }
    messages.push(results(burst, &text(second), second, [true, !is_asked, is_asked], voices));
    messages
}

async fn talk(mut socket: WebSocket, control: Arc<Control>, (rate, voices): (u64, bool), fault: StreamFault) {
    let id = Uuid::new_v4();
    let mut ear = Ear::new(&control, rate, &fault);
    let mut broken = control.streams.open();
    control.made("stream", &id.to_string());
    loop {
        let message = match tokio::time::timeout(NOTHING_FOR, next(&mut socket, &mut broken)).await {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(_) => return close(socket, 1011, "NET-0001").await,
        };
        let mut answers = Vec::new();
        match message {
            Message::Binary(bytes) => {
                for noticed in ear.hear(&bytes) {
                    match noticed {
                        Noticed::Begins(burst) => answers.push(
                            json!({"type": "SpeechStarted", "channel": [0], "timestamp": seconds(burst.start_ms)}),
                        ),
                        Noticed::GoesOn(burst) => {
                            let text = burst.so_far();
                            let words = burst.words(&text);
                            answers.push(results(&burst, &text, &words, [false, false, false], voices));
                        }
                        Noticed::Ends(burst) => answers.extend(over(&burst, false, voices)),
                    }
                }
                if fault.break_after_ms.is_some_and(|after| ear.heard_ms >= after) {
                    return;
                }
            }
            Message::Text(text) => {
                let said: Value = serde_json::from_str(&text).unwrap_or_default();
                match said["type"].as_str() {
                    Some("KeepAlive") => {}
                    Some("Finalize") => {
                        answers.extend(ear.end().iter().flat_map(|burst| over(burst, true, voices)));
                    }
                    Some("CloseStream") => {
                        answers.extend(ear.finish().iter().flat_map(|burst| over(burst, true, voices)));
                        answers.push(json!({"type": "Metadata", "request_id": id, "duration": seconds(ear.heard_ms), "channels": 1}));
                        for answer in answers {
                            send(&mut socket, &answer).await;
                        }
                        return close(socket, 1000, "").await;
                    }
                    _ => return close(socket, 1008, "DATA-0000").await,
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
