//! Products, files, companies, people and meetings are deleted from the pages.

use axum::http::StatusCode;
use domain::account::Role;
use serde_json::json;
use uuid::Uuid;

use super::meetings::planted;
use crate::world::{WORKSPACE, World};

const ACTOR: &str = "no key";

#[tokio::test]
async fn each_delete_says_what_goes_along_and_asks_the_route_of_the_api() {
    let world = World::new().await;
    let planted = planted(&world, WORKSPACE, ACTOR, "CloudSync").await;
    let page = world.page("/practice/setup").await;
    for what in [
        "Its files and all meetings about it are deleted with it.",
        "Its people and all meetings with them are deleted with it.",
        "Meetings that were made before keep what they know of it.",
        "Meetings in which this person takes part keep what they need.",
    ] {
        assert!(page.contains(what), "{what}: {page}");
    }
    let file = world.store.materials_of(WORKSPACE, planted.salesperson).await.unwrap()[0].id;
    let (product, company) = (planted.salesperson, planted.company);
    let of_file = file.to_string();
    for (path, fields, asked) in [
        (
            format!("products/{product}/files/delete"),
            vec![("file", &*of_file)],
            format!("/api/salesperson/{product}/material/{file}"),
        ),
        (format!("products/{product}/delete"), vec![], format!("/api/salesperson/{product}")),
        (
            format!("representatives/{}/delete", planted.representative),
            vec![],
            format!("/api/company/representatives/{}", planted.representative),
        ),
        (format!("companies/{company}/delete"), vec![], format!("/api/company/{company}")),
    ] {
        assert!(page.contains(&format!("action=\"/practice/{path}\"")), "{path}: {page}");
        let answer = world.submit("/practice/setup", &format!("/practice/{path}"), &fields).await;
        assert_eq!(answer.leads_to(), "/practice/setup");
        assert_eq!(world.api.asked()[0].what, format!("DELETE {asked}"));
    }
    world.api.answers(StatusCode::NOT_FOUND, json!({"detail": "there is no such company"}));
    let path = format!("/practice/companies/{company}/delete");
    assert_eq!(world.submit("/practice/setup", &path, &[]).await.status, StatusCode::NOT_FOUND);
    world.api.answers(StatusCode::SERVICE_UNAVAILABLE, json!({"detail": "the store is away"}));
    let refused = world.submit("/practice/setup", &path, &[]).await;
    assert!(refused.status == StatusCode::SERVICE_UNAVAILABLE && refused.text.contains("the store is away"));
}

#[tokio::test]
async fn a_meeting_is_deleted_by_whoever_may_practise_and_see_it() {
    let world = World::with_key().await;
    for (login, role) in [("dana@x.com", Role::Agent), ("vera@x.com", Role::Viewer)] {
        world.account(login, role).await;
    }
    let hers = planted(&world, WORKSPACE, "user:dana@x.com", "Hers").await;
    let his = planted(&world, WORKSPACE, "user:imre@x.com", "His").await.meeting;
    let path = |id: Uuid| format!("/practice/{id}/delete");
    let mut vera = world.signed_in("vera@x.com").await;
    let page = vera.get(&format!("/practice/{his}")).await.text;
    assert!(!page.contains("/delete\""), "{page}");
    assert_eq!(vera.post(&path(his), &[]).await.status, StatusCode::FORBIDDEN);
    assert!(!vera.get("/practice/setup").await.text.contains("/delete\""));
    let product = format!("/practice/products/{}/delete", hers.salesperson);
    assert_eq!(vera.post(&product, &[]).await.status, StatusCode::FORBIDDEN);
    let mut dana = world.signed_in("dana@x.com").await;
    assert_eq!(dana.post(&path(his), &[]).await.status, StatusCode::NOT_FOUND);
    assert!(world.api.asked().is_empty(), "nothing reaches the routes");
    let page = dana.get(&format!("/practice/{}", hers.meeting)).await.text;
    assert!(page.contains("The call that it became stays.") && page.contains(&path(hers.meeting)), "{page}");
    assert_eq!(dana.post(&path(hers.meeting), &[]).await.leads_to(), "/practice");
    let asked = &world.api.asked()[0];
    assert_eq!(
        (&*asked.what, &*asked.who),
        (&*format!("DELETE /api/meeting/{}", hers.meeting), "user:dana@x.com")
    );
}
