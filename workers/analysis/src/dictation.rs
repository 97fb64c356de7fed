//! Reads e-mail addresses and numbers as people dictate them: `odile at marchetti dot example dot com`, `two oh two`.

use std::sync::LazyLock;

use regex::Regex;

use crate::text;

/// An e-mail address as it is written.
static WRITTEN_ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)[a-z0-9._%+-]*[a-z0-9_%+-]@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}")
        .expect("a fixed pattern")
});

/// An e-mail address as it is spoken: the words before `at`, joined by `dot`, `underscore` or `dash`, and a domain.
static SPOKEN_ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix) \b ([\p{L}0-9]+ (?: (?: \s+(?:dot|underscore|dash|hyphen|plus)\s+ | [._-] ) [\p{L}0-9]+ )*)
          \s+ at \s+
          ([\p{L}0-9-]+ (?: (?: \s+(?:dot|dash|hyphen)\s+ | \. ) [\p{L}0-9-]+ )+)",
    )
    .expect("a fixed pattern")
});

/// A spoken sign of an e-mail address.
static SPOKEN_SIGN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\s+(dot|underscore|dash|hyphen|plus)\s+").expect("a fixed pattern"));

/// A speaker who says their own name: `I'm Gil Novak`, `this is Gil`.
static OWN_NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\b(?i:i['’]m|i am|my name is|my name['’]s|this is)\s+(\p{Lu}[\p{L}'’-]*(?:\s+\p{Lu}[\p{L}'’-]*){0,3})",
    )
    .expect("a fixed pattern")
});

/// Words before `at` that are not the name of a mailbox. "Reach me at acme dot com", for example, names a web site.
const NOT_MAILBOXES: [&str; 24] = [
    "me",
    "us",
    "him",
    "her",
    "them",
    "you",
    "it",
    "is",
    "are",
    "was",
    "mail",
    "email",
    "online",
    "site",
    "website",
    "here",
    "there",
    "available",
    "look",
    "visit",
    "or",
    "and",
    "work",
    "office",
];

/// The e-mail addresses in `text`, written or spoken, in lower case.
pub(crate) fn emails(text: &str) -> Vec<String> {
    let written = WRITTEN_ADDRESS.find_iter(text).map(|found| found.as_str().to_lowercase());
    let spoken = SPOKEN_ADDRESS.captures_iter(text).filter_map(|found| {
        let (mailbox, domain) = (&found[1], &found[2]);
        let has_sign = SPOKEN_SIGN.is_match(mailbox) || SPOKEN_SIGN.is_match(domain);
        (has_sign && !NOT_MAILBOXES.contains(&mailbox.to_lowercase().as_str()))
            .then(|| format!("{}@{}", with_signs(mailbox), with_signs(domain)))
    });
    written.chain(spoken).collect()
}

/// Replaces spoken signs by the written ones.
fn with_signs(spoken: &str) -> String {
    SPOKEN_SIGN
        .replace_all(spoken, |found: &regex::Captures| match found[1].to_lowercase().as_str() {
            "underscore" => "_",
            "dash" | "hyphen" => "-",
            "plus" => "+",
            _ => ".",
        })
        .to_lowercase()
}

/// The numbers in `text` as runs of digits. One run is made of digits that are said one by one, or that are grouped by
/// spaces, hyphens, dots, slashes or brackets. A comma or any other word ends the run.
pub(crate) fn digit_runs(text: &str) -> Vec<String> {
    let mut runs = vec![String::new()];
    let mut times = 1;
    for token in
        text.split(|c: char| c.is_whitespace() || matches!(c, '-' | '.' | '(' | ')' | '/' | '‑' | '–'))
    {
        let (word, ends) = match token.strip_suffix([',', ';', ':', '!', '?']) {
            Some(word) => (word, true),
            None => (token, false),
        };
        let word = word.trim_start_matches('+');
        if word.is_empty() && !ends {
            continue;
        }
        let digits = match word.to_lowercase().as_str() {
            "double" => {
                times = 2;
                continue;
            }
            "triple" => {
                times = 3;
                continue;
            }
            written if !written.is_empty() && written.bytes().all(|b| b.is_ascii_digit()) => {
                written.to_owned()
            }
            word => digit(word).to_owned(),
        };
        if let Some(run) = runs.last_mut().filter(|_| !digits.is_empty()) {
            run.push_str(&digits.repeat(times));
        }
        times = 1;
        if digits.is_empty() || ends {
            runs.push(String::new());
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// The digit that `word` says; an empty text when it says none.
fn digit(word: &str) -> &'static str {
    match word {
        "zero" | "oh" | "o" => "0",
        "one" => "1",
        "two" => "2",
        "three" => "3",
        "four" => "4",
        "five" => "5",
        "six" => "6",
        "seven" => "7",
        "eight" => "8",
        "nine" => "9",
        _ => "",
    }
}

/// The digits in `text`, in their order.
pub(crate) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The name with which the speaker of `sentence` introduces themselves.
pub(crate) fn own_name(sentence: &str) -> Option<&str> {
    Some(OWN_NAME.captures(sentence)?.get(1)?.as_str())
}

/// Whether `text` contains the words of `value` one after the other. Capital letters and punctuation do not matter.
pub(crate) fn says(text: &str, value: &str) -> bool {
    text::contains(&text::folded(text), &text::folded(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_address_is_read_in_its_written_and_in_its_spoken_form() {
        assert_eq!(emails("It's r.Delacroix@mail.example.com."), ["r.delacroix@mail.example.com"]);
        assert_eq!(
            emails("Write to me, odile at marchetti dot example dot com please"),
            ["odile@marchetti.example.com"]
        );
        assert_eq!(
            emails("lena underscore fox at north dash pier dot example dot org"),
            ["lena_fox@north-pier.example.org"]
        );
    }

    #[test]
    fn a_web_site_or_a_place_is_not_taken_for_an_email_address() {
        assert!(emails("You can reach me at acme dot com.").is_empty());
        assert!(emails("Look at work. Then call.").is_empty());
        assert!(emails("We met at marchetti.example.com once").is_empty());
    }

    #[test]
    fn the_name_with_which_a_speaker_introduces_themselves_is_found() {
        assert_eq!(own_name("Hi, I’m Odile Marchetti, from sales."), Some("Odile Marchetti"));
        assert_eq!(own_name("I'm late, this is a bad line."), None);
    }

    #[test]
    fn digits_are_read_when_they_are_grouped_and_when_they_are_said_one_by_one() {
        assert_eq!(digit_runs("My line is (202) 555-0147."), ["2025550147"]);
        assert_eq!(digit_runs("two oh two, triple five, zero one four seven"), ["202", "555", "0147"]);
        assert_eq!(digit_runs("two oh two triple five zero one four seven"), ["2025550147"]);
        assert_eq!(digit_runs("18 Quayside Road, Duluth, Minnesota, 55802."), ["18", "55802"]);
    }
}
