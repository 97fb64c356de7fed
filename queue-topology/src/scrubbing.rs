//! Decides what may be kept of an error's text: no address, no number of a person and no query of a URL. Also puts
//! errors of the same kind into one group, so that they are listed together.

use std::net::Ipv4Addr;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use uuid::Uuid;

const MAX_CHARS: usize = 500;

struct Rule {
    pattern: Regex,
    with: &'static str,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    [
        (r"(?i)\b[a-z][a-z0-9+.-]*://[^\s`'\x22<>)]+", "<url>"),
        (r"[^\s@<>`'\x22]+@[^\s@<>`'\x22]+\.[a-zA-Z]{2,}", "<e-mail>"),
        (r"(?i)\b(?:bearer|basic)\s+[a-z0-9._~+/=-]+", "<credentials>"),
        (
            r"(?i)(?:\b|_)(?:key|token|secret|password|signature)\b['\x22]?\s*[=:]\s*['\x22]?[^\s'\x22&,;}]+",
            "<credentials>",
        ),
        (
            r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\+?\(?\d[\d\s()./\u{2010}-\u{2015}-]{5,}\d",
            "<number>",
        ),
    ]
    .into_iter()
    .filter_map(|(pattern, with)| Regex::new(pattern).ok().map(|pattern| Rule { pattern, with }))
    .collect()
});

static VARIABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b|\d+|`[^`]*`").ok());

/// `text` without anything that could name a person or give access to something, and not longer than is useful.
pub fn scrub(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control()).take(MAX_CHARS * 4).collect();
    let clean = RULES.iter().fold(kept, |text, rule| {
        // The address of a machine looks like a telephone number, and so do parts of our own ids and the days in the
        // names of models (`gpt-4o-mini-2024-07-18`). None of them names a person.
        let with = |found: &Captures<'_>| {
            let text = &found[0];
            let names_nobody =
                is_day(text) || text.parse::<Ipv4Addr>().is_ok() || text.parse::<Uuid>().is_ok();
            if names_nobody { found[0].to_owned() } else { rule.with.to_owned() }
        };
        rule.pattern.replace_all(&text, with).into_owned()
    });
    clean.chars().take(MAX_CHARS).collect()
}

/// Whether `text` is a day such as `2024-07-18`.
fn is_day(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(|part| (part.len(), part.parse::<u32>())).collect();
    matches!(parts[..], [(4, Ok(_)), (2, Ok(1..=12)), (2, Ok(1..=31))])
}

/// What the errors of a group have in common beside their code: the text, with `#` for each id, number and quoted name.
pub fn shape(scrubbed: &str) -> String {
    VARIABLE
        .as_ref()
        .map_or_else(|| scrubbed.to_owned(), |variable| variable.replace_all(scrubbed, "#").into_owned())
}

/// The group of an error: its code and its [`shape`].
pub fn group(code: &str, scrubbed: &str) -> String {
    let shape = shape(scrubbed);
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, shape.as_bytes());
    format!("{code}-{}", &id.simple().to_string()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_names_a_person_or_gives_access_is_not_kept() {
        let text = "failed to fetch https://x.example.com/a?token=s3cret for odile@marchetti.example.com \
                    at +1 202 555-0131 with Bearer abc.def";
        let kept = scrub(text);
        for secret in ["s3cret", "odile", "555", "abc.def"] {
            assert!(!kept.contains(secret), "{kept}");
        }
        assert!(kept.starts_with("failed to fetch <url> for <e-mail>"), "{kept}");
        for kept in [
            "failed to reach 127.0.0.1",
            "effect 11111111-2222-4333-8444-555555555555 is unknown",
            "the model `gpt-4o-mini-2024-07-18` does not exist",
        ] {
            assert_eq!(scrub(kept), kept);
        }
        for (text, kept) in [
            ("amqps://debrief:pw@mq.example.com/%2f is away", "<url> is away"),
            ("{\"api_key\": \"sk-123\", \"n\": 1}", "{\"api<credentials>\", \"n\": 1}"),
            ("sent to (202) 555\u{2011}0131", "sent to <number>"),
        ] {
            assert_eq!(scrub(text), kept);
        }
    }

    #[test]
    fn errors_that_differ_in_ids_and_numbers_are_one_group() {
        let group = |text: &str| group("slack_error", text);
        assert_eq!(group("call `a1` failed after 3 tries"), group("call `b2` failed after 17 tries"));
        assert_ne!(group("call `a1` failed"), group("call `a1` was refused"));
    }
}
