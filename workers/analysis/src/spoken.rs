//! Reads addresses and numbers as people say them: `odile at marchetti dot example dot com`, `two oh two`.

use std::sync::LazyLock;

use regex::Regex;

use crate::text;

static WRITTEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)[a-z0-9._%+-]*[a-z0-9_%+-]@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}")
        .expect("a fixed pattern")
});

/// The word before `at` with what `dot`, `underscore` and `dash` join to it, and a domain.
static SAID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix) \b ([\p{L}0-9]+ (?: (?: \s+(?:dot|underscore|dash|hyphen|plus)\s+ | [._-] ) [\p{L}0-9]+ )*)
          \s+ at \s+
          ([\p{L}0-9-]+ (?: (?: \s+(?:dot|dash|hyphen)\s+ | \. ) [\p{L}0-9-]+ )+)",
    )
    .expect("a fixed pattern")
});

static JOINT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\s+(dot|underscore|dash|hyphen|plus)\s+").expect("a fixed pattern"));

/// `I'm Gil Novak`, `this is Gil`.
static OWN_NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\b(?i:i['’]m|i am|my name is|my name['’]s|this is)\s+(\p{Lu}[\p{L}'’-]*(?:\s+\p{Lu}[\p{L}'’-]*){0,3})",
    )
    .expect("a fixed pattern")
});

/// Words before `at` that are no mailbox: "reach me at acme dot com" names a site.
const NO_MAILBOX: [&str; 24] = [
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

/// The e-mail addresses of `text`, written or spoken, in lower case.
pub(crate) fn emails(text: &str) -> Vec<String> {
    let written = WRITTEN.find_iter(text).map(|found| found.as_str().to_lowercase());
    let said = SAID.captures_iter(text).filter_map(|found| {
        let (mailbox, domain) = (&found[1], &found[2]);
        let spoken = JOINT.is_match(mailbox) || JOINT.is_match(domain);
        (spoken && !NO_MAILBOX.contains(&mailbox.to_lowercase().as_str()))
            .then(|| format!("{}@{}", joined(mailbox), joined(domain)))
    });
    written.chain(said).collect()
}

fn joined(said: &str) -> String {
    JOINT
        .replace_all(said, |found: &regex::Captures| match found[1].to_lowercase().as_str() {
            "underscore" => "_",
            "dash" | "hyphen" => "-",
            "plus" => "+",
            _ => ".",
        })
        .to_lowercase()
}

/// The numbers of `text` as runs of digits. Digits that stand together, grouped by blanks, hyphens, dots,
/// slashes or brackets or said one by one, are one run; any other word or a comma ends it.
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
        let said = match word.to_lowercase().as_str() {
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
        if let Some(run) = runs.last_mut().filter(|_| !said.is_empty()) {
            run.push_str(&said.repeat(times));
        }
        times = 1;
        if said.is_empty() || ends {
            runs.push(String::new());
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

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

/// The digits of `text`, in order.
pub(crate) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The name by which the speaker of `sentence` introduces themselves.
pub(crate) fn own_name(sentence: &str) -> Option<&str> {
    Some(OWN_NAME.captures(sentence)?.get(1)?.as_str())
}

/// Whether the words of `value` stand together in `text`, spelled alike but for case and punctuation.
pub(crate) fn says(text: &str, value: &str) -> bool {
    text::contains(&text::folded(text), &text::folded(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_written_and_spoken() {
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
    fn a_site_or_a_place_is_no_address() {
        assert!(emails("You can reach me at acme dot com.").is_empty());
        assert!(emails("Look at work. Then call.").is_empty());
        assert!(emails("We met at marchetti.example.com once").is_empty());
    }

    #[test]
    fn who_says_a_name_of_their_own_is_heard() {
        assert_eq!(own_name("Hi, I’m Odile Marchetti, from sales."), Some("Odile Marchetti"));
        assert_eq!(own_name("I'm late, this is a bad line."), None);
    }

    #[test]
    fn digits_are_read_grouped_and_said_one_by_one() {
        assert_eq!(digit_runs("My line is (202) 555-0147."), ["2025550147"]);
        assert_eq!(digit_runs("two oh two, triple five, zero one four seven"), ["202", "555", "0147"]);
        assert_eq!(digit_runs("two oh two triple five zero one four seven"), ["2025550147"]);
        assert_eq!(digit_runs("18 Quayside Road, Duluth, Minnesota, 55802."), ["18", "55802"]);
    }
}
