//! A completion that is sent in pieces, as server-sent events.
//!
//! The first piece of a choice names the role, the pieces after it hold the words, and the last one says why the choice
//! ends. If the request asks for the usage, one more event without choices holds it. `[DONE]` ends the stream.
//!
//! Each sentence takes the time of the pace, and its pieces come evenly in that time. So the last piece of a sentence, with the
//! blank behind it, comes exactly when the pace says.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use crate::pace::Pace;

/// The length of a piece in characters.
const PIECE_CHARS: usize = 20;

/// Sends a completion in pieces.
pub(super) fn answer(asked: &Map<String, Value>, completion: &Value, pace: Pace) -> Response {
    let begun = Instant::now();
    let mut events: Vec<(Duration, String)> = Vec::new();
    for (due, chunk) in chunks(asked, completion, pace) {
        let event = format!("data: {chunk}\n\n");
        match events.last_mut() {
            // What is due at the same time is sent together.
            Some((before, events)) if *before == due => events.push_str(&event),
            _ => events.push((due, event)),
        }
    }
    if let Some((_, last)) = events.last_mut() {
        last.push_str("data: [DONE]\n\n");
    }
    let events = stream::iter(events).then(move |(due, event)| async move {
        if !due.is_zero() {
            sleep_until(begun + due).await;
        }
        Ok::<_, Infallible>(event)
    });
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], Body::from_stream(events)).into_response()
}

/// The time that a whole completion takes.
pub(super) fn time_of(completion: &Value, pace: Pace) -> Duration {
    let content = completion["choices"][0]["message"]["content"].as_str().unwrap_or_default();
    pace.sentences(sentences(content).len())
}

/// The events, each with the time at which it is due.
fn chunks(asked: &Map<String, Value>, completion: &Value, pace: Pace) -> Vec<(Duration, Value)> {
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
    let mut end = Duration::ZERO;
    for choice in completion["choices"].as_array().into_iter().flatten() {
        let mut add = |due: Duration, delta: Value, finish_reason: &Value| {
            let choice = json!({
                "index": choice["index"], "delta": delta, "logprobs": null, "finish_reason": finish_reason,
            });
            all.push((due, chunk(json!([choice]), &Value::Null)));
        };
        let begin = end;
        add(begin, json!({ "role": "assistant", "content": "", "refusal": null }), &Value::Null);
        for name in ["content", "refusal"] {
            for (due, piece) in pieces(choice["message"][name].as_str().unwrap_or_default(), pace) {
                end = begin + due;
                add(end, json!({ name: piece }), &Value::Null);
            }
        }
        add(end, json!({}), &choice["finish_reason"]);
    }
    if has_usage {
        all.push((end, chunk(json!([]), &completion["usage"])));
    }
    all
}

/// The pieces of a text, each with the time after which it is there.
fn pieces(text: &str, pace: Pace) -> Vec<(Duration, String)> {
    let mut all = Vec::new();
    for (before, sentence) in sentences(text).into_iter().enumerate() {
        let chars: Vec<char> = sentence.chars().collect();
        let count = u32::try_from(chars.len().div_ceil(PIECE_CHARS)).unwrap_or(u32::MAX);
        for (number, piece) in (1..).zip(chars.chunks(PIECE_CHARS)) {
            let part = pace.sentences(1).saturating_mul(number) / count;
            all.push((pace.sentences(before) + part, piece.iter().collect()));
        }
    }
    all
}

/// The sentences of a text, each with the blank behind it. The text may be JSON with sentences in it.
fn sentences(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(end) = [". ", "? ", "! "].iter().filter_map(|end| rest.find(end)).min() {
        let (sentence, after) = rest.split_at(end + 2);
        all.push(sentence);
        rest = after;
    }
    if !rest.is_empty() {
        all.push(rest);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_complete_when_the_pace_says_so() {
        let pace = Pace { sentence_ms: 300, ..Pace::default() };
        let text = r#"{"text":"The first one has more than a piece. Then? Last."}"#;
        let pieces = pieces(text, pace);
        let joined: String = pieces.iter().map(|(_, piece)| piece.as_str()).collect();
        assert_eq!(joined, text);
        let until = |ms: u64| -> String {
            let due = |(due, _): &&(Duration, String)| *due <= Duration::from_millis(ms);
            pieces.iter().filter(due).map(|(_, piece)| piece.as_str()).collect()
        };
        assert!(until(300).ends_with("piece. ") && !until(299).contains("piece."), "{pieces:?}");
        assert!(until(600).ends_with("Then? ") && !until(599).contains("Then"));
        assert!(until(900).ends_with('}') && !until(899).contains("Last"));
    }

    #[test]
    fn without_a_pace_all_is_due_at_once() {
        assert!(pieces("One. Two.", Pace::default()).iter().all(|(due, _)| due.is_zero()));
        assert!(pieces("", Pace::default()).is_empty());
    }
}
