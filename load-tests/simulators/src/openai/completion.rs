//! The completion, in which the answer of the model is wrapped.

use chrono::Utc;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::request::choices;

/// English text has about four characters in a token.
const CHARS_PER_TOKEN: usize = 4;

/// What the model answers.
pub(super) struct Answer {
    pub(super) content: String,
    /// What the model says instead of the content when it does not want to answer.
    pub(super) refusal: Option<&'static str>,
    pub(super) finish_reason: &'static str,
}

impl Answer {
    pub(super) fn new(content: String) -> Self {
        Self { content, refusal: None, finish_reason: "stop" }
    }
}

/// Wraps the answer, and cuts it where the request sets a limit to its tokens.
pub(super) fn completion(asked: &Map<String, Value>, answer: Answer) -> Value {
    let Answer { mut content, refusal, mut finish_reason } = answer;
    let limit = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| asked.get(*name)?.as_u64());
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    if let Some(limit) = limit.filter(|limit| tokens(&content) > *limit) {
        content = content.chars().take(limit.saturating_mul(CHARS_PER_TOKEN)).collect();
        finish_reason = "length";
    }
    let schema = asked.get("response_format").map_or(0, |format| tokens(&format.to_string()));
    let prompt_tokens = tokens(&asked["messages"].to_string()) + schema;
    let wanted = choices(asked);
    // This model always says the same, so each choice is the same.
    let completion_tokens = tokens(refusal.unwrap_or(&content)) * wanted;
    let message = json!({
        "role": "assistant",
        "content": refusal.is_none().then_some(content),
        "refusal": refusal,
    });
    let choice = |index: usize| json!({ "index": index, "message": message, "logprobs": null, "finish_reason": finish_reason });
    json!({
        "id": format!("chatcmpl-{}", Uuid::new_v4().simple()),
        "object": "chat.completion",
        "created": Utc::now().timestamp(),
        "model": asked["model"],
        "choices": (0..wanted).map(choice).collect::<Vec<_>>(),
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    })
}

fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(CHARS_PER_TOKEN)
}
