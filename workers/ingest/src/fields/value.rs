//! What a single JSON value of another system is: whether it says anything, and its text without what cannot be kept.

use serde_json::{Map, Value};

pub(crate) const MAX_ID_CHARS: usize = 255;
/// Texts with which tools and programming languages say that there is no value. Upper and lower case are the same.
const ABSENT: [&str; 5] = ["null", "none", "n/a", "undefined", "-"];

/// Whether the value says anything.
pub(super) fn is_there(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => {
            let text = text.trim();
            !text.is_empty() && !ABSENT.iter().any(|word| text.eq_ignore_ascii_case(word))
        }
        _ => true,
    }
}

/// Returns the text without NUL and without the blanks around it. A text that has neither is not copied.
pub(super) fn trimmed(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "").trim().to_owned()
    } else if text.trim().len() < text.len() {
        text.trim().to_owned()
    } else {
        text
    }
}

/// Returns the id without the blanks around it. Characters without a width, which come with a copied text, count as
/// blanks.
pub(super) fn trimmed_id(id: String) -> String {
    let blank = |c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}');
    let trimmed = id.trim_matches(blank);
    if trimmed.len() < id.len() { trimmed.to_owned() } else { id }
}

/// Checks that an id has 1 to 255 characters and that none of them is a control character.
pub(crate) fn check_id(id: &str) -> Result<(), &'static str> {
    match id {
        id if id.trim().is_empty() => Err("must not be empty"),
        id if id.chars().count() > MAX_ID_CHARS => Err("is longer than 255 characters"),
        id if id.chars().any(char::is_control) => Err("must not hold control characters"),
        _ => Ok(()),
    }
}

/// Returns the value without NUL, because PostgreSQL does not store a NUL in a text.
pub(crate) fn clean(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => text.replace('\0', "").into(),
        Value::Array(values) => values.into_iter().map(clean).collect(),
        Value::Object(map) => clean_map(map).into(),
        other => other,
    }
}

pub(super) fn clean_map(map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter().map(|(name, value)| (name.replace('\0', ""), clean(value))).collect()
}

/// The type of a value, with its article.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
