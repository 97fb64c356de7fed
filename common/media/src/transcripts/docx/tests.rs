use std::io::Write as _;

use domain::event::MaterialKind;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::{People, check_head, parse};
use super::*;

/// An archive with these entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A document of Word with this body.
fn document(body: &str) -> Vec<u8> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:document xmlns:w=\"w\" xmlns:mc=\"mc\"><w:body>{body}</w:body></w:document>"
    );
    archive(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", xml.as_bytes())])
}

type Said = (Option<String>, Option<i64>, Option<i64>, String);

fn said(file: &[u8]) -> Vec<Said> {
    let read = parse(MaterialKind::Transcript, file, chrono_tz::UTC, &People::default()).unwrap();
    read.segments.into_iter().map(|said| (said.speaker, said.start_ms, said.end_ms, said.text)).collect()
}

fn refused(file: &[u8]) -> String {
    parse(MaterialKind::Transcript, file, chrono_tz::UTC, &People::default()).unwrap_err().to_string()
}

fn turn(name: &str, start: i64, end: Option<i64>, text: &str) -> Said {
    (Some(name.to_owned()), Some(start), end, text.to_owned())
}

#[test]
fn a_transcript_of_teams_is_read_with_its_speakers_and_its_times() {
    let body = "<w:p><w:r><w:t>Pilot review</w:t></w:r></w:p>\
        <w:p><w:r><w:t>January 5, 2026, 10:00AM</w:t></w:r></w:p>\
        <w:p><w:r><w:t>5m 32s</w:t></w:r></w:p>\
        <w:p><w:r><w:t>Priya Raman</w:t></w:r><w:r><w:t xml:space=\"preserve\"> started transcription</w:t></w:r></w:p>\
        <w:p><w:r><w:drawing/></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>Priya Raman</w:t></w:r>\
          <w:r><w:t xml:space=\"preserve\">   0:03</w:t></w:r><w:r><w:br/><w:t>Good morning &amp; welcome.</w:t></w:r></w:p>\
        <w:p><w:r><w:t>Tom Bj&#246;rk</w:t></w:r><w:r><w:t xml:space=\"preserve\">   1:02:07</w:t></w:r><w:r><w:br/><w:t xml:space=\"preserve\">Thanks, </w:t></w:r>\
          <w:r><w:t>Priya.</w:t></w:r><w:del><w:r><w:delText>Gone.</w:delText></w:r></w:del></w:p>";
    assert_eq!(
        said(&document(body)),
        [
            turn("Priya Raman", 3_000, None, "Good morning & welcome."),
            turn("Tom Björk", 3_727_000, None, "Thanks, Priya."),
        ]
    );
}

#[test]
fn the_older_transcripts_of_teams_have_a_start_and_an_end_and_the_name_on_a_line() {
    let paragraphs = |lines: &[&str]| {
        let of = |line: &&str| format!("<w:p><w:r><w:t>{line}</w:t></w:r></w:p>");
        lines.iter().map(of).collect::<String>()
    };
    let wanted = [
        turn("Priya Raman", 3_200, Some(5_100), "Good morning."),
        turn("Tom Björk", 5_100, Some(8_000), "Hello: how are you?"),
    ];
    let apart = paragraphs(&[
        "0:00:03.2 --&gt; 0:00:05.1",
        "Priya Raman",
        "Good morning.",
        "0:0:5.100 --&gt; 0:0:8.0",
        "Tom Björk",
        "Hello: how are you?",
    ]);
    assert_eq!(said(&document(&apart)), wanted);
    let together = "<w:p><w:r><w:t>0:00:03.2 --&gt; 0:00:05.1</w:t><w:br/><w:t>Priya Raman</w:t><w:br/><w:t>Good morning.</w:t></w:r></w:p>\
        <w:p><w:r><w:t>0:00:05.100 --&gt; 0:00:08.000</w:t><w:br/><w:t>Tom Björk</w:t><w:br/><w:t>Hello: how are you?</w:t></w:r></w:p>";
    assert_eq!(said(&document(together)), wanted);
}

#[test]
fn words_that_stand_twice_for_old_programs_are_read_once() {
    let body = "<w:p><w:r><mc:AlternateContent><mc:Choice><w:t>Ann: Hello.</w:t></mc:Choice>\
        <mc:Fallback><w:t>Ann: Hello.</w:t></mc:Fallback></mc:AlternateContent></w:r></w:p><w:p><w:r><w:t>Bob: Hi.</w:t></w:r></w:p>";
    let read = said(&document(body));
    assert_eq!(read.iter().map(|said| said.3.as_str()).collect::<Vec<_>>(), ["Hello.", "Hi."]);
}

#[test]
fn an_archive_without_a_document_says_what_it_is() {
    for (entry, what) in [
        ("xl/workbook.xml", "a workbook"),
        ("ppt/presentation.xml", "a presentation"),
        ("word/other.xml", "no Word document"),
    ] {
        let file = archive(&[("[Content_Types].xml", b"<Types/>"), (entry, b"<a/>")]);
        assert!(check_head(&file).is_ok(), "the first bytes do not tell");
        assert!(refused(&file).contains(what), "{}", refused(&file));
    }
    let other = archive(&[("photo.jpg", b"\xff\xd8")]);
    assert!(check_head(&other).unwrap_err().to_string().contains("a ZIP archive"));
}

#[test]
fn an_archive_that_unpacks_to_too_much_is_refused_before_it_is_in_memory() {
    let bomb = vec![b' '; 80 * 1024 * 1024];
    let file = archive(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", &bomb)]);
    assert!(file.len() < 200_000);
    assert!(refused(&file).contains("more than any transcript"), "{}", refused(&file));
    let many: Vec<(String, &[u8])> = (0..=MAX_ENTRIES).map(|nth| (format!("word/{nth}"), &b""[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    assert!(refused(&archive(&many)).contains("more than any transcript"));
}

#[test]
fn a_damaged_document_is_refused_and_says_so() {
    let whole = document("<w:p><w:r><w:t>Ann: Hello.</w:t></w:r></w:p>");
    assert!(refused(&whole[..whole.len() - 30]).contains("cannot be read"));
    let mut changed = whole.clone();
    let middle = whole.len() / 2;
    changed[middle..middle + 4].fill(0xff);
    let read = parse(MaterialKind::Transcript, &changed, chrono_tz::UTC, &People::default());
    assert!(read.is_err(), "the archive knows the checksum of its content");
    assert!(refused(&document("<w:p/>")).contains("nobody speaks"));
}
