//! Decides whether a line starts with a speaker label, as in `Priya Raman: Good morning`.
//!
//! Nothing marks a label, and a sentence such as `Note: we start at ten` has the same form. So a label must read
//! like a name, and must not be one of the words that often stand before a colon at the start of a sentence. A
//! label that does not read like a name (`dana_ortiz`) is accepted when the file uses it several times.

use std::collections::HashMap;

use domain::shown_text::visible;

use super::people::People;
use crate::words::{append, one_line};

/// Meeting products cut display names at 64 characters, and some of them add a company in brackets.
const MAX_LABEL_CHARS: usize = 80;
const MAX_LABEL_WORDS: usize = 7;
/// How often the file must use a label that does not read like a name.
const MIN_USES_OF_AN_UNLIKELY_LABEL: u32 = 3;

/// Words before a colon that start a sentence or a line of a file's heading, and are no names. The list is sorted for
/// the binary search.
const NOT_NAMES: &[&str] = &[
    "action",
    "action item",
    "action items",
    "actions",
    "address",
    "agenda",
    "also",
    "and",
    "answer",
    "attendees",
    "attention",
    "bad news",
    "because",
    "bottom line",
    "but",
    "caution",
    "conclusion",
    "correction",
    "date",
    "decision",
    "disclaimer",
    "duration",
    "e-mail",
    "edit",
    "email",
    "example",
    "fact",
    "finally",
    "first",
    "for example",
    "fyi",
    "goal",
    "good news",
    "hint",
    "however",
    "http",
    "https",
    "idea",
    "important",
    "in short",
    "issue",
    "kind",
    "language",
    "last",
    "like",
    "location",
    "long story short",
    "meaning",
    "meeting",
    "meeting title",
    "my point",
    "my question",
    "nb",
    "next",
    "next step",
    "next steps",
    "no",
    "note",
    "notes",
    "ok",
    "okay",
    "option",
    "or",
    "part",
    "participants",
    "phone",
    "plan",
    "point",
    "price",
    "problem",
    "ps",
    "question",
    "questions",
    "quick question",
    "quote",
    "re",
    "reason",
    "recap",
    "recording",
    "remember",
    "reminder",
    "result",
    "results",
    "rule",
    "second",
    "side note",
    "so",
    "solution",
    "spoiler",
    "step",
    "subject",
    "summary",
    "the point",
    "the problem",
    "the question",
    "the thing",
    "then",
    "thing",
    "third",
    "time",
    "tip",
    "title",
    "to do",
    "todo",
    "topic",
    "total",
    "transcript",
    "translation",
    "update",
    "warning",
    "website",
    "well",
    "why",
    "yes",
];

/// Parts of a person's name that are written in lower case.
const PARTICLES: &[&str] = &[
    "al", "and", "ap", "bin", "bint", "da", "das", "de", "del", "della", "den", "der", "di", "do", "dos",
    "du", "e", "el", "ibn", "la", "le", "of", "ten", "ter", "van", "von", "y", "zu",
];

/// The labels of one file: who is known to take part, and how often the file uses each label that does not read
/// like a name.
pub(super) struct Labels<'p> {
    people: &'p People,
    uses: HashMap<String, u32>,
    /// At least half of the file's labels are names of listed people. Any other text before a colon is then far more
    /// likely the beginning of a sentence (`Order Number: 4471`) than a person whom nobody listed.
    only_listed: bool,
}

impl<'p> Labels<'p> {
    pub(super) fn of<'a>(people: &'p People, lines: impl Iterator<Item = &'a str>) -> Self {
        let mut uses: HashMap<String, u32> = HashMap::new();
        let (mut listed, mut others) = (0_usize, 0_usize);
        for line in lines {
            if people_label(people, line).is_some() {
                listed += 1;
            } else if let Some((label, _)) = split(line) {
                others += 1;
                *uses.entry(one_line(label)).or_default() += 1;
            }
        }
        Self { people, uses, only_listed: listed > 0 && listed >= others }
    }

    /// Splits a line that starts with a label into the speaker and the words. A listed person is called as listed.
    pub(super) fn split<'a>(&self, line: &'a str) -> Option<(String, &'a str)> {
        if let Some((name, words)) = people_label(self.people, line) {
            return Some((name.to_owned(), words));
        }
        let (label, words) = split(line)?;
        let name = one_line(&visible(label));
        let often =
            || self.uses.get(&one_line(label)).is_some_and(|uses| *uses >= MIN_USES_OF_AN_UNLIKELY_LABEL);
        let is_speaker = if self.only_listed { often() } else { reads_like_a_name(label) || often() };
        is_speaker.then_some((name, words))
    }

    /// Whether a line that names no speaker may still begin with the name of one: of somebody whom nobody listed. Its
    /// words must not be taken for those of the speaker before.
    pub(super) fn may_name_somebody(&self, line: &str) -> bool {
        self.only_listed && split(line).is_some_and(|(label, _)| reads_like_a_name(label))
    }

    /// A name that the file itself marks as the speaker's; a listed person is called as listed.
    pub(super) fn marked(&self, name: &str) -> String {
        self.people.named(name).map_or_else(|| one_line(&visible(name)), str::to_owned)
    }

    /// Splits a text into turns, each with its speaker and its words. Every line can start a new turn.
    pub(super) fn turns(&self, text: &str) -> Vec<(Option<String>, String)> {
        let mut turns: Vec<(Option<String>, String)> = Vec::new();
        for line in text.lines() {
            match (self.split(line), turns.last_mut()) {
                (Some((speaker, words)), _) => turns.push((Some(speaker), one_line(words))),
                (None, Some((_, words))) => append(words, line),
                (None, None) => turns.push((None, one_line(line))),
            }
        }
        turns
    }
}

/// Splits a line whose text before the first colon is the name of a listed person, whatever that text looks like.
fn people_label<'p, 'a>(people: &'p People, line: &'a str) -> Option<(&'p str, &'a str)> {
    if people.is_empty() {
        return None;
    }
    let (label, words) = at_colon(line)?;
    Some((people.named(label)?, words))
}

/// Splits a line at its first colon. There is no result when the text before the colon cannot be a label.
fn split(line: &str) -> Option<(&str, &str)> {
    at_colon(line).filter(|(label, _)| can_be_a_label(label))
}

fn at_colon(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let (at, colon) = line.char_indices().take(MAX_LABEL_CHARS + 1).find(|(_, c)| matches!(c, ':' | '：'))?;
    let (label, words) = (line[..at].trim_end(), &line[at + colon.len_utf8()..]);
    // No space follows the colon in `10:30` and `https://`. The wide colon of Chinese and Japanese needs no space.
    let apart = colon == '：' || words.is_empty() || words.starts_with(char::is_whitespace);
    apart.then_some((label, words))
}

/// Whether `label` has the shape of a name. A display name holds nearly every character; what no name holds are
/// marks that end or join sentences.
pub(super) fn can_be_a_label(label: &str) -> bool {
    let plain = !label.contains(['?', '!', ';', '<', '>', '{', '}', '=', '\\', '"', '…'])
        && !label.contains(char::is_control);
    let starts_well = !label.starts_with(['.', ',', '-', '–', '/', '&', ')', ']', '\'', '’']);
    let lower = label.to_lowercase();
    let bare = lower.trim_end_matches(|c: char| c.is_ascii_digit() || c.is_whitespace() || c == '.');
    plain
        && starts_well
        && label.split_whitespace().count() <= MAX_LABEL_WORDS
        && label.chars().any(char::is_alphanumeric)
        && NOT_NAMES.binary_search(&bare).is_err()
}

fn reads_like_a_name(label: &str) -> bool {
    let word_of_a_name = |word: &str| {
        let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
        // A letter of a script without capital letters is not lower case, so such a word is accepted.
        !word.starts_with(char::is_lowercase) || PARTICLES.contains(&word) || word.contains('@')
    };
    let digits = label.chars().filter(char::is_ascii_digit).count();
    let letters = label.chars().any(char::is_alphabetic);
    // A person who dialled in by phone is shown by the phone number. A short number, as in `10: …`, only counts the
    // entries of a list.
    (letters || digits >= 5)
        && label.split_whitespace().all(word_of_a_name)
        && !label.split_whitespace().all(|word| PARTICLES.contains(&word))
        || is_role(label)
}

fn is_role(label: &str) -> bool {
    let lower = label.to_lowercase();
    let bare = lower.trim_end_matches(|c: char| c.is_ascii_digit() || c.is_whitespace());
    ["speaker", "agent", "customer", "caller", "user", "assistant", "host", "operator", "bot"].contains(&bare)
}

#[cfg(test)]
mod tests;
