//! Decides what kind of file a file is, by its content. The name of a file says little, because each tool has its own
//! names.
//!
//! This module reads only as much as is needed to tell the kinds apart and to find the files that belong together.
//! Whether a file can be used is decided later, when it is brought in.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use media::transcripts;
use serde_json::{Map, Value};

use super::ImportKind;

const AUDIO: [&str; 8] = ["wav", "mp3", "m4a", "mp4", "flac", "ogg", "opus", "webm"];
/// The extensions of transcripts, the richest format first. Of several files with one name, the first of these is taken.
const TRANSCRIPTS: [&str; 5] = ["vtt", "webvtt", "srt", "docx", "txt"];
/// Fields of a meeting. An object that has two of them is a meeting.
const OF_MEETINGS: [&str; 5] = ["uuid", "topic", "host_id", "participants", "start_time"];
/// The longest JSON file that is read here. The limit is above the limits of the import itself, so that the import
/// reports a file that is too long.
const MAX_JSON_BYTES: u64 = 16 * 1024 * 1024;
const HEAD_BYTES: u64 = 64 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// A time zone in which times without an offset are read.
pub(super) trait Zone: TimeZone {}
impl<Z: TimeZone> Zone for Z {}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    Session(Session),
    Lead(Lead),
    Meeting,
    Transcript,
    Audio,
    /// A file that is not brought in. The text says why.
    Other(String),
    /// A file that should be brought in but cannot be read. The text says why.
    Broken(String),
}

/// What a session says about its lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    /// The e-mail addresses of the leads that its agent noted, in lower case.
    pub(super) emails: Vec<String>,
    pub(super) starts_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lead {
    /// The e-mail address of the lead, in lower case.
    pub(super) email: String,
    pub(super) noted_at: Option<DateTime<Utc>>,
}

/// Decides what the file is. Where the user named the kind of the files, `kind` decides.
pub(super) fn classify(path: &Path, kind: ImportKind, zone: &impl Zone) -> FileKind {
    let extension = extension(path);
    let is = |known: &[&str]| known.contains(&extension.as_str());
    if kind == ImportKind::Audio || (is(&AUDIO) && kind != ImportKind::Session) {
        return FileKind::Audio;
    }
    let head = match read(path, HEAD_BYTES) {
        Ok(head) => head,
        Err(problem) => return FileKind::Broken(problem),
    };
    let text = text_of(&head);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let cues = extension != "txt" && extension != "docx" && is(&TRANSCRIPTS);
    match kind {
        ImportKind::Meeting if !start.starts_with('{') && extension != "json" => FileKind::Transcript,
        ImportKind::Auto if start.starts_with("WEBVTT") || cues => FileKind::Transcript,
        ImportKind::Auto if !start.starts_with('{') && extension != "json" => {
            match (
                extension.as_str(),
                transcripts::check_head(&head[..head.len().min(transcripts::HEAD_BYTES)]),
            ) {
                ("docx", Ok(())) if transcripts::is_office_document(&head) => FileKind::Transcript,
                _ if head.is_empty() => FileKind::Other("it is empty".to_owned()),
                (_, Err(kind)) => FileKind::Other(kind.to_string()),
                ("txt", Ok(())) if has_speakers(&text) => FileKind::Transcript,
                ("txt", Ok(())) => FileKind::Other(
                    "no line of it reads `Name: words`; `--kind meeting` takes it as a transcript".to_owned(),
                ),
                _ => FileKind::Other("it is no session, meeting, transcript or recording".to_owned()),
            }
        }
        _ => match read_json(path) {
            Ok(value) => json(&value, kind, zone),
            Err(problem) => FileKind::Broken(problem),
        },
    }
}

/// The first part of a file as text. A text in UTF-16 is known by its mark.
fn text_of(head: &[u8]) -> Cow<'_, str> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>()
    };
    match head {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes).into(),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes).into(),
        _ => String::from_utf8_lossy(head),
    }
}

/// The place of a transcript in [`TRANSCRIPTS`], by its extension. A lower place is better.
pub(super) fn rank(path: &Path) -> usize {
    let extension = extension(path);
    TRANSCRIPTS.iter().position(|known| *known == extension).unwrap_or(TRANSCRIPTS.len())
}

/// The extension of a file, in lower case.
fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// Reads the JSON in a file. The error is shown after the name of the file.
pub(super) fn read_json(path: &Path) -> Result<Value, String> {
    let bytes = read(path, MAX_JSON_BYTES + 1)?;
    if bytes.len() as u64 > MAX_JSON_BYTES {
        return Err(format!("is longer than {MAX_JSON_BYTES} bytes"));
    }
    let bytes = bytes.strip_prefix(BOM).unwrap_or(&bytes);
    serde_json::from_slice(bytes).map_err(|error| format!("is not valid JSON: {error}"))
}

/// Reads the first `max` bytes of a file. The error is shown after the name of the file.
pub(super) fn read(path: &Path, max: u64) -> Result<Vec<u8>, String> {
    // Opening a pipe or a device could wait for ever.
    let unreadable = |error| format!("cannot be read: {error}");
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err("is no file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(max).read_to_end(&mut bytes))
        .map(|_| bytes)
        .map_err(unreadable)
}

/// Whether the text has a line that a named person speaks. Text files can also be notes or licences.
fn has_speakers(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim();
        let after_time = line.strip_prefix('[').and_then(|rest| Some(rest.split_once(']')?.1.trim_start()));
        let name = after_time.unwrap_or(line).split_once(": ").map(|(name, _)| name.trim());
        let is_name = |name: &str| {
            name.starts_with(char::is_alphabetic)
                && name.split_whitespace().count() <= 4
                && name.chars().count() <= 40
        };
        line.contains("-->") || name.is_some_and(is_name)
    })
}

fn json(value: &Value, kind: ImportKind, zone: &impl Zone) -> FileKind {
    let Value::Object(map) = value else {
        return match kind {
            ImportKind::Session => FileKind::Session(Session::default()),
            ImportKind::Meeting => FileKind::Meeting,
            _ if transcripts::is_transcript(value) => FileKind::Transcript,
            _ => other_json(),
        };
    };
    let is_session = map.contains_key("items") || map.contains_key("conversation");
    match lead(map, zone) {
        _ if kind == ImportKind::Meeting => FileKind::Meeting,
        _ if is_session => FileKind::Session(session(map, zone)),
        Some(lead) => FileKind::Lead(lead),
        None if kind == ImportKind::Session => FileKind::Session(session(map, zone)),
        None if OF_MEETINGS.iter().filter(|name| map.contains_key(**name)).count() >= 2 => FileKind::Meeting,
        None if transcripts::is_transcript(value) => FileKind::Transcript,
        None => other_json(),
    }
}

fn other_json() -> FileKind {
    FileKind::Other("it is JSON, but no session, lead, meeting or transcript".to_owned())
}

fn lead(map: &Map<String, Value>, zone: &impl Zone) -> Option<Lead> {
    let wants = map.contains_key("interest") || map.contains_key("company");
    let email = map.get("email")?.as_str()?;
    (wants && map.contains_key("name"))
        .then(|| Lead { email: normal(email), noted_at: time(map.get("timestamp"), zone) })
}

fn session(map: &Map<String, Value>, zone: &impl Zone) -> Session {
    let items = ["items", "conversation"].iter().find_map(|name| map.get(*name)?.as_array());
    let items = items.map(Vec::as_slice).unwrap_or_default();
    let no_lead = map.get("lead_generated") == Some(&Value::Bool(false));
    let noted = items.iter().filter(|item| !no_lead && item["name"] == "create_lead");
    let starts_at = time(map.get("start_time"), zone)
        .or_else(|| items.iter().find_map(|item| time(item.get("timestamp"), zone)));
    Session { emails: noted.filter_map(|item| noted_email(&item["arguments"])).collect(), starts_at }
}

/// Reads the arguments of a function call. They are a text that holds JSON, or the object itself.
fn noted_email(arguments: &Value) -> Option<String> {
    match arguments {
        Value::String(text) => noted_email(&serde_json::from_str::<Map<_, _>>(text).ok()?.into()),
        arguments => arguments.get("email")?.as_str().map(normal).filter(|email| !email.is_empty()),
    }
}

fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Reads a time as agents write it: `2025-10-23 10:15:00.12`, with or without an offset, a `T` and a `Z`. Some write an
/// offset and a `Z`.
fn time(value: Option<&Value>, zone: &impl Zone) -> Option<DateTime<Utc>> {
    let text = value?.as_str()?.trim().replacen(' ', "T", 1);
    let bare = text.strip_suffix('Z').unwrap_or(&text);
    if let Ok(time) = DateTime::parse_from_str(bare, "%Y-%m-%dT%H:%M:%S%.f%#z") {
        return Some(time.to_utc());
    }
    let naive = NaiveDateTime::parse_from_str(bare, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    if bare.len() < text.len() {
        return Some(naive.and_utc());
    }
    zone.from_local_datetime(&naive).earliest().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(name: &str, content: impl AsRef<[u8]>) -> FileKind {
        forced(name, content, ImportKind::Auto)
    }

    fn forced(name: &str, content: impl AsRef<[u8]>, kind: ImportKind) -> FileKind {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        classify(&path, kind, &Utc)
    }

    #[test]
    fn a_file_is_what_stands_in_it() {
        assert!(matches!(found("lead.json", "{\"items\":[]}"), FileKind::Session(_)));
        assert!(matches!(found("a.json", "\u{feff} {\"conversation\":[]}"), FileKind::Session(_)));
        assert!(matches!(
            found("session.json", "{\"name\":\"A\",\"email\":\"A@b.example.com\",\"interest\":\"\"}"),
            FileKind::Lead(lead) if lead.email == "a@b.example.com"
        ));
        assert_eq!(found("a", "{\"uuid\":\"x\",\"topic\":\"y\"}"), FileKind::Meeting);
        assert_eq!(found("notes", "\u{feff}WEBVTT\n\n"), FileKind::Transcript);
        assert_eq!(found("a.SRT", "1\n00:00:01,000 --> 00:00:02,000\nHi\n"), FileKind::Transcript);
        assert_eq!(found("a.txt", "[00:01] Priya Raman: Hello\n"), FileKind::Transcript);
        let whisper = r#"{"text":"Hi.","segments":[{"start":0.0,"end":1.0,"text":" Hi."}]}"#;
        assert_eq!(found("a.json", whisper), FileKind::Transcript);
        assert_eq!(found("b.json", r#"[{"speaker":"Ann","text":"Hi."}]"#), FileKind::Transcript);
        assert_eq!(found("a.M4A", "whatever"), FileKind::Audio);
    }

    #[test]
    fn what_is_something_else_is_left_out_and_what_is_broken_is_named() {
        for (name, content) in [
            ("metadata.json", "{\"session_id\":\"s\",\"files\":{}}"),
            ("contacts.json", "[{\"name\":\"A\",\"email\":\"a@b.c\",\"company\":\"B\"}]"),
            ("README.txt", "Fresh inputs for five formats.\n"),
            ("deck.pdf", "%PDF-1.7"),
        ] {
            assert!(matches!(found(name, content), FileKind::Other(_)), "{name}");
        }
        for (name, content) in [("a.json", "{\"items\": ["), ("b.json", ""), ("c.json", "nope")] {
            let found = found(name, content);
            assert!(matches!(&found, FileKind::Broken(why) if why.contains("JSON")), "{name}: {found:?}");
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(found("deep.json", deep), FileKind::Broken(_)));
    }

    #[test]
    fn a_text_in_utf_16_is_a_transcript_too() {
        let wide = |text: &str| -> Vec<u8> {
            format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
        };
        assert_eq!(found("captions", wide("WEBVTT\n\n")), FileKind::Transcript);
        assert_eq!(found("a.vtt", wide("WEBVTT\n\n")), FileKind::Transcript);
        assert_eq!(found("a.txt", wide("Priya: Hello\n")), FileKind::Transcript);
    }

    #[test]
    fn a_word_document_is_a_transcript_and_other_archives_are_not() {
        let archive = |name: &str| [&b"PK\x03\x04"[..], &[0; 26], name.as_bytes(), &[7; 100]].concat();
        assert_eq!(found("Pilot.docx", archive("[Content_Types].xml")), FileKind::Transcript);
        assert!(matches!(found("Pilot.docx", archive("photo.jpg")), FileKind::Other(_)));
        assert!(matches!(found("Pilot.xlsx", archive("[Content_Types].xml")), FileKind::Other(_)));
        assert_eq!(forced("Pilot.docx", archive("word/a"), ImportKind::Meeting), FileKind::Transcript);
        let deepgram =
            r#"{"results":{"channels":[{"alternatives":[{"words":[{"word":"hi","start":0,"end":1}]}]}]}}"#;
        assert_eq!(found("a.json", deepgram), FileKind::Transcript);
        let eleven_labs =
            r#"{"language_code":"eng","words":[{"text":"Hi.","start":0,"end":1,"type":"word"}]}"#;
        assert_eq!(found("b.json", eleven_labs), FileKind::Transcript);
    }

    #[test]
    fn what_is_something_else_is_said() {
        for (name, content, what) in [
            ("a.txt", &b"%PDF-1.7\nTitle: a document"[..], "it is a PDF document"),
            ("a.txt", b"PK\x03\x04Name: zipped", "it is a ZIP archive"),
            ("notes", b"\x89PNG\r\n", "it is a picture"),
            ("a.txt", b"", "it is empty"),
            // A Cyrillic text in Windows-1251 would be read as wrong words.
            ("a.txt", b"\xc0\xed\xed\xe0: \xcf\xf0\xe8\xe2\xe5\xf2", "it is not text in UTF-8"),
        ] {
            let found = found(name, content);
            assert!(matches!(&found, FileKind::Other(why) if why.starts_with(what)), "{what}: {found:?}");
        }
    }

    #[test]
    fn the_user_knows_better() {
        let bare = "{\"session_id\":\"s\"}";
        assert!(matches!(forced("a.json", bare, ImportKind::Session), FileKind::Session(_)));
        let lead = "{\"name\":\"A\",\"email\":\"a@b.example.com\",\"company\":\"\"}";
        assert!(matches!(forced("a.json", lead, ImportKind::Session), FileKind::Lead(_)));
        assert_eq!(forced("a.json", "{\"topic\":\"x\"}", ImportKind::Meeting), FileKind::Meeting);
        assert_eq!(forced("a.txt", "Nobody speaks by name.", ImportKind::Meeting), FileKind::Transcript);
        assert_eq!(forced("a.bin", "x", ImportKind::Audio), FileKind::Audio);
    }

    #[test]
    fn a_session_tells_the_addresses_of_its_leads_and_when_it_began() {
        let items = json!([
            { "role": "user", "content": "odile at marchetti", "timestamp": "2025-10-23T10:15:00" },
            { "name": "create_lead", "arguments": "{\"email\":\" Odile@Marchetti.example.com\"}" },
            { "name": "create_lead", "arguments": { "email": "b@c.example.com" } },
            { "name": "create_lead", "arguments": "{\"email\":" },
            { "name": "other", "arguments": "{\"email\":\"no@c.example.com\"}" },
        ]);
        let FileKind::Session(said) = found("a.json", json!({ "items": items }).to_string()) else {
            panic!()
        };
        assert_eq!(said.emails, ["odile@marchetti.example.com", "b@c.example.com"]);
        assert_eq!(said.starts_at.unwrap().to_rfc3339(), "2025-10-23T10:15:00+00:00");
        let none = json!({ "items": items, "lead_generated": false }).to_string();
        assert!(matches!(found("a.json", none), FileKind::Session(said) if said.emails.is_empty()));
    }

    #[test]
    fn the_times_that_agents_write_are_read() {
        let zone = chrono::FixedOffset::east_opt(3600).unwrap();
        for (text, wanted) in [
            ("2025-10-23 10:15:00.120000", "2025-10-23T09:15:00.120+00:00"),
            ("2025-10-23 11:00:05.5+00:00", "2025-10-23T11:00:05.500+00:00"),
            ("2025-10-23T10:15:00.12+00:00Z", "2025-10-23T10:15:00.120+00:00"),
            ("2025-10-23T10:15:00Z", "2025-10-23T10:15:00+00:00"),
        ] {
            assert_eq!(time(Some(&text.into()), &zone).unwrap().to_rfc3339(), wanted, "{text}");
        }
        assert_eq!(time(Some(&"soon".into()), &zone), None);
    }
}
