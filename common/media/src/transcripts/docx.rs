//! Reads the text of a Word document, as Microsoft Teams exports a transcript.
//!
//! A DOCX file is a ZIP archive with an XML document in it. A small archive can hold far more than memory has, so the
//! number of its entries, the length of the document and the ratio between the two sizes are bounded.

use std::io::{Cursor, Read as _};

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};
use zip::ZipArchive;
use zip::result::ZipError;

use super::parsed::ReadError;

/// With what an archive begins.
pub(super) const START: &[u8] = b"PK\x03\x04";
/// The names with which the archives of Office begin.
const FIRST_NAMES: [&[u8]; 6] =
    [b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"mimetype", b"customXml/"];
/// What stands between the two times of a cue.
const ARROW: &str = "-->";
/// The document in the archive.
const DOCUMENT: &str = "word/document.xml";
/// A transcript with the pictures of everybody has some hundred entries.
const MAX_ENTRIES: usize = 5_000;
/// The document of a whole day of talk has some 20 MB of XML.
const MAX_DOCUMENT_BYTES: u64 = 64 * 1024 * 1024;
/// XML is packed to a twentieth, and the most repeated text of a person to a hundredth.
const MAX_RATIO: u64 = 300;

/// Whether a file that is an archive may be a document of Office, as far as its first bytes tell.
pub(super) fn may_be_office(head: &[u8]) -> bool {
    head.get(30..).is_some_and(|name| FIRST_NAMES.iter().any(|first| name.starts_with(first)))
}

/// Returns the text of the document. Each paragraph is a block of lines, and a blank line stands before it.
pub(crate) fn text(bytes: &[u8]) -> Result<String, ReadError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    if archive.len() > MAX_ENTRIES {
        return Err(ReadError::Oversized);
    }
    let has = |folder: &str| archive.file_names().flatten().any(|name| name.starts_with(folder));
    let kind = if has("xl/") {
        "a workbook (XLSX)"
    } else if has("ppt/") {
        "a presentation (PPTX)"
    } else {
        "a ZIP archive in which no Word document is"
    };
    let mut document = match archive.by_name(DOCUMENT) {
        Ok(document) => document,
        Err(ZipError::FileNotFound) => return Err(ReadError::OtherKind(kind)),
        Err(error) => return Err(damaged(&error)),
    };
    let longest = document.compressed_size().saturating_mul(MAX_RATIO).clamp(64 * 1024, MAX_DOCUMENT_BYTES);
    let mut xml = Vec::new();
    // What the archive says about the length is not believed.
    let read = document.by_ref().take(longest + 1).read_to_end(&mut xml);
    read.map_err(|error| ReadError::DamagedDocument(error.to_string()))?;
    if xml.len() as u64 > longest {
        return Err(ReadError::Oversized);
    }
    let text = paragraphs(&xml)?;
    Ok(if text.contains(ARROW) { cues(&text) } else { text })
}

/// The same text as blocks, each of which begins with its times. In some documents each line is a paragraph.
fn cues(text: &str) -> String {
    let mut blocks = String::with_capacity(text.len());
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        blocks.push_str(if line.contains(ARROW) { "\n\n" } else { "\n" });
        blocks.push_str(line);
    }
    blocks
}

fn damaged(error: &ZipError) -> ReadError {
    ReadError::DamagedDocument(error.to_string())
}

fn paragraphs(xml: &[u8]) -> Result<String, ReadError> {
    let mut reader = Reader::from_reader(xml);
    // A document that was damaged keeps the words that can be read.
    reader.config_mut().check_end_names = false;
    let mut text = String::new();
    let (mut in_words, mut second_version) = (false, 0_u32);
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => return Ok(text),
            Ok(Event::Start(tag)) => match tag.local_name().as_ref() {
                b"p" => text.push_str("\n\n"),
                b"t" => in_words = true,
                // The same words again, for programs that do not know the newer way to write them.
                b"Fallback" => second_version += 1,
                _ => {}
            },
            Ok(Event::End(tag)) => match tag.local_name().as_ref() {
                b"t" => in_words = false,
                b"Fallback" => second_version = second_version.saturating_sub(1),
                _ => {}
            },
            Ok(Event::Empty(tag)) => match tag.local_name().as_ref() {
                b"br" | b"cr" => text.push('\n'),
                b"tab" => text.push('\t'),
                _ => {}
            },
            Ok(Event::Text(words)) if in_words && second_version == 0 => {
                text.push_str(&String::from_utf8_lossy(&words));
            }
            Ok(Event::CData(words)) if in_words && second_version == 0 => {
                text.push_str(&String::from_utf8_lossy(&words));
            }
            Ok(Event::GeneralRef(entity)) if in_words && second_version == 0 => {
                text.push_str(&character(&entity));
            }
            Ok(_) => {}
            Err(error) => return Err(ReadError::DamagedDocument(error.to_string())),
        }
    }
}

/// The character that an entity stands for. One that XML does not know stays as it is written.
fn character(entity: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = entity.resolve_char_ref() {
        return character.to_string();
    }
    let name = String::from_utf8_lossy(entity);
    resolve_predefined_entity(&name).map_or_else(|| format!("&{name};"), str::to_owned)
}

#[cfg(test)]
mod tests;
