//! Turns the words of a promise ("by Friday", "in two weeks") into a date.
//!
//! A model that is asked for a date invents one: it does not know when the call was. So the date is computed here,
//! from the words that were said and from the day of the call in the zone of the installation. Words that name no
//! single day ("soon", "next week") have no date. Only English is read.

use chrono::{Datelike as _, Days, Months, NaiveDate, Weekday};

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const NUMBERS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
];

/// Words that stand before or behind a date and change nothing about the day.
const FILLING: &[&str] = &[
    "by",
    "before",
    "until",
    "till",
    "on",
    "within",
    "no",
    "later",
    "than",
    "at",
    "the",
    "latest",
    "of",
    "sometime",
    "morning",
    "afternoon",
    "evening",
    "noon",
    "night",
    "around",
    "about",
    "just",
    "from",
    "now",
    "please",
    "then",
    "early",
    "first",
    "thing",
    "due",
];

/// The day that `words` mean when they are said on the day `said_on`.
pub fn resolve(words: &str, said_on: NaiveDate) -> Option<NaiveDate> {
    if let Ok(date) = words.trim().parse::<NaiveDate>() {
        return Some(date);
    }
    let lower = words.to_lowercase().replace('’', "'");
    let words = day_words(&lower);
    let after_days = |days: u64| said_on.checked_add_days(Days::new(days));
    match words.as_slice() {
        ["today" | "tonight" | "eod" | "cob" | "this" | "immediately" | "asap"]
        | ["right" | "straight", "away"]
        | ["end", "day"]
        | ["close", "business"]
        | ["end", "business", "day"] => Some(said_on),
        ["tomorrow"] => after_days(1),
        ["day", "after", "tomorrow"] => after_days(2),
        ["eow"] | ["end", "week"] | ["end", "this", "week"] => Some(weekday(said_on, Weekday::Fri, true)),
        ["end", "next", "week"] => after_days(7).map(|day| weekday_of_week(day, Weekday::Fri)),
        ["eom"] | ["end", "month"] | ["end", "this", "month"] => last_of_month(said_on),
        ["end", "next", "month"] => last_of_month(said_on.checked_add_months(Months::new(1))?),
        ["end", "quarter"] | ["end", "this", "quarter"] => {
            let months = (3 - said_on.month0() % 3) - 1;
            last_of_month(said_on.with_day(1)?.checked_add_months(Months::new(months))?)
        }
        ["end", "year"] | ["end", "this", "year"] => NaiveDate::from_ymd_opt(said_on.year(), 12, 31),
        ["this" | "coming" | "following", day] => Some(weekday(said_on, weekday_named(day)?, true)),
        ["next", day] => {
            let day = weekday_named(day)?;
            after_days(7).map(|next| weekday_of_week(next, day))
        }
        [day] if weekday_named(day).is_some() => Some(weekday(said_on, weekday_named(day)?, false)),
        ["in", rest @ ..] => span(rest, said_on),
        _ => span(&words, said_on).or_else(|| calendar_date(&words, said_on)),
    }
}

/// The words that say which day: without those that only connect, and without the time of day.
fn day_words(lower: &str) -> Vec<&str> {
    let mut words: Vec<&str> = Vec::new();
    let mut after_at = false;
    for token in lower.split_whitespace() {
        let token = token.trim_matches(|c: char| !c.is_alphanumeric());
        let digits_first = token.starts_with(|c: char| c.is_ascii_digit());
        let of_day = ["am", "pm", "a.m", "p.m", "o'clock"]
            .iter()
            .any(|end| token.ends_with(end) && (digits_first || token == *end));
        let is_clock = digits_first && (token.contains(':') || after_at);
        after_at = token == "at";
        if of_day || is_clock {
            // `at 10 a.m.`: the number before it belongs to the time.
            if of_day
                && !digits_first
                && words.last().is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
            {
                words.pop();
            }
            continue;
        }
        words.extend(token.split(['-', '/']).filter(|word| !word.is_empty() && !FILLING.contains(word)));
    }
    words
}

/// `two weeks`, `3 business days`, `an hour`.
fn span(words: &[&str], said_on: NaiveDate) -> Option<NaiveDate> {
    let (count, unit) = match words {
        ["couple", unit] => (2, *unit),
        [count, "business" | "working", unit @ ("day" | "days")] if unit.starts_with("day") => {
            return after_working_days(said_on, number(count)?);
        }
        [count, unit] => (number(count)?, *unit),
        [unit @ ("hour" | "hours" | "minute" | "minutes")] => (1, *unit),
        _ => return None,
    };
    match unit.trim_end_matches('s') {
        "minute" => Some(said_on),
        // Only whole days of hours surely end on a later day.
        "hour" => said_on.checked_add_days(Days::new(count / 24)),
        "day" => said_on.checked_add_days(Days::new(count)),
        "week" => said_on.checked_add_days(Days::new(count.checked_mul(7)?)),
        "month" => said_on.checked_add_months(Months::new(u32::try_from(count).ok()?)),
        _ => None,
    }
}

/// `june 3rd`, `3 june 2027`, `the 3rd`: without a year the next such day.
fn calendar_date(words: &[&str], said_on: NaiveDate) -> Option<NaiveDate> {
    let (month, day, year) = match words {
        [first, second] if month_named(first).is_some() => (month_named(first), day_of_month(second)?, None),
        [first, second] => (Some(month_named(second)?), day_of_month(first)?, None),
        [first, second, year] if month_named(first).is_some() => {
            (month_named(first), day_of_month(second)?, Some(*year))
        }
        [first, second, year] => (Some(month_named(second)?), day_of_month(first)?, Some(*year)),
        [day] if day.ends_with(["t", "d", "h"].map(|end| end.chars().next().unwrap_or_default())) => {
            (None, day_of_month(day)?, None)
        }
        _ => return None,
    };
    match (month, year) {
        (Some(month), Some(year)) => NaiveDate::from_ymd_opt(year.parse().ok()?, month, day),
        (Some(month), None) => [said_on.year(), said_on.year() + 1]
            .into_iter()
            .filter_map(|year| NaiveDate::from_ymd_opt(year, month, day))
            .find(|date| *date >= said_on),
        (None, _) => (0..12)
            .filter_map(|months| said_on.with_day(1)?.checked_add_months(Months::new(months))?.with_day(day))
            .find(|date| *date >= said_on),
    }
}

fn number(word: &str) -> Option<u64> {
    if matches!(word, "a" | "an") {
        return Some(1);
    }
    let written = word.parse::<u64>().ok().filter(|count| *count <= 1_000);
    written.or_else(|| NUMBERS.iter().position(|number| *number == word).map(|at| at as u64))
}

fn day_of_month(word: &str) -> Option<u32> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
    digits.parse().ok().filter(|day| (1..=31).contains(day))
}

fn month_named(word: &str) -> Option<u32> {
    let is = |month: &str| month == word || (word.len() == 3 && month.starts_with(word));
    MONTHS.iter().position(|month| is(month)).and_then(|at| u32::try_from(at + 1).ok())
}

fn weekday_named(word: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(name, _)| *name == word).map(|(_, day)| *day)
}

/// The next such day after `from`; `from` itself where `today_counts`.
fn weekday(from: NaiveDate, day: Weekday, today_counts: bool) -> NaiveDate {
    let days = (7 + day.num_days_from_monday() - from.weekday().num_days_from_monday()) % 7;
    let days = if days == 0 && !today_counts { 7 } else { days };
    from + Days::new(u64::from(days))
}

/// The day of the week (Monday to Sunday) in which `within` lies.
fn weekday_of_week(within: NaiveDate, day: Weekday) -> NaiveDate {
    within - Days::new(u64::from(within.weekday().num_days_from_monday()))
        + Days::new(u64::from(day.num_days_from_monday()))
}

fn after_working_days(from: NaiveDate, count: u64) -> Option<NaiveDate> {
    from.iter_days()
        .skip(1)
        .filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun))
        .nth(usize::try_from(count.checked_sub(1)?).ok()?)
}

fn last_of_month(within: NaiveDate) -> Option<NaiveDate> {
    within.with_day(1)?.checked_add_months(Months::new(1))?.pred_opt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3 October 2023 was a Tuesday.
    fn said_on() -> NaiveDate {
        NaiveDate::from_ymd_opt(2023, 10, 3).unwrap()
    }

    #[test]
    fn spoken_words_become_the_day_that_they_mean() {
        for (words, day) in [
            ("today", "2023-10-03"),
            ("by end of day", "2023-10-03"),
            ("tonight", "2023-10-03"),
            ("within an hour", "2023-10-03"),
            ("tomorrow", "2023-10-04"),
            ("tomorrow morning", "2023-10-04"),
            ("by tomorrow at 10:30 a.m.", "2023-10-04"),
            ("the day after tomorrow", "2023-10-05"),
            ("by Friday", "2023-10-06"),
            ("Friday afternoon", "2023-10-06"),
            ("by Tuesday", "2023-10-10"),
            ("this Tuesday", "2023-10-03"),
            ("next Friday", "2023-10-13"),
            ("next Monday", "2023-10-09"),
            ("in two weeks", "2023-10-17"),
            ("within 3 business days", "2023-10-06"),
            ("within five working days", "2023-10-10"),
            ("in a month", "2023-11-03"),
            ("within 48 hours", "2023-10-05"),
            ("by the end of the week", "2023-10-06"),
            ("before the end of the month", "2023-10-31"),
            ("by the end of next month", "2023-11-30"),
            ("by the end of the quarter", "2023-12-31"),
            ("by the end of the year", "2023-12-31"),
            ("on June 3", "2024-06-03"),
            ("by the 15th of October", "2023-10-15"),
            ("October 2nd", "2024-10-02"),
            ("on the 2nd", "2023-11-02"),
            ("3 January 2025", "2025-01-03"),
            ("2023-11-05", "2023-11-05"),
        ] {
            assert_eq!(
                resolve(words, said_on()).map(|date| date.to_string()).as_deref(),
                Some(day),
                "{words}"
            );
        }
    }

    #[test]
    fn words_that_name_no_single_day_have_no_date() {
        for words in [
            "soon",
            "next week",
            "next month",
            "when I can",
            "",
            "at 10:30",
            "on February 30",
            "in a while",
            "99999999999 days",
        ] {
            assert_eq!(resolve(words, said_on()), None, "{words}");
        }
    }
}
