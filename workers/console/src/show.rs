//! How values look on a page: times in the time zone of the installation, lengths in minutes and seconds.

use std::borrow::Cow;
use std::time::Duration;

use chrono_tz::Tz;
use domain::moment::Moment;
use serde::Serialize;
use serde_json::Value;

/// A time as people read it, in the time zone of the installation: `2026-11-30 14:05`.
pub(crate) fn time(moment: Moment, zone: Tz) -> String {
    moment.utc().with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}

/// A time of today: `14:05:09`.
pub(crate) fn time_of_day(moment: Moment, zone: Tz) -> String {
    moment.utc().with_timezone(&zone).format("%H:%M:%S").to_string()
}

/// A length of time: `1:02:05`, `2:05`.
pub(crate) fn length(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// The beginning of an id, for a list. The whole id stands behind the link.
pub(crate) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// The same of a number of milliseconds.
pub(crate) fn milliseconds(ms: i64) -> String {
    length(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

/// The name of a value of an enum, as the API has it.
pub(crate) fn name_of(value: &impl Serialize) -> Cow<'static, str> {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name.into(),
        _ => Cow::Borrowed("unknown"),
    }
}

/// A text as a cell of a list shows it: the page of the call shows all of it.
pub(crate) fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_the_time_zone_of_the_installation() {
        let moment = Moment::from_micros(1_764_500_000_000_000);
        assert_eq!(time(moment, Tz::UTC), "2025-11-30 10:53");
        assert_eq!(time(moment, Tz::Asia__Kolkata), "2025-11-30 16:23");
    }

    #[test]
    fn a_length_has_hours_only_where_there_are_some() {
        for (seconds, shown) in [(0, "0:00"), (65, "1:05"), (3599, "59:59"), (3725, "1:02:05")] {
            assert_eq!(length(Duration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_letters_in_a_list() {
        assert_eq!(shortened("Dana"), "Dana");
        assert_eq!(shortened(&"ü".repeat(10_000)), format!("{}…", "ü".repeat(80)));
    }
}
