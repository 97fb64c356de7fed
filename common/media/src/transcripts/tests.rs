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

fn transcript(bytes: impl AsRef<[u8]>) -> Transcript {
    parse(MaterialKind::Transcript, bytes.as_ref(), Tz::UTC, &People::default()).unwrap()
}

fn session(bytes: impl AsRef<[u8]>) -> Result<Transcript, ReadError> {
    parse(MaterialKind::Session, bytes.as_ref(), Tz::UTC, &People::default())
}

/// `(speaker, text)` of each segment.
fn said(parsed: &Transcript) -> Vec<(Option<&str>, &str)> {
    let segments = &parsed.segments;
    segments.iter().map(|segment| (segment.speaker.as_deref(), segment.text.as_str())).collect()
}

fn codes(parsed: &Transcript) -> Vec<&str> {
    parsed.notes.iter().map(|note| note.code.as_str()).collect()
}

/// The files that we read otherwise than vtt.js does, on purpose. The first has a fraction of two digits, for
/// which the standard drops the whole cue. The second has a cue whose id is an arrow, which makes the standard drop its
/// words. The third has `120:00.000`, which vtt.js reads as hours and minutes.
const WIDER_THAN_THE_STANDARD: &[&str] = &["fraction-digits", "id", "minimum-spots-over-sixty"];

#[test]
fn a_small_file_with_very_many_turns_is_refused_before_it_fills_the_memory() {
    let file = "0:01-->0:02\na\n\n".repeat(MAX_SEGMENTS + 1);
    assert!(matches!(
        parse(MaterialKind::Transcript, file.as_bytes(), Tz::UTC, &People::default()),
        Err(ReadError::TooMany)
    ));
    let lines = "A: a\n".repeat(MAX_SEGMENTS + 1);
    let lines = parse(MaterialKind::Transcript, lines.as_bytes(), Tz::UTC, &People::default());
    assert!(matches!(lines, Err(ReadError::TooMany)));
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
        let text = encoding::decode(&bytes, &mut Vec::new()).unwrap();
        let file = cues::read(&text);
        let timed = file.cues.iter().filter_map(|cue| Some((cue.times_ms?, cue.lines.join("\n"))));
        let found: Vec<_> = timed.map(|((start, end), text)| (start, end, text)).collect();
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
    assert_eq!(plain.segments.len(), 55);
    assert_eq!(plain.segments[0].start_ms, Some(4_000));
    assert_eq!(plain.duration_ms(), Some(349_805));
    assert_eq!(plain.segments[3].speaker.as_deref(), Some("Tom Björk"));
    assert_eq!(plain.segments[54].id, 55);
    assert_eq!(transcript(sample("meeting/transcript_zoom_native.vtt")), plain);
    let indented = transcript(sample("meeting/transcript_leading_spaces.webvtt"));
    assert_eq!(indented.segments, plain.segments[..6]);
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
    assert_eq!(codes(&parsed), ["blocks_without_times"]);
    assert!(parsed.notes[0].text.contains("this block has no valid timing"), "{:?}", parsed.notes);
    let zero = &parsed.segments[4];
    assert_eq!(zero.start_ms, zero.end_ms);
}

#[test]
fn every_cue_of_real_zoom_files_is_read() {
    let labelled = transcript(sample("zoom/GMT20240124-202901_Recording.transcript.masked.vtt"));
    assert_eq!(codes(&labelled), [""; 0]);
    let unlabelled = labelled.segments.iter().filter(|segment| segment.speaker.is_none()).count();
    assert_eq!(unlabelled, 1, "one cue of the file has no name");
    assert!(
        said(&labelled)
            .contains(&(Some("Dr. Speaker Title"), "xxxx, xxxxxxxx xxxxxxx xxxxxxx xxxxxx. Xx, xxxx."))
    );
    let captions = transcript(sample("zoom/GMT20240124-202901_Recording.cc.masked.vtt"));
    assert_eq!((captions.notes.len(), captions.segments.len()), (0, 100));
    assert!(captions.segments.iter().all(|segment| segment.speaker.is_none()));
}

#[test]
fn a_file_without_a_header_or_with_subrip_commas_is_read() {
    let text = "1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>Helen:</i> Yes.\r\n\r\n2\r\n100:00:03,000 --> 100:00:02,000\r\nNo.\r\n";
    let parsed = transcript(text);
    assert_eq!(said(&parsed), [(Some("Helen"), "Yes."), (None, "No.")]);
    let backwards = &parsed.segments[1];
    assert_eq!(backwards.start_ms, Some(360_003_000));
    assert_eq!(backwards.end_ms, backwards.start_ms);
}

#[test]
fn the_words_of_a_cue_with_a_broken_timing_line_are_kept_without_times() {
    let parsed = transcript(
        "WEBVTT\n\n00:01.000 --> 00:02.000\nOne\n\n00:0x.000 --> 00:03.000\nTwo\n\n00:04.000 --> 00:05.000\nThree\n",
    );
    assert_eq!(said(&parsed), [(None, "One"), (None, "Two"), (None, "Three")]);
    assert_eq!(parsed.segments[1].start_ms, None);
    assert_eq!(codes(&parsed), ["times_unreadable"]);
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
    assert_eq!(parsed.segments[1].start_ms, Some(62_000));
    assert_eq!(said(&transcript("Tom: from A --> B")), [(Some("Tom"), "from A --> B")]);
    assert_eq!(said(&transcript("just words\nand more")), [(None, "just words"), (None, "and more")]);
}

#[test]
fn the_error_about_a_file_without_a_transcript_says_why_it_has_none() {
    let why = |bytes: &[u8]| {
        parse(MaterialKind::Transcript, bytes, Tz::UTC, &People::default()).unwrap_err().to_string()
    };
    assert_eq!(why(b"\xEF\xBB\xBF \r\n"), "it is empty");
    assert_eq!(why(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0"), "it is a recording, not a transcript");
    assert_eq!(why(b"\x01\x02\x03\x04\x05\x06\x07"), "it is not text in UTF-8, UTF-16 or Windows-1252");
    assert_eq!(why(b"%PDF-1.7 ..."), "it is a PDF document");
    let ttml = br#"<?xml version="1.0"?><tt xmlns="http://www.w3.org/ns/ttml"><body/></tt>"#;
    assert_eq!(why(ttml), "it is TTML, timed text in XML; export it as WebVTT or SubRip");
    assert_eq!(why(b"<?xml version=\"1.0\"?><report/>"), "it is an XML document");
    assert_eq!(why(br#"{"results":{"channels":[]}}"#), "it is JSON, but no list of what was said is in it");
    assert_eq!(why(b"<!DOCTYPE html><p>Sign in"), "it is a web page");
    assert!(
        session(sample("sessions/transcript_session_2025-10-23T12-05-00.000000.json"))
            .unwrap_err()
            .to_string()
            .starts_with("it is not JSON")
    );
    assert!(matches!(session(br#"{"items":[{"sku":"A-7"},{"sku":"A-8"}]}"#), Err(ReadError::NoSpeech)));
    assert!(matches!(session(b"[]"), Err(ReadError::NotASession)));
}

/// What became of files that lost words before: the file, the speakers and words, and the codes of the notes.
#[test]
fn no_word_of_a_cue_file_disappears_without_a_note() {
    type Case<'a> = (&'a str, &'a [(Option<&'a str>, &'a str)], &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        ("WEBVTT\n\n00:01.000 --> 00:02.000\n\nTom: Hello there.\n", &[(Some("Tom"), "Hello there.")], &[]),
        (
            "1\n00:00:01,000 --> 00:00:02,000\n\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\nBye\n",
            &[(None, "Hello"), (None, "Bye")],
            &[],
        ),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nGo from\nA --> B now\n", &[(None, "Go from A --> B now")], &[]),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nOrders --> Returns\n", &[(None, "Orders --> Returns")], &[]),
        (
            "WEBVTT\n\n00:01.000 --> 00:02.000\nOne\n\nTwo has no time\n\n00:03.000 --> 00:04.000\nThree\n",
            &[(None, "One"), (None, "Three")],
            &["blocks_without_times"],
        ),
        (
            "1\n00:00:01,000 --> 00:00:02,000\nOne\n\nTwo has no time\n\n3\n00:00:03,000 --> 00:00:04,000\nThree\n",
            &[(None, "One"), (None, "Two has no time"), (None, "Three")],
            &["times_unreadable"],
        ),
        ("WEBVTT\n\nO0:01.000 --> 00:O2.000\nHello\n", &[(None, "Hello")], &["times_repaired"]),
        ("1\n00:00:xx --> 00:00:01\nhello\n", &[(None, "hello")], &["times_unreadable"]),
        ("-->\nWEBVTT\n\n00:01.000 --> 00:02.000\nHello\n", &[(None, "Hello")], &[]),
        ("WEBVTT\n-->\n00:01.000 --> 00:02.000\nHello\n", &[(None, "Hello")], &[]),
        ("WEBVTT\n\nNOTE nothing here\n", &[], &["no_speech"]),
        ("WEBVTT\n", &[], &["no_speech"]),
        (
            "WEBVTT\n\n00:01.000 --> 00:02.000\nna\u{ef}ve caf&eacute; isn&rsquo;t &amp;\n",
            &[(None, "na\u{ef}ve caf\u{e9} isn\u{2019}t &")],
            &[],
        ),
        (
            "0:00:00.378,0:00:11.378\nTom: Hello\nthere\n\n0:00:12.000,0:00:13.000\nBye\n",
            &[(Some("Tom"), "Hello there"), (None, "Bye")],
            &[],
        ),
        (
            "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann\u{202e}>Look \u{202e}here\n",
            &[(Some("Ann"), "Look \u{202e}here\u{202c}")],
            &[],
        ),
    ];
    for (file, expected, notes) in cases {
        let parsed = transcript(file);
        assert_eq!(said(&parsed), *expected, "{file}");
        assert_eq!(codes(&parsed), *notes, "{file}");
    }
}

/// The text exports of meeting products. Every turn has its speaker and its time, and nothing but speech is speech.
#[test]
fn the_text_exports_of_meeting_products_are_read_with_speakers_and_times() {
    let expected = [
        (Some("Mei Lin"), Some(3_000), "Good morning. Shall we start?"),
        (Some("Tom Björk"), Some(62_000), "Yes: at 10:30 we have to stop."),
        (Some("Mei Lin"), Some(75_000), "Fine."),
    ];
    let otter = "Weekly sync\nMon, Jan 5, 2026\n\nMei Lin  0:03\nGood morning.\nShall we start?\n\nTom Björk  1:02\nYes: at 10:30 we have to stop.\n\nMei Lin  1:15\nFine.\n\nTranscribed by https://otter.ai\n";
    let one_blank = "Mei Lin 0:03\nGood morning.\nShall we start?\n\nTom Björk 1:02\nYes: at 10:30 we have to stop.\n\nMei Lin 1:15\nFine.\n";
    let bar = "Mei Lin | 00:03\nGood morning.\nShall we start?\n\nTom Björk | 01:02\nYes: at 10:30 we have to stop.\n\nMei Lin | 01:15\nFine.\n";
    let brackets = "Mei Lin (00:00:03):\nGood morning.\nShall we start?\n\nTom Björk (00:01:02):\nYes: at 10:30 we have to stop.\n\nMei Lin (00:01:15):\nFine.\n";
    let tabs = "Mei Lin\t0:03\nGood morning.\nShall we start?\nTom Björk\t1:02\nYes: at 10:30 we have to stop.\nMei Lin\t1:15\nFine.\n".replace("\nTom", "\n\nTom").replace("\nMei", "\n\nMei");
    let clock_first = "00:00:03 Mei Lin: Good morning.\nShall we start?\n00:01:02 Tom Björk: Yes: at 10:30 we have to stop.\n00:01:15 Mei Lin: Fine.\n";
    let meet = "# Weekly sync\n\n### 00:00:03\n\n**Mei Lin:** Good morning.\nShall we start?\n\n### 00:01:02\n\n**Tom Björk:** Yes: at 10:30 we have to stop.\n\n### 00:01:15\n\n**Mei Lin:** Fine.\n\n### Meeting ended after 00:45:12 👋\n\n*This editable transcript was computer generated and might contain errors. People can also change the text after it was created.*\n";
    let meet_text = "00:00:03\nMei Lin: Good morning.\nShall we start?\n\n00:01:02\n \nTom Björk: Yes: at 10:30 we have to stop.\n\n00:01:15\nMei Lin: Fine.\n\nMeeting ended after 00:45:12\n";
    for (product, file) in [
        ("Otter", otter),
        ("one blank", one_blank),
        ("a bar", bar),
        ("brackets", brackets),
        ("tabs", &tabs),
        ("the clock first", clock_first),
        ("Meet in Markdown", meet),
        ("Meet as text", meet_text),
    ] {
        let parsed = transcript(file);
        let turns: Vec<_> = parsed
            .segments
            .iter()
            .map(|segment| (segment.speaker.as_deref(), segment.start_ms, segment.text.as_str()))
            .collect();
        assert_eq!(turns, expected, "{product}");
    }
}

/// A guest whom nobody listed. Her words must not be taken for those of the listed person who spoke before her.
#[test]
fn a_guest_who_is_not_listed_keeps_her_words() {
    let people = People::of(["Hari Host"]);
    let read = |file: &str| {
        let parsed = parse(MaterialKind::Transcript, file.as_bytes(), Tz::UTC, &people).unwrap();
        parsed
            .segments
            .iter()
            .map(|segment| (segment.speaker.clone(), segment.text.clone()))
            .collect::<Vec<_>>()
    };
    let said = |speaker: Option<&str>, text: &str| (speaker.map(str::to_owned), text.to_owned());
    let words = "Please call me at +49 30 901820.";
    // Bold type marks a label, also one that is said only once and that does not read like a name.
    for label in ["**Zoë Müller:**", "**Zoë Müller**:", "- **Zoë Müller:**", "**zoë:**", "**Zoë Müller：**"]
    {
        let name = if label.contains("zoë") { "zoë" } else { "Zoë Müller" };
        let file = format!("**Hari Host:** Welcome.\n\n{label} {words}\n\n**Hari Host:** I will.\n");
        let expected = [
            said(Some("Hari Host"), "Welcome."),
            said(Some(name), words),
            said(Some("Hari Host"), "I will."),
        ];
        assert_eq!(read(&file), expected, "{label}");
    }
    // Nothing tells a name that is not marked from the beginning of a sentence, so such words are nobody's.
    for label in ["Zoë Müller", "Order Number", "Monday"] {
        let file = format!("Hari Host: Welcome.\n{label}: {words}\nHari Host: I will.\n");
        let unclear = format!("{label}: {words}");
        let expected =
            [said(Some("Hari Host"), "Welcome."), said(None, &unclear), said(Some("Hari Host"), "I will.")];
        assert_eq!(read(&file), expected, "{label}");
    }
    // A sentence with a colon inside belongs to the speaker before.
    let file = "Hari Host: Welcome.\nnote that: we begin.\nHari Host: So.\n";
    assert_eq!(read(file)[0], said(Some("Hari Host"), "Welcome. note that: we begin."));
}

#[test]
fn a_list_of_the_people_who_were_there_is_nobodys_speech() {
    for list in [
        "## Attendees\nHari Host, Zoë Müller\n\n",
        "Attendees\nHari Host, Zoë Müller\n\n",
        "**Participants:**\n\n- Hari Host\n- Zoë Müller\n\n",
        "### Invited\n\nHari Host\nZoë Müller\n\n",
    ] {
        let file =
            format!("# Weekly sync\n\n{list}### Transcript\n\n**Hari Host:** Welcome.\n\nGood to see you.\n");
        let parsed = transcript(&file);
        assert_eq!(said(&parsed), [(Some("Hari Host"), "Welcome. Good to see you.")], "{list}");
        assert_eq!(codes(&parsed), ["lines_not_spoken"], "{list}");
    }
}

#[test]
fn a_livekit_record_is_a_session_with_its_times() {
    let items = r#"[{"id":"1","type":"message","role":"assistant","content":["Hello."],"created_at":1761214711.25},
        {"id":"2","type":"function_call","name":"x","arguments":"{}"},
        {"id":"3","type":"message","role":"user","content":["Hi there."],"created_at":1761214713.75}]"#;
    for file in
        [format!(r#"{{"items":{items}}}"#), format!(r#"{{"room":"r","chat_history":{{"items":{items}}}}}"#)]
    {
        let parsed = session(file).unwrap();
        let times: Vec<_> = parsed.segments.iter().map(|segment| segment.start_ms).collect();
        assert_eq!(times, [Some(0), Some(2_500)]);
        assert_eq!(said(&parsed), [(None, "Hello."), (None, "Hi there.")]);
    }
}

#[test]
fn a_person_of_the_meeting_is_called_by_one_name_however_the_file_writes_it() {
    let people = People::of(["Hari Host", "प्रिया शर्मा <priya@acme.example.com>"]);
    let file = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v HARI HOST>Hello.\n\n00:03.000 --> 00:04.000\nप्रिया शर्मा: You can reach me at +91 98200 11223.\n";
    let parsed = parse(MaterialKind::Transcript, file.as_bytes(), Tz::UTC, &people).unwrap();
    assert_eq!(
        said(&parsed),
        [(Some("Hari Host"), "Hello."), (Some("प्रिया शर्मा"), "You can reach me at +91 98200 11223.")]
    );
}

#[test]
fn a_file_in_utf_16_is_read() {
    let text = "\u{feff}WEBVTT\n\n00:01.000 --> 00:02.000\nTom Björk: Hi\n";
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(said(&transcript(bytes)), [(Some("Tom Björk"), "Hi")]);
}

#[test]
fn a_session_in_which_nobody_spoke_is_a_transcript_without_speech() {
    for file in [
        r#"{"items":[]}"#,
        r#"{"conversation":[]}"#,
        r#"{"items":[{"role":"system","content":"x"}]}"#,
        r#"{"items":[{"role":"assistant","content":""}]}"#,
        r#"{"items":[{"type":"function_call","name":"hang_up"}]}"#,
        r#"{"items":[{"sku":"A-7"},{"role":"user","content":"  "}]}"#,
    ] {
        assert_eq!(session(file).unwrap().segments, [], "{file}");
    }
}

#[test]
fn a_session_gives_its_spoken_items_with_times_counted_from_its_start() {
    let parsed = session(sample("sessions/transcript_session_2025-10-23T10-18-31.004512.json")).unwrap();
    let segments = &parsed.segments;
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
    assert_eq!(dump.segments[0].start_ms, None);
    let older = session(sample("sessions/conversation_20251007_164256.json")).unwrap();
    let times: Vec<_> = older.segments.iter().map(|segment| segment.start_ms).collect();
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
            parse(MaterialKind::Transcript, cue(payload.clone()).as_bytes(), Tz::UTC, &People::default())
                .is_ok();
        let _parsed_or_refused =
            parse(MaterialKind::Transcript, payload.as_bytes(), Tz::UTC, &People::default()).is_ok();
    }
    let long = transcript(cue("word ".repeat(1_000_000)));
    assert_eq!(long.segments.len(), 1);
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
            let _parsed_or_refused = parse(kind, &bytes, Tz::UTC, &People::default()).is_ok();
        }
    }

    #[test]
    fn no_text_made_of_markup_makes_a_reader_panic(
        text in "(WEBVTT|NOTE|STYLE|-->|00:0[0-9]|[.,:]|[0-9]{1,4}|\n|\r|<v? ?|>|</v>|&[a-z#]{0,3};?|\\{\\\\|\\}|[A-Z][a-z]{0,3}: ?|\\PC| ){0,60}"
    ) {
        let _parsed_or_refused = parse(MaterialKind::Transcript, text.as_bytes(), Tz::UTC, &People::default()).is_ok();
    }

    #[test]
    fn a_file_that_was_written_is_read_with_the_same_words_names_and_times(
        turns in turns(), subrip in any::<bool>(), crlf in any::<bool>(), voice_tags in any::<bool>()
    ) {
        let (header, point) = if subrip { ("", ',') } else { ("WEBVTT\n\n", '.') };
        let file = written(&turns, header, point, if crlf { "\r\n" } else { "\n" }, voice_tags);
        let parsed = transcript(&file);
        prop_assert_eq!(&parsed.notes, &[]);
        let found: Vec<_> = parsed.segments.iter().map(|segment| {
            (segment.start_ms, segment.end_ms, segment.speaker.clone(), segment.text.clone())
        }).collect();
        let expected: Vec<_> = turns.iter().map(|(start, length, name, words)| {
            (Some(i64::from(*start)), Some(i64::from(start + length)), name.clone(), words.clone())
        }).collect();
        prop_assert_eq!(found, expected);
    }
}

proptest! {
    /// What is written as WebVTT or SubRip and read again has the same words, times and speakers.
    #[test]
    fn a_transcript_keeps_its_times_and_speakers_on_the_way_through_a_file(
        turns in prop::collection::vec(
            (0..3_usize, 0..20_000_i64, 1..9_000_i64, "[A-Za-z0-9,.?!&<>'’ é:-]{0,40}[a-z]"),
            1..20,
        )
    ) {
        let people = ["Dana Ortiz", "Ludwig van der Berg", "प्रिया शर्मा"];
        let mut at = 0;
        let segments = turns.iter().map(|(who, pause, length, text)| {
            let start = at + pause;
            at = start + length;
            Segment {
                id: 0,
                speaker: Some(people[*who].to_owned()),
                role: None,
                start_ms: Some(start),
                end_ms: Some(at),
                text: one_line(text),
                confidence: None,
            }
        });
        let written = Transcript { segments: segments.collect(), ..Transcript::default() }.numbered();
        let listed = People::of(people);
        for file in [crate::captions::vtt(&written), crate::captions::srt(&written)] {
            let read = parse(MaterialKind::Transcript, file.as_bytes(), Tz::UTC, &listed).unwrap();
            prop_assert_eq!(&read.segments, &written.segments, "{}", file);
        }
    }
}
