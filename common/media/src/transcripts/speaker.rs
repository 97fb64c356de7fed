//! Decides whether a line starts with who says it: `Priya Raman: Good morning`.
//!
//! Nothing marks a label; `Note: we start at ten` has the same shape. So a label must read like a name, and must not be one
//! of the words with which people open a sentence that way. A label that does not read like a name (`dana_ortiz`)
//! counts once the file uses it several times.

use std::collections::HashMap;

use super::one_line;

/// Meeting products cut display names at 64 characters; some add a company in brackets.
const MAX_LABEL_CHARS: usize = 80;
const MAX_LABEL_WORDS: usize = 7;
/// How often an unlikely name has to be used as a label before it is one.
const OFTEN: u32 = 3;

/// Words that open a sentence, or a line of a file's head, before a colon. Sorted.
const NO_NAMES: &[&str] = &[
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

/// Parts of names that are written in lower case.
const PARTICLES: &[&str] = &[
    "al", "and", "ap", "bin", "bint", "da", "das", "de", "del", "della", "den", "der", "di", "do", "dos",
    "du", "e", "el", "ibn", "la", "le", "of", "ten", "ter", "van", "von", "y", "zu",
];

/// Which labels a file uses, as far as its lines tell.
pub(super) struct Labels(HashMap<String, u32>);

impl Labels {
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut uses = HashMap::new();
        for (label, _) in lines.filter_map(split) {
            if !reads_like_a_name(label) {
                *uses.entry(one_line(label)).or_default() += 1;
            }
        }
        Self(uses)
    }

    /// The speaker and the words of a line that starts with a label.
    pub(super) fn split<'a>(&self, line: &'a str) -> Option<(String, &'a str)> {
        let (label, words) = split(line)?;
        let name = one_line(label);
        (reads_like_a_name(label) || self.0.get(&name).is_some_and(|uses| *uses >= OFTEN))
            .then_some((name, words))
    }

    /// The turns of a text in which somebody else may start to speak on any line.
    pub(super) fn turns(&self, text: &str) -> Vec<(Option<String>, String)> {
        let mut turns: Vec<(Option<String>, String)> = Vec::new();
        for line in text.lines() {
            match (self.split(line), turns.last_mut()) {
                (Some((speaker, words)), _) => turns.push((Some(speaker), one_line(words))),
                (None, Some((_, said))) => append(said, line),
                (None, None) => turns.push((None, one_line(line))),
            }
        }
        turns
    }
}

/// Adds words after a space.
pub(super) fn append(said: &mut String, line: &str) {
    for word in line.split_whitespace() {
        if !said.is_empty() {
            said.push(' ');
        }
        said.push_str(word);
    }
}

/// What stands before and after the first colon, where the first part can be a label at all.
fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let (at, colon) = line.char_indices().take(MAX_LABEL_CHARS + 1).find(|(_, c)| matches!(c, ':' | '：'))?;
    let (label, words) = (line[..at].trim_end(), &line[at + colon.len_utf8()..]);
    // `10:30` and `https://` have no space; the wide colon needs none.
    let apart = colon == '：' || words.is_empty() || words.starts_with(char::is_whitespace);
    (apart && can_be_a_label(label)).then_some((label, words))
}

fn can_be_a_label(label: &str) -> bool {
    let plain = label.chars().all(|c| {
        c.is_alphanumeric() || c.is_whitespace() || "'’.-–_()[],&/@#+|\u{300}\u{301}\u{308}".contains(c)
    });
    let starts_well = label.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '+' | '@' | '('));
    let lower = label.to_lowercase();
    let bare = lower.trim_end_matches(|c: char| c.is_ascii_digit() || c.is_whitespace() || c == '.');
    plain
        && starts_well
        && label.split_whitespace().count() <= MAX_LABEL_WORDS
        && label.chars().any(char::is_alphanumeric)
        && NO_NAMES.binary_search(&bare).is_err()
}

fn reads_like_a_name(label: &str) -> bool {
    let word_of_a_name = |word: &str| {
        let word = word.trim_start_matches(['(', '[', '\'', '’', '+', '@', '#', '&', '-', '–', '|', '/']);
        // Scripts without capitals have no lower case either.
        !word.starts_with(char::is_lowercase) || PARTICLES.contains(&word) || word.contains('@')
    };
    let digits = label.chars().filter(char::is_ascii_digit).count();
    let letters = label.chars().any(char::is_alphabetic);
    // Somebody who dialled in is shown by the number; `10: …` is a list.
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
mod tests {
    use super::*;

    fn speaker(line: &str) -> Option<String> {
        Labels::of([line].into_iter()).split(line).map(|(speaker, _)| speaker)
    }

    #[test]
    fn the_words_that_are_no_names_can_be_searched() {
        assert!(NO_NAMES.is_sorted());
    }

    #[test]
    fn names_of_many_kinds_are_labels() {
        for name in [
            "Priya Raman",
            "Cher",
            "Mary Ann Van Dyke",
            "Ludwig van der Berg",
            "Conor O'Neil",
            "Dr. Speaker Title",
            "Speaker A",
            "A",
            "speaker 1",
            "Tom Björk (Halvorsen)",
            "+1 202-555-0131",
            "12025550131",
            "dana@halvorsen.example.com",
            "山田太郎",
            "agent",
            "Jean-Luc",
            "Notable Person",
        ] {
            assert_eq!(speaker(&format!("{name}: hello")).as_deref(), Some(name));
        }
        assert_eq!(speaker("山田：こんにちは").as_deref(), Some("山田"));
    }

    #[test]
    fn the_opening_of_a_sentence_is_no_label() {
        for line in [
            "Note: I'll be late.",
            "Step 2: sign it",
            "So here is the thing: we wait.",
            "At 10:30 we start",
            "https://a.example",
            "Question: who pays?",
            "I said this. Listen: no",
            "Next steps: none",
            "10: the last point",
            "(no speaker label)",
            ": what",
            "",
        ] {
            assert_eq!(speaker(line), None, "{line}");
        }
    }

    #[test]
    fn only_the_first_colon_counts() {
        let labels = Labels::of(std::iter::empty());
        let (name, words) = labels.split("Marcus Oyelaran: Note: I'll be covering it.").unwrap();
        assert_eq!((name.as_str(), words.trim()), ("Marcus Oyelaran", "Note: I'll be covering it."));
    }

    #[test]
    fn an_unlikely_name_counts_once_the_file_uses_it_often() {
        let lines = ["dana_ortiz: hi", "Cher: hi", "dana_ortiz: yes", "dana_ortiz: bye", "so far: good"];
        let labels = Labels::of(lines.into_iter());
        assert!(labels.split(lines[0]).is_some());
        assert!(labels.split(lines[4]).is_none());
    }
}
