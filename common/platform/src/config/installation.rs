//! The settings that hold for the whole installation and that several of its parts need.
//!
//! They are read once and passed on. If each part read them by itself, the parts would sooner or later read them
//! differently. For example, a country in lower case once worked for one part and silently failed for another.

use std::num::NonZeroU64;

use chrono_tz::Tz;
use domain::parties::SupportLines;
use url::Url;

use super::{ConfigError, Values};

const MIB: u64 = 1024 * 1024;
const MAX_UPLOAD_MB: NonZeroU64 = NonZeroU64::new(2048).expect("it is above zero");

/// The settings that several parts share.
#[derive(Clone, Debug, PartialEq)]
pub struct Installation {
    /// `DEBRIEF_TIMEZONE`: the time zone in which times without an offset are read, and in which times are shown.
    pub timezone: Tz,
    /// `SUPPORT_NUMBER` and `DEBRIEF_REGION`: they decide who called whom.
    pub lines: SupportLines,
    /// `DEBRIEF_MAX_UPLOAD_MB`, in bytes: the largest recording that may be uploaded or fetched.
    pub max_upload_bytes: u64,
    /// `DEBRIEF_PUBLIC_URL`: our own address as providers see it. `None` where providers cannot call us.
    pub public_url: Option<Url>,
}

impl Installation {
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        const REGION: &str = "a country's code of two letters, such as IN";
        const PUBLIC_URL: &str = "DEBRIEF_PUBLIC_URL";
        let timezone = values.parse("DEBRIEF_TIMEZONE", "the name of a time zone, such as Asia/Kolkata")?;
        let region = values.parse("DEBRIEF_REGION", REGION)?;
        let max_upload_mb = values.parse("DEBRIEF_MAX_UPLOAD_MB", "a number of megabytes above 0")?;
        let public_url = values.text(PUBLIC_URL).map(|text| values.url(PUBLIC_URL, &text)).transpose()?;
        Ok(Self {
            timezone: timezone.unwrap_or(Tz::UTC),
            lines: SupportLines::new(values.list("SUPPORT_NUMBER"), region),
            max_upload_bytes: max_upload_mb.unwrap_or(MAX_UPLOAD_MB).get().saturating_mul(MIB),
            public_url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Installation, ConfigError> {
        Installation::read(&Values::of([(name, value)]))
    }

    #[test]
    fn the_defaults_are_what_the_documentation_says() {
        let installation = Installation::read(&Values::default()).unwrap();
        assert_eq!(installation.timezone, Tz::UTC);
        assert_eq!(installation.lines.region().to_string(), "IN");
        assert_eq!(installation.lines.numbers().count(), 0);
        assert_eq!(installation.max_upload_bytes, 2048 * 1024 * 1024);
        assert_eq!(installation.public_url, None);
    }

    #[test]
    fn a_country_in_lower_case_is_the_same_country() {
        let country = |value| read("DEBRIEF_REGION", value).unwrap().lines.region().to_string();
        assert_eq!((country("gb"), country("GB")), ("GB".to_owned(), "GB".to_owned()));
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named() {
        for (name, value) in [
            ("DEBRIEF_TIMEZONE", "Mars/Base"),
            ("DEBRIEF_REGION", "India"),
            ("DEBRIEF_REGION", "zz"),
            ("DEBRIEF_MAX_UPLOAD_MB", "many"),
            ("DEBRIEF_MAX_UPLOAD_MB", "0"),
            ("DEBRIEF_MAX_UPLOAD_MB", "-1"),
            ("DEBRIEF_PUBLIC_URL", "debrief.example.com"),
            ("DEBRIEF_PUBLIC_URL", "ftp://debrief.example.com"),
        ] {
            let error = read(name, value).unwrap_err();
            assert_eq!(error.name, name, "{error}");
        }
    }

    #[test]
    fn an_enormous_limit_does_not_overflow() {
        assert_eq!(read("DEBRIEF_MAX_UPLOAD_MB", "18446744073709551615").unwrap().max_upload_bytes, u64::MAX);
    }
}
