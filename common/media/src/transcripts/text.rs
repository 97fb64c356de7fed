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
use super::speaker::{Labels, can_be_a_label};
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
/// The title of a list of the people who were there.
const PEOPLE_LISTS: [&str; 6] = ["attendees", "participants", "invited", "invitees", "present", "people"];
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
    /// Words behind what may be the name of somebody whom nobody listed. They are given to nobody.
    Doubtful {
        start_ms: Option<i64>,
        words: &'a str,
    },
    /// Begins a list of the people who were there.
    PeopleBegin,
    /// A title or a notice: nobody's words.
    Apart,
}

pub(super) fn read(text: &str, people: &People) -> Result<Transcript, ReadError> {
    let beginnings = text.lines().map(|line| after_time(unlisted(line)).1);
    let labels = Labels::of(people, beginnings.filter(|line| in_bold(line).is_none()));
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
    people_list: PeopleList,
}

/// Whether the reader is in a list of the people who were there. It ends at the blank line behind its names.
#[derive(Default, PartialEq)]
enum PeopleList {
    #[default]
    Outside,
    Begun,
    Named,
}

impl Reader {
    fn take(&mut self, line: Line<'_>) {
        if self.is_of_the_list(&line) {
            self.apart += 1;
            return;
        }
        match line {
            Line::Blank => {}
            Line::Apart | Line::PeopleBegin => self.apart += 1,
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
            Line::Words { start_ms, words } | Line::Doubtful { start_ms, words } => {
                let start_ms = start_ms.or(self.time_ms.take());
                self.push(None, start_ms, words);
            }
        }
    }

    /// Whether a line names people in a list. Any line that is no plain words ends the list.
    fn is_of_the_list(&mut self, line: &Line<'_>) -> bool {
        let inside = self.people_list != PeopleList::Outside;
        self.people_list = match line {
            Line::PeopleBegin => PeopleList::Begun,
            Line::Words { start_ms: None, .. } if inside => PeopleList::Named,
            Line::Blank if self.people_list == PeopleList::Begun => PeopleList::Begun,
            _ => PeopleList::Outside,
        };
        self.people_list == PeopleList::Named
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
        Ok(Transcript { segments: self.segments, notes, ..Transcript::default() })
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
    let title = lower.trim_matches(|c: char| matches!(c, '#' | '*' | ':') || c.is_whitespace());
    if PEOPLE_LISTS.contains(&title) {
        return Line::PeopleBegin;
    }
    if bare.starts_with('#') {
        return Line::Apart;
    }
    if let Some((name, start_ms)) = heading(bare)
        && (has_headings && (after_blank || people.named(name).is_some()) || people.named(name).is_some())
    {
        return Line::Heading { name: labels.marked(name), start_ms };
    }
    let (start_ms, rest) = after_time(unlisted(line));
    if let Some((name, words)) = in_bold(rest).filter(|(name, _)| can_be_a_label(name)) {
        return Line::Turn { name: labels.marked(name), start_ms, words };
    }
    match labels.split(rest) {
        Some((name, words)) => Line::Turn { name, start_ms, words },
        None if labels.may_name_somebody(rest) => Line::Doubtful { start_ms, words: rest },
        None => Line::Words { start_ms, words: rest },
    }
}

/// A line without the Markdown that makes it an entry of a list.
fn unlisted(line: &str) -> &str {
    let line = line.trim_start();
    line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).unwrap_or(line)
}

/// Splits a line whose beginning is a label in bold Markdown: `**Name:** words`, `**Name**: words`. Bold type marks the
/// label, so it need not read like a name.
fn in_bold(line: &str) -> Option<(&str, &str)> {
    let (label, rest) = line.strip_prefix("**")?.split_once("**")?;
    match label.trim_end().strip_suffix([':', '：']) {
        Some(name) => Some((name.trim(), rest)),
        None => Some((label.trim(), rest.trim_start().strip_prefix([':', '：'])?)),
    }
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
