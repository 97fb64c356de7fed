//! Compares telephone numbers. Two numbers are equal when their E.164 forms are equal. A number is always shown as it
//! arrived.

use std::fmt;
use std::str::FromStr;

use phonenumber::country;

/// The country in which a number without a country code is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region(country::Id);

impl Region {
    /// The country that holds where nothing else names one.
    pub const DEFAULT: Self = Self(country::Id::IN);

    /// Finds the country of a number that is written with `+`.
    pub fn of_number(text: &str) -> Option<Self> {
        let text = text.trim();
        let number = text.starts_with('+').then(|| phonenumber::parse(None, text).ok()).flatten()?;
        number.country().id().map(Self)
    }
}

/// The error for a text that is not the code of a country.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read a country's code of two letters, such as IN")]
pub struct NoRegion;

/// Reads an ISO 3166 code of two letters, in capitals or in lower case.
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

/// A telephone number in a form that is the same for all its spellings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(String);

impl Number {
    /// Reads a number. A number without a country code is read in `region`. These spellings are read as the number
    /// that they mean: a `tel:` or `sip:` address, a number with an extension, digits of other scripts, an
    /// international number without its `+` or with `00` in its place, and a national number behind a `+` (`+0987…`,
    /// as some telephony providers send it). A number that no numbering plan knows is compared by its digits, without
    /// an extension.
    pub fn read(text: &str, region: Region) -> Self {
        let plain = subscriber(&ascii_digits(text));
        let region = Some(region.0);
        let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
        let has_plus = plain.trim_start().starts_with('+');
        let national = digits.trim_start_matches('0');
        let candidates = [
            (plain.clone(), region),
            // In many countries people dial `00` in place of the `+`.
            (digits.strip_prefix("00").map(|rest| format!("+{rest}")).unwrap_or_default(), None),
            (if digits.len() > 10 { format!("+{digits}") } else { String::new() }, None),
            // Here a trunk zero stands before the country code, or behind a `+`.
            (
                if digits.starts_with('0') && national.len() > 10 {
                    format!("+{national}")
                } else {
                    String::new()
                },
                None,
            ),
            (if has_plus && digits.starts_with('0') { digits.clone() } else { String::new() }, region),
        ];
        let read = candidates
            .into_iter()
            .filter(|(text, _)| !text.is_empty())
            .find_map(|(text, region)| e164(&text, region));
        Self(read.unwrap_or(digits))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn e164(text: &str, region: Option<country::Id>) -> Option<String> {
    let number = phonenumber::parse(region, text).ok().filter(phonenumber::is_valid)?;
    Some(number.format().mode(phonenumber::Mode::E164).to_string())
}

/// Returns the part of an address or of a written number that names the line, without the scheme, the host, the
/// parameters and the extension.
fn subscriber(text: &str) -> String {
    let text = text.trim();
    let bare = ["tel:", "sip:", "sips:", "callto:"]
        .iter()
        .find_map(|scheme| {
            let head = text.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
        })
        .unwrap_or(text);
    let (address, parameters) = bare.split_once(';').unwrap_or((bare, ""));
    let user = address.split_once('@').map_or(address, |(user, _)| user);
    let user = user.split_once(',').map_or(user, |(number, _)| number);
    // `98765 43210;phone-context=+91` (RFC 3966) is a number of the country with the code 91.
    let context = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("phone-context="));
    let number = without_extension(user);
    match context.filter(|context| context.starts_with('+')) {
        Some(context) if !number.trim_start().starts_with('+') => format!("{context}{number}"),
        _ => number.to_owned(),
    }
}

/// Cuts `text` off at a mark that people write before an extension.
fn without_extension(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let marks = ["ext", "x", "#"];
    let end = marks.iter().filter_map(|mark| lower.find(mark)).filter(|at| *at > 0).min();
    end.map_or(text, |end| &text[..end])
}

/// Writes every decimal digit of any script in `text` as an ASCII digit, and a full-width plus as `+`.
fn ascii_digits(text: &str) -> String {
    /// The zeros of the scripts whose digits appear in telephone numbers. The digits from one to nine follow each
    /// zero.
    const ZEROS: [char; 17] = [
        '\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}',
        '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{17e0}', '\u{ff10}',
    ];
    let ascii = |c: char| {
        let digit = ZEROS.iter().find_map(|zero| {
            let above = u32::from(c).checked_sub(u32::from(*zero))?;
            char::from_digit(above, 10)
        });
        match c {
            '＋' => '+',
            c => digit.unwrap_or(c),
        }
    };
    text.chars().map(ascii).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_in(text: &str, region: &str) -> Number {
        Number::read(text, region.parse().unwrap())
    }

    #[test]
    fn one_number_in_three_spellings_is_one_number() {
        let read = |text| read_in(text, "GB");
        assert_eq!(read("020 7946 0123"), read("+44 20 7946 0123"));
        assert_eq!(read("442079460123"), read("+44 20 7946 0123"));
    }

    #[test]
    fn a_number_of_another_country_keeps_its_own_code() {
        assert_eq!(read_in("(202) 555-0100", "US"), read_in("+12025550100", "IN"));
        assert_ne!(read_in("+12025550100", "IN"), read_in("+12025550131", "IN"));
    }

    #[test]
    fn one_number_in_the_spellings_of_telephony_providers_is_one_number() {
        let own = read_in("+91 98765 43210", "IN");
        for text in [
            "+919876543210",
            "919876543210",
            "00919876543210",
            "0919876543210",
            "+09876543210",
            "+0919876543210",
            "09876543210",
            "9876543210",
            "+91 98765 43210;ext=12",
            "+91 98765 43210 ext. 12",
            "+91-98765-43210 x12",
            "+91 98765 43210,,12#",
            "tel:+91-98765-43210",
            "tel:9876543210;phone-context=+91",
            "sip:+919876543210@10.0.0.5:5060;user=phone",
            "SIPS:9876543210@sip.example.com",
            "＋９１ ９８７６５ ４３２１０",
            "+९१ ९८७६५ ४३२१०",
            "(+91) 98765 43210",
            "+91\u{a0}98765\u{2011}43210",
        ] {
            assert_eq!(read_in(text, "IN"), own, "{text}");
            assert_eq!(read_in(text, "in"), own, "{text}, the region in lower case");
        }
        // In Italy the leading zero belongs to the number.
        assert_eq!(read_in("06 698 12345", "IT"), read_in("tel:+39-06-698-12345", "IN"));
        for other in ["+91 98765 43211", "+1 202 555 0100", "98765", "sip:dana@10.0.0.5:5060"] {
            assert_ne!(read_in(other, "IN"), own, "{other}");
        }
    }

    #[test]
    fn an_unreadable_number_is_not_joined_with_the_text_beside_it() {
        assert_eq!(read_in("sip:12@10.0.0.5:5060", "IN").as_str(), "12");
        assert_eq!(read_in("000 ext. 99", "IN").as_str(), "000");
    }

    #[test]
    fn a_number_that_no_plan_knows_is_compared_by_its_digits() {
        assert_eq!(read_in("0000-000-0456", "IN"), read_in("00000000456", "IN"));
    }

    #[test]
    fn a_number_with_a_country_code_names_its_country() {
        assert_eq!(Region::of_number("+12025550100"), Some("US".parse().unwrap()));
        assert_eq!(Region::of_number("09631084471"), None);
    }

    #[test]
    fn a_country_is_read_in_capitals_and_in_lower_case_and_other_texts_are_refused() {
        assert_eq!("gb".parse::<Region>(), "GB".parse());
        assert_eq!("gb".parse::<Region>().unwrap().to_string(), "GB");
        for wrong in ["", "G", "GBR", "ZZ", "4", "+44", "India", "éé"] {
            assert_eq!(wrong.parse::<Region>(), Err(NoRegion), "{wrong}");
        }
    }

    #[test]
    fn without_any_named_country_it_is_india() {
        assert_eq!(Region::DEFAULT.to_string(), "IN");
    }
}
