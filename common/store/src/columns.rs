//! Text and JSON in a form that both databases take.

use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

/// `value` as JSON that both databases can keep: NUL is legal in JSON, but in the text of neither database.
pub(super) fn storable(value: &impl Serialize) -> Json<Value> {
    let mut value = serde_json::to_value(value).unwrap_or(Value::Null);
    without_nul(&mut value);
    Json(value)
}

/// `text` without NUL, and with at most `max` characters.
pub(super) fn bounded(text: &str, max: usize) -> String {
    text.chars().filter(|c| *c != '\0').take(max).collect()
}

fn without_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', "\u{fffd}"),
        Value::Array(items) => items.iter_mut().for_each(without_nul),
        Value::Object(fields) => {
            if fields.keys().any(|name| name.contains('\0')) {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, value)| (name.replace('\0', "\u{fffd}"), value))
                    .collect();
            }
            fields.values_mut().for_each(without_nul);
        }
        _ => {}
    }
}
