//! Reads lengths of time in settings: `200ms`, `5s`, `2m`, `1h`, and also `1h 30m`.
//!
//! A length above ten years is refused. It can only be a mistake, and adding it to a time could panic.

use std::time::Duration;

use super::{ConfigError, Values};

/// The longest length of time: ten years of 365 days, with their leap days.
const LONGEST: Duration = Duration::from_hours((10 * 365 + 3) * 24);

impl Values {
    /// Reads a length of time. Every setting with a length of time is read by this function.
    pub fn duration(&self, name: &str, default: Duration) -> Result<Duration, ConfigError> {
        self.text(name).map_or(Ok(default), |text| read(name, &text))
    }

    /// Reads a length of time that must be at least `shortest`.
    pub fn duration_from(
        &self,
        name: &str,
        default: Duration,
        shortest: Duration,
    ) -> Result<Duration, ConfigError> {
        let span = self.duration(name, default)?;
        if span < shortest {
            let problem = format!("must be at least {}", humantime::format_duration(shortest));
            return Err(ConfigError::new(name, problem));
        }
        Ok(span)
    }

    /// Reads several lengths of time with commas between them, as [`Values::duration`] reads one.
    pub fn durations(&self, name: &str, default: &str) -> Result<Vec<Duration>, ConfigError> {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        text.split(',').map(|part| read(name, part)).collect()
    }
}

fn read(name: &str, text: &str) -> Result<Duration, ConfigError> {
    let text = text.trim();
    let expected = match humantime::parse_duration(text) {
        Ok(span) if span <= LONGEST => return Ok(span),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => "at most 10 years, in whole nanoseconds",
        Err(_) => "a duration such as 200ms, 5s, 2m or 1h",
    };
    Err(ConfigError::not(name, text, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "DEBRIEF_LEASE";

    fn span(text: &str) -> Result<Duration, String> {
        let values = Values::of([(NAME, text)]);
        values.duration(NAME, Duration::ZERO).map_err(|error| error.to_string())
    }

    #[test]
    fn every_unit_that_the_documentation_names_is_read() {
        for (text, wanted) in [
            ("200ms", Duration::from_millis(200)),
            ("5s", Duration::from_secs(5)),
            ("2m", Duration::from_mins(2)),
            (" 1h ", Duration::from_hours(1)),
            ("1h 30m", Duration::from_mins(90)),
            ("0s", Duration::ZERO),
            ("87600h", Duration::from_hours(87_600)),
        ] {
            assert_eq!(span(text), Ok(wanted), "{text}");
        }
        let several = Values::of([("DEBRIEF_RETRY_SCHEDULE", "5s, 2m,1h")]);
        let wanted = [5, 120, 3600].map(Duration::from_secs);
        assert_eq!(several.durations("DEBRIEF_RETRY_SCHEDULE", "").unwrap(), wanted);
    }

    #[test]
    fn a_text_that_is_not_a_length_of_time_is_refused_by_its_name() {
        for text in ["soon", "5", "5 parsecs", "-5s", "s", "1h,", "5s5", "NaNs"] {
            let said = span(text).unwrap_err();
            assert!(said.starts_with("DEBRIEF_LEASE: `") && said.contains("200ms, 5s, 2m or 1h"), "{said}");
        }
    }

    #[test]
    fn an_absurd_length_of_time_is_refused_by_its_name() {
        for text in [
            "18446744073709551615s",
            "18446744073709551615ms",
            "18446744073709551615h",
            "99999999999999999999999s",
            "11y",
            "87673h",
            "18446744073709551615s 1s",
        ] {
            let said = span(text).unwrap_err();
            assert!(said.starts_with("DEBRIEF_LEASE: `") && said.contains("10 years"), "{said}");
            let several = Values::of([("DEBRIEF_RETRY_SCHEDULE", format!("1s,{text}").as_str())]);
            let said = several.durations("DEBRIEF_RETRY_SCHEDULE", "").unwrap_err().to_string();
            assert!(said.starts_with("DEBRIEF_RETRY_SCHEDULE: `") && said.contains("10 years"), "{said}");
        }
    }
}
