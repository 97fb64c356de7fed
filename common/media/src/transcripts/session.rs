//! Reads the record that a voice agent wrote of its own session.
//!
//! Three shapes are in use: an object with `start_time` and `items`, an object with only `items`, and an older
//! object with `conversation`. Items that are function calls, system notes or anything else than a message hold
//! no speech.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use domain::call::Role;
use domain::note::Note;
use domain::transcript::{Segment, Transcript};
use serde_json::Value;

use super::parsed::{ReadError, segment};
use crate::words::one_line;

pub(super) fn read(session: &Value, zone: Tz) -> Result<Transcript, ReadError> {
    // A LiveKit report of a session has the same list one level deeper.
    let held_in = [Some(session), session.get("chat_history")];
    let items = held_in
        .into_iter()
        .flatten()
        .find_map(|object| ["items", "conversation"].iter().find_map(|name| object.get(name)?.as_array()))
        .ok_or(ReadError::NotASession)?;
    let mut turns: Vec<(Option<DateTime<Utc>>, Segment)> = Vec::new();
    for item in items {
        let Some(role) = speaker_role(item) else { continue };
        let text = one_line(&words(item.get("content").unwrap_or(&Value::Null)));
        if !text.is_empty() {
            let confidence = item.get("transcript_confidence").and_then(Value::as_f64);
            let confidence = confidence.filter(|share| (0.0..=1.0).contains(share));
            let time = ["timestamp", "created_at"].iter().find_map(|name| instant(item.get(name)?, zone));
            turns.push((time, Segment { role: Some(role), confidence, ..segment(None, text) }));
        }
    }
    // In a session that ended before anybody spoke there is no speech. A list of other things is the list of another
    // product.
    if turns.is_empty() && !items.is_empty() && !items.iter().any(is_of_a_session) {
        return Err(ReadError::NoSpeech);
    }
    let first_time = || turns.iter().find_map(|(time, _)| *time);
    let start = session.get("start_time").and_then(|time| instant(time, zone)).or_else(first_time);
    let segments = turns
        .into_iter()
        .map(|(time, segment)| {
            // If the agent's clock was set back during the session, a time can be before the start. Such words
            // are placed at the start.
            let start_ms = time.zip(start).map(|(time, start)| (time - start).num_milliseconds().max(0));
            Segment { start_ms, ..segment }
        })
        .collect();
    let mut notes = Vec::new();
    let skipped = items.iter().filter(|item| !item.is_object()).count();
    if skipped > 0 {
        let text = format!("Entries of the session's list that are no objects and were left out: {skipped}.");
        notes.push(Note::new("session_items_skipped", text));
    }
    Ok(Transcript { segments, notes, ..Transcript::default() })
}

/// The role of the person whose words `item` holds. It is absent when the item holds no speech.
fn speaker_role(item: &Value) -> Option<Role> {
    let kind = item.get("type").and_then(Value::as_str).unwrap_or("message");
    match item.get("role")?.as_str()? {
        "user" if kind == "message" => Some(Role::Customer),
        "assistant" | "agent" if kind == "message" => Some(Role::Agent),
        _ => None,
    }
}

/// Whether `item` is one that a session has: somebody's message, or another thing that the agent wrote down with its kind.
fn is_of_a_session(item: &Value) -> bool {
    ["role", "type"].iter().any(|name| item.get(name).is_some_and(Value::is_string))
}

/// The words of an item's content. The content is a string, an object that holds its words as `text` or
/// `transcript`, or a list of these.
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

/// Reads a time: seconds since 1970, or a text in RFC 3339. The text may have a space in place of the `T`, may
/// have an offset followed by a `Z`, and may have no offset at all; then it is a time in `zone`.
fn instant(time: &Value, zone: Tz) -> Option<DateTime<Utc>> {
    if let Some(seconds) = time.as_f64() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast saturates, and a value out of range is refused"
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
    // When clocks go forward to summer time, an hour does not exist. A time in this hour has no right offset, so
    // it is read as UTC.
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
