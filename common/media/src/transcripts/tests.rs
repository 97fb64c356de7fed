//! Tests the readers with files that real products wrote, and with the test files of other parsers.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use domain::call::Role;
use domain::event::MaterialKind;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn sample(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(path)).unwrap()
}

fn transcript(bytes: impl AsRef<[u8]>) -> Parsed {
    parse(MaterialKind::Transcript, bytes.as_ref(), Tz::UTC).unwrap()
}

fn session(bytes: impl AsRef<[u8]>) -> Result<Parsed, ReadError> {
    parse(MaterialKind::Session, bytes.as_ref(), Tz::UTC)
}

/// `(speaker, text)` of each segment.
fn said(parsed: &Parsed) -> Vec<(Option<&str>, &str)> {
    let segments = &parsed.transcript.segments;
    segments.iter().map(|segment| (segment.speaker.as_deref(), segment.text.as_str())).collect()
}

/// The files that we read differently from vtt.js on purpose. The first has a fraction of two digits, for which the
/// standard drops the whole cue. The second has `120:00.000`, which vtt.js reads as hours and minutes.
const WIDER_THAN_THE_STANDARD: &[&str] = &["fraction-digits", "minimum-spots-over-sixty"];

#[test]
fn a_small_file_with_very_many_turns_is_refused_before_it_fills_the_memory() {
    let file = "0:01-->0:02\na\n\n".repeat(MAX_SEGMENTS + 1);
    assert!(matches!(parse(MaterialKind::Transcript, file.as_bytes(), Tz::UTC), Err(ReadError::TooMany)));
    let lines = "A: a\n".repeat(MAX_SEGMENTS + 1);
    assert!(
        !parse(MaterialKind::Transcript, lines.as_bytes(), Tz::UTC).is_ok_and(|parsed| parsed
            .transcript
            .segments
            .len()
            > MAX_SEGMENTS)
    );
}

#[test]
fn the_same_cues_are_found_as_vtt_js_finds_in_its_own_test_files() {
    let (mut compared, mut differ) = (0, Vec::new());
    for path in files_below(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/vttjs")) {
        let expected = path.with_extension("json");
        if path.extension().is_none_or(|extension| extension != "vtt") || !expected.exists() {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let expected: Value = serde_json::from_slice(&std::fs::read(expected).unwrap()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let text = decode(&bytes).unwrap();
        let file = cues::read(&text);
        let found: Vec<_> =
            file.cues.iter().map(|cue| (cue.start_ms, cue.end_ms, cue.lines.join("\n"))).collect();
        let expected: Vec<_> = expected["cues"].as_array().unwrap().iter().map(expected_cue).collect();
        compared += 1;
        if found != expected {
            differ.push(name.to_owned());
        }
    }
    differ.sort();
    assert_eq!(differ, WIDER_THAN_THE_STANDARD);
    assert!(compared > 40, "only {compared} files were compared");
}

fn expected_cue(cue: &Value) -> (i64, i64, String) {
    #[expect(clippy::cast_possible_truncation, reason = "times of test files are small")]
    let ms = |name: &str| (cue[name].as_f64().unwrap() * 1000.0).round() as i64;
    (ms("startTime"), ms("endTime"), cue["text"].as_str().unwrap().to_owned())
}

fn files_below(folder: PathBuf) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

#[test]
fn a_meeting_gives_the_same_transcript_from_the_files_of_different_tools() {
    let plain = transcript(sample("meeting/transcript.webvtt"));
    assert_eq!(plain.transcript.segments.len(), 55);
    assert_eq!(plain.transcript.segments[0].start_ms, Some(4_000));
    assert_eq!(plain.transcript.duration_ms(), Some(349_805));
    assert_eq!(plain.transcript.segments[3].speaker.as_deref(), Some("Tom Björk"));
    assert_eq!(plain.transcript.segments[54].id, 55);
    assert_eq!(transcript(sample("meeting/transcript_zoom_native.vtt")), plain);
    let indented = transcript(sample("meeting/transcript_leading_spaces.webvtt"));
    assert_eq!(indented.transcript.segments, plain.transcript.segments[..6]);
}

#[test]
fn a_valid_file_with_unusual_parts_keeps_every_cue_that_has_a_time() {
    let parsed = transcript(sample("meeting/transcript_awkward.vtt"));
    assert_eq!(
        said(&parsed),
        [
            (Some("Priya Raman"), "Good morning everyone, thanks for making the time."),
            (Some("Marcus Oyelaran"), "Note: I'll be covering the technical side & the demo."),
            (None, "(no speaker label on this cue)"),
            (Some("Tom Björk"), "I report to Helen."),
            (Some("Priya Raman"), "(zero-length cue)"),
        ]
    );
    assert_eq!(parsed.skipped, 1);
    let zero = &parsed.transcript.segments[4];
    assert_eq!(zero.start_ms, zero.end_ms);
}

#[test]
fn every_cue_of_real_zoom_files_is_read() {
    let labelled = transcript(sample("zoom/GMT20240124-202901_Recording.transcript.masked.vtt"));
    assert_eq!(labelled.skipped, 0);
    let unlabelled = labelled.transcript.segments.iter().filter(|segment| segment.speaker.is_none()).count();
    assert_eq!(unlabelled, 1, "one cue of the file has no name");
    assert!(
        said(&labelled)
            .contains(&(Some("Dr. Speaker Title"), "xxxx, xxxxxxxx xxxxxxx xxxxxxx xxxxxx. Xx, xxxx."))
    );
    let captions = transcript(sample("zoom/GMT20240124-202901_Recording.cc.masked.vtt"));
    assert_eq!((captions.skipped, captions.transcript.segments.len()), (0, 100));
    assert!(captions.transcript.segments.iter().all(|segment| segment.speaker.is_none()));
}

#[test]
fn a_file_without_a_header_or_with_subrip_commas_is_read() {
    let text = "1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>Helen:</i> Yes.\r\n\r\n2\r\n100:00:03,000 --> 100:00:02,000\r\nNo.\r\n";
    let parsed = transcript(text);
    assert_eq!(said(&parsed), [(Some("Helen"), "Yes."), (None, "No.")]);
    let backwards = &parsed.transcript.segments[1];
    assert_eq!(backwards.start_ms, Some(360_003_000));
    assert_eq!(backwards.end_ms, backwards.start_ms);
}

#[test]
fn a_broken_timing_line_loses_only_its_own_cue() {
    let parsed = transcript(
        "WEBVTT\n\n00:01.000 --> 00:02.000\nOne\n\n00:0x.000 --> 00:03.000\nTwo\n\n00:04.000 --> 00:05.000\nThree\n",
    );
    assert_eq!(said(&parsed), [(None, "One"), (None, "Three")]);
    assert_eq!(parsed.skipped, 1);
}

#[test]
fn each_line_with_a_name_and_words_is_a_turn() {
    let parsed = transcript(
        "Date: 3 June\n\n[00:01:02] Priya: Good morning.\nThanks for coming.\nTom Björk: Hi.\n\n(1:10) Note: nothing",
    );
    assert_eq!(
        said(&parsed),
        [
            (None, "Date: 3 June"),
            (Some("Priya"), "Good morning. Thanks for coming."),
            (Some("Tom Björk"), "Hi."),
            (None, "Note: nothing")
        ]
    );
    assert_eq!(parsed.transcript.segments[1].start_ms, Some(62_000));
    assert_eq!(said(&transcript("Tom: from A --> B")), [(Some("Tom"), "from A --> B")]);
    assert_eq!(said(&transcript("just words\nand more")), [(None, "just words"), (None, "and more")]);
}

#[test]
fn the_error_about_a_file_without_a_transcript_says_why_it_has_none() {
    let why = |bytes: &[u8]| parse(MaterialKind::Transcript, bytes, Tz::UTC).unwrap_err().to_string();
    assert_eq!(why(b"\xEF\xBB\xBF \r\n"), "it is empty");
    assert_eq!(
        why(b"WEBVTT\n\nNOTE nothing here\n"),
        "it has no cue with words and readable times (0 blocks were skipped)"
    );
    assert_eq!(
        why(b"1\n00:00:xx --> 00:00:01\nhello\n"),
        "it has no cue with words and readable times (1 blocks were skipped)"
    );
    assert_eq!(why(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0"), "it is not text");
    assert_eq!(why(b"<!DOCTYPE html><p>Sign in"), "it is a web page");
    assert!(
        session(sample("sessions/transcript_session_2025-10-23T12-05-00.000000.json"))
            .unwrap_err()
            .to_string()
            .starts_with("it is not JSON")
    );
    assert!(matches!(session(br#"{"items":[{"role":"system","content":"x"}]}"#), Err(ReadError::NoSpeech)));
    assert!(matches!(session(b"[]"), Err(ReadError::NotASession)));
}

#[test]
fn a_file_in_utf_16_is_read() {
    let text = "\u{feff}WEBVTT\n\n00:01.000 --> 00:02.000\nTom Björk: Hi\n";
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(said(&transcript(bytes)), [(Some("Tom Björk"), "Hi")]);
}

#[test]
fn a_session_gives_its_spoken_items_with_times_counted_from_its_start() {
    let parsed = session(sample("sessions/transcript_session_2025-10-23T10-18-31.004512.json")).unwrap();
    let segments = &parsed.transcript.segments;
    assert_eq!(segments.len(), 6);
    assert_eq!((segments[0].role, segments[0].start_ms), (Some(Role::Agent), Some(0)));
    assert_eq!(
        (segments[1].role, segments[1].start_ms, segments[1].confidence),
        (Some(Role::Customer), Some(12_280), Some(0.95))
    );
    assert_eq!(segments[5].text, "Thank you, Odile. Our sales team will call you on Monday.");
}

#[test]
fn an_object_with_only_items_and_the_older_shape_are_sessions_too() {
    let lists = session(sample("sessions/transcript_session_2025-10-23T11-04-46.230001.json")).unwrap();
    assert_eq!(said(&lists)[0].1, "Hello, this is Wrenbot from Bluefinch Voice. How can I help you?");
    let dump = session(sample("sessions/transcript_session_2025-10-23T12-00-00.000000.json")).unwrap();
    assert_eq!(said(&dump), [(None, "Raw dump without session fields")]);
    assert_eq!(dump.transcript.segments[0].start_ms, None);
    let older = session(sample("sessions/conversation_20251007_164256.json")).unwrap();
    let times: Vec<_> = older.transcript.segments.iter().map(|segment| segment.start_ms).collect();
    assert_eq!(times, [Some(0), Some(5_567)]);
}

/// A reader that needs linear time takes some seconds for all files together, even in a debug build. One that needs
/// quadratic time would take minutes for each file.
#[test]
fn large_files_made_to_be_slow_are_read_in_reasonable_time() {
    let began = std::time::Instant::now();
    let cue = |payload: String| format!("WEBVTT\n\n00:01.000 --> 00:02.000\n{payload}\n");
    for payload in ["<", "&", "{\\", "<v ", "<a", "A: ", "A\n", "A:\n", "a b ", "<v A>x</v>", "00:"] {
        let payload = payload.repeat(500_000 / payload.len());
        let _parsed_or_refused =
            parse(MaterialKind::Transcript, cue(payload.clone()).as_bytes(), Tz::UTC).is_ok();
        let _parsed_or_refused = parse(MaterialKind::Transcript, payload.as_bytes(), Tz::UTC).is_ok();
    }
    let long = transcript(cue("word ".repeat(1_000_000)));
    assert_eq!(long.transcript.segments.len(), 1);
    assert!(began.elapsed().as_secs() < 60, "took {:?}", began.elapsed());
}

/// The words of a cue in the property tests. They hold no speaker label, and nothing that ends a cue.
fn words() -> impl Strategy<Value = String> {
    proptest::collection::vec("[a-zA-Z0-9,.?!'&<>éß山]{1,8}", 1..6).prop_map(|words| words.join(" "))
}

type Turn = (u32, u32, Option<String>, String);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let name = proptest::option::of("[A-Z][a-z]{2,8} [A-Z][a-z]{2,8}");
    proptest::collection::vec((0..3_600_000_u32, 0..5_000_u32, name, words()), 1..20)
}

fn written(turns: &[Turn], header: &str, point: char, newline: &str, voice_tags: bool) -> String {
    let clock = |ms: u32| {
        format!("{:02}:{:02}:{:02}{point}{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
    };
    let mut file = header.replace('\n', newline);
    for (number, (start, length, name, words)) in turns.iter().enumerate() {
        let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let words = match name {
            Some(name) if voice_tags => format!("<v {name}>{words}</v>"),
            Some(name) => format!("{name}: {words}"),
            None => words,
        };
        let (start, end) = (clock(*start), clock(start + length));
        write!(file, "{}{newline}{start} --> {end}{newline}{words}{newline}{newline}", number + 1).unwrap();
    }
    file
}

proptest! {
    #[test]
    fn no_sequence_of_bytes_makes_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for kind in [MaterialKind::Transcript, MaterialKind::Session] {
            let _parsed_or_refused = parse(kind, &bytes, Tz::UTC).is_ok();
        }
    }

    #[test]
    fn no_text_made_of_markup_makes_a_reader_panic(
        text in "(WEBVTT|NOTE|STYLE|-->|00:0[0-9]|[.,:]|[0-9]{1,4}|\n|\r|<v? ?|>|</v>|&[a-z#]{0,3};?|\\{\\\\|\\}|[A-Z][a-z]{0,3}: ?|\\PC| ){0,60}"
    ) {
        let _parsed_or_refused = parse(MaterialKind::Transcript, text.as_bytes(), Tz::UTC).is_ok();
    }

    #[test]
    fn a_file_that_was_written_is_read_with_the_same_words_names_and_times(
        turns in turns(), subrip in any::<bool>(), crlf in any::<bool>(), voice_tags in any::<bool>()
    ) {
        let (header, point) = if subrip { ("", ',') } else { ("WEBVTT\n\n", '.') };
        let file = written(&turns, header, point, if crlf { "\r\n" } else { "\n" }, voice_tags);
        let parsed = transcript(&file);
        prop_assert_eq!(parsed.skipped, 0);
        let found: Vec<_> = parsed.transcript.segments.iter().map(|segment| {
            (segment.start_ms, segment.end_ms, segment.speaker.clone(), segment.text.clone())
        }).collect();
        let expected: Vec<_> = turns.iter().map(|(start, length, name, words)| {
            (Some(i64::from(*start)), Some(i64::from(start + length)), name.clone(), words.clone())
        }).collect();
        prop_assert_eq!(found, expected);
    }
}
