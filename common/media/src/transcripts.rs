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
pub(crate) mod docx;
mod encoding;
mod json;
mod markup;
mod parsed;
mod people;
mod session;
mod speaker;
#[cfg(test)]
mod tests;
mod text;
mod values;
mod word_lists;

use chrono_tz::Tz;
use domain::event::MaterialKind;
use domain::note::Note;
use domain::shown_text::closed;
use domain::transcript::{Segment, Transcript};
use serde_json::Value;

use crate::words::one_line;
pub use encoding::{HEAD_BYTES, check_head};
pub use parsed::ReadError;
use parsed::{MAX_SEGMENTS, segment};
pub use people::People;

/// How much of what could not be used a note repeats.
const MAX_QUOTED_CHARS: usize = 200;

/// Reads a supplied transcript or a session. A time in a session that has no offset is a time in `zone`. The names of
/// `people` are speakers wherever they stand as a label. The segments are numbered and stand in the order of the file.
/// What was odd about the file, and what of it could not be used, is in the transcript's notes.
pub fn parse(kind: MaterialKind, bytes: &[u8], zone: Tz, people: &People) -> Result<Transcript, ReadError> {
    let mut notes = Vec::new();
    let is_document = is_office_document(bytes);
    let text = if is_document { docx::text(bytes)?.into() } else { encoding::decode(bytes, &mut notes)? };
    let text = text.trim_start_matches('\u{feff}');
    let mut transcript = if kind == MaterialKind::Session || is_json(text) {
        from_json(&serde_json::from_str(text)?, kind, zone)?
    } else if let Some(kind) = markup_language(text) {
        return Err(kind);
    } else if cues::is_cue_file(text) {
        from_cues(text, people, is_document)?
    } else {
        text::read(text, people)?
    };
    if transcript.segments.len() > MAX_SEGMENTS {
        return Err(ReadError::TooMany);
    }
    for segment in &mut transcript.segments {
        segment.text = closed(std::mem::take(&mut segment.text));
    }
    notes.append(&mut transcript.notes);
    Ok(Transcript { notes, ..transcript }.numbered())
}

/// Whether a text is meant as JSON. A line of a text can begin with a time in brackets, so a list must be one of objects.
fn is_json(text: &str) -> bool {
    let start = text.trim_start();
    start.starts_with('{') || start.strip_prefix('[').is_some_and(|list| list.trim_start().starts_with('{'))
}

/// Whether a JSON document is a transcript of a product that the reader knows.
pub fn is_transcript(document: &Value) -> bool {
    matches!(json::read(document), Ok(Some(_)))
}

fn from_json(document: &Value, kind: MaterialKind, zone: Tz) -> Result<Transcript, ReadError> {
    match session::read(document, zone) {
        Err(ReadError::NotASession) if kind != MaterialKind::Session => {
            json::read(document)?.ok_or(ReadError::NotATranscript)
        }
        read => read,
    }
}

/// Whether a file is an archive of Office, as far as its first bytes tell. A transcript in a Word document is read.
pub fn is_office_document(bytes: &[u8]) -> bool {
    bytes.starts_with(docx::START) && docx::may_be_office(bytes)
}

/// `names_on_lines` says that the name of the speaker may stand on a line of its own before the words, as in the documents of
/// Teams.
fn from_cues(text: &str, people: &People, names_on_lines: bool) -> Result<Transcript, ReadError> {
    let file = cues::read(text);
    if file.cues.len() > MAX_SEGMENTS {
        return Err(ReadError::TooMany);
    }
    if names_on_lines && has_names_on_lines(&file) {
        return Ok(from_named_cues(&file));
    }
    // The voices are made twice, because to keep them would take the memory of the whole text once more.
    let voiced = || {
        file.cues.iter().flat_map(|cue| markup::voices(&cue.lines).into_iter().map(move |voice| (cue, voice)))
    };
    let unnamed = voiced().filter(|(_, voice)| voice.speaker.is_none());
    let lines = unnamed.flat_map(|(_, voice)| voice.text.lines().map(str::to_owned).collect::<Vec<_>>());
    let labels = speaker::Labels::of(people, lines);

    let mut segments = Vec::with_capacity(file.cues.len());
    for (cue, voice) in voiced() {
        let turns = match voice.speaker {
            Some(name) => vec![(Some(labels.marked(&name)), one_line(&voice.text))],
            None => labels.turns(&voice.text),
        };
        for (speaker, text) in turns {
            if !text.is_empty() {
                segments.push(Segment {
                    start_ms: cue.times_ms.map(|(start, _)| start),
                    // Some files have an end before its start. Such an end does not say when the words ended.
                    end_ms: cue.times_ms.map(|(start, end)| end.max(start)),
                    ..segment(speaker, text)
                });
            }
        }
    }
    let notes = cue_notes(&file, segments.is_empty());
    Ok(Transcript { language: file.language, segments, notes, ..Transcript::default() })
}

/// Whether nearly every cue begins with a line that can be a name, and has words below it.
fn has_names_on_lines(file: &cues::CueFile<'_>) -> bool {
    let cues = || file.cues.iter().filter(|cue| cue.times_ms.is_some() && !cue.lines.is_empty());
    let named =
        cues().filter(|cue| cue.lines.len() > 1 && speaker::can_be_a_label(cue.lines[0].trim())).count();
    named > 0 && named * 10 >= cues().count() * 8
}

fn from_named_cues(file: &cues::CueFile<'_>) -> Transcript {
    let mut segments = Vec::with_capacity(file.cues.len());
    for cue in &file.cues {
        let (name, words) = match cue.lines.as_slice() {
            [name, words @ ..] if !words.is_empty() && cue.times_ms.is_some() => {
                (Some(one_line(name)), words)
            }
            lines => (None, lines),
        };
        let words = one_line(&words.join(" "));
        if !words.is_empty() {
            segments.push(Segment {
                start_ms: cue.times_ms.map(|(start, _)| start),
                end_ms: cue.times_ms.map(|(start, end)| end.max(start)),
                ..segment(name, words)
            });
        }
    }
    let notes = cue_notes(file, segments.is_empty());
    Transcript { language: file.language.clone(), segments, notes, ..Transcript::default() }
}

fn cue_notes(file: &cues::CueFile<'_>, silent: bool) -> Vec<Note> {
    let mut notes = Vec::new();
    if silent {
        notes.push(Note::new("no_speech", "The file has no words: nobody speaks in it."));
    }
    if file.repaired > 0 {
        let text =
            format!("Times with a letter in place of a digit: {}. They were read as meant.", file.repaired);
        notes.push(Note::new("times_repaired", text));
    }
    let untimed = file.cues.iter().filter(|cue| cue.times_ms.is_none() && !cue.lines.is_empty()).count();
    if untimed > 0 {
        let text =
            format!("Blocks of the file without readable times: {untimed}. Their words have no times.");
        notes.push(Note::new("times_unreadable", text));
    }
    if !file.stray.is_empty() {
        let words = one_line(&file.stray.iter().flatten().copied().collect::<Vec<_>>().join(" "));
        let mut quoted: String = words.chars().take(MAX_QUOTED_CHARS).collect();
        if quoted.len() < words.len() {
            quoted.push('…');
        }
        let text = format!(
            "Blocks of the file that have no times and are no cues: {} (“{}”).",
            file.stray.len(),
            closed(quoted)
        );
        notes.push(Note::new("blocks_without_times", text));
    }
    notes
}

/// A text in a markup language, which no reader takes.
fn markup_language(text: &str) -> Option<ReadError> {
    let start = text.trim_start();
    let begins = |tag: &str| start.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag));
    if ["<!doctype html", "<html", "<head", "<body"].into_iter().any(begins) {
        return Some(ReadError::Html);
    }
    if ["<?xml", "<!doctype", "<tt"].into_iter().any(begins) {
        let head = start.get(..2_000.min(start.len())).unwrap_or(start);
        let is_ttml = head.contains("<tt") || head.contains("ns/ttml");
        let kind = if is_ttml {
            "TTML, timed text in XML; export it as WebVTT or SubRip"
        } else {
            "an XML document"
        };
        return Some(ReadError::OtherKind(kind));
    }
    None
}
