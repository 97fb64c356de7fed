//! Corrections on the page of a call, and the search in its transcript.

use axum::http::StatusCode;
use domain::call::{CallDetails, CallId};
use domain::transcript::Transcript;

use crate::browser::Answer;
use crate::material::{analysis, transcript};
use crate::world::{WORKSPACE, World};

/// A call with three lines of the speaker A, of which the second one names a refund.
async fn call(world: &World) -> CallId {
    let call = world.arrived("a", CallDetails::default()).await;
    let mut said = transcript("Hello.", 3);
    for segment in &mut said.segments {
        segment.speaker = Some("A".into());
    }
    said.segments[1].text = "I want a re fund.".into();
    world.made(call, said, analysis("A re fund is wanted.")).await;
    call
}

/// What a page sends back instead of the words that it shows.
async fn seal(world: &World, form: &str) -> String {
    let page = world.page(form).await;
    let (_, behind) = page.split_once("name=\"shown\" value=\"").unwrap();
    behind.split('"').next().unwrap().to_owned()
}

async fn rewrite(world: &World, form: &str, path: &str, shown: &str, text: &str) -> Answer {
    world.submit(form, path, &[("shown", shown), ("text", text)]).await
}

async fn read(world: &World, call: CallId) -> Transcript {
    world.store.transcript(WORKSPACE, call).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_line_is_corrected_without_scripts_and_is_marked_as_corrected() {
    let world = World::new().await;
    let call = call(&world).await;
    let (form, path) = (format!("/calls/{call}?edit=2"), format!("/calls/{call}/lines/2"));
    let shown = seal(&world, &form).await;
    let empty = rewrite(&world, &form, &path, &shown, " ").await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let done = rewrite(&world, &form, &path, &shown, "I want  a\r\nrefund.").await;
    assert_eq!(done.leads_to(), format!("/calls/{call}?line=2#s2"));
    assert_eq!(read(&world, call).await.segments[1].text, "I want a refund.");
    let page = world.page(&format!("/calls/{call}")).await;
    assert!(page.contains(">I want a refund.</span> <span class=\"badge\">corrected</span>"), "{page}");
    let nowhere = rewrite(&world, &form, &format!("/calls/{call}/lines/9"), &shown, "x").await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_second_of_two_people_sees_both_texts_and_can_save_the_own_one() {
    let world = World::new().await;
    let call = call(&world).await;
    for (form, path) in [
        (format!("/calls/{call}?edit=2"), format!("/calls/{call}/lines/2")),
        (format!("/calls/{call}?edit=summary"), format!("/calls/{call}/summary")),
    ] {
        let shown = seal(&world, &form).await;
        rewrite(&world, &form, &path, &shown, "What the first one wrote.").await.leads_to();
        let late = rewrite(&world, &form, &path, &shown, "What the second one wrote.").await;
        assert_eq!(late.status, StatusCode::CONFLICT, "{path}");
        assert!(late.text.contains("What the first one wrote.</q>"), "{path}: {}", late.text);
        assert!(late.text.contains(">What the second one wrote.</textarea>"), "{path}");
        let shown = seal(&world, &form).await;
        rewrite(&world, &form, &path, &shown, "What the second one wrote.").await.leads_to();
    }
    assert_eq!(read(&world, call).await.segments[1].text, "What the second one wrote.");
    let analysis = world.store.analysis(WORKSPACE, call).await.unwrap().unwrap();
    assert_eq!(analysis.summary, "What the second one wrote.");
}

#[tokio::test]
async fn a_speaker_gets_a_name_and_a_role_and_a_name_that_is_none_is_told() {
    let world = World::new().await;
    let call = call(&world).await;
    let (form, path) = (format!("/calls/{call}"), format!("/calls/{call}/speakers"));
    let long = "n".repeat(201);
    let wrong = [("speaker-0", "Speaker A"), ("name-0", &*long), ("role-0", "agent")];
    let answer = world.submit(&form, &path, &wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains(&format!("value=\"{long}\"")), "what was typed stays");
    let said = [("speaker-0", "Speaker A"), ("name-0", "Dana  Ortiz"), ("role-0", "agent")];
    world.submit(&form, &path, &said).await.leads_to();
    assert_eq!(read(&world, call).await.segments[0].speaker.as_deref(), Some("Dana Ortiz"));
    let before = world.store.call(WORKSPACE, call).await.unwrap().unwrap().generation;
    let same = [("speaker-0", "Dana Ortiz"), ("name-0", "Dana Ortiz"), ("role-0", "agent")];
    world.submit(&form, &path, &same).await.leads_to();
    let after = world.store.call(WORKSPACE, call).await.unwrap().unwrap().generation;
    assert_eq!(after, before, "nothing new was said");
}

#[tokio::test]
async fn a_transcript_is_searched_and_the_visitor_goes_from_line_to_line() {
    let world = World::new().await;
    let call = call(&world).await;
    let page = world.page(&format!("/calls/{call}?find=hello")).await;
    assert!(page.contains(">1 of 2</span>") && page.contains("<mark>Hello</mark>"), "{page}");
    assert!(
        page.contains("?find=hello&#38;line=3#s3") || page.contains("?find=hello&amp;line=3#s3"),
        "{page}"
    );
    assert!(world.page(&format!("/calls/{call}?find=hello&line=3")).await.contains(">2 of 2</span>"));
    assert!(world.page(&format!("/calls/{call}?find=nowhere")).await.contains("Nothing was found."));
    assert!(world.page(&format!("/calls/{call}?find=%2C")).await.contains("id=\"wrong-find\""));
    let markup = world.page(&format!("/calls/{call}?find=%3Cscript%3Ealert")).await;
    assert!(!markup.contains("<script>alert"));
}
