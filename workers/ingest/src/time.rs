//! Reads the times that other systems write. Where a time cannot be read, the caller keeps it as a text, because such
//! a time is no reason to lose a call.

use chrono::{DateTime, Datelike as _, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use domain::moment::Moment;
use serde_json::Value;

/// Reads RFC 3339, RFC 2822, `2025-10-09 17:58:27` with or without a fraction and an offset, and Unix time in seconds
/// or milliseconds, with or without a fraction. A time without an offset is read in `timezone`.
pub(crate) fn read(value: &Value, timezone: Tz) -> Option<Moment> {
    let time = match value {
        Value::String(text) => read_text(text.trim(), timezone),
        Value::Number(number) => {
            number.as_i64().and_then(read_unix).or_else(|| read_unix_float(number.as_f64()?))
        }
        _ => None,
    }?;
    // A year outside this range is a mistake, and RFC 3339 cannot write it.
    (1970..=9999).contains(&time.year()).then(|| time.into())
}

fn read_text(text: &str, timezone: Tz) -> Option<DateTime<Utc>> {
    const WITH_OFFSET: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"];
    const WITHOUT: [&str; 4] =
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let known = || DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text)).ok();
    // Some systems write an offset and a `Z` behind it.
    let bare = text.strip_suffix('Z').unwrap_or(text).trim_end();
    let offset = || WITH_OFFSET.iter().find_map(|format| DateTime::parse_from_str(bare, format).ok());
    let naive = || {
        let time = WITHOUT.iter().find_map(|format| NaiveDateTime::parse_from_str(bare, format).ok())?;
        let zone = if bare.len() < text.len() { chrono_tz::UTC } else { timezone };
        in_zone(time, zone)
    };
    known().or_else(offset).map(|time| time.to_utc()).or_else(naive).or_else(|| {
        let digits = text.len() >= 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        digits.then(|| text.parse().map_or_else(|_| read_unix_float(text.parse().ok()?), read_unix)).flatten()
    })
}

/// Reads a local time of `zone`. Where clocks were set back, a local time can mean two moments, and the earlier one
/// counts. Where clocks were set forward, a local time can mean no moment at all, and it is read as one hour later.
fn in_zone(time: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let read = |time| zone.from_local_datetime(&time).earliest();
    read(time).or_else(|| read(time + TimeDelta::hours(1))).map(|time| time.to_utc())
}

/// Reads Unix time. Ten digits are seconds, and thirteen digits are milliseconds. Any other number is not a time.
fn read_unix(number: i64) -> Option<DateTime<Utc>> {
    match number {
        1_000_000_000..10_000_000_000 => DateTime::from_timestamp(number, 0),
        1_000_000_000_000..10_000_000_000_000 => DateTime::from_timestamp_millis(number),
        _ => None,
    }
}

/// Reads Unix time with a fraction, to the microsecond.
fn read_unix_float(number: f64) -> Option<DateTime<Utc>> {
    let seconds = match number {
        1e9..1e10 => number,
        1e12..1e13 => number / 1000.0,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "it is below 1e16")]
    DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn at(value: impl Into<Value>, zone: Tz) -> Option<String> {
        read(&value.into(), zone).map(|time| time.to_string())
    }

    #[test]
    fn one_moment_is_read_the_same_in_every_spelling() {
        let wanted = Some("2025-10-09T12:28:27Z".to_owned());
        for text in [
            "2025-10-09T17:58:27+05:30",
            "2025-10-09T12:28:27Z",
            "2025-10-09 12:28:27+00:00",
            "2025-10-09 12:28:27+00:00Z",
            "2025-10-09 12:28:27Z",
            "Thu, 09 Oct 2025 12:28:27 +0000",
            " 2025-10-09T12:28:27.000Z ",
            "1760012907",
        ] {
            assert_eq!(at(text, chrono_tz::Asia::Kolkata), wanted, "{text}");
        }
        assert_eq!(at(json!(1_760_012_907_000_i64), chrono_tz::UTC), wanted);
        assert_eq!(at(json!(1_760_012_907.0), chrono_tz::UTC), wanted);
    }

    #[test]
    fn unix_time_may_have_a_fraction() {
        let wanted = Some("2025-10-09T12:28:27.250Z".to_owned());
        for number in [json!(1_760_012_907.25), json!(1_760_012_907_250.0), json!("1760012907.25")] {
            assert_eq!(at(number.clone(), chrono_tz::UTC), wanted, "{number}");
        }
    }

    #[test]
    fn a_time_without_an_offset_is_read_in_the_configured_zone() {
        let text = "2025-10-09 17:58:27.250";
        assert_eq!(at(text, chrono_tz::UTC).as_deref(), Some("2025-10-09T17:58:27.250Z"));
        assert_eq!(at(text, chrono_tz::Asia::Kolkata).as_deref(), Some("2025-10-09T12:28:27.250Z"));
    }

    #[test]
    fn a_local_time_that_existed_twice_or_never_is_still_read() {
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(at("2025-10-26 02:30:00", berlin).as_deref(), Some("2025-10-26T00:30:00Z"));
        assert_eq!(at("2025-03-30 02:30:00", berlin).as_deref(), Some("2025-03-30T01:30:00Z"));
    }

    #[test]
    fn a_text_that_is_not_a_time_is_none() {
        for text in
            ["yesTerday", "", "2025-13-40 99:99:99", "+262142-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]
        {
            assert_eq!(at(text, chrono_tz::UTC), None, "{text}");
        }
        assert_eq!(at(json!(5), chrono_tz::UTC), None);
        assert_eq!(at(json!([]), chrono_tz::UTC), None);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_be_looked_at(text in ".{0,40}") {
            if let Some(time) = read(&Value::from(text), chrono_tz::America::New_York) {
                prop_assert_eq!(time.to_string().parse::<DateTime<Utc>>().unwrap().timestamp_micros(), time.micros());
            }
        }
    }
}
