//! A period of time that people ask for: its days in a time zone, the steps of a chart, and the period before it.

use chrono::{Datelike as _, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;

use crate::call_facts::{day_of, epoch};
use crate::moment::Moment;

/// How many days a period has when nobody names one.
pub const USUAL_DAYS: u64 = 30;
/// All zones of the world begin at a multiple of this many microseconds.
pub const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;

/// From a moment to another one, which does not belong to it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: Moment,
    pub to: Moment,
    pub zone: Tz,
}

/// How long a step of a chart is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Hour,
    Day,
    Week,
    Month,
}

impl Step {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// The whole days of a period, and what is left at its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeDays {
    /// The first and the last whole day, in days since 1970. The first is later than the last where there is none.
    pub days: (i64, i64),
    pub before: (Moment, Moment),
    pub after: (Moment, Moment),
}

impl Period {
    /// From the begin of the first day to the end of the last one.
    pub fn of_days(first: NaiveDate, last: NaiveDate, zone: Tz) -> Self {
        Self { from: midnight(first, zone), to: midnight(last + Days::new(1), zone), zone }
    }

    /// The usual number of days up to the day of `now`.
    pub fn usual(now: Moment, zone: Tz) -> Self {
        let today = date_of(now, zone);
        Self::of_days(today - Days::new(USUAL_DAYS - 1), today, zone)
    }

    /// The first and the last day that the period touches.
    pub fn dates(&self) -> (NaiveDate, NaiveDate) {
        (date_of(self.from, self.zone), date_of(Moment::from_micros(self.to.micros() - 1), self.zone))
    }

    fn is_of_whole_days(&self) -> bool {
        let (first, last) = self.dates();
        *self == Self::of_days(first, last, self.zone)
    }

    /// The period of the same length that ends where this one begins. Whole days are counted as days, because a day on
    /// which the clocks change has another length.
    pub fn before(&self) -> Self {
        let (first, last) = self.dates();
        if self.is_of_whole_days() {
            let days = last.signed_duration_since(first).num_days() + 1;
            return Self::of_days(first - TimeDelta::days(days), first - Days::new(1), self.zone);
        }
        let micros = self.to.micros() - self.from.micros();
        Self { from: Moment::from_micros(self.from.micros() - micros), to: self.from, zone: self.zone }
    }

    /// The steps in which a chart of the period shows it.
    pub fn step(&self) -> Step {
        let (first, last) = self.dates();
        match last.signed_duration_since(first).num_days() {
            ..=1 => Step::Hour,
            2..=92 => Step::Day,
            93..=183 => Step::Week,
            _ => Step::Month,
        }
    }

    /// The begins of all steps, with the end of the last one.
    pub fn steps(&self) -> Vec<Moment> {
        let step = self.step();
        let mut all = vec![self.from];
        let mut next = self.next_step(self.from, step);
        while next < self.to {
            all.push(next);
            next = self.next_step(next, step);
        }
        all.push(self.to);
        all
    }

    fn next_step(&self, at: Moment, step: Step) -> Moment {
        const HOUR_MICROS: i64 = 3_600_000_000;
        let date = date_of(at, self.zone);
        match step {
            Step::Hour => {
                let local = at.utc().with_timezone(&self.zone).naive_local().and_utc().timestamp_micros();
                Moment::from_micros(at.micros() + HOUR_MICROS - local.rem_euclid(HOUR_MICROS))
            }
            Step::Day => midnight(date + Days::new(1), self.zone),
            Step::Week => {
                let since_monday = u64::from(date.weekday().num_days_from_monday());
                midnight(date - Days::new(since_monday) + Days::new(7), self.zone)
            }
            Step::Month => midnight(month_of(date).1 + Days::new(1), self.zone),
        }
    }

    /// The days of the whole months among these days, in days since 1970: the first day of the first month and the last day of
    /// the last one. The first is later than the last where no month is whole.
    pub fn whole_months((first, last): (i64, i64)) -> (i64, i64) {
        let (begin, month) = (date_of_number(first), month_of(date_of_number(first)));
        let from = if month.0 == begin { begin } else { month.1 + Days::new(1) };
        (number_of(from), number_of(month_of(date_of_number(last) + Days::new(1)).0) - 1)
    }

    /// The whole days of the period in its zone. A chart that shows hours needs the parts of days, so a period that is
    /// shown in hours has no whole days.
    pub fn whole_days(&self) -> WholeDays {
        let none = WholeDays { days: (1, 0), before: (self.from, self.to), after: (self.to, self.to) };
        if self.step() == Step::Hour {
            return none;
        }
        let (mut first, last) = self.dates();
        if midnight(first, self.zone) < self.from {
            first = first + Days::new(1);
        }
        let last_end = midnight(last + Days::new(1), self.zone);
        let last = if last_end > self.to { last - Days::new(1) } else { last };
        if first > last {
            return none;
        }
        WholeDays {
            days: (number_of(first), number_of(last)),
            before: (self.from, midnight(first, self.zone)),
            after: (midnight(last + Days::new(1), self.zone), self.to),
        }
    }
}

/// The first moment of a day in a zone. Where the clocks are put forward at midnight, it is the first one after that.
pub fn midnight(date: NaiveDate, zone: Tz) -> Moment {
    let local = |minutes: i64| date.and_time(NaiveTime::MIN) + TimeDelta::minutes(minutes);
    let first = |local: NaiveDateTime| zone.from_local_datetime(&local).earliest();
    let found = (0..=12).find_map(|quarters| first(local(quarters * 15)));
    found.map_or_else(|| date.and_time(NaiveTime::MIN).and_utc().into(), |at| at.to_utc().into())
}

/// The first moment of a day that is given in days since 1970.
pub fn begin_of_day(day: i64, zone: Tz) -> Moment {
    midnight(date_of_number(day), zone)
}

/// A day that is given in days since 1970.
pub fn date_of_number(day: i64) -> NaiveDate {
    epoch() + TimeDelta::days(day.clamp(-100_000, 1_000_000))
}

/// A day in days since 1970.
pub fn number_of(date: NaiveDate) -> i64 {
    date.signed_duration_since(epoch()).num_days()
}

/// The first and the last day of the month of a day.
pub fn month_of(date: NaiveDate) -> (NaiveDate, NaiveDate) {
    let first = date.with_day(1).unwrap_or(date);
    (first, first + Months::new(1) - Days::new(1))
}

pub fn date_of(at: Moment, zone: Tz) -> NaiveDate {
    epoch() + TimeDelta::days(day_of(at, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, month, day).unwrap()
    }

    const BERLIN: Tz = Tz::Europe__Berlin;

    #[test]
    fn the_period_before_has_as_many_days_also_when_the_clocks_change() {
        let march = Period::of_days(date(3, 24), date(3, 30), BERLIN);
        assert_eq!(march.before(), Period::of_days(date(3, 17), date(3, 23), BERLIN));
        assert_eq!((march.to.micros() - march.from.micros()) / 3_600_000_000, 7 * 24 - 1);
        let hours = Period { to: Moment::from_micros(march.from.micros() + 1000), ..march };
        assert_eq!(hours.before().to, march.from);
        assert_eq!(hours.before().from.micros(), march.from.micros() - 1000);
    }

    #[test]
    fn a_chart_has_hours_days_weeks_or_months() {
        let of = |first, last| Period::of_days(first, last, BERLIN);
        let hours = of(date(10, 26), date(10, 26));
        assert_eq!((hours.step(), hours.steps().len()), (Step::Hour, 26));
        let days = of(date(3, 1), date(3, 31));
        assert_eq!((days.step(), days.steps().len()), (Step::Day, 32));
        let weeks = of(date(1, 1), date(7, 3));
        assert_eq!((weeks.step(), weeks.steps().len()), (Step::Week, 28));
        let months = of(date(1, 1), date(12, 31));
        assert_eq!((months.step(), months.steps().len()), (Step::Month, 13));
        assert!(months.steps().windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn whole_days_are_told_from_what_is_left_at_the_ends() {
        let whole = Period::of_days(date(3, 1), date(3, 31), BERLIN);
        let days = whole.whole_days();
        assert_eq!(days.days.1 - days.days.0, 30);
        assert_eq!((days.before.0, days.after.1), (days.before.1, days.after.0));
        let hour = std::time::Duration::from_hours(1);
        let inner = Period { from: whole.from.plus(hour), to: whole.to.minus(hour), ..whole };
        let days = inner.whole_days();
        assert_eq!(days.days.1 - days.days.0, 28);
        assert_eq!((days.before.0, days.after.1), (inner.from, inner.to));
        assert_eq!(days.before.1, midnight(date(3, 2), BERLIN));
    }

    #[test]
    fn only_months_whose_days_are_all_there_are_whole() {
        let number = |month, day| number_of(date(month, day));
        let months = |first: (u32, u32), last: (u32, u32)| {
            Period::whole_months((number(first.0, first.1), number(last.0, last.1)))
        };
        assert_eq!(months((1, 1), (12, 31)), (number(1, 1), number(12, 31)));
        assert_eq!(months((1, 2), (12, 30)), (number(2, 1), number(11, 30)));
        assert_eq!(months((2, 1), (2, 28)), (number(2, 1), number(2, 28)));
        let (first, last) = months((3, 5), (4, 29));
        assert!(first > last, "{first} {last}");
        let (first, last) = Period::whole_months((1, 0));
        assert!(first > last, "{first} {last}");
    }

    #[test]
    fn a_day_without_a_midnight_begins_after_the_gap() {
        let zone = Tz::America__Sao_Paulo;
        let gap = NaiveDate::from_ymd_opt(2018, 11, 4).unwrap();
        assert_eq!(midnight(gap, zone).to_string(), "2018-11-04T03:00:00Z");
        assert_eq!(date_of(midnight(gap, zone), zone), gap);
    }
}
