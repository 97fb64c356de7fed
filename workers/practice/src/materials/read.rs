//! Reads the words of a file. It runs in the child process.

use media::documents::{self, Part};
use media::transcripts::ReadError;
use serde::{Deserialize, Serialize};

/// What was read in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// What the file is in fact: `pptx`, `docx`. `None` where its kind was known before.
    pub file_type: Option<String>,
    /// The number of its pages or slides. `None` where the file has none.
    pub pages: Option<i64>,
    pub text: String,
    /// Why nothing was read, or not all of it.
    pub note: Option<String>,
}

/// The longest text that is given back, in characters.
const MAX_CHARS: usize = 400_000;

pub(super) fn read(kind: &str, bytes: &[u8]) -> Content {
    let read = match kind {
        "pdf" => pdf(bytes),
        "office" => Ok(office(bytes)),
        "old-office" => Ok(old_office(bytes)),
        other => Err(format!("nobody reads `{other}`")),
    };
    let mut content = match read {
        Ok(content) => content,
        Err(note) => Content { note: Some(note), ..Content::default() },
    };
    if content.text.chars().count() > MAX_CHARS {
        content.text = content.text.chars().take(MAX_CHARS).collect();
        content.note = Some("The file is long, and only its beginning is used.".into());
    }
    if content.note.is_none() && content.text.trim().is_empty() {
        content.note = Some("No words could be found in the file. Perhaps its pages are pictures.".into());
    }
    content
}

fn pdf(bytes: &[u8]) -> Result<Content, String> {
    let pages = pdf_extract::extract_text_from_mem_by_pages(bytes)
        .map_err(|error| format!("The PDF cannot be read: {}.", short(&error.to_string())))?;
    let text = pages.iter().map(|page| lines(page)).collect::<Vec<_>>().join("\n");
    Ok(Content { pages: i64::try_from(pages.len()).ok(), text, ..Content::default() })
}

fn office(bytes: &[u8]) -> Content {
    let of = |file_type: &str| Content { file_type: Some(file_type.to_owned()), ..Content::default() };
    let noted = |file_type: &str, error: &ReadError| Content {
        note: Some(format!("Nothing was read: {error}.")),
        ..of(file_type)
    };
    match documents::word(bytes) {
        Ok(text) => return Content { text: lines(&text), ..of("docx") },
        // It is no document of Word, so it may be a presentation.
        Err(ReadError::OtherKind(_)) => {}
        Err(error) => return noted("docx", &error),
    }
    match documents::presentation(bytes) {
        Ok(parts) => {
            let text = parts.iter().map(shown).collect::<Vec<_>>().join("\n");
            Content { pages: i64::try_from(parts.len()).ok(), text, ..of("pptx") }
        }
        Err(error) => noted("pptx", &error),
    }
}

fn old_office(bytes: &[u8]) -> Content {
    let text = documents::old_office(bytes);
    let note = (!text.is_empty())
        .then(|| "The file has an old format, so perhaps not all of it was read.".to_owned());
    Content { text, note, ..Content::default() }
}

/// A slide as lines: its title, its words, and what the speaker noted.
fn shown(part: &Part) -> String {
    let mut text = String::new();
    if let Some(title) = &part.title {
        text.push_str(title);
        text.push('\n');
    }
    text.push_str(&lines(&part.text));
    if let Some(notes) = &part.notes {
        text.push('\n');
        text.push_str(&lines(notes));
    }
    text
}

/// The text without blank lines and without blanks beside each other. A line that breaks in the middle of a sentence is
/// joined with the next one.
fn lines(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.lines() {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            continue;
        }
        let goes_on = joined.chars().last().is_some_and(|last| last.is_lowercase() || last == ',')
            && line.chars().next().is_some_and(char::is_lowercase);
        if !joined.is_empty() {
            joined.push(if goes_on { ' ' } else { '\n' });
        }
        joined.push_str(&line);
    }
    joined
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_has_a_note_and_no_words() {
        for kind in ["pdf", "office", "old-office"] {
            let content = read(kind, b"%PDF-1.7 is not enough");
            assert!(content.note.is_some() && content.text.is_empty(), "{kind}: {content:?}");
        }
    }

    #[test]
    fn a_line_that_breaks_inside_a_sentence_is_joined() {
        assert_eq!(lines("It reduces\nthe time.\n\nNext  line"), "It reduces the time.\nNext line");
    }
}
