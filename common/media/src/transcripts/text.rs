//! Reads plain lines of `Name: words`. A line without a name goes on with what the last speaker said.
//!
//! A time in brackets before the name (`[00:01:23] Priya: …`) is taken as the start. A text without any name is
//! still a transcript: one segment a line, by nobody known.

use domain::transcript::{Segment, Transcript};

use super::speaker::{self, Labels};
use super::{Parsed, Unreadable, cues, one_line, spoken};

pub(super) fn read(text: &str) -> Result<Parsed, Unreadable> {
    let labels = Labels::of(text.lines().map(|line| stamped(line).1));
    let mut segments: Vec<Segment> = Vec::new();
    for line in text.lines() {
        let (start_ms, line) = stamped(line);
        match (labels.split(line), segments.last_mut()) {
            (Some((name, words)), _) => {
                segments.push(Segment { start_ms, ..spoken(Some(name), one_line(words)) });
            }
            (None, Some(last)) if last.speaker.is_some() && start_ms.is_none() => {
                speaker::append(&mut last.text, line);
            }
            _ => segments.push(Segment { start_ms, ..spoken(None, one_line(line)) }),
        }
    }
    segments.retain(|segment| !segment.text.is_empty());
    if segments.is_empty() {
        return Err(Unreadable::NoSpeech);
    }
    Ok(Parsed { transcript: Transcript { language: None, segments }, skipped: 0 })
}

/// The time in brackets that a line starts with, and the rest.
fn stamped(line: &str) -> (Option<i64>, &str) {
    let line = line.trim_start();
    line.strip_prefix(['[', '('])
        .and_then(|rest| rest.split_once([']', ')']))
        .and_then(|(time, rest)| Some((Some(cues::stamp(time)?), rest)))
        .unwrap_or((None, line))
}
