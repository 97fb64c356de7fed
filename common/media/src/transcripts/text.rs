//! Reads a plain text with lines of `Name: words`. A line without a name belongs to the last speaker.
//!
//! A time in brackets before the name (`[00:01:23] Priya: …`) is the start of the segment. A text without any
//! name is still a transcript: each line is a segment without a speaker.

use domain::transcript::{Segment, Transcript};

use super::cues;
use super::parsed::{Parsed, ReadError, segment};
use super::speaker::Labels;
use crate::words::{append, one_line};

pub(super) fn read(text: &str) -> Result<Parsed, ReadError> {
    let labels = Labels::of(text.lines().map(|line| split_time(line).1));
    let mut segments: Vec<Segment> = Vec::new();
    for line in text.lines() {
        let (start_ms, line) = split_time(line);
        match (labels.split(line), segments.last_mut()) {
            (Some((name, words)), _) => {
                segments.push(Segment { start_ms, ..segment(Some(name), one_line(words)) });
            }
            (None, Some(last)) if last.speaker.is_some() && start_ms.is_none() => {
                append(&mut last.text, line);
            }
            _ => segments.push(Segment { start_ms, ..segment(None, one_line(line)) }),
        }
    }
    segments.retain(|segment| !segment.text.is_empty());
    if segments.is_empty() {
        return Err(ReadError::NoSpeech);
    }
    Ok(Parsed { transcript: Transcript { language: None, segments }, skipped: 0 })
}

/// Splits a line into the time in brackets at its start, in milliseconds, and the rest.
fn split_time(line: &str) -> (Option<i64>, &str) {
    let line = line.trim_start();
    line.strip_prefix(['[', '('])
        .and_then(|rest| rest.split_once([']', ')']))
        .and_then(|(time, rest)| Some((Some(cues::clock_ms(time)?), rest)))
        .unwrap_or((None, line))
}
