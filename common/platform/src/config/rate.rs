//! Reads rates in settings: `5/s`, `100/m`, `1000/h`.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use super::{ConfigError, Values};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: NonZeroU32,
    pub per: Duration,
}

impl Rate {
    /// The time between two requests, where the requests are spread evenly.
    pub fn every(self) -> Duration {
        self.per / self.count.get()
    }
}

impl FromStr for Rate {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (count, unit) = text.split_once('/').ok_or(())?;
        let per = match unit.trim() {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            _ => return Err(()),
        };
        Ok(Self { count: count.trim().parse().map_err(drop)?, per })
    }
}

impl Values {
    /// Reads a rate. Every setting with a rate is read by this function.
    pub fn rate(&self, name: &str) -> Result<Option<Rate>, ConfigError> {
        self.parse(name, "a rate such as 5/s, 100/m or 1000/h")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_the_time_between_two() {
        let every = |text: &str| text.parse::<Rate>().map(Rate::every);
        assert_eq!(every("4/s"), Ok(Duration::from_millis(250)));
        assert_eq!(every("30 / m"), Ok(Duration::from_secs(2)));
        assert_eq!(every("1000/h"), Ok(Duration::from_millis(3_600)));
        for wrong in ["", "1", "0/s", "x/s", "1/day", "-1/s", "1.5/s", "5/s/s"] {
            assert_eq!(every(wrong), Err(()), "{wrong}");
        }
    }

    #[test]
    fn a_rate_that_cannot_be_read_is_named() {
        let error = Values::of([("OPENAI_RATE", "fast")]).rate("OPENAI_RATE").unwrap_err();
        assert_eq!(error.to_string(), "OPENAI_RATE: `fast` is not a rate such as 5/s, 100/m or 1000/h");
        assert_eq!(Values::default().rate("OPENAI_RATE").unwrap(), None);
    }
}
