use std::io::{Cursor, Write as _};
use std::time::Duration;

use platform::fetch::Allow;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::world::{Answer, World, reader, text};

const FIELDS: [(&str, &str); 2] = [("product_name", "CloudSync Pro"), ("description", "Cloud storage")];
const CLAIM: &str = "CloudSync reduces backup time by 63 percent.";

fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn docx() -> Vec<u8> {
    let document = format!(
        "<w:document xmlns:w=\"w\"><w:p><w:r><w:t>{CLAIM}</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:t>Plan</w:t></w:p></w:tc></w:tr></w:tbl></w:document>"
    );
    archive(&[("[Content_Types].xml", "<Types/>"), ("word/document.xml", &document)])
}

fn pptx() -> Vec<u8> {
    let slide = format!(
        "<p:sld xmlns:p=\"p\" xmlns:a=\"a\"><p:sp><p:ph type=\"title\"/><a:p><a:t>Why</a:t></a:p></p:sp><p:sp><a:p><a:t>{CLAIM}</a:t></a:p></p:sp></p:sld>"
    );
    archive(&[
        ("[Content_Types].xml", "<Types/>"),
        ("ppt/slides/slide1.xml", &slide),
        ("ppt/slides/slide2.xml", &slide),
    ])
}

/// A PDF with a page that shows these words.
fn pdf(words: &str) -> Vec<u8> {
    let content = format!("BT /F1 12 Tf 72 720 Td ({words}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        places.push(file.len());
        file.extend(format!("{number} 0 obj\n{object}\nendobj\n").bytes());
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for place in places {
        file.extend(format!("{place:010} 00000 n \n").bytes());
    }
    file.extend(
        format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1)
            .bytes(),
    );
    file
}

async fn create(world: &World, files: &[(&str, &[u8])]) -> Answer {
    world.form("POST", "/api/salesperson/create", &FIELDS, files).await
}

fn of<'a>(made: &'a Value, name: &str) -> &'a Value {
    made["materials"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["file_name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {made}"))
}

#[tokio::test]
async fn the_words_of_a_file_are_read_and_its_kind_is_told_by_its_content() {
    let world = World::new().await;
    let (docx, pptx, pdf) = (docx(), pptx(), pdf(CLAIM));
    let mut doc = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0".to_vec();
    doc.extend(b"Our product saves time, and it is easy to use.");
    doc.extend([0; 64]);
    let files: [(&str, &[u8]); 5] = [
        ("a.docx", &docx),
        ("b.docx", &pptx),
        ("folder/c.pdf", &pdf),
        ("d.doc", &doc),
        ("e.png", b"\x89PNG\r\n\x1a\n1234"),
    ];
    let made = create(&world, &files).await.data();
    assert_eq!(made["materials_uploaded"], 5);
    for (name, kind, pages) in [
        ("a.docx", "docx", Value::Null),
        ("b.docx", "pptx", json!(2)),
        ("c.pdf", "pdf", json!(1)),
        ("d.doc", "doc", Value::Null),
        ("e.png", "png", Value::Null),
    ] {
        let file = of(&made, name);
        assert_eq!((&file["file_type"], &file["pages"]), (&json!(kind), &pages), "{file}");
        assert_eq!(file["words"].as_i64().unwrap() > 4, kind != "png", "{file}");
    }
    assert_eq!(of(&made, "c.pdf")["note"], Value::Null);
    assert!(of(&made, "e.png")["note"].is_string() && of(&made, "d.doc")["note"].is_string());
}

#[tokio::test]
async fn a_representative_asks_about_what_the_deck_says() {
    let world = World::new().await;
    let pptx = pptx();
    let salesperson = world.salesperson(&[("deck.pptx", &pptx)]).await;
    let meeting = world.meeting_of(&salesperson, &[("Maria Garcia", "manager")]).await;
    for words in ["We make storage.", "It is easy.", "It is quick to start."] {
        world.say(&meeting, words).await;
    }
    let asked = world
        .history(&meeting)
        .await
        .iter()
        .any(|turn| turn["text"].as_str().unwrap().contains("63 percent"));
    assert!(asked, "{:?}", world.history(&meeting).await);
}

#[tokio::test]
async fn a_file_that_cannot_be_kept_costs_the_others_nothing() {
    let world = World::new().await;
    let (docx, long) = (docx(), [b"%PDF-1.4".to_vec(), vec![b' '; 10 * 1024 * 1024]].concat());
    let bomb =
        archive(&[("[Content_Types].xml", "<Types/>"), ("word/document.xml", &" ".repeat(100_000_000))]);
    let files: [(&str, &[u8]); 6] = [
        ("program.pdf", b"MZ\x90\0\x03 a program"),
        ("long.pdf", &long),
        ("bomb.docx", &bomb),
        ("broken.pdf", b"%PDF-1.7 nothing more"),
        ("empty.pdf", b""),
        ("good.docx", &docx),
    ];
    let made = create(&world, &files).await.data();
    let refused: Vec<&str> =
        made["refused"].as_array().unwrap().iter().map(|file| file["file_name"].as_str().unwrap()).collect();
    assert_eq!(refused, ["program.pdf", "long.pdf", "empty.pdf"]);
    assert_eq!(made["materials_uploaded"], 3);
    for name in ["bomb.docx", "broken.pdf"] {
        let file = of(&made, name);
        assert!(file["note"].is_string() && file["words"] == 0, "{file}");
    }
    assert!(of(&made, "good.docx")["words"].as_i64().unwrap() > 4);
}

#[tokio::test]
async fn a_request_of_which_no_file_can_be_kept_is_refused_and_nothing_is_made() {
    let world = World::new().await;
    let long = [b"%PDF-1.4".to_vec(), vec![b' '; 10 * 1024 * 1024]].concat();
    let problem = create(&world, &[("long.pdf", &long)]).await.is_problem(413);
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("long.pdf"), "{problem}");
    create(&world, &[("program.pdf", b"\x7fELF a program")]).await.is_problem(415);
    let missing =
        world.form("POST", "/api/salesperson/create", &[("product_name", " ")], &[]).await.is_problem(422);
    assert_eq!(missing["errors"].as_array().unwrap().len(), 2);
    let list = world.get("/api/salesperson/").await.data();
    assert_eq!((&list["total"], &list["skip"], &list["limit"]), (&json!(0), &json!(0), &json!(10)));
}

#[tokio::test]
async fn a_file_that_keeps_its_reader_busy_is_noted_and_kept() {
    let world = World::with(None, Allow::None, reader().within(Duration::ZERO)).await;
    let docx = docx();
    let made = create(&world, &[("slow.docx", &docx)]).await.data();
    assert!(of(&made, "slow.docx")["note"].as_str().unwrap().contains("too long"), "{made}");
}

#[tokio::test]
async fn files_are_added_and_removed_by_their_place() {
    let world = World::new().await;
    let docx = docx();
    let id = world.salesperson(&[("one.docx", &docx)]).await;
    let path = format!("/api/salesperson/{id}");
    let changed =
        world.form("PUT", &path, &[("description", "Better")], &[("two.gif", b"GIF89a!")]).await.data();
    assert_eq!(
        (&changed["description"], &changed["product_name"]),
        (&json!("Better"), &json!("CloudSync Pro"))
    );
    assert_eq!(changed["materials"].as_array().unwrap().len(), 2);
    world.delete(&format!("{path}/material/2")).await.is_problem(404);
    world.delete(&format!("{path}/material/0")).await.data();
    let left = world.get(&path).await.data();
    assert_eq!(
        left["materials"].as_array().unwrap().iter().map(|file| text(&file["file_name"])).collect::<Vec<_>>(),
        ["two.gif"]
    );
}

#[tokio::test]
async fn a_file_that_is_named_by_its_id_is_the_one_that_goes_whatever_its_place_is_now() {
    let world = World::new().await;
    let (gif, docx) = (b"GIF89a!".as_slice(), docx());
    let id = world.salesperson(&[("one.docx", &docx), ("two.gif", gif), ("three.gif", gif)]).await;
    let path = format!("/api/salesperson/{id}");
    let seen = world.get(&path).await.data();
    let second = text(&seen["materials"][1]["id"]);
    // Somebody else removes the first one meanwhile.
    world.delete(&format!("{path}/material/0")).await.data();
    world.delete(&format!("{path}/material/{second}")).await.data();
    let left = world.get(&path).await.data();
    let names: Vec<_> =
        left["materials"].as_array().unwrap().iter().map(|file| text(&file["file_name"])).collect();
    assert_eq!(names, ["three.gif"]);
    world.delete(&format!("{path}/material/{second}")).await.is_problem(404);
}

#[tokio::test]
async fn no_hostile_file_breaks_anything() {
    let world = World::new().await;
    let (mut corpus, good) = (Vec::new(), [pdf(CLAIM), docx(), pptx()]);
    for file in &good {
        for cut in [9, file.len() / 3, file.len() / 2, file.len() - 3] {
            corpus.push(file[..cut].to_vec());
        }
        for step in [7, 31, 101] {
            corpus.push(
                file.iter()
                    .enumerate()
                    .map(|(at, byte)| if at % step == step - 1 { byte ^ 0x55 } else { *byte })
                    .collect(),
            );
        }
    }
    corpus.push(pdf(&"(".repeat(50_000)));
    corpus.push(
        [
            b"%PDF-1.4\n".to_vec(),
            b"1 0 obj << /Type /Catalog /Pages 1 0 R /Kids [1 0 R] >> endobj trailer << /Root 1 0 R >>"
                .to_vec(),
        ]
        .concat(),
    );
    corpus.push(archive(&[("[Content_Types].xml", ""), ("word/document.xml", &"<w:p>".repeat(200_000))]));
    let files: Vec<(&str, &[u8])> = corpus.iter().map(|file| ("hostile.pdf", file.as_slice())).collect();
    let made = create(&world, &files).await;
    let made = made.data();
    let seen = made["materials"].as_array().unwrap().len() + made["refused"].as_array().unwrap().len();
    assert_eq!(seen, corpus.len());
}
