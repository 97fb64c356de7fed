//! The values of a transcript in JSON: the first field that has one, and times in the units that exist.

use chrono::DateTime;
use serde_json::Value;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Milliseconds,
    Seconds,
    /// Times of the day, in RFC 3339. The first start is the start of the call.
    Instants,
}

/// The first of these fields that has a value.
pub(super) fn first<'a>(entry: &'a Value, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| entry.get(name).filter(|value| !value.is_null()))
}

pub(super) fn millis(time: &Value, unit: Unit, began: &mut Option<i64>) -> Option<i64> {
    if unit == Unit::Instants {
        let at = DateTime::parse_from_rfc3339(time.as_str()?).ok()?.timestamp_millis();
        return Some((at - *began.get_or_insert(at)).max(0));
    }
    let number = time.as_f64().or_else(|| time.as_str()?.trim().parse().ok());
    let Some(number) = number else { return super::cues::clock_ms(time.as_str()?) };
    let ms = if unit == Unit::Seconds { number * 1000.0 } else { number };
    // A time beyond 1,000 hours is no time of a call.
    #[expect(clippy::cast_possible_truncation, reason = "the limit is far below 2^53")]
    (0.0..=3.6e9).contains(&ms).then(|| ms.round() as i64)
}
