//! Checks a request as OpenAI does.

use serde_json::{Map, Value};

use super::refusal::{WrongRequest, wrong};

const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];
const KNOWN_FIELDS: [&str; 37] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// The greatest number of answers to one request.
const MAX_CHOICES: u64 = 128;

/// Whether the answer is to come in pieces.
pub(super) fn is_streamed(asked: &Map<String, Value>) -> bool {
    asked.get("stream").and_then(Value::as_bool).unwrap_or_default()
}

/// The number of answers that are wanted.
pub(super) fn choices(asked: &Map<String, Value>) -> usize {
    asked.get("n").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(1)
}

/// Checks everything about a request but its schema.
pub(super) fn check(asked: &Map<String, Value>) -> Result<(), WrongRequest> {
    if let Some(unknown) = asked.keys().find(|name| !KNOWN_FIELDS.contains(&name.as_str())) {
        return wrong("body", format!("Unrecognized request argument supplied: {unknown}"));
    }
    if asked.get("model").and_then(Value::as_str).is_none_or(str::is_empty) {
        return wrong("model", "you must provide a model parameter");
    }
    if asked.get("stream_options").is_some_and(|options| !options.is_null()) && !is_streamed(asked) {
        return wrong(
            "stream_options",
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        );
    }
    match asked.get("n") {
        None | Some(Value::Null) => {}
        Some(n) if n.as_u64().is_some_and(|n| (1..=MAX_CHOICES).contains(&n)) => {}
        Some(_) => {
            return wrong("n", format!("Invalid 'n': expected a whole number from 1 to {MAX_CHOICES}"));
        }
    }
    let Some(messages) = asked.get("messages").and_then(Value::as_array).filter(|all| !all.is_empty()) else {
        return wrong("messages", "'messages' must be a non-empty array");
    };
    for message in messages {
        if !message["role"].as_str().is_some_and(|role| ROLES.contains(&role)) {
            return wrong("messages", format!("Invalid value: {}. Unknown role.", message["role"]));
        }
        if !matches!(message["content"], Value::String(_) | Value::Array(_)) && message["role"] != "assistant"
        {
            return wrong("messages", "Invalid type for 'content': expected a string or an array of parts");
        }
    }
    let wants_any_json = asked.get("response_format").is_some_and(|format| format["type"] == "json_object");
    let is_named = |message: &Value| message["content"].to_string().to_lowercase().contains("json");
    if wants_any_json && !messages.iter().any(is_named) {
        let message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type \
                       'json_object'.";
        return wrong("messages", message);
    }
    let temperature = asked.get("temperature").and_then(Value::as_f64);
    if temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
        return wrong("temperature", "Invalid 'temperature': expected a value from 0 to 2");
    }
    Ok(())
}
