use axum::http::StatusCode;
use domain::principal::Scope;
use store::{DeadFilter, Page};

use crate::world::{WORKSPACE, World};

const ALL: Page = Page { offset: 0, limit: 100 };

async fn letters(world: &World) -> Vec<store::DeadLetter> {
    world.store.dead_letters(WORKSPACE, &DeadFilter::default(), ALL).await.unwrap().0
}

#[tokio::test]
async fn letters_with_one_cause_are_one_group_and_the_page_says_what_they_have_in_common() {
    let world = World::new().await;
    world.dead("a", "the channel `C1` does not exist").await;
    world.dead("b", "the channel `C2` does not exist").await;
    world.dead("c", "the answer was 404").await;
    let page = world.page("/dead-letters").await;
    assert_eq!(page.matches("the channel # does not exist").count(), 1, "{page}");
    assert_eq!(page.matches("the channel `C").count(), 2, "each letter is listed with its own words");
    assert!(page.contains("Letters that match: 3."));

    let group = &letters(&world).await[0].error_group;
    let page = world.page(&format!("/dead-letters?stage=transcription&group={group}")).await;
    assert!(page.contains("Letters that match: 1."), "{page}");
}

#[tokio::test]
async fn before_letters_are_done_again_a_page_counts_them_and_changes_nothing() {
    let world = World::new().await;
    world.dead("a", "the answer was 404").await;
    world.dead("b", "the answer was 404").await;
    let page = world.page("/dead-letters/replay?stage=transcription").await;
    assert!(page.contains("would be done again: 2."), "{page}");
    assert!(page.contains("<code>stage=transcription</code>"));
    assert_eq!(letters(&world).await.len(), 2);
    let none = world.page("/dead-letters/replay?stage=crm").await;
    assert!(none.contains("would be done again: 0."), "{none}");
}

#[tokio::test]
async fn all_letters_that_match_are_done_again_and_the_audit_keeps_the_reason_and_who_gave_it() {
    let world = World::new().await;
    world.dead("a", "the answer was 404").await;
    world.dead("b", "the answer was 404").await;
    let form = "/dead-letters/replay?stage=transcription";
    let answer = world.submit(
        form,
        "/dead-letters/replay",
        &[("stage", "transcription"), ("why", "the host is back")],
    );
    let answer = answer.await;
    let page = world.page(answer.leads_to()).await;
    assert!(page.contains("Letters that are being done again: 2 of 2"), "{page}");
    assert!(letters(&world).await.is_empty());
    let (audit, _) = world.store.audit(WORKSPACE, ALL).await.unwrap();
    assert_eq!((audit.len(), audit[0].done, &*audit[0].actor), (1, 2, "no key"));
    assert_eq!(audit[0].asked, r#"{"stage":"transcription","why":"the host is back"}"#);
}

#[tokio::test]
async fn without_a_reason_the_form_comes_back_and_nothing_is_done() {
    let world = World::new().await;
    let call = world.dead("a", "the answer was 404").await;
    let form = "/dead-letters/replay?stage=transcription";
    let fields = [("stage", "transcription"), ("why", "  ")];
    let answer = world.submit(form, "/dead-letters/replay", &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains("Say why this is done.") && answer.text.contains("value=\"transcription\""));

    let id = letters(&world).await[0].id;
    let one = format!("/dead-letters/{id}");
    let answer = world.submit(&one, &format!("{one}/replay"), &[]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains(&call.to_string()));
    assert_eq!(letters(&world).await.len(), 1);
}

#[tokio::test]
async fn a_form_that_did_not_come_from_our_page_does_nothing() {
    let world = World::new().await;
    world.dead("a", "the answer was 404").await;
    world.page("/dead-letters").await;
    let id = letters(&world).await[0].id;
    for path in ["/dead-letters/replay".to_owned(), format!("/dead-letters/{id}/replay")] {
        let answer = world.post(&path, &[("why", "because"), ("csrf", "0")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(letters(&world).await.len(), 1);
}

#[tokio::test]
async fn one_letter_leads_to_the_next_and_is_done_again_once() {
    let world = World::new().await;
    for call in ["a", "b", "c"] {
        world.dead(call, "the answer was 404").await;
    }
    let ids: Vec<_> = letters(&world).await.iter().map(|letter| letter.id).collect();
    let middle = format!("/dead-letters/{}?stage=transcription", ids[1]);
    let page = world.page(&middle).await;
    for (rel, beside) in [("prev", ids[0]), ("next", ids[2])] {
        let link = format!("rel=\"{rel}\" href=\"/dead-letters/{beside}?stage=transcription\"");
        assert!(page.contains(&link), "{link}: {page}");
    }
    let path = format!("/dead-letters/{}/replay?stage=transcription", ids[1]);
    let done = world.submit(&middle, &path, &[("why", "try it")]).await;
    assert!(world.page(done.leads_to()).await.contains("The letter is being done again."));
    let page = world.page(&middle).await;
    assert!(page.contains("This letter was done again at") && !page.contains("name=\"why\""), "{page}");
    let again = world.submit("/dead-letters/replay", &path, &[("why", "try it")]).await;
    assert!(world.page(again.leads_to()).await.contains("Nothing was changed"));
}

#[tokio::test]
async fn a_time_that_cannot_be_read_is_said_at_the_filter_and_chooses_nothing() {
    let world = World::new().await;
    world.dead("a", "the answer was 404").await;
    let answer = world.get("/dead-letters?since=%3Cb%3Eyesterday").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.contains("aria-describedby=\"wrong-since\""));
    assert!(answer.text.contains("yesterday` is neither a day") && !answer.text.contains("<b>yesterday"));
    let answer =
        world.submit("/dead-letters/replay", "/dead-letters/replay", &[("since", "x"), ("why", "y")]);
    assert_eq!(answer.await.leads_to(), "/dead-letters?since=x");
    assert_eq!(letters(&world).await.len(), 1);
}

#[tokio::test]
async fn what_others_wrote_is_shown_as_text() {
    let world = World::new().await;
    world.dead("a", "<script>alert(1)</script> & \"more\"").await;
    let id = letters(&world).await[0].id;
    for path in ["/dead-letters".to_owned(), format!("/dead-letters/{id}"), "/queues".to_owned()] {
        let page = world.page(&path).await;
        assert!(!page.contains("<script>alert"), "{path}");
        assert!(page.contains("alert(1)"), "{path}: {page}");
    }
}

#[tokio::test]
async fn another_workspace_sees_no_letter_and_does_none_again() {
    let world = World::new().await;
    let call = world.dead("a", "the answer was 404").await;
    let id = letters(&world).await[0].id;
    let key = world.key("other", &[Scope::Read, Scope::Operate]).await;
    let list = world.get_with_key("/dead-letters", &key).await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(!list.text.contains(&call.to_string()) && list.text.contains("There is no dead letter."));
    let one = world.get_with_key(&format!("/dead-letters/{id}"), &key).await;
    assert_eq!(one.status, StatusCode::NOT_FOUND);
    assert!(!one.text.contains("404"), "nothing of the letter is told: {}", one.text);
    let count = world.get_with_key("/dead-letters/replay", &key).await;
    assert!(count.text.contains("would be done again: 0."));
}

#[tokio::test]
async fn who_may_only_read_is_not_asked_whether_to_do_letters_again() {
    let world = World::new().await;
    world.dead("a", "the answer was 404").await;
    let key = world.key("default", &[Scope::Read]).await;
    assert_eq!(world.get_with_key("/dead-letters", &key).await.status, StatusCode::OK);
    let answer = world.get_with_key("/dead-letters/replay", &key).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}
