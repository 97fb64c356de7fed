//! Which calls a list shows, as the query of its address says it.

use axum::http::StatusCode;
use chrono::{Days, NaiveDate, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use domain::call::{Call, CallId};
use domain::moment::Moment;
use store::{Behind, CallFilter};
use uuid::Uuid;

use crate::Fields;
use crate::texts::CallsTexts;

/// The filters of a list, and what is wrong with each that cannot be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    pub(crate) filter: CallFilter,
    pub(crate) behind: Option<Behind>,
    pub(crate) wrong_status: Option<&'static str>,
    pub(crate) wrong_from: Option<&'static str>,
    pub(crate) wrong_to: Option<&'static str>,
    /// The list is shown all the same, from its begin.
    pub(crate) wrong_place: Option<&'static str>,
}

impl Filters {
    /// A day begins and ends in `zone`.
    pub(crate) fn read(fields: &Fields, zone: Tz, texts: &'static CallsTexts) -> Self {
        let mut filters = Self::default();
        let text = |name| fields.given(name).map(|text| text.replace('\0', ""));
        filters.filter.source = text("source");
        filters.filter.agent = text("agent");
        if let Some(name) = fields.given("status") {
            filters.filter.status = name.parse().ok();
            filters.wrong_status = filters.filter.status.is_none().then_some(texts.not_a_status);
        }
        if let Some(day) = fields.given("from") {
            filters.filter.from = start_of(day, 0, zone);
            filters.wrong_from = filters.filter.from.is_none().then_some(texts.not_a_day);
        }
        if let Some(day) = fields.given("to") {
            let end = start_of(day, 1, zone).map(|next| Moment::from_micros(next.micros() - 1));
            filters.filter.to = end;
            filters.wrong_to = end.is_none().then_some(texts.not_a_day);
        }
        if let Some(place) = fields.given("after") {
            filters.behind = behind(place);
            filters.wrong_place = filters.behind.is_none().then_some(texts.not_a_place);
        }
        filters
    }

    /// Whether every filter can be read. With one that is left out, a list would show calls that nobody asked for.
    pub(crate) fn can_be_used(&self) -> bool {
        [self.wrong_status, self.wrong_from, self.wrong_to].iter().all(Option::is_none)
    }

    pub(crate) fn http_status(&self) -> StatusCode {
        if self.can_be_used() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
    }
}

/// The moment at which the day begins that is `later` days after the day in `text`.
fn start_of(text: &str, later: u64, zone: Tz) -> Option<Moment> {
    let day = text.parse::<NaiveDate>().ok()?.checked_add_days(Days::new(later))?;
    // Where a clock is put forward at midnight, the day begins an hour later.
    let hours = [NaiveTime::MIN, NaiveTime::from_hms_opt(1, 0, 0)?];
    let start =
        hours.into_iter().find_map(|time| zone.from_local_datetime(&day.and_time(time)).earliest())?;
    Some(start.to_utc().into())
}

/// The place behind a call, as the address of the next page says it.
pub(crate) fn place(call: &Call) -> String {
    format!("{}.{}", call.received_at.micros(), call.id)
}

fn behind(place: &str) -> Option<Behind> {
    let (micros, call) = place.split_once('.')?;
    // PostgreSQL knows no time after the year 9999 in our form, and none that is before the first call.
    let micros = micros.parse().ok().filter(|micros| (0..253_402_300_800_000_000).contains(micros))?;
    Some(Behind { received_at: Moment::from_micros(micros), call: CallId(call.parse::<Uuid>().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    fn read(query: &str, zone: Tz) -> Filters {
        Filters::read(&Fields::parse(query.as_bytes()), zone, CallsTexts::of(Language::English))
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
    fn a_filter_that_cannot_be_read_is_told_and_the_others_are_kept() {
        let filters = read("status=lost&from=30.11.2026&to=2026-11-30&source=+zoom+", Tz::UTC);
        assert!(filters.wrong_status.is_some() && filters.wrong_from.is_some() && filters.wrong_to.is_none());
        assert_eq!(filters.filter.source.as_deref(), Some("zoom"));
        assert!(!filters.can_be_used());
    }

    #[test]
    fn a_place_in_the_list_is_read_back_or_told() {
        let id = Uuid::from_u128(7);
        let known = read(&format!("after=5.{id}"), Tz::UTC);
        assert_eq!(known.behind, Some(Behind { received_at: Moment::from_micros(5), call: CallId(id) }));
        for place in ["5", "x.y", "-5.00000000-0000-0000-0000-000000000007", "999999999999999999.x"] {
            let filters = read(&format!("after={place}"), Tz::UTC);
            assert!(filters.wrong_place.is_some() && filters.can_be_used(), "{place}");
        }
    }
}
