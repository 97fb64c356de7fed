use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn slide(title: &str, body: &str) -> String {
    format!(
        "<p:sld xmlns:p=\"p\" xmlns:a=\"a\"><p:sp><p:nvPr><p:ph type=\"title\"/></p:nvPr><a:p><a:r><a:t>{title}</a:t></a:r></a:p></p:sp>\
         <p:sp><p:nvPr><p:ph type=\"sldNum\"/></p:nvPr><a:p><a:t>7</a:t></a:p></p:sp><p:sp><a:p><a:r><a:t>{body}</a:t></a:r></a:p></p:sp></p:sld>"
    )
}

#[test]
fn slides_come_in_their_order_with_titles_tables_and_notes() {
    let table = "<p:sld xmlns:p=\"p\" xmlns:a=\"a\"><p:graphicFrame><a:tbl><a:tr><a:tc><a:p><a:t>Plan</a:t></a:p></a:tc><a:tc><a:p><a:t>Price</a:t></a:p></a:tc></a:tr></a:tbl></p:graphicFrame></p:sld>";
    let bytes = archive(&[
        (
            "ppt/presentation.xml",
            "<p:x xmlns:p=\"p\" xmlns:r=\"r\"><p:sldId id=\"256\" r:id=\"rId2\"/><p:sldId id=\"257\" r:id=\"rId1\"/></p:x>",
        ),
        (
            "ppt/_rels/presentation.xml.rels",
            "<R><Relationship Id=\"rId1\" Type=\"t/slide\" Target=\"slides/slide1.xml\"/><Relationship Id=\"rId2\" Type=\"t/slide\" Target=\"slides/slide2.xml\"/></R>",
        ),
        ("ppt/slides/slide1.xml", table),
        ("ppt/slides/slide2.xml", &slide("Why &amp; how", "Saves 63 percent")),
        (
            "ppt/slides/_rels/slide2.xml.rels",
            "<R><Relationship Id=\"a\" Type=\"t/notesSlide\" Target=\"../notesSlides/notesSlide1.xml\"/></R>",
        ),
        (
            "ppt/notesSlides/notesSlide1.xml",
            "<p:n xmlns:p=\"p\" xmlns:a=\"a\"><p:sp><a:p><a:t>Say it slowly</a:t></a:p></p:sp></p:n>",
        ),
    ]);
    let parts = presentation(&bytes).unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].title.as_deref(), Some("Why & how"));
    assert_eq!(
        (parts[0].text.as_str(), parts[0].notes.as_deref()),
        ("Saves 63 percent", Some("Say it slowly"))
    );
    assert_eq!(parts[1].text, "Plan | Price");
}

#[test]
fn an_archive_that_is_a_bomb_is_refused_before_it_is_unpacked() {
    let bomb = archive(&[("ppt/slides/slide1.xml", &" ".repeat(20 * 1024 * 1024))]);
    assert!(bomb.len() < 100_000);
    assert!(matches!(presentation(&bomb), Err(ReadError::Oversized)));
    let names: Vec<String> = (0..5_001).map(|n| format!("ppt/slides/slide{n}.xml")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert!(matches!(presentation(&archive(&many)), Err(ReadError::Oversized)));
}

#[test]
fn what_is_no_presentation_is_said() {
    assert!(matches!(presentation(b"no archive"), Err(ReadError::DamagedDocument(_))));
    assert!(matches!(presentation(&archive(&[("a.txt", "a")])), Err(ReadError::OtherKind(_))));
}

#[test]
fn text_of_an_old_document_is_found_between_its_bytes() {
    let mut bytes = vec![0xd0, 0xcf, 0x11, 0xe0, 0, 1, 2, 3];
    bytes.extend(b"Our product saves time, and it is easy to use.\rIt runs in the cloud of your choice.");
    bytes.extend([0, 0, 7, 0xff]);
    bytes.extend("The price depends on the number of users.".encode_utf16().flat_map(u16::to_le_bytes));
    bytes.extend([0xff; 64]);
    let text = old_office(&bytes);
    for expected in
        ["Our product saves time", "in the cloud of your choice", "The price depends on the number of users"]
    {
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(old_office(&[0xff; 5_000]), "");
}
