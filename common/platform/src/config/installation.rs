//! The settings that hold for the whole installation and that several of its parts need.
//!
//! They are read once and passed on. If each part read them by itself, the parts would sooner or later read them
//! differently. For example, a country in lower case once worked for one part and silently failed for another.

use chrono_tz::Tz;
use domain::agents::Agents;
use domain::filters::Filters;
use domain::parties::SupportLines;
use url::Url;

use super::{ConfigError, Values, agents};

const MIB: u64 = 1024 * 1024;
const MAX_UPLOAD_MB: u64 = 2048;
/// The fewest and the most digits of a telephone number. The shortest are those of services, such as 112.
const DIGITS: std::ops::RangeInclusive<usize> = 3..=20;

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
    /// `AGENTS_FILE`: our own people.
    pub agents: Agents,
    /// `DEPARTMENTS`, `MIN_DURATION` and `DIRECTIONS`: which telephone calls are transcribed.
    pub filters: Filters,
}

impl Installation {
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        const REGION: &str = "a country's code of two letters, such as IN";
        const PUBLIC_URL: &str = "DEBRIEF_PUBLIC_URL";
        let timezone = values.parse("DEBRIEF_TIMEZONE", "the name of a time zone, such as Asia/Kolkata")?;
        let region = values.parse("DEBRIEF_REGION", REGION)?;
        let max_upload_mb =
            values.number("DEBRIEF_MAX_UPLOAD_MB", MAX_UPLOAD_MB, 1..=u64::MAX, "megabytes")?;
        let public_url = values.text(PUBLIC_URL).map(|text| values.url(PUBLIC_URL, &text)).transpose()?;
        let lines = SupportLines::new(support_numbers(values)?, region);
        Ok(Self {
            timezone: timezone.unwrap_or(Tz::UTC),
            agents: agents::agents(values, lines.region())?,
            filters: agents::filters(values)?,
            lines,
            max_upload_bytes: max_upload_mb.saturating_mul(MIB),
            public_url,
        })
    }
}

/// Reads our own numbers. A text that is no telephone number would never be equal to the number of a call, and then
/// every outgoing call would look like an incoming one.
fn support_numbers(values: &Values) -> Result<Vec<String>, ConfigError> {
    const NAME: &str = "SUPPORT_NUMBER";
    let numbers = values.list(NAME);
    match numbers.iter().find(|number| !is_telephone_number(number)) {
        Some(wrong) => Err(ConfigError::not(NAME, wrong, "a telephone number such as +442079460100")),
        None => Ok(numbers),
    }
}

fn is_telephone_number(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let number =
        ["tel:", "sip:", "sips:"].iter().find_map(|scheme| lower.strip_prefix(scheme)).unwrap_or(&lower);
    let number = number.split([';', '@', 'x']).next().unwrap_or_default();
    let number = number.strip_suffix("e").unwrap_or(number);
    let digits = number.chars().filter(|c| c.is_numeric()).count();
    DIGITS.contains(&digits)
        && number.chars().all(|c| c.is_numeric() || c.is_whitespace() || "+-.()/\u{2010}\u{2011}".contains(c))
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
            ("DEBRIEF_REGION", "XX"),
            ("DEBRIEF_REGION", "ZZZ"),
            ("SUPPORT_NUMBER", "abc"),
            ("SUPPORT_NUMBER", "+442079460100, the other"),
            ("SUPPORT_NUMBER", "none"),
            ("SUPPORT_NUMBER", "12"),
            ("SUPPORT_NUMBER", "123456789012345678901"),
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
    fn a_support_number_can_be_written_in_every_usual_way() {
        for number in [
            "+442079460100",
            "020 7946 0100",
            "(202) 555-0131",
            "0049.30.123456",
            "1800 123 123",
            "+91 98765 43210;ext=12",
            "+91 98765 43210 ext 12",
            "020 7946 0100 x12",
            "tel:+442079460100",
            "sip:+919876543210@10.0.0.5:5060;user=phone",
            "+٤٤٢٠٧٩٤٦٠١٠٠",
        ] {
            let read = read("SUPPORT_NUMBER", number).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(read.lines.numbers().collect::<Vec<_>>(), [number]);
        }
    }

    #[test]
    fn an_enormous_limit_does_not_overflow() {
        assert_eq!(read("DEBRIEF_MAX_UPLOAD_MB", "18446744073709551615").unwrap().max_upload_bytes, u64::MAX);
    }
}
