//! Telephone numbers. Two are equal when their E.164 forms are equal; each is shown as it arrived.

use phonenumber::country;

/// A number reduced to what two spellings of it share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(String);

impl Number {
    /// Reads `text` in `region` (an ISO 3166 code such as `IN`) where it has no country code. A `tel:` or `sip:`
    /// address, an extension behind the number, digits of other scripts, and an international number whose `+` is
    /// missing, is written `00`, or stands before a national number (`+0987…`, as some telephony providers send it) are
    /// read as the number that they mean. What no numbering plan knows compares by its digits, without an extension.
    pub fn read(text: &str, region: &str) -> Self {
        let plain = subscriber(&ascii_digits(text));
        let region: Option<country::Id> = region.to_ascii_uppercase().parse().ok();
        let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
        let has_plus = plain.trim_start().starts_with('+');
        let national = digits.trim_start_matches('0');
        let candidates = [
            (plain.clone(), region),
            // `00` is how many people dial `+`.
            (digits.strip_prefix("00").map(|rest| format!("+{rest}")).unwrap_or_default(), None),
            (if digits.len() > 10 { format!("+{digits}") } else { String::new() }, None),
            // A trunk zero before the country code, or behind a `+`.
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

/// The part of an address or of a written number that names the line: without the scheme, the host, the parameters and
/// the extension.
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
    // `98765 43210;phone-context=+91` (RFC 3966) is a number of that country.
    let context = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("phone-context="));
    let number = without_extension(user);
    match context.filter(|context| context.starts_with('+')) {
        Some(context) if !number.trim_start().starts_with('+') => format!("{context}{number}"),
        _ => number.to_owned(),
    }
}

/// `text` up to a mark that people write before an extension.
fn without_extension(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    let marks = ["ext", "x", "#"];
    let end = marks.iter().filter_map(|mark| lower.find(mark)).filter(|at| *at > 0).min();
    end.map_or(text, |end| &text[..end])
}

/// `text` with every decimal digit of any script as an ASCII digit, and a full-width plus as `+`.
fn ascii_digits(text: &str) -> String {
    /// The zeros of the scripts whose digits appear in telephone numbers; nine more follow each.
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

/// The region that a number written with `+` belongs to.
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
    fn one_number_in_the_spellings_of_telephony_providers_is_one_number() {
        let own = Number::read("+91 98765 43210", "IN");
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
            assert_eq!(Number::read(text, "IN"), own, "{text}");
            assert_eq!(Number::read(text, "in"), own, "{text}, the region in lower case");
        }
        // In Italy the zero belongs to the number.
        assert_eq!(Number::read("06 698 12345", "IT"), Number::read("tel:+39-06-698-12345", "IN"));
        for other in ["+91 98765 43211", "+1 202 555 0100", "98765", "sip:dana@10.0.0.5:5060"] {
            assert_ne!(Number::read(other, "IN"), own, "{other}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_glued_to_what_stands_beside_it() {
        assert_eq!(Number::read("sip:12@10.0.0.5:5060", "IN").as_str(), "12");
        assert_eq!(Number::read("000 ext. 99", "IN").as_str(), "000");
    }

    #[test]
    fn what_no_plan_knows_compares_by_its_digits() {
        assert_eq!(Number::read("0000-000-0456", "IN"), Number::read("00000000456", "IN"));
    }

    #[test]
    fn the_region_of_a_support_number_is_its_country() {
        assert_eq!(region_of("+12025550100").as_deref(), Some("US"));
        assert_eq!(region_of("09631084471"), None);
    }
}
