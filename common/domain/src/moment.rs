//! A point in time that is the same on every store: UTC, in microseconds.
//!
//! Rust measures nanoseconds, PostgreSQL keeps microseconds and would round them, and SQLite has no type for
//! times at all. So a [`Moment`] is cut to microseconds when it is made: the time that is read from a store
//! equals the time that was written.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in UTC with microsecond precision; its text form is RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// The time by this process's own clock. A decision about a row uses the store's clock instead
    /// (`Store::now`), because the clocks of two machines differ.
    pub fn now() -> Self {
        Self::from(Utc::now())
    }

    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub fn micros(self) -> i64 {
        self.0
    }

    /// Reads one end of a period: a time with an offset, or a day in UTC. The day starts at its first microsecond, and
    /// ends (`is_end`) at its last.
    pub fn parse_bound(text: &str, is_end: bool) -> Option<Self> {
        if let Ok(day) = text.parse::<NaiveDate>() {
            let time =
                if is_end { NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999)? } else { NaiveTime::MIN };
            return Some(day.and_time(time).and_utc().into());
        }
        // A `+` in a query means a space, so a `+` that the sender did not encode arrives as a space.
        let text = text.replace(' ', "+");
        DateTime::parse_from_rfc3339(&text).ok().map(|time| time.to_utc().into())
    }

    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The time from `earlier` to `self`. It is zero when `earlier` is in fact later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// A length of time in words that people read: `1 h 5 min`, `2 min 5 s`, `45 s`, `80 ms`.
pub fn in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {small_unit}"),
    };
    match (hours, minutes, seconds) {
        (0, 0, 0) => format!("{} ms", span.as_millis()),
        (0, 0, _) => format!("{seconds} s"),
        (0, _, _) => two(minutes, "min", seconds % 60, "s"),
        _ => two(hours, "h", minutes % 60, "min"),
    }
}

impl From<DateTime<Utc>> for Moment {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        DateTime::<chrono::FixedOffset>::deserialize(from).map(|time| Self::from(time.to_utc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_said_in_two_units_at_most() {
        for (ms, words) in [
            (0, "0 ms"),
            (80, "80 ms"),
            (45_900, "45 s"),
            (120_000, "2 min"),
            (125_000, "2 min 5 s"),
            (1_800_000, "30 min"),
            (3_600_000, "1 h"),
            (3_905_000, "1 h 5 min"),
            (360_000_000, "100 h"),
        ] {
            assert_eq!(in_words(Duration::from_millis(ms)), words);
        }
    }
}
