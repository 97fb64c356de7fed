//! The sentences of a transcript, and what they are: a request, a promise, a greeting, or a statement.

use super::{cues, facts};
use crate::openai::prompt::{Line, sentences};

/// What stands where a text is needed and nothing was said.
pub(crate) const NOTHING: &str = "Nothing was said.";
/// The number of words from which on a sentence may say what the call is about.
const STATEMENT_WORDS: usize = 5;

/// A sentence, with the line in which it stands.
#[derive(Clone, Copy)]
pub(super) struct Sentence<'a> {
    pub(super) line: &'a Line<'a>,
    pub(super) text: &'a str,
}

impl Sentence<'_> {
    pub(super) fn words(self) -> usize {
        self.text.split_whitespace().count()
    }

    pub(super) fn is_greeting(self) -> bool {
        cues::is_greeting(self.text)
    }

    /// Whether the speaker wants something.
    pub(super) fn is_request(self) -> bool {
        self.words() >= 3 && cues::has_any(self.text, cues::REQUESTS)
    }

    /// Whether the speaker says that they will do something.
    pub(super) fn is_promise(self) -> bool {
        cues::has_any(self.text, cues::PROMISES) && !cues::has_any(self.text, cues::NO_PROMISES)
    }

    /// Whether the sentence says something that is no greeting, no question and no introduction of the speaker.
    fn is_statement(self) -> bool {
        self.words() >= STATEMENT_WORDS
            && !self.text.ends_with('?')
            && !self.is_greeting()
            && !facts::is_introduction(self.text)
    }
}

/// Returns every sentence in the order in which it was said.
pub(super) fn all<'a>(lines: &'a [Line<'a>]) -> impl Iterator<Item = Sentence<'a>> {
    lines.iter().flat_map(|line| sentences(line.text).map(move |text| Sentence { line, text }))
}

/// Summarizes the transcript by its first statement, its first request and its first promise.
pub(crate) fn summary(lines: &[Line<'_>]) -> String {
    let mut picked: Vec<&str> = Vec::new();
    let statement = all(lines).find(|one| one.is_statement()).or_else(|| all(lines).next());
    let request = all(lines).find(|one| one.is_request());
    let promise = all(lines).find(|one| one.is_promise());
    for sentence in [statement, request, promise].into_iter().flatten() {
        if !picked.contains(&sentence.text) {
            picked.push(sentence.text);
        }
    }
    if picked.is_empty() { NOTHING.to_owned() } else { picked.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_leaves_out_the_greetings_and_the_names_at_the_beginning() {
        let line = |number, speaker, text| Line { number, speaker, text };
        let lines = [
            line(1, "Bo", "Good morning both, thank you for joining. Shall we begin with the plan?"),
            line(2, "Ada", "I'm Ada Nagy, Head of Sales at Nagy Foods. It takes us a day to bill."),
            line(3, "Bo", "I'll be brief. We'll send you the plan by Friday."),
        ];
        assert_eq!(summary(&lines), "It takes us a day to bill. We'll send you the plan by Friday.");
        let lines = [
            line(1, "Bo", "Good morning, this is the help desk speaking."),
            line(2, "Ada", "Hello. I need a refund for my last invoice, this is urgent."),
            line(3, "Bo", "I will send you the form by Friday."),
        ];
        assert_eq!(
            summary(&lines),
            "I need a refund for my last invoice, this is urgent. I will send you the form by Friday."
        );
    }
}
