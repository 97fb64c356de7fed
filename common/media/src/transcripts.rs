//! Reads a transcript that somebody else made, whatever tool wrote it.
//!
//! Meeting products write `WebVTT` and `SubRip` with small liberties: no header, commas for dots, blank lines
//! left out. A strict reader (the crate `fasrt` wants the signature in the first
//! column, spaces around the arrow and three digits after the point) loses a call, or its words, for one of them.
//! So one tolerant reader of our own takes both, keeps every cue it can place, and counts what it had to skip.
//! It looks at each byte a bounded number of times: these files come from outside.

mod cues;
mod markup;
mod session;
mod speaker;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;

use chrono_tz::Tz;
use domain::event::MaterialKind;
use domain::transcript::{Segment, Transcript};

/// A turn every second, all day long. Each becomes far more in memory than the few bytes that can spell it.
const MAX_SEGMENTS: usize = 100_000;

/// Why nothing can be made of a supplied transcript. Completes "failed to read the transcript: …".
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("it is empty")]
    Empty,
    #[error("it is not text")]
    NotText,
    #[error("it is a web page")]
    Html,
    #[error("it has no cue with words and readable times ({skipped} blocks were skipped)")]
    NoCue { skipped: usize },
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is JSON, but neither `items` nor `conversation` is a list in it")]
    NotASession,
    #[error("nobody speaks in it")]
    NoSpeech,
    #[error("it has more than {MAX_SEGMENTS} turns")]
    TooMany,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// Its segments are numbered, and stand in the file's order.
    pub transcript: Transcript,
    /// Blocks that had no readable time, or items that were no items.
    pub skipped: usize,
}

/// Reads a supplied transcript or a session. Times without an offset in a session are read in `zone`.
pub fn parse(kind: MaterialKind, bytes: &[u8], zone: Tz) -> Result<Parsed, Unreadable> {
    let text = decode(bytes)?;
    let text = text.trim_start_matches('\u{feff}');
    let mut parsed = if kind == MaterialKind::Session || text.trim_start().starts_with('{') {
        session::read(text, zone)?
    } else if is_html(text) {
        return Err(Unreadable::Html);
    } else if cues::is_cue_file(text) {
        from_cues(text)?
    } else {
        text::read(text)?
    };
    if parsed.transcript.segments.len() > MAX_SEGMENTS {
        return Err(Unreadable::TooMany);
    }
    parsed.transcript = parsed.transcript.numbered();
    Ok(parsed)
}

fn from_cues(text: &str) -> Result<Parsed, Unreadable> {
    let file = cues::read(text);
    if file.cues.len() > MAX_SEGMENTS {
        return Err(Unreadable::TooMany);
    }
    let voiced: Vec<_> = file
        .cues
        .iter()
        .flat_map(|cue| markup::voices(&cue.lines).into_iter().map(move |voice| (cue, voice)))
        .collect();
    let unnamed = voiced.iter().filter(|(_, voice)| voice.speaker.is_none());
    let labels = speaker::Labels::of(unnamed.flat_map(|(_, voice)| voice.text.lines()));

    let mut segments = Vec::with_capacity(voiced.len());
    for (cue, voice) in voiced {
        let turns = match voice.speaker {
            Some(name) => vec![(Some(name), one_line(&voice.text))],
            None => labels.turns(&voice.text),
        };
        for (speaker, text) in turns {
            if !text.is_empty() {
                segments.push(Segment {
                    start_ms: Some(cue.start_ms),
                    // An end before its start says nothing about when the words ended.
                    end_ms: Some(cue.end_ms.max(cue.start_ms)),
                    ..spoken(speaker, text)
                });
            }
        }
    }
    if segments.is_empty() {
        return Err(Unreadable::NoCue { skipped: file.skipped });
    }
    Ok(Parsed { transcript: Transcript { language: file.language, segments }, skipped: file.skipped })
}

fn spoken(speaker: Option<String>, text: String) -> Segment {
    Segment { id: 0, speaker, role: None, start_ms: None, end_ms: None, text, confidence: None }
}

/// Words with single spaces between them.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// UTF-8, or UTF-16 where a byte order mark says so. NUL, which no store takes, becomes a replacement mark.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest),
        _ => String::from_utf8_lossy(bytes),
    };
    if text.trim().is_empty() {
        return Err(Unreadable::Empty);
    }
    let odd = |c: &char| matches!(*c, '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | char::REPLACEMENT_CHARACTER);
    // A damaged file has a few; a recording under the wrong name has little else.
    if text.chars().filter(odd).count() * 20 > text.chars().count() {
        return Err(Unreadable::NotText);
    }
    Ok(if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { text })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn is_html(text: &str) -> bool {
    let start = text.trim_start();
    ["<!doctype", "<html", "<head", "<body"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag)))
}
