//! The search within one transcript.

use domain::search::{Query, QueryError};
use domain::transcript::Transcript;

use crate::texts::{CallTexts, fill};

/// What is looked for in a transcript, and the lines that have something of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Finding {
    query: Option<Query>,
    /// What was typed does not say what to look for.
    pub(super) problem: Option<QueryError>,
    /// The numbers of the lines, in their order.
    lines: Vec<u32>,
    /// Which of them the visitor looks at.
    at: usize,
}

impl Finding {
    /// Looks for `text`. The visitor looks at the line `wanted` or at the first one behind it that has something of it.
    pub(super) fn of(text: Option<&str>, transcript: Option<&Transcript>, wanted: Option<u32>) -> Self {
        let query = match text.map(Query::read).transpose() {
            Ok(query) => query,
            Err(problem) => return Self { problem: Some(problem), ..Self::default() },
        };
        let segments = transcript.iter().flat_map(|transcript| &transcript.segments);
        let lines: Vec<u32> = match &query {
            Some(query) => segments
                .filter(|segment| !query.find(&segment.text).0.is_empty())
                .map(|segment| segment.id)
                .collect(),
            None => Vec::new(),
        };
        let at = wanted.map_or(0, |wanted| lines.partition_point(|line| *line < wanted));
        let at = if at == lines.len() { 0 } else { at };
        Self { query, problem: None, lines, at }
    }

    /// The line that the visitor looks at.
    pub(super) fn line(&self) -> Option<u32> {
        self.lines.get(self.at).copied()
    }

    /// The lines before and behind it. Behind the last one comes the first.
    pub(super) fn beside(&self) -> Option<(u32, u32)> {
        let count = self.lines.len();
        (count > 1).then(|| (self.lines[(self.at + count - 1) % count], self.lines[(self.at + 1) % count]))
    }

    /// "3 of 7", or that nothing was found. Absent where nobody looked for anything.
    pub(super) fn count(&self, texts: &CallTexts) -> Option<String> {
        self.query.as_ref()?;
        Some(match self.lines.len() {
            0 => texts.nothing_found.to_owned(),
            count => fill(texts.found, &[&(self.at + 1).to_string(), &count.to_string()]),
        })
    }

    /// Where a text has something of what is looked for, in bytes.
    pub(super) fn places(&self, text: &str) -> Vec<(usize, usize)> {
        self.query.as_ref().map(|query| query.find(text).0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use domain::transcript::Segment;

    use super::*;
    use crate::texts::Language;

    fn transcript(texts: &[&str]) -> Transcript {
        let segment = |text: &&str| Segment {
            id: 0,
            speaker: None,
            role: None,
            start_ms: None,
            end_ms: None,
            text: (*text).to_owned(),
            confidence: None,
        };
        Transcript { segments: texts.iter().map(segment).collect(), ..Transcript::default() }.numbered()
    }

    #[test]
    fn the_visitor_goes_from_one_found_line_to_the_next_and_around() {
        let transcript = transcript(&["A refund.", "No.", "Refunds? A REFUND!", "Yes", "the réfund"]);
        let texts = CallTexts::of(Language::English);
        let of = |wanted| Finding::of(Some("refund"), Some(&transcript), wanted);
        assert_eq!((of(None).line(), of(None).beside()), (Some(1), Some((5, 3))));
        assert_eq!((of(Some(2)).line(), of(Some(2)).count(texts).as_deref()), (Some(3), Some("2 of 3")));
        assert_eq!((of(Some(5)).line(), of(Some(5)).beside()), (Some(5), Some((3, 1))));
        assert_eq!(of(Some(99)).line(), Some(1));
    }

    #[test]
    fn nothing_found_nothing_asked_and_nothing_that_can_be_looked_for_are_told_apart() {
        let transcript = transcript(&["Hello."]);
        let texts = CallTexts::of(Language::English);
        let none = Finding::of(Some("refund"), Some(&transcript), None);
        assert_eq!((none.line(), none.count(texts).as_deref()), (None, Some(texts.nothing_found)));
        assert_eq!(Finding::of(None, Some(&transcript), None).count(texts), None);
        assert!(Finding::of(Some("…"), Some(&transcript), None).problem.is_some());
    }
}
