//! A completion that is sent in pieces, as server-sent events.
//!
//! The first piece of a choice names the role, the pieces after it hold the words, and the last one says why the choice
//! ends. If the request asks for the usage, one more event without choices holds it. `[DONE]` ends the stream.

use std::fmt::Write as _;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

/// The length of a piece in characters.
const PIECE_CHARS: usize = 20;

/// Sends a completion in pieces.
pub(super) fn answer(asked: &Map<String, Value>, completion: &Value) -> Response {
    let mut events = String::new();
    for chunk in chunks(asked, completion) {
        let _infallible = write!(events, "data: {chunk}\n\n");
    }
    events.push_str("data: [DONE]\n\n");
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], events).into_response()
}

fn chunks(asked: &Map<String, Value>, completion: &Value) -> Vec<Value> {
    let has_usage = asked.get("stream_options").is_some_and(|options| options["include_usage"] == true);
    let chunk = |choices: Value, usage: &Value| {
        let mut chunk = json!({
            "id": completion["id"], "object": "chat.completion.chunk", "created": completion["created"],
            "model": completion["model"], "choices": choices,
        });
        if has_usage {
            chunk["usage"] = usage.clone();
        }
        chunk
    };
    let mut all = Vec::new();
    for choice in completion["choices"].as_array().into_iter().flatten() {
        let mut add = |delta: Value, finish_reason: &Value| {
            let choice = json!({
                "index": choice["index"], "delta": delta, "logprobs": null, "finish_reason": finish_reason,
            });
            all.push(chunk(json!([choice]), &Value::Null));
        };
        add(json!({ "role": "assistant", "content": "", "refusal": null }), &Value::Null);
        for name in ["content", "refusal"] {
            for piece in pieces(choice["message"][name].as_str().unwrap_or_default()) {
                add(json!({ name: piece }), &Value::Null);
            }
        }
        add(json!({}), &choice["finish_reason"]);
    }
    if has_usage {
        all.push(chunk(json!([]), &completion["usage"]));
    }
    all
}

fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(PIECE_CHARS).map(|piece| piece.iter().collect()).collect()
}
