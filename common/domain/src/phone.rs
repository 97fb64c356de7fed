//! Telephone numbers: equal when their E.164 forms are, shown as they arrived.

use std::fmt;
use std::str::FromStr;

use phonenumber::country;

/// A country in which numbers are read that have no country code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region(country::Id);

impl Region {
    /// Holds where nothing else names a country.
    pub const DEFAULT: Self = Self(country::Id::IN);

    /// The country that a number written with `+` belongs to.
    pub fn of_number(text: &str) -> Option<Self> {
        let text = text.trim();
        let number = text.starts_with('+').then(|| phonenumber::parse(None, text).ok()).flatten()?;
        number.country().id().map(Self)
    }
}

/// The text is no country's code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read a country's code of two letters, such as IN")]
pub struct NoRegion;

/// An ISO 3166 code of two letters, in capitals or not.
impl FromStr for Region {
    type Err = NoRegion;

    fn from_str(text: &str) -> Result<Self, NoRegion> {
        let text = text.trim();
        let is_code = text.len() == 2 && text.bytes().all(|c| c.is_ascii_alphabetic());
        let country = is_code.then(|| text.to_ascii_uppercase().parse().ok()).flatten();
        country.map(Self).ok_or(NoRegion)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref())
    }
}

/// A number reduced to what two spellings of it share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(String);

impl Number {
    /// Reads `text` in `region` where it has no country code. `442079460123` and `00442079460123` are read as
    /// international too; what cannot be read compares by its digits.
    pub fn read(text: &str, region: Region) -> Self {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let parsed = |text: &str, region| {
            phonenumber::parse(region, text)
                .ok()
                .filter(phonenumber::is_valid)
                .map(|number| number.format().mode(phonenumber::Mode::E164).to_string())
        };
        let international = || {
            let digits = digits.strip_prefix("00").unwrap_or(&digits);
            (digits.len() > 10).then(|| parsed(&format!("+{digits}"), None)).flatten()
        };
        Self(parsed(text, Some(region.0)).or_else(international).unwrap_or(digits))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, region: &str) -> Number {
        Number::read(text, region.parse().unwrap())
    }

    #[test]
    fn one_number_in_three_spellings_is_one_number() {
        let read = |text| read(text, "GB");
        assert_eq!(read("020 7946 0123"), read("+44 20 7946 0123"));
        assert_eq!(read("442079460123"), read("+44 20 7946 0123"));
    }

    #[test]
    fn a_number_of_another_country_keeps_its_own_code() {
        assert_eq!(read("(202) 555-0100", "US"), read("+12025550100", "IN"));
        assert_ne!(read("+12025550100", "IN"), read("+12025550131", "IN"));
    }

    #[test]
    fn what_no_plan_knows_compares_by_its_digits() {
        assert_eq!(read("0000-000-0456", "IN"), read("00000000456", "IN"));
    }

    #[test]
    fn a_number_with_a_country_code_names_its_country() {
        assert_eq!(Region::of_number("+12025550100"), Some("US".parse().unwrap()));
        assert_eq!(Region::of_number("09631084471"), None);
    }

    #[test]
    fn a_country_is_read_in_capitals_and_without_and_what_is_no_country_is_refused() {
        assert_eq!("gb".parse::<Region>(), "GB".parse());
        assert_eq!("gb".parse::<Region>().unwrap().to_string(), "GB");
        for wrong in ["", "G", "GBR", "ZZ", "4", "+44", "India", "éé"] {
            assert_eq!(wrong.parse::<Region>(), Err(NoRegion), "{wrong}");
        }
    }

    #[test]
    fn the_country_of_numbers_that_nothing_names_is_india() {
        assert_eq!(Region::DEFAULT.to_string(), "IN");
    }
}
