//! Reads plain text: lines of `Name: words`, and the text exports of meeting products.
//!
//! Each product writes a turn in its own way, and none of them says which way it is:
//!
//! - `Priya: words`, also with a time before the name, in brackets or not, also with the name in bold Markdown;
//! - a line with the name and the time (`Mei Lin  0:03`, `Mei Lin | 00:03`), and the words on the lines below;
//! - the words after a time that stands on a line of its own, or in a Markdown heading.
//!
//! A line that begins in none of these ways belongs to the last speaker. A text without any name is still a
//! transcript: each line is a segment without a speaker. Titles, lists of people and the notices that products add
//! are nobody's words. They are left out, and a note says so.

use domain::note::Note;
use domain::transcript::{Segment, Transcript};

use super::cues::clock_ms;
use super::parsed::{ReadError, segment};
use super::people::People;
use super::speaker::Labels;
use crate::words::{append, one_line};

/// What a product says about the transcript, or about the meeting, in a line of its own.
const NOTICES: [&str; 12] = [
    "this editable transcript was computer generated",
    "this transcript was computer generated",
    "transcribed by https://otter.ai",
    "transcribed by otter.ai",
    "meeting ended after",
    "transcription ended after",
    "started transcription",
    "stopped transcription",
    "started recording",
    "stopped recording",
    "recording started",
    "recording stopped",
];
/// A heading line with the name and the time has at most this many words before the time.
const MAX_HEADING_WORDS: usize = 8;

/// What one line is, as far as the line itself and the one before it tell.
enum Line<'a> {
    Blank,
    /// Only a time: what follows was said then.
    Time(i64),
    /// A name and a time; the words follow on the next lines.
    Heading {
        name: String,
        start_ms: i64,
    },
    /// `Name: words`.
    Turn {
        name: String,
        start_ms: Option<i64>,
        words: &'a str,
    },
    Words {
        start_ms: Option<i64>,
        words: &'a str,
    },
    /// A title or a notice: nobody's words.
    Apart,
}

pub(super) fn read(text: &str, people: &People) -> Result<Transcript, ReadError> {
    let labels = Labels::of(people, text.lines().map(|line| after_time(plain(line)).1));
    let has_headings = text.lines().any(|line| heading(line).is_some());
    let mut reader = Reader::default();
    let mut after_blank = true;
    for line in text.lines() {
        let line = classify(line, &labels, people, has_headings, after_blank);
        after_blank = matches!(line, Line::Blank);
        reader.take(line);
    }
    reader.finish(has_headings)
}

#[derive(Default)]
struct Reader {
    segments: Vec<Segment>,
    /// From a line that holds only a time.
    time_ms: Option<i64>,
    apart: usize,
}

impl Reader {
    fn take(&mut self, line: Line<'_>) {
        match line {
            Line::Blank => {}
            Line::Apart => self.apart += 1,
            Line::Time(time_ms) => self.time_ms = Some(time_ms),
            Line::Heading { name, start_ms } => {
                self.time_ms = None;
                self.push(Some(name), Some(start_ms), "");
            }
            Line::Turn { name, start_ms, words } => {
                let start_ms = start_ms.or(self.time_ms.take());
                self.push(Some(name), start_ms, words);
            }
            Line::Words { start_ms: None, words } if self.time_ms.is_none() && self.goes_on() => {
                if let Some(last) = self.segments.last_mut() {
                    append(&mut last.text, words);
                }
            }
            Line::Words { start_ms, words } => {
                let start_ms = start_ms.or(self.time_ms.take());
                self.push(None, start_ms, words);
            }
        }
    }

    /// Whether the last turn has a speaker, to whom a line without a name belongs.
    fn goes_on(&self) -> bool {
        self.segments.last().is_some_and(|last| last.speaker.is_some())
    }

    fn push(&mut self, speaker: Option<String>, start_ms: Option<i64>, words: &str) {
        self.segments.push(Segment { start_ms, ..segment(speaker, one_line(words)) });
    }

    fn finish(mut self, has_headings: bool) -> Result<Transcript, ReadError> {
        let mut notes = Vec::new();
        if has_headings
            && let Some(first) = self.segments.iter().position(|segment| segment.speaker.is_some())
        {
            // In an export of this kind every turn has its heading, so what stands before the first is the title.
            self.apart += first;
            self.segments.drain(..first);
        }
        if self.apart > 0 {
            let text = format!(
                "Lines of the file that are a title or a notice, and nobody's words: {}.",
                self.apart
            );
            notes.push(Note::new("lines_not_spoken", text));
        }
        self.segments.retain(|segment| !segment.text.is_empty());
        if self.segments.is_empty() {
            return Err(ReadError::NoSpeech);
        }
        Ok(Transcript { language: None, segments: self.segments, notes })
    }
}

fn classify<'a>(
    line: &'a str,
    labels: &Labels<'_>,
    people: &People,
    has_headings: bool,
    after_blank: bool,
) -> Line<'a> {
    let bare = line.trim();
    if bare.is_empty() || bare.chars().all(|c| matches!(c, '-' | '=' | '_' | '*')) {
        return Line::Blank;
    }
    let lower = bare.to_lowercase();
    if NOTICES
        .iter()
        .any(|notice| lower.trim_start_matches(['_', '*', '#', ' ']).contains(notice) && lower.len() < 200)
    {
        return Line::Apart;
    }
    if let Some(time_ms) = clock_ms(
        bare.trim_matches(|c: char| matches!(c, '#' | '*' | '[' | ']' | '(' | ')') || c.is_whitespace()),
    ) {
        return Line::Time(time_ms);
    }
    if bare.starts_with('#') {
        return Line::Apart;
    }
    if let Some((name, start_ms)) = heading(bare)
        && (has_headings && (after_blank || people.named(name).is_some()) || people.named(name).is_some())
    {
        return Line::Heading { name: labels.marked(name), start_ms };
    }
    let (start_ms, rest) = after_time(plain(line));
    match labels.split(rest) {
        Some((name, words)) => Line::Turn { name, start_ms, words: words.trim_start_matches("**") },
        None => Line::Words { start_ms, words: rest },
    }
}

/// A line without the Markdown that makes its beginning bold or a list: `**Name:** words`, `- Name: words`.
fn plain(line: &str) -> &str {
    let line = line.trim_start();
    let line = line.strip_prefix("- ").unwrap_or(line);
    line.strip_prefix("**").unwrap_or(line)
}

/// The name and the time of a line that holds nothing else. The time stands apart: behind two blanks, a tab or a bar,
/// or in brackets. One blank is enough where every word before it begins with a capital letter.
fn heading(line: &str) -> Option<(&str, i64)> {
    let line = line.trim();
    let line = line.strip_suffix(':').unwrap_or(line).trim_end();
    let (before, time) = match line.strip_suffix([')', ']']) {
        Some(inside) => inside.rsplit_once(['(', '['])?,
        None => line.rsplit_once(|c: char| c.is_whitespace() || c == '|')?,
    };
    let start_ms = clock_ms(time)?;
    let name = before.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '|' | '-' | '–' | '*'));
    let gap = &line[name.len()..line.len() - time.len()];
    let apart = gap.chars().count() > 1 || gap.contains(['\t', '|']);
    let words = || name.split_whitespace();
    let capitals = words().all(|word| !word.starts_with(char::is_lowercase));
    let name = name.trim_start_matches(['*', '#', ' ']);
    let is_name = !name.is_empty()
        && words().count() <= MAX_HEADING_WORDS
        && !name.contains(['?', '!', ';', '"', ':'])
        && !name.ends_with(['.', ','])
        && name.chars().any(char::is_alphabetic);
    (is_name && (apart || capitals)).then_some((name, start_ms))
}

/// Splits a line into the time at its start, in milliseconds, and the rest: `[00:01:23] Priya: …`, `00:00:01 Alice: Hi`.
fn after_time(line: &str) -> (Option<i64>, &str) {
    let line = line.trim_start();
    let in_brackets = || line.strip_prefix(['[', '('])?.split_once([']', ')']);
    let bare = || line.split_once(char::is_whitespace).filter(|(time, _)| time.matches(':').count() == 2);
    in_brackets()
        .or_else(bare)
        .and_then(|(time, rest)| Some((Some(clock_ms(time)?), rest.trim_start_matches(['-', '–', ' ']))))
        .unwrap_or((None, line))
}
