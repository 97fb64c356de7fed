//! Reads the words of transcripts, to compare them and to refuse what is no transcript.

use std::path::Path;

use chrono_tz::Tz;
use domain::event::MaterialKind;
use domain::transcript::Transcript;
use media::transcripts::{People, ReadError, parse};

use super::classify::read;

/// A transcript that is longer is refused by the intake.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Whether two transcripts say the same. Their times, their formats and the names of the speakers can differ. Two
/// files that cannot be read are the same where their bytes are.
pub(super) fn are_same(one: &Path, other: &Path, zone: Tz) -> bool {
    match (read(one, MAX_BYTES), read(other, MAX_BYTES)) {
        (Ok(one), Ok(other)) => match (transcript(&one, zone), transcript(&other, zone)) {
            (Ok(one), Ok(other)) => words(&one).eq(words(&other)),
            _ => one == other,
        },
        _ => false,
    }
}

/// Why the file can never be a transcript. `None` where it is one, where nobody speaks in it, or where it cannot be
/// read now: the intake says that.
pub(super) fn why_not(path: &Path, zone: Tz) -> Option<String> {
    match transcript(&read(path, MAX_BYTES).ok()?, zone) {
        Ok(_) | Err(ReadError::NoSpeech | ReadError::Empty) => None,
        Err(problem) => Some(format!("is not a transcript: {problem}")),
    }
}

fn transcript(bytes: &[u8], zone: Tz) -> Result<Transcript, ReadError> {
    parse(MaterialKind::Transcript, bytes, zone, &People::default())
}

fn words(transcript: &Transcript) -> impl Iterator<Item = String> {
    let texts = transcript.segments.iter().map(|segment| segment.text.as_str());
    let words = texts.flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const VTT: &str = "WEBVTT\n\n00:01.000 --> 00:02.000\nAnn: Hello there, Bob.\n\n";

    struct Files(tempfile::TempDir);

    impl Files {
        fn file(&self, name: &str, content: &str) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        }
    }

    #[test]
    fn transcripts_are_the_same_where_their_words_are() {
        let files = Files(tempfile::tempdir().unwrap());
        let vtt = files.file("a.vtt", VTT);
        let same = files.file("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nAnn: Hello there,\n\n2\n00:00:02,000 --> 00:00:03,000\nAnn: Bob.\n");
        let other = files.file("b.srt", "1\n00:00:01,000 --> 00:00:02,000\nAnn: Hello there, Rob.\n");
        let shorter = files.file("c.srt", "1\n00:00:01,000 --> 00:00:02,000\nAnn: Hello there,\n");
        assert!(are_same(&vtt, &same, Tz::UTC));
        assert!(!are_same(&vtt, &other, Tz::UTC));
        assert!(!are_same(&vtt, &shorter, Tz::UTC));
        let (broken, gone) = (files.file("d.srt", "%PDF-1.7"), PathBuf::from("/nowhere/a.srt"));
        assert!(!are_same(&vtt, &broken, Tz::UTC) && !are_same(&vtt, &gone, Tz::UTC));
        assert!(are_same(&broken, &files.file("e.srt", "%PDF-1.7"), Tz::UTC));
    }

    #[test]
    fn what_is_no_transcript_is_said() {
        let files = Files(tempfile::tempdir().unwrap());
        for (name, content, what) in [
            ("a.vtt", "%PDF-1.7", "a PDF document"),
            ("b.srt", "<!DOCTYPE html><p>Ann: Hi</p>", "web page"),
            ("c.vtt", "{\"results\": {\"transcripts\": []}}", "JSON"),
            ("d.vtt", "<?xml version=\"1.0\"?><tt xmlns=\"http://www.w3.org/ns/ttml\"><body/></tt>", "it is"),
        ] {
            let why =
                why_not(&files.file(name, content), Tz::UTC).unwrap_or_else(|| panic!("{name} is taken"));
            assert!(why.contains(what), "{name}: {why}");
        }
        assert_eq!(why_not(&files.file("e.vtt", VTT), Tz::UTC), None);
        assert_eq!(why_not(&files.file("f.vtt", "WEBVTT\n"), Tz::UTC), None, "nobody speaks in it");
    }
}
