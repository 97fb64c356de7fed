//! Reads a duration: a number, the text of a number, or a text such as `00:02:05`.
//!
//! Nobody says in which unit a number was sent. Where it is too long for the unit that the field has, the number is not
//! read in another unit, because a guess could be wrong and nobody would see it. A note says it instead.

use serde_json::Value;

const SECOND_MS: f64 = 1000.0;
const DAY_MS: f64 = 24.0 * 3600.0 * SECOND_MS;
/// The longest duration that is used. No call lasts longer, so a longer duration was sent in a wrong unit.
const MAX_MS: f64 = 7.0 * DAY_MS;

/// What a value says about a duration.
#[derive(Debug, PartialEq)]
pub(super) enum Span {
    /// A duration in milliseconds.
    Plain(i64),
    /// A duration in milliseconds, the code of the note on it, and what the note says about the field.
    Noted(i64, &'static str, &'static str),
    /// It is no duration, because the field is so.
    Unusable(&'static str),
}

impl Span {
    pub(super) fn read(value: &Value, unit_ms: f64) -> Self {
        let (ms, short) = match value {
            Value::Number(number) => (number.as_f64().map(|number| number * unit_ms), false),
            Value::String(text) => {
                let text = text.trim();
                let number = || text.parse().ok().map(|number: f64| number * unit_ms);
                if text.contains(':') {
                    (clock_ms(text), text.matches(':').count() == 1)
                } else {
                    (number(), false)
                }
            }
            _ => (None, false),
        };
        match ms.filter(|ms| ms.is_finite()) {
            None => Self::Unusable("is no duration"),
            Some(ms) if ms < 0.0 => Self::Unusable("is a negative duration"),
            Some(ms) if ms > MAX_MS => Self::Unusable(
                "is longer than 7 days; perhaps it was sent in another unit, such as milliseconds",
            ),
            Some(ms) => {
                #[expect(clippy::cast_possible_truncation, reason = "at most 7 days")]
                let whole = ms.round() as i64;
                if short {
                    let what = "has two parts; they were read as minutes and seconds";
                    Self::Noted(whole, "duration_in_minutes_and_seconds", what)
                } else if ms > DAY_MS {
                    let what =
                        "is longer than a day; perhaps it was sent in another unit, such as milliseconds";
                    Self::Noted(whole, "duration_unlikely", what)
                } else {
                    Self::Plain(whole)
                }
            }
        }
    }
}

/// Reads `hours:minutes:seconds` or `minutes:seconds`. The seconds may have a fraction.
fn clock_ms(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.split(':').collect();
    let whole = |part: &str| -> Option<f64> {
        let digits = (1..=6).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes, seconds] => {
            (whole(hours)?, whole(minutes).filter(|minutes| *minutes < 60.0)?, *seconds)
        }
        [minutes, seconds] => (0.0, whole(minutes)?, *seconds),
        _ => return None,
    };
    let (before, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    whole(before).filter(|seconds| *seconds < 60.0)?;
    whole(fraction)?;
    let seconds: f64 = seconds.parse().ok()?;
    Some(((hours * 60.0 + minutes) * 60.0 + seconds) * SECOND_MS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_duration_of_a_clock_is_read_as_it_was_written(ms in 0_i64..86_400_000) {
            let text = format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
            prop_assert_eq!(Span::read(&text.into(), SECOND_MS), Span::Plain(ms));
        }

        #[test]
        fn whatever_a_text_is_the_duration_is_not_negative_and_at_most_seven_days(text in "[-0-9:.eE+ infa]{0,14}") {
            let ms = match Span::read(&text.into(), SECOND_MS) {
                Span::Plain(ms) | Span::Noted(ms, ..) => ms,
                Span::Unusable(_) => 0,
            };
            prop_assert!((0..=7 * 86_400_000).contains(&ms), "{}", ms);
        }
    }
}
