//! Reads a PPTX: an archive with an XML file for each slide, and one for the notes of each slide that has some.

use std::io::{Cursor, Read as _};

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;
use zip::result::ZipError;

use super::Part;
use crate::transcripts::ReadError;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

const MAX_ENTRIES: usize = 5_000;
const MAX_SLIDES: usize = 1_000;
/// The largest slide that we have seen has some 2 MB of XML.
const MAX_ENTRY_BYTES: u64 = 16 * 1024 * 1024;
/// All entries that are read, together.
const MAX_BYTES: u64 = 128 * 1024 * 1024;
const MAX_RATIO: u64 = 300;

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Part>, ReadError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    if archive.len() > MAX_ENTRIES {
        return Err(ReadError::Oversized);
    }
    let mut room = MAX_BYTES;
    let names = in_order(&mut archive, &mut room)?;
    if names.is_empty() {
        return Err(ReadError::OtherKind("a ZIP archive in which no presentation is"));
    }
    let mut parts = Vec::new();
    for name in names.into_iter().take(MAX_SLIDES) {
        let Some(xml) = entry(&mut archive, &name, &mut room)? else { continue };
        let mut part = slide(&xml)?;
        if let Some(notes) = notes_of(&mut archive, &name, &mut room)? {
            let words = slide(&notes)?.text;
            part.notes = Some(words).filter(|words| !words.trim().is_empty());
        }
        parts.push(part);
    }
    Ok(parts)
}

/// The names of the slides, in the order in which they are shown. Where the order cannot be read, the numbers decide.
fn in_order(archive: &mut Archive<'_>, room: &mut u64) -> Result<Vec<String>, ReadError> {
    let mut numbered: Vec<(u32, String)> = archive
        .file_names()
        .flatten()
        .filter_map(|name| {
            let number = name.strip_prefix("ppt/slides/slide")?.strip_suffix(".xml")?;
            Some((number.parse().ok()?, name.to_string()))
        })
        .collect();
    numbered.sort();
    let there: Vec<String> = numbered.into_iter().map(|(_, name)| name).collect();
    let (Some(show), Some(links)) = (
        entry(archive, "ppt/presentation.xml", room)?,
        entry(archive, "ppt/_rels/presentation.xml.rels", room)?,
    ) else {
        return Ok(there);
    };
    let targets = relations(&links);
    let shown = attributes(&show, b"sldId", b"id");
    let mut ordered: Vec<String> = shown
        .iter()
        .filter_map(|id| targets.iter().find(|(known, ..)| known == id))
        .map(|(_, _, target)| format!("ppt/{}", target.trim_start_matches("/ppt/")))
        .filter(|name| there.contains(name))
        .collect();
    for name in there {
        if !ordered.contains(&name) {
            ordered.push(name);
        }
    }
    Ok(ordered)
}

fn notes_of(archive: &mut Archive<'_>, slide: &str, room: &mut u64) -> Result<Option<Vec<u8>>, ReadError> {
    let Some(file) = slide.strip_prefix("ppt/slides/") else { return Ok(None) };
    let Some(links) = entry(archive, &format!("ppt/slides/_rels/{file}.rels"), room)? else {
        return Ok(None);
    };
    let notes = relations(&links).into_iter().find(|(_, kind, _)| kind.ends_with("/notesSlide"));
    match notes.and_then(|(_, _, target)| target.rsplit('/').next().map(str::to_owned)) {
        Some(name) => entry(archive, &format!("ppt/notesSlides/{name}"), room),
        None => Ok(None),
    }
}

/// The content of an entry. `None` where the archive has no such entry.
fn entry(archive: &mut Archive<'_>, name: &str, room: &mut u64) -> Result<Option<Vec<u8>>, ReadError> {
    let mut file = match archive.by_name(name) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(damaged(&error)),
    };
    let longest =
        file.compressed_size().saturating_mul(MAX_RATIO).clamp(64 * 1024, MAX_ENTRY_BYTES).min(*room);
    let mut content = Vec::new();
    let read = file.by_ref().take(longest + 1).read_to_end(&mut content);
    read.map_err(|error| ReadError::DamagedDocument(error.to_string()))?;
    if content.len() as u64 > longest {
        return Err(ReadError::Oversized);
    }
    *room -= content.len() as u64;
    Ok(Some(content))
}

fn damaged(error: &ZipError) -> ReadError {
    ReadError::DamagedDocument(error.to_string())
}

/// The relations in a file: id, kind, target.
fn relations(xml: &[u8]) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    each_tag(xml, |tag| {
        if tag.local_name().as_ref() == b"Relationship" {
            found.push((attribute(tag, b"Id"), attribute(tag, b"Type"), attribute(tag, b"Target")));
        }
    });
    found
        .into_iter()
        .map(|(id, kind, target)| (id, kind, target.trim_start_matches("../").to_owned()))
        .collect()
}

/// The values of an attribute, with a prefix of a namespace, of each tag with this name.
fn attributes(xml: &[u8], tag_name: &[u8], name: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    each_tag(xml, |tag| {
        if tag.local_name().as_ref() == tag_name {
            let value = tag
                .attributes()
                .flatten()
                .find(|one| one.key.prefix().is_some() && one.key.local_name().as_ref() == name);
            found.extend(value.map(|value| String::from_utf8_lossy(&value.value).into_owned()));
        }
    });
    found
}

fn attribute(tag: &BytesStart<'_>, name: &[u8]) -> String {
    let value = tag.attributes().flatten().find(|one| one.key.local_name().as_ref() == name);
    value.map(|value| String::from_utf8_lossy(&value.value).into_owned()).unwrap_or_default()
}

fn each_tag(xml: &[u8], mut look: impl FnMut(&BytesStart<'_>)) {
    let mut reader = Reader::from_reader(xml);
    reader.config_mut().check_end_names = false;
    // A file that breaks off says as much as was read before.
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Eof => return,
            Event::Start(tag) | Event::Empty(tag) => look(&tag),
            _ => {}
        }
    }
}

/// The words of a slide. A paragraph is a line. The cells of a row of a table stand in one line.
fn slide(xml: &[u8]) -> Result<Part, ReadError> {
    let mut reader = Reader::from_reader(xml);
    reader.config_mut().check_end_names = false;
    let mut part = Part::default();
    let (mut shape, mut is_title, mut is_left_out) = (String::new(), false, false);
    let (mut in_words, mut in_table) = (false, 0_u32);
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => {
                part.text.push_str(&shape);
                part.text = part.text.trim().into();
                return Ok(part);
            }
            Ok(Event::Start(tag) | Event::Empty(tag)) if tag.local_name().as_ref() == b"ph" => {
                let kind = attribute(&tag, b"type");
                is_title = matches!(kind.as_str(), "title" | "ctrTitle");
                // The number of the slide and the date are no words of anybody.
                is_left_out = matches!(kind.as_str(), "sldNum" | "dt" | "hdr" | "sldImg");
            }
            Ok(Event::Start(tag)) => match tag.local_name().as_ref() {
                b"sp" => (is_title, is_left_out) = (false, false),
                b"tr" => in_table += 1,
                b"t" => in_words = true,
                _ => {}
            },
            Ok(Event::Empty(tag)) if tag.local_name().as_ref() == b"br" => shape.push('\n'),
            Ok(Event::End(tag)) => match tag.local_name().as_ref() {
                b"t" => in_words = false,
                b"p" if in_table == 0 => shape.push('\n'),
                b"tc" => shape.push_str(" | "),
                b"tr" => {
                    in_table = in_table.saturating_sub(1);
                    shape.truncate(shape.trim_end_matches(" | ").len());
                    shape.push('\n');
                }
                b"sp" | b"graphicFrame" => {
                    let words = std::mem::take(&mut shape);
                    let words = words.trim();
                    if is_left_out || words.is_empty() {
                        continue;
                    }
                    if is_title && part.title.is_none() {
                        part.title = Some(words.split_whitespace().collect::<Vec<_>>().join(" "));
                    } else {
                        part.text.push_str(words);
                        part.text.push('\n');
                    }
                }
                _ => {}
            },
            Ok(Event::Text(words)) if in_words => shape.push_str(&String::from_utf8_lossy(&words)),
            Ok(Event::CData(words)) if in_words => shape.push_str(&String::from_utf8_lossy(&words)),
            Ok(Event::GeneralRef(entity)) if in_words => match entity.resolve_char_ref() {
                Ok(Some(character)) => shape.push(character),
                _ => shape
                    .push_str(resolve_predefined_entity(&String::from_utf8_lossy(&entity)).unwrap_or(" ")),
            },
            Ok(_) => {}
            Err(error) => return Err(ReadError::DamagedDocument(error.to_string())),
        }
    }
}
