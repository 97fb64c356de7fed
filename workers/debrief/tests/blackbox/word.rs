//! Tests that a transcript in a Word document, as Microsoft Teams exports it, becomes a call.

use std::io::{Cursor, Write as _};

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::inputs::word;
use crate::world::{Kind, World};

/// A whole document with two turns, packed as Word packs it.
fn document(request: &str) -> Vec<u8> {
    let paragraph = |name: &str, time: &str, text: &str| {
        format!(
            "<w:p><w:r><w:rPr><w:b/></w:rPr><w:t>{name}</w:t></w:r><w:r><w:t xml:space=\"preserve\">   {time}</w:t></w:r>\
             <w:r><w:br/><w:t>{text}</w:t></w:r></w:p>"
        )
    };
    let body = [
        "<w:p><w:r><w:t>Pilot review</w:t></w:r></w:p>".to_owned(),
        paragraph("Priya Raman", "0:03", "Good morning &amp; welcome."),
        paragraph("Tom Bj&#246;rk", "1:02:07", request),
    ];
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
         <w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>{}</w:body></w:document>",
        body.concat()
    );
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [
        ("[Content_Types].xml", "<Types/>"),
        ("_rels/.rels", "<Relationships/>"),
        ("word/styles.xml", "<w:styles/>"),
        ("word/document.xml", &xml),
    ] {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

async fn turns(world: &World, id: &str) -> Vec<(String, i64, String)> {
    let path = format!("/api/calls/{id}/transcript");
    let read = world.wait("the transcript", async |world| world.get(&path).await).await;
    let turn = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        (text("speaker"), one["start_ms"].as_i64().unwrap(), text("text"))
    };
    read["segments"].as_array().unwrap().iter().map(turn).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_document_with_a_transcript_is_a_call_with_its_speakers_and_times() {
    let world = World::start(Kind::Embedded).await;
    let request = format!("Please send the order {} again.", word());
    let meeting = json!({"uuid": word(), "topic": "Pilot review"}).to_string();
    let file = Part::bytes(document(&request)).file_name("Pilot review.docx");
    let form = Form::new().part("meeting", Part::text(meeting)).part("transcript", file);
    let answer = world.request("POST", "/api/meetings").multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let id = answer.json::<Value>().await.unwrap()["call_id"].as_str().unwrap().to_owned();
    assert_eq!(
        turns(&world, &id).await,
        [
            ("Priya Raman".to_owned(), 3_000, "Good morning & welcome.".to_owned()),
            ("Tom Björk".to_owned(), 3_727_000, request),
        ]
    );
    let call = world
        .wait("the call to be completed", async |world| {
            world.get(&format!("/api/calls/{id}")).await.filter(|call| call["status"] == "completed")
        })
        .await;
    assert!(call["analysis"].is_object(), "{call}");

    let folder = tempfile::tempdir().unwrap();
    let other = format!("We need {} instead.", word());
    let path = folder.path().join("Another review.docx");
    std::fs::write(&path, document(&other)).unwrap();
    let (code, said) = world.command(&["import", "--json", path.to_str().unwrap()], &[]).await;
    assert_eq!(code, Some(0), "{said}");
    let history = world.get("/api/calls/history").await.unwrap();
    let calls = history["calls"].as_array().unwrap();
    let imported = calls.iter().find(|call| call["id"] != id.as_str()).unwrap_or_else(|| panic!("{history}"));
    let imported = turns(&world, imported["id"].as_str().unwrap()).await;
    assert_eq!(imported.last().unwrap().2, other);
    world.finish().await;
}
