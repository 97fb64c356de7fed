//! Reads a transcript that somebody else made, whichever tool wrote it.
//!
//! Meeting products do not keep to the rules of `WebVTT` and `SubRip`: some leave out the header or blank lines,
//! some write a comma where a dot belongs. A strict reader refuses such a file, and the call or its words are
//! lost. (The crate `fasrt`, for example, wants the signature in the first column, spaces around the arrow and
//! three digits after the point.) So we have a tolerant reader of our own for both formats. It keeps every cue
//! that has readable times, and counts the blocks that it had to skip.
//!
//! The reader looks at each byte a bounded number of times, so that no file can keep it busy for long.

mod cues;
mod markup;
mod parsed;
mod session;
mod speaker;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;

use chrono_tz::Tz;
use domain::event::MaterialKind;
use domain::transcript::{Segment, Transcript};

use crate::words::one_line;
use parsed::{MAX_SEGMENTS, segment};
pub use parsed::{Parsed, ReadError};

/// Reads a supplied transcript or a session. A time in a session that has no offset is a time in `zone`.
pub fn parse(kind: MaterialKind, bytes: &[u8], zone: Tz) -> Result<Parsed, ReadError> {
    let text = decode(bytes)?;
    let text = text.trim_start_matches('\u{feff}');
    let mut parsed = if kind == MaterialKind::Session || text.trim_start().starts_with('{') {
        session::read(text, zone)?
    } else if is_html(text) {
        return Err(ReadError::Html);
    } else if cues::is_cue_file(text) {
        from_cues(text)?
    } else {
        text::read(text)?
    };
    if parsed.transcript.segments.len() > MAX_SEGMENTS {
        return Err(ReadError::TooMany);
    }
    parsed.transcript = parsed.transcript.numbered();
    Ok(parsed)
}

fn from_cues(text: &str) -> Result<Parsed, ReadError> {
    let file = cues::read(text);
    if file.cues.len() > MAX_SEGMENTS {
        return Err(ReadError::TooMany);
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
                    // In some files a cue ends before it starts. Such an end does not say when the words ended.
                    end_ms: Some(cue.end_ms.max(cue.start_ms)),
                    ..segment(speaker, text)
                });
            }
        }
    }
    if segments.is_empty() {
        return Err(ReadError::NoCue { skipped: file.skipped });
    }
    Ok(Parsed { transcript: Transcript { language: file.language, segments }, skipped: file.skipped })
}

/// Reads the bytes as UTF-8, or as UTF-16 when a byte order mark says so. A NUL character becomes a replacement
/// character, because PostgreSQL refuses NUL in a text.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ReadError> {
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest),
        _ => String::from_utf8_lossy(bytes),
    };
    if text.trim().is_empty() {
        return Err(ReadError::Empty);
    }
    let odd = |c: &char| matches!(*c, '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | char::REPLACEMENT_CHARACTER);
    // A damaged text has a few odd characters. A recording with the wrong file name has many.
    if text.chars().filter(odd).count() * 20 > text.chars().count() {
        return Err(ReadError::NotText);
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
