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

/// Checks everything about a request but its schema.
pub(super) fn check(asked: &Map<String, Value>) -> Result<(), WrongRequest> {
    if let Some(unknown) = asked.keys().find(|name| !KNOWN_FIELDS.contains(&name.as_str())) {
        return wrong("body", format!("Unrecognized request argument supplied: {unknown}"));
    }
    if asked.get("model").and_then(Value::as_str).is_none_or(str::is_empty) {
        return wrong("model", "you must provide a model parameter");
    }
    if asked.get("stream").and_then(Value::as_bool) == Some(true) {
        return wrong("stream", "this simulator does not stream");
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
    let temperature = asked.get("temperature").and_then(Value::as_f64);
    if temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
        return wrong("temperature", "Invalid 'temperature': expected a value from 0 to 2");
    }
    Ok(())
}
