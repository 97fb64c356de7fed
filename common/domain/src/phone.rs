//! Phone numbers. Two numbers are equal when their E.164 forms are equal. People are always shown the number as
//! it arrived, never the form that is compared here.

use phonenumber::country;

/// A phone number in the form in which numbers are compared: two spellings of one number give the same value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(String);

impl Number {
    /// Reads `text`. When `text` has no country code, it is read as a number of `region` (an ISO 3166 code such
    /// as `IN`). `442079460123` and `00442079460123` are read as international numbers too. A text that is no
    /// valid number is compared by its digits.
    pub fn read(text: &str, region: &str) -> Self {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let region: Option<country::Id> = region.parse().ok();
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
        Self(parsed(text, region).or_else(international).unwrap_or(digits))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The region (an ISO 3166 code) of a number that is written with `+`; nothing for any other number.
pub fn region_of(text: &str) -> Option<String> {
    text.trim()
        .starts_with('+')
        .then(|| phonenumber::parse(None, text).ok())
        .flatten()
        .and_then(|number| number.country().id())
        .map(|id| format!("{id:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_in_three_spellings_is_one_number() {
        let read = |text| Number::read(text, "GB");
        assert_eq!(read("020 7946 0123"), read("+44 20 7946 0123"));
        assert_eq!(read("442079460123"), read("+44 20 7946 0123"));
    }

    #[test]
    fn a_number_of_another_country_keeps_its_own_code() {
        assert_eq!(Number::read("(202) 555-0100", "US"), Number::read("+12025550100", "IN"));
        assert_ne!(Number::read("+12025550100", "IN"), Number::read("+12025550131", "IN"));
    }

    #[test]
    fn a_number_that_no_numbering_plan_knows_is_compared_by_its_digits() {
        assert_eq!(Number::read("0000-000-0456", "IN"), Number::read("00000000456", "IN"));
    }

    #[test]
    fn the_region_of_a_support_number_is_its_country() {
        assert_eq!(region_of("+12025550100").as_deref(), Some("US"));
        assert_eq!(region_of("09631084471"), None);
    }
}
