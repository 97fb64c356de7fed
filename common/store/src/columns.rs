//! Text and JSON in a form that both databases take.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};
use serde_json::value::RawValue;
use sqlx::types::Json;

/// `value` as JSON that both databases can keep: NUL is legal in JSON, but in the text of neither database. The JSON is
/// written at once, because a tree of a long transcript would take many times the memory of its text.
pub(super) fn storable(value: &impl Serialize) -> Json<Box<RawValue>> {
    let mut json = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut json, WithoutNul(CompactFormatter)));
    let json = written.ok().and_then(|()| String::from_utf8(json).ok());
    Json(json.and_then(|json| RawValue::from_string(json).ok()).unwrap_or_else(|| RawValue::NULL.to_owned()))
}

/// `text` without NUL, and with at most `max` characters.
pub(super) fn bounded(text: &str, max: usize) -> String {
    text.chars().filter(|c| *c != '\0').take(max).collect()
}

/// Writes U+FFFD in place of NUL, in values and in names of fields.
struct WithoutNul(CompactFormatter);

impl Formatter for WithoutNul {
    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::AsciiControl(0) => writer.write_all("\u{fffd}".as_bytes()),
            escape => self.0.write_char_escape(writer, escape),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nul_is_replaced_everywhere_and_what_only_looks_like_it_is_kept() {
        let value = json!({"a\0b": ["\0", "x\0\n\"", {"c": "\\u0000"}], "d": "ok"});
        let Json(stored) = storable(&value);
        let expected = json!({"a\u{fffd}b": ["\u{fffd}", "x\u{fffd}\n\"", {"c": "\\u0000"}], "d": "ok"});
        assert_eq!(serde_json::from_str::<serde_json::Value>(stored.get()).unwrap(), expected);
    }
}
