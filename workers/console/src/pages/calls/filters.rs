//! Which calls a list shows, as the query of its address says it.

use std::str::FromStr;

use axum::http::StatusCode;
use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use domain::call::CallId;
use domain::moment::Moment;
use domain::period::{Period, date_of};
use store::{Behind, ListFilter};
use uuid::Uuid;

use super::columns::{Column, FIELD};
use crate::Fields;
use crate::texts::CallsTexts;

/// The fields of an address that say which calls a list shows.
const NAMES: [&str; 12] =
    ["source", "agent", "team", "topic", "status", "direction", "tone", "days", "from", "to", "min", "max"];
/// How many days back a list can go, when it is asked for the last days.
const MAX_DAYS: u64 = 3660;

/// The filters of a list, and what is wrong with each that cannot be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    pub(crate) filter: ListFilter,
    pub(crate) behind: Option<Behind>,
    pub(super) columns: Vec<Column>,
    /// The name of each filter that cannot be read, and what is wrong with it.
    wrong: Vec<(&'static str, &'static str)>,
    /// The list is shown all the same, from its begin.
    pub(crate) wrong_place: Option<&'static str>,
}

impl Filters {
    /// A day begins and ends in `zone`. The last days are those up to the day of `now`.
    pub(crate) fn read(fields: &Fields, (now, zone): (Moment, Tz), texts: &'static CallsTexts) -> Self {
        let mut reader = Reader { fields, wrong: Vec::new() };
        let text = |name| fields.given(name).map(|text| text.replace('\0', ""));
        let day =
            |text: &str| Some(text.parse::<NaiveDate>().ok()?).map(|day| Period::of_days(day, day, zone));
        let last_days = |text: &str| {
            let days = text.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days))?;
            let today = date_of(now, zone);
            Some(Period::of_days(today - Days::new(days - 1), today, zone).from)
        };
        let last_days = reader.with("days", texts.not_days, last_days);
        let filter = ListFilter {
            source: text("source"),
            agent: text("agent"),
            team: text("team"),
            topic: text("topic"),
            status: reader.one_of("status", texts.not_a_status),
            direction: reader.one_of("direction", texts.not_a_direction),
            tone: reader.one_of("tone", texts.not_a_tone),
            from: reader.with("from", texts.not_a_day, day).map(|day| day.from).max(last_days),
            to: reader.with("to", texts.not_a_day, day).map(|day| Moment::from_micros(day.to.micros() - 1)),
            min_duration_ms: reader.with("min", texts.not_a_length, minutes),
            max_duration_ms: reader.with("max", texts.not_a_length, minutes),
        };
        let columns = Column::chosen(fields);
        if columns.is_none() {
            reader.wrong.push((FIELD, texts.not_a_column));
        }
        let place = fields.given("after");
        let behind = place.and_then(behind);
        let wrong_place = (place.is_some() && behind.is_none()).then_some(texts.not_a_place);
        Self { filter, behind, columns: columns.unwrap_or_default(), wrong: reader.wrong, wrong_place }
    }

    /// Whether every filter can be read. With one that is left out, a list would show calls that nobody asked for.
    pub(crate) fn can_be_used(&self) -> bool {
        self.wrong.is_empty()
    }

    /// What is wrong with the filter of this name.
    pub(crate) fn wrong(&self, name: &str) -> Option<&'static str> {
        self.wrong.iter().find(|(wrong, _)| *wrong == name).map(|(_, text)| *text)
    }

    pub(crate) fn http_status(&self) -> StatusCode {
        if self.can_be_used() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
    }
}

/// The filters and the columns of an address, without its place in the list, as a view keeps them.
pub(super) fn kept(fields: &Fields) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let is_kept = |name: &str| name == FIELD || NAMES.contains(&name);
    query.extend_pairs(fields.iter().filter(|(name, value)| is_kept(name) && !value.trim().is_empty()));
    query.finish()
}

/// Reads fields, and keeps what is wrong with those that cannot be read.
struct Reader<'a> {
    fields: &'a Fields,
    wrong: Vec<(&'static str, &'static str)>,
}

impl Reader<'_> {
    fn one_of<T: FromStr>(&mut self, name: &'static str, problem: &'static str) -> Option<T> {
        self.with(name, problem, |text| text.parse().ok())
    }

    fn with<T>(
        &mut self,
        name: &'static str,
        problem: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.fields.given(name)?;
        let value = read(text);
        if value.is_none() {
            self.wrong.push((name, problem));
        }
        value
    }
}

/// A length in minutes, with or without a fraction, as milliseconds.
fn minutes(text: &str) -> Option<i64> {
    const MAX_MINUTES: f64 = 100_000.0;
    let minutes: f64 = text.replace(',', ".").parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (0.0..=MAX_MINUTES).contains(&minutes).then_some((minutes * 60_000.0) as i64)
}

/// The place behind a call, as the address of the next page says it.
pub(crate) fn place(behind: Behind) -> String {
    format!("{}.{}", behind.began_at.micros(), behind.call)
}

fn behind(place: &str) -> Option<Behind> {
    let (micros, call) = place.split_once('.')?;
    // PostgreSQL knows no time after the year 9999 in our form, and none that is before the first call.
    let micros = micros.parse().ok().filter(|micros| (0..253_402_300_800_000_000).contains(micros))?;
    Some(Behind { began_at: Moment::from_micros(micros), call: CallId(call.parse::<Uuid>().ok()?) })
}

#[cfg(test)]
mod tests {
    use domain::analysis::Tone;
    use domain::call::Direction;

    use super::*;
    use crate::texts::Language;

    fn read(query: &str, zone: Tz) -> Filters {
        let now = Moment::from_micros(1_796_040_000_000_000);
        Filters::read(&Fields::parse(query.as_bytes()), (now, zone), CallsTexts::of(Language::English))
    }

    #[test]
    fn a_day_is_a_day_in_the_time_zone_of_the_installation() {
        let filter = read("from=2026-11-30&to=2026-11-30", Tz::Asia__Kolkata).filter;
        assert_eq!(filter.from.unwrap().to_string(), "2026-11-29T18:30:00Z");
        assert_eq!(filter.to.unwrap().to_string(), "2026-11-30T18:29:59.999999Z");
        let skipped = read("from=2018-11-04", Tz::America__Sao_Paulo).filter;
        assert_eq!(skipped.from.unwrap().to_string(), "2018-11-04T03:00:00Z");
    }

    #[test]
    fn the_last_days_end_today_and_a_later_begin_counts() {
        // It is 2026-11-30 in UTC, and the next day at the other end of the world.
        let from = |query: &str, zone| read(query, zone).filter.from.map(|from| from.to_string());
        assert_eq!(from("days=7", Tz::UTC).as_deref(), Some("2026-11-24T00:00:00Z"));
        assert_eq!(from("days=1", Tz::Pacific__Kiritimati).as_deref(), Some("2026-11-30T10:00:00Z"));
        assert_eq!(from("days=7&from=2026-11-28", Tz::UTC).as_deref(), Some("2026-11-28T00:00:00Z"));
        assert_eq!(from("days=7&from=2026-11-01", Tz::UTC).as_deref(), Some("2026-11-24T00:00:00Z"));
        for wrong in ["0", "-1", "3661", "x", "99999999999999999999"] {
            assert!(read(&format!("days={wrong}"), Tz::UTC).wrong("days").is_some(), "{wrong}");
        }
    }

    #[test]
    fn a_view_keeps_filters_and_columns_and_no_place_in_the_list() {
        let fields = Fields::parse(b"status=failed&source=+&after=1.x&column=team&csrf=y&days=7&column=tone");
        assert_eq!(kept(&fields), "status=failed&column=team&days=7&column=tone");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_told_and_the_others_are_kept() {
        let filters =
            read("status=lost&from=30.11.2026&to=2026-11-30&source=+zoom+&tone=sad&min=-1&max=x", Tz::UTC);
        for (name, is_wrong) in
            [("status", true), ("from", true), ("to", false), ("tone", true), ("min", true), ("max", true)]
        {
            assert_eq!(filters.wrong(name).is_some(), is_wrong, "{name}");
        }
        assert_eq!(filters.filter.source.as_deref(), Some("zoom"));
        assert!(!filters.can_be_used());
    }

    #[test]
    fn a_tone_a_direction_and_a_length_in_minutes_are_read() {
        let filter = read("tone=Negative&direction=outgoing&min=1.5&max=2,5", Tz::UTC).filter;
        assert_eq!((filter.tone, filter.direction), (Some(Tone::Negative), Some(Direction::Outgoing)));
        assert_eq!((filter.min_duration_ms, filter.max_duration_ms), (Some(90_000), Some(150_000)));
        for text in ["nan", "inf", "1e300", "100001"] {
            assert!(!read(&format!("min={text}"), Tz::UTC).can_be_used(), "{text}");
        }
    }

    #[test]
    fn a_place_in_the_list_is_read_back_or_told() {
        let id = Uuid::from_u128(7);
        let known = Behind { began_at: Moment::from_micros(5), call: CallId(id) };
        assert_eq!(read(&format!("after={}", place(known)), Tz::UTC).behind, Some(known));
        for place in ["5", "x.y", "-5.00000000-0000-0000-0000-000000000007", "999999999999999999.x"] {
            let filters = read(&format!("after={place}"), Tz::UTC);
            assert!(filters.wrong_place.is_some() && filters.can_be_used(), "{place}");
        }
    }
}
