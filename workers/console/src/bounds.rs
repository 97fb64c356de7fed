//! Reads the times of a filter. A day is a day in the time zone of the installation, as the pages show it.

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use domain::moment::Moment;

/// The start of a period, or its end (`is_end`): a day such as `2026-11-30`, or a time with an offset.
pub(crate) fn bound(text: &str, zone: Tz, is_end: bool) -> Option<Moment> {
    let Ok(day) = text.parse::<NaiveDate>() else { return Moment::parse_bound(text, is_end) };
    let time = if is_end { NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999)? } else { NaiveTime::MIN };
    let local = day.and_time(time).and_local_timezone(zone);
    // Where the clock skips this hour, the hour after it is meant.
    let local = local.earliest().or_else(|| {
        let later = day.and_time(time) + chrono::TimeDelta::hours(1);
        later.and_local_timezone(zone).earliest()
    })?;
    Some(local.to_utc().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_day_of_the_installation() {
        let read = |text, is_end| bound(text, Tz::Asia__Kolkata, is_end).map(|moment| moment.to_string());
        assert_eq!(read("2026-11-30", false).as_deref(), Some("2026-11-29T18:30:00Z"));
        assert_eq!(read("2026-11-30", true).as_deref(), Some("2026-11-30T18:29:59.999999Z"));
        assert_eq!(read("2026-11-30T12:00:00Z", true).as_deref(), Some("2026-11-30T12:00:00Z"));
        assert_eq!(read("yesterday", false), None);
    }

    #[test]
    fn a_day_that_begins_with_a_skipped_hour_begins_after_it() {
        let read = bound("2018-11-04", Tz::America__Sao_Paulo, false).map(|moment| moment.to_string());
        assert_eq!(read.as_deref(), Some("2018-11-04T03:00:00Z"));
    }
}
