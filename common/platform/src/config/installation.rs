//! What is true of the whole installation and of interest to several of its parts.
//!
//! It is read once and handed on. Were each part to read it by itself, they would come to read it differently: a
//! country in lower case once worked for one of them and silently not for another.

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
    /// `DEBRIEF_TIMEZONE`: a time without an offset is read in it, and times are shown in it.
    pub timezone: Tz,
    /// `SUPPORT_NUMBER` and `DEBRIEF_REGION`: who called whom.
    pub lines: SupportLines,
    /// `DEBRIEF_MAX_UPLOAD_MB`, in bytes: the largest recording that is taken, uploaded or fetched.
    pub max_upload_bytes: u64,
    /// `DEBRIEF_PUBLIC_URL`: our own address as providers see it. Absent: nobody can call us.
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
    fn with_nothing_set_it_is_what_the_documentation_says() {
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
    fn what_cannot_be_used_is_named() {
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
    fn an_enormous_limit_is_no_overflow() {
        assert_eq!(read("DEBRIEF_MAX_UPLOAD_MB", "18446744073709551615").unwrap().max_upload_bytes, u64::MAX);
    }
}
