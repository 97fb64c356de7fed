//! Reads an e-mail address out of what a source wrote in its place.
//!
//! Calendars write `mailto:ann@example.com`, mail programs write `Ann Lee <ann@example.com>`, and people copy both. The
//! address of a person is the key by which a CRM knows them, so one address must not have two spellings.

use crate::shown_text::visible;

/// The longest address that RFC 5321 allows, in characters.
const MAX_CHARS: usize = 254;

/// The address in lower case, without `mailto:`, a name before it or marks around it. `None` where the text holds no
/// address, or more than one.
pub fn read(text: &str) -> Option<String> {
    let text = visible(text).to_lowercase();
    let inside = match text.rsplit_once('<') {
        Some((_, behind)) => behind.split('>').next().unwrap_or_default(),
        None => &text,
    };
    let bare = |text: &str| {
        text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '<' | '>'))
            .to_owned()
    };
    let address = bare(inside);
    let address = match address.strip_prefix("mailto:") {
        // A link can hold a subject behind the address.
        Some(link) => bare(link.split('?').next().unwrap_or_default()),
        None => address,
    };
    let (local, domain) = address.split_once('@')?;
    let is_usable = !local.is_empty()
        && domain.split('.').count() > 1
        && domain.split('.').all(|label| !label.is_empty())
        && address.chars().count() <= MAX_CHARS
        && !address.contains(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"'))
        && !domain.contains(['@', ':', '/']);
    is_usable.then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_without_what_stands_around_it() {
        for text in [
            "ann@x.example.com",
            " ANN@X.example.com ",
            "mailto:ann@x.example.com",
            "MAILTO: Ann@X.example.com",
            "mailto:ann@x.example.com?subject=Call%20me",
            "<ann@x.example.com>",
            "Ann Lee <ann@x.example.com>",
            "\"Lee, Ann\" <mailto:ann@x.example.com>",
            "\u{200b}ann@x.example.com\u{feff}",
            "'ann@x.example.com';",
        ] {
            assert_eq!(read(text).as_deref(), Some("ann@x.example.com"), "{text:?}");
        }
        for text in ["a'b@x.example.com", "a+b@x.example.com", "mailto@x.example.com", "प्रिया@x.example.com"]
        {
            assert_eq!(read(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_no_single_address_is_none() {
        for text in [
            "",
            "Ann",
            "mailto:",
            "@x.example",
            "a b@x.example.com",
            "a@b@x.com",
            "a@localhost",
            "a\n@x.com",
            "a@x..com",
            "a@x.com.",
            "a@x.com,b@x.com",
            "a@x.com; b@x.com",
            "https://a@x.com/b",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read(&format!("{}@example.com", "a".repeat(250))), None);
    }
}
