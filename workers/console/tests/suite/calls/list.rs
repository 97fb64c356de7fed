//! The list of calls.

use axum::http::StatusCode;
use domain::call::{CallDetails, WorkspaceId};
use uuid::Uuid;

use crate::material::{details, of_agent};
use crate::world::World;

#[tokio::test]
async fn a_filter_narrows_the_list_and_offers_the_values_that_exist() {
    let world = World::new().await;
    let dana = world.arrived("a", of_agent("Dana Ortiz")).await;
    let mo = world.arrived("b", of_agent("Mo")).await;
    let page = world.page("/calls?agent=Mo&status=queued").await;
    assert!(page.contains(&format!("/calls/{mo}")) && !page.contains(&format!("/calls/{dana}")));
    assert!(page.contains("<option value=\"Dana Ortiz\">"));
    assert!(page.contains("<option value=\"queued\" selected>"));
    assert!(world.page("/calls?agent=Nobody").await.contains("No call matches."));
}

#[tokio::test]
async fn a_filter_that_cannot_be_read_is_told_at_the_filter_and_no_list_is_shown() {
    let world = World::new().await;
    let call = world.arrived("a", of_agent("Mo")).await;
    let answer = world.get("/calls?status=lost&from=soon&agent=Mo").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer.text.contains("aria-describedby=\"wrong-status\"")
            && answer.text.contains("id=\"wrong-from\"")
    );
    assert!(answer.text.contains("value=\"Mo\""), "what was typed stays");
    assert!(!answer.text.contains(&format!("/calls/{call}")));
    assert_eq!(world.get("/calls.csv?status=lost").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn the_pages_lead_through_all_calls_and_keep_the_filters() {
    let world = World::new().await;
    for number in 0..70 {
        world.arrived(&format!("call {number}"), of_agent("Mo")).await;
    }
    let (mut path, mut seen) = ("/calls?agent=Mo".to_owned(), Vec::new());
    loop {
        let page = world.page(&path).await;
        let rows = page.split("<tr><td class=\"moment\"").skip(1);
        let links = rows.filter_map(|row| row.split("<a href=\"").nth(1)?.split('"').next());
        seen.extend(links.map(str::to_owned));
        let Some(next) = page.split("rel=\"next\" href=\"").nth(1) else { break };
        path = next.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
        assert!(path.contains("agent=Mo"), "{path}");
    }
    assert_eq!(seen.len(), 70);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 70);
}

#[tokio::test]
async fn the_download_has_every_call_and_no_formula() {
    let world = World::new().await;
    for number in 0..501 {
        world.arrived(&format!("call {number}"), of_agent("=HYPERLINK(\"x\")")).await;
    }
    let answer = world.get("/calls.csv").await;
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<_> = answer.text.lines().collect();
    assert_eq!(lines.len(), 502);
    assert!(lines[1].contains("\"'=HYPERLINK(\"\"x\"\")\""), "{}", lines[1]);
}

#[tokio::test]
async fn a_list_shows_no_call_and_no_name_of_another_workspace() {
    let world = World::new().await;
    let theirs = WorkspaceId(Uuid::from_u128(7));
    let call = world.arrived_in(theirs, "their call", of_agent("Their Agent")).await;
    for path in ["/calls", "/calls.csv"] {
        let text = world.get(path).await.text;
        assert!(!text.contains(&call.to_string()) && !text.contains("Their Agent"), "{path}");
    }
}

#[tokio::test]
async fn a_name_of_ten_thousand_letters_makes_no_long_row_and_is_whole_on_the_page_of_the_call() {
    let world = World::new().await;
    let name = "n".repeat(10_000);
    let call = world.arrived("a", CallDetails { topic: Some(name.clone()), ..CallDetails::default() }).await;
    assert!(!world.page("/calls").await.contains(&name));
    assert!(world.page(&format!("/calls/{call}")).await.contains(&name));
}

#[tokio::test]
async fn markup_in_a_list_is_shown_as_text() {
    let world = World::new().await;
    for text in ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>"] {
        world.arrived(text, details(text)).await;
    }
    let typed = "%22%3E%3Cimg+src=x+onerror=alert(1)%3E";
    for path in
        ["/calls".to_owned(), format!("/calls?agent={typed}&source={typed}&from={typed}&status={typed}")]
    {
        let text = world.get(&path).await.text;
        assert!(!text.contains("<script>alert") && !text.contains("<img src=x"), "{path}");
    }
}
