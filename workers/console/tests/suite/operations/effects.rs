use axum::http::StatusCode;
use domain::principal::Scope;
use store::Page;

use crate::world::{WORKSPACE, World};

const ALL: Page = Page { offset: 0, limit: 100 };

#[tokio::test]
async fn a_change_that_nobody_knows_waits_for_a_person_who_has_looked_and_says_why() {
    let world = World::new().await;
    let id = world.unknown_effect("a", "post").await;
    let page = world.page("/effects").await;
    assert!(page.contains("Changes that wait for a person: 1."), "{page}");
    let path = format!("/effects/{id}");
    let hasty = world.submit(&path, &path, &[("as", "sent")]).await;
    assert_eq!(hasty.status, StatusCode::UNPROCESSABLE_ENTITY);
    for said in ["and then tick this", "Say why.", "value=\"sent\" required checked"] {
        assert!(hasty.text.contains(said), "{said}: {}", hasty.text);
    }
    assert_eq!(world.store.effect(WORKSPACE, id).await.unwrap().unwrap().state, "unknown");

    let fields = [("as", "sent"), ("looked", "yes"), ("why", "it is in the channel")];
    let decided = world.submit(&path, &path, &fields).await;
    let page = world.page(decided.leads_to()).await;
    assert!(page.contains("Changes that are decided: 1") && page.contains("Every change is confirmed."));
    assert_eq!(world.store.effect(WORKSPACE, id).await.unwrap().unwrap().state, "confirmed");
    let (audit, _) = world.store.audit(WORKSPACE, ALL).await.unwrap();
    assert!(audit[0].asked.contains("it is in the channel"), "{}", audit[0].asked);
}

#[tokio::test]
async fn all_that_match_are_counted_first_and_then_decided_together() {
    let world = World::new().await;
    for call in ["a", "b", "c"] {
        world.unknown_effect(call, "post").await;
    }
    let form = "/effects/resolve?target=slack";
    assert!(world.page(form).await.contains("wait for a person: 3. Nothing has been changed yet."));
    assert!(world.page("/effects/resolve?target=salesforce").await.contains("wait for a person: 0."));
    let fields =
        [("target", "slack"), ("as", "resend"), ("looked", "yes"), ("why", "the channel was renamed")];
    let decided = world.submit(form, "/effects/resolve", &fields).await;
    assert!(world.page(decided.leads_to()).await.contains("Changes that are decided: 3"));
    assert_eq!(world.store.open_effect_counts().await.unwrap(), [("not_sent".to_owned(), 3)]);
}

#[tokio::test]
async fn a_list_shows_no_address_of_a_person() {
    let world = World::new().await;
    let id = world.unknown_effect("a", "contact:helen@example.com").await;
    let list = world.page("/effects").await;
    assert!(list.contains("contact:&#60;e-mail&#62;") && !list.contains("helen"), "{list}");
    assert!(world.page(&format!("/effects/{id}")).await.contains("helen@example.com"));
}

#[tokio::test]
async fn another_workspace_sees_no_change_and_decides_about_none() {
    let world = World::new().await;
    let id = world.unknown_effect("a", "post").await;
    let key = world.key("other", &[Scope::Read, Scope::Operate]).await;
    let list = world.get_with_key("/effects", &key).await;
    assert!(list.text.contains("Every change is confirmed."), "{}", list.text);
    assert_eq!(world.get_with_key(&format!("/effects/{id}"), &key).await.status, StatusCode::NOT_FOUND);
    let count = world.get_with_key("/effects/resolve", &key).await;
    assert!(count.text.contains("wait for a person: 0."));
}
