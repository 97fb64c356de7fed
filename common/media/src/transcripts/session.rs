//! Reads what a voice agent wrote down of its own conversation.
//!
//! Three shapes are in use: a session with `start_time` and `items`, a bare dump with only `items`, and an older
//! `conversation`. Function calls, system notes and other kinds of items are not speech.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use domain::call::Role;
use domain::transcript::{Segment, Transcript};
use serde_json::Value;

use super::{Parsed, Unreadable, one_line, spoken};

pub(super) fn read(text: &str, zone: Tz) -> Result<Parsed, Unreadable> {
    let session: Value = serde_json::from_str(text)?;
    let items = ["items", "conversation"]
        .iter()
        .find_map(|name| session.get(name)?.as_array())
        .ok_or(Unreadable::NotASession)?;
    let mut said: Vec<(Option<DateTime<Utc>>, Segment)> = Vec::new();
    for item in items {
        let Some(role) = speaks(item) else { continue };
        let text = one_line(&words(item.get("content").unwrap_or(&Value::Null)));
        if !text.is_empty() {
            let confidence = item.get("transcript_confidence").and_then(Value::as_f64);
            let confidence = confidence.filter(|share| (0.0..=1.0).contains(share));
            let time = item.get("timestamp").and_then(|time| instant(time, zone));
            said.push((time, Segment { role: Some(role), confidence, ..spoken(None, text) }));
        }
    }
    if said.is_empty() {
        return Err(Unreadable::NoSpeech);
    }
    let first_word = || said.iter().find_map(|(time, _)| *time);
    let start = session.get("start_time").and_then(|time| instant(time, zone)).or_else(first_word);
    let segments = said
        .into_iter()
        .map(|(time, segment)| {
            // A clock that was set back in between cannot put words before the call.
            let start_ms = time.zip(start).map(|(time, start)| (time - start).num_milliseconds().max(0));
            Segment { start_ms, ..segment }
        })
        .collect();
    let skipped = items.iter().filter(|item| !item.is_object()).count();
    Ok(Parsed { transcript: Transcript { language: None, segments }, skipped })
}

/// Whose words an item holds, if any.
fn speaks(item: &Value) -> Option<Role> {
    let kind = item.get("type").and_then(Value::as_str).unwrap_or("message");
    match item.get("role")?.as_str()? {
        "user" if kind == "message" => Some(Role::Customer),
        "assistant" | "agent" if kind == "message" => Some(Role::Agent),
        _ => None,
    }
}

/// A string, or a list of them; a part can be an object that holds its words as `text` or `transcript`.
fn words(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(words).collect::<Vec<_>>().join(" "),
        Value::Object(part) => {
            let text = part.get("text").or_else(|| part.get("transcript"));
            text.and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

/// RFC 3339 with a space for the `T`, without an offset (read in `zone`), or with an offset and a `Z` too;
/// or seconds since 1970.
fn instant(time: &Value, zone: Tz) -> Option<DateTime<Utc>> {
    if let Some(seconds) = time.as_f64() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it saturates, and what is out of range is refused"
        )]
        return DateTime::from_timestamp_micros((seconds * 1e6) as i64);
    }
    let text = time.as_str()?.trim().replacen(' ', "T", 1);
    let text = match text.strip_suffix('Z') {
        Some(offset) if offset.rfind(['+', '-']).is_some_and(|at| at > 10) => offset,
        _ => &text,
    };
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z") {
        return Some(time.to_utc());
    }
    let naive: NaiveDateTime = text.parse().ok()?;
    // In the hour that a change to summer time leaves out, no offset is right: UTC is as good as any.
    Some(naive.and_local_timezone(zone).earliest().map_or_else(|| naive.and_utc(), |time| time.to_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        instant(&Value::from(text), chrono_tz::Asia::Kolkata).map(|time| time.to_rfc3339())
    }

    #[test]
    fn times_with_two_offsets_one_or_none_are_read() {
        let utc = Some("2025-10-23T07:56:34+00:00".to_owned());
        assert_eq!(at("2025-10-23T07:56:34+00:00Z"), utc);
        assert_eq!(at("2025-10-23 07:56:34+00:00"), utc);
        assert_eq!(at("2025-10-23T07:56:34Z"), utc);
        assert_eq!(at("2025-10-23T13:26:34+0530"), utc);
        assert_eq!(at("2025-10-23 13:26:34"), utc);
        assert_eq!(at("2025-10-23T13:26:34.000000"), utc);
        assert_eq!(at("yesterday"), None);
        assert_eq!(instant(&Value::from(1e300), Tz::UTC), None);
    }
}
