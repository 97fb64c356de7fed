//! What each role sees and may do.

use axum::http::StatusCode;
use domain::account::Role;

use crate::material::phoned;
use crate::world::World;

#[tokio::test]
async fn an_agent_sees_only_her_own_calls_on_the_first_page() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    world.account("dana@x.com", Role::Agent).await;
    world.arrived("0111", phoned("Dana Ortiz", "+12025550111")).await;
    world.arrived("0222", phoned("Imre Kovács", "+12025550222")).await;
    let mut dana = world.signed_in("dana@x.com").await;
    let page = dana.get("/").await;
    assert!(page.text.contains("+12025550111") && !page.text.contains("+12025550222"), "{}", page.text);
    let all = world.signed_in("ada@x.com").await.get("/").await;
    assert!(all.text.contains("+12025550111") && all.text.contains("+12025550222"));
}

#[tokio::test]
async fn an_agent_finds_only_her_own_calls_in_every_list_and_search_and_opens_no_other() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    world.account("dana@x.com", Role::Agent).await;
    let hers = world.arrived("0111", phoned("Dana Ortiz", "+12025550111")).await;
    let his = world.arrived("0222", phoned("Imre Kovács", "+12025550222")).await;
    let mut dana = world.signed_in("dana@x.com").await;
    let mut ada = world.signed_in("ada@x.com").await;
    for path in
        ["/calls", "/calls.csv", "/search?q=%2B1202555*", "/calls?agent=Imre+Kov%C3%A1cs", "/calls?topic=x"]
    {
        let page = dana.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let (his, name) = (his.to_string(), "+12025550222");
        assert!(!page.text.contains(&his) && !page.text.contains(name), "{path}: {}", page.text);
        assert!(!page.text.contains("value=\"Imre Kovács\"></option>"), "{path} offers his name");
    }
    for path in ["/calls", "/calls.csv", "/search?q=%2B1202555*"] {
        assert!(dana.get(path).await.text.contains(&hers.to_string()), "{path}");
        let all = ada.get(path).await.text;
        assert!(all.contains(&hers.to_string()) && all.contains(&his.to_string()), "{path}");
    }
    for (path, status) in [
        (format!("/calls/{hers}"), StatusCode::OK),
        (format!("/calls/{his}"), StatusCode::NOT_FOUND),
        (format!("/calls/{his}/recording"), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(dana.get(&path).await.status, status, "{path}");
    }
    assert!(!dana.get(&format!("/calls/{hers}")).await.text.contains("/replay"));
    let again = dana.post(&format!("/calls/{hers}/replay"), &[("from", "analysis")]).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_page_is_shown_to_those_whose_role_has_it() {
    let world = World::with_key().await;
    for (login, role) in [
        ("ada@x.com", Role::Administrator),
        ("max@x.com", Role::Manager),
        ("vera@x.com", Role::Viewer),
        ("dana@x.com", Role::Agent),
    ] {
        world.account(login, role).await;
    }
    let (yes, no) = (StatusCode::OK, StatusCode::FORBIDDEN);
    for (path, wanted) in [
        ("/", [yes, yes, yes, yes]),
        ("/account", [yes, yes, yes, yes]),
        ("/calls", [yes, yes, yes, yes]),
        ("/search", [yes, yes, yes, yes]),
        ("/analytics", [yes, yes, yes, yes]),
        ("/queues", [yes, yes, yes, no]),
        ("/dead-letters", [yes, yes, yes, no]),
        ("/effects", [yes, yes, yes, no]),
        ("/audit", [yes, yes, yes, no]),
        ("/users", [yes, no, no, no]),
        ("/keys", [yes, no, no, no]),
    ] {
        let mut found = Vec::new();
        for login in ["ada@x.com", "max@x.com", "vera@x.com", "dana@x.com"] {
            found.push(world.signed_in(login).await.get(path).await.status);
        }
        assert_eq!(found, wanted, "{path}");
    }
}

#[tokio::test]
async fn a_key_is_made_with_its_scopes_shown_once_and_revoked() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut ada = world.signed_in("ada@x.com").await;
    let none = ada.post("/keys", &[("name", "ci")]).await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(none.text.contains(r#"value="ci""#), "what was typed stays");
    let made = ada.post("/keys", &[("name", "ci"), ("scope", "read"), ("scope", "operate")]).await;
    let (_, behind) = made.text.split_once("<code>debrief_").unwrap();
    let key = format!("debrief_{}", behind.split('<').next().unwrap());
    let row = world.store.key(&web::key::hash(&key)).await.unwrap().unwrap();
    assert_eq!(
        (row.scopes.to_string().as_str(), row.created_by.as_str()),
        ("read operate", "user:ada@x.com")
    );
    assert!(!ada.get("/keys").await.text.contains(&key));
    assert_eq!(ada.post("/keys", &[("name", "ci"), ("scope", "read")]).await.status, StatusCode::CONFLICT);
    ada.post("/keys/revoke", &[("name", "ci")]).await;
    assert_eq!(world.store.key(&web::key::hash(&key)).await.unwrap(), None);
    let audit = ada.get("/audit?action=key_revoke").await;
    assert!(
        audit.text.contains("user:ada@x.com") && !audit.text.contains("key_create</td>"),
        "{}",
        audit.text
    );
}

#[tokio::test]
async fn the_last_administrator_cannot_shut_herself_out() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut ada = world.signed_in("ada@x.com").await;
    let page = ada.get("/users").await;
    let (_, behind) = page.text.split_once("href=\"/users/").unwrap();
    let path = format!("/users/{}", behind.split('"').next().unwrap());
    for (end, fields) in [("disable", &[][..]), ("role", &[("role", "viewer")])] {
        let answer = ada.post(&format!("{path}/{end}"), fields).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{end}");
        assert!(answer.text.contains("This is the last administrator"));
    }
}
