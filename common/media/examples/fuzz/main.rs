//! Feeds damaged files to every reader of recordings and transcripts, and looks for panics, hangs and growth.
//!
//! Each target begins with small valid files and changes them at random: bits, numbers, cut ends, doubled and removed
//! parts, and parts of other files. The random numbers come from a seed, so every input can be made again:
//!
//! ```text
//! cargo run -p media --example fuzz -- --seconds 60                  all targets, a minute each
//! cargo run -p media --example fuzz -- --only flac --seed 7 --first 1234 --count 1
//! ```
//!
//! The inputs are read in a child process with little memory. So an input that hangs or that takes too much memory ends
//! the child, and the runner goes on behind it.

mod harness;

use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use domain::event::MaterialKind;
use media::audio::raw::{Encoding, Raw};
use media::audio::{Decoder, measure};
use media::transcripts::{self, People};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Where the valid files are, from the folder of this crate.
const RECORDINGS: &str = "test-data/audio";
const TRANSCRIPTS: [(&str, &str); 8] = [
    (
        "vtt",
        "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.500\n<v Dana Ortiz>Good morning.\n\n00:01.500 --> 00:04.000\n<v B>Hello &amp; thanks.\n",
    ),
    (
        "srt",
        "1\n00:00:00,000 --> 00:00:01,500\nDana: Good morning.\n\n2\n00:00:01,500 --> 00:00:04,000\nB: Hello.\n",
    ),
    ("text", "Dana Ortiz: Good morning.\n[00:01:02] B: My invoice is wrong.\nDana Ortiz (00:03): I see.\n"),
    (
        "session",
        r#"{"items": [{"role": "assistant", "content": ["Good morning."]}, {"role": "user", "content": ["Hello."], "created_at": 1700000000.5}]}"#,
    ),
    (
        "whisper.json",
        r#"{"language": "en", "segments": [{"start": 0.0, "end": 1.5, "text": " Good morning."}, {"start": "00:00:02", "speaker": {"name": "B"}, "text": "Hi."}]}"#,
    ),
    (
        "deepgram.json",
        r#"{"results": {"channels": [{"detected_language": "en", "alternatives": [{"transcript": "hi", "words": [{"word": "hi", "punctuated_word": "Hi.", "start": 0.5, "end": 0.9, "speaker": 0}, {"word": "you", "start": 2, "end": 3}]}]}, {"alternatives": [{"transcript": "yes"}]}]}}"#,
    ),
    (
        "elevenlabs.json",
        r#"{"transcripts": [{"channel_index": 1, "language_code": "eng", "text": "Hi.", "words": [{"text": "Hi.", "start": 0.1, "end": 0.4, "type": "word", "speaker_id": "speaker_0"}, {"text": " ", "type": "spacing"}]}]}"#,
    ),
    (
        DOCUMENT,
        "<?xml version=\"1.0\"?><w:document xmlns:w=\"w\"><w:body><w:p><w:r><w:t>Dana Ortiz</w:t></w:r><w:r><w:t>   0:03</w:t><w:br/><w:t>Good &amp; early&#46;</w:t></w:r></w:p><w:p><w:r><w:t>0:00:04.2 --&gt; 0:00:05.1</w:t><w:br/><w:t>B</w:t></w:r></w:p></w:body></w:document>",
    ),
];
/// The XML in a Word document. It is put into a whole archive, because the archive knows the checksum of its content.
const DOCUMENT: &str = "document.xml";
/// The archive around it.
const ARCHIVE: &str = "docx";

fn main() -> ExitCode {
    harness::main(&harness::Fuzzer { targets: targets(), corpus, read })
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(RECORDINGS)
}

/// The name of every target: a recording for each format, and the parsers of transcripts.
fn targets() -> Vec<String> {
    let files = std::fs::read_dir(folder()).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let mut targets: Vec<String> = names
        .filter(|name| std::path::Path::new(name).extension().is_none_or(|ending| ending != "sh"))
        .collect();
    targets.extend(["raw", ARCHIVE].map(str::to_owned));
    targets.extend(TRANSCRIPTS.iter().map(|(name, _)| (*name).to_owned()));
    targets.sort();
    targets
}

fn read(target: &str, input: Vec<u8>) {
    match target {
        DOCUMENT => transcript(MaterialKind::Transcript, &archive(&input)),
        _ if target == ARCHIVE
            || TRANSCRIPTS.iter().any(|(name, _)| *name == target && target != "session") =>
        {
            transcript(MaterialKind::Transcript, &input);
        }
        "session" => transcript(MaterialKind::Session, &input),
        "raw" => {
            let encoding = [Encoding::MuLaw, Encoding::ALaw, Encoding::Pcm16][input.len() % 3];
            let raw = Raw { encoding, sample_rate: 8_000, channels: input.len() % 2 + 1 };
            if let Ok(decoder) = Decoder::raw(Cursor::new(input), raw) {
                let _measured = measure::measure(decoder);
            }
        }
        _ => {
            if let Ok(decoder) = Decoder::open(Cursor::new(input)) {
                let _measured = measure::measure(decoder);
            }
        }
    }
}

/// A Word document with this XML.
fn archive(xml: &[u8]) -> Vec<u8> {
    let write = || {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in [("[Content_Types].xml", &b"<Types/>"[..]), ("word/document.xml", xml)] {
            writer.start_file(name, SimpleFileOptions::default())?;
            writer.write_all(content)?;
        }
        writer.finish()
    };
    write().map(Cursor::into_inner).unwrap_or_default()
}

fn transcript(kind: MaterialKind, input: &[u8]) {
    let _read = transcripts::parse(kind, input, chrono_tz::Tz::UTC, &People::default());
}

/// The file of the target first, and the other files for parts.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    if target == ARCHIVE {
        let xml = TRANSCRIPTS.iter().find(|(name, _)| *name == DOCUMENT).map_or("", |(_, xml)| *xml);
        return vec![archive(xml.as_bytes()), archive(b"<a/>")];
    }
    if let Some((_, text)) = TRANSCRIPTS.iter().find(|(name, _)| *name == target) {
        let others = TRANSCRIPTS.iter().map(|(_, text)| text.as_bytes().to_vec());
        return std::iter::once(text.as_bytes().to_vec()).chain(others).collect();
    }
    let read = |name: &str| std::fs::read(folder().join(name)).ok();
    let own = if target == "raw" {
        Some((0..4_000_u32).map(|at| (at * 37 % 251) as u8).collect())
    } else {
        read(target)
    };
    own.into_iter().chain(targets().iter().filter_map(|name| read(name))).collect()
}
