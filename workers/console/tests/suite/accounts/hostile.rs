//! What a page of somebody else, or a visitor of another workspace, could try.

use std::path::Path;

use axum::http::StatusCode;
use domain::account::Role;
use domain::principal::Scopes;
use store::{KeyCreation, NewKey};
use uuid::Uuid;

use crate::material::phoned;
use crate::world::{PASSWORD, World};

/// Every path to which a form can be sent, from the source of the console. So a new form cannot be forgotten.
fn forms() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(path).unwrap();
            for route in source.split(".route(").skip(1) {
                let route = route.split(".route(").next().unwrap_or_default();
                let end = route.find("\n        .").or_else(|| route.find("\n}")).unwrap_or(route.len());
                if route[..end].contains("post(") {
                    let path = route.split('"').nth(1).unwrap();
                    found.push(path.replace("{id}", &Uuid::nil().to_string()));
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn no_form_is_taken_without_its_text_from_another_session_or_from_another_site() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut ada = world.signed_in("ada@x.com").await;
    let (own, other) = (ada.csrf().await, world.signed_in("ada@x.com").await.csrf().await);
    let before_sign_in = world.browser().csrf().await;
    let forms = forms();
    for known in
        ["/login", "/logout", "/register", "/keys", "/users/invite", "/account/password", "/language"]
    {
        assert!(forms.iter().any(|path| path == known), "{known} is missing in {forms:?}");
    }
    for path in &forms {
        for (csrf, site) in [
            ("", "same-origin"),
            (&*other, "same-origin"),
            (&before_sign_in, "same-origin"),
            (&own, "cross-site"),
            (&own, "same-site"),
        ] {
            let fields = [("csrf", csrf), ("name", "x"), ("scope", "read")];
            let answer = ada.post_as(path, &fields, Some(site)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} with {csrf:?} from {site}");
        }
    }
    assert_eq!(ada.get("/users").await.status, StatusCode::OK, "she is still signed in");
}

#[tokio::test]
async fn no_page_is_shown_inside_another_page_or_kept_in_a_cache() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut ada = world.signed_in("ada@x.com").await;
    for path in ["/", "/login", "/users", "/account", "/keys", "/audit", "/register"] {
        let headers = ada.get(path).await.headers;
        let says = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert!(says("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(!says("content-security-policy").contains("unsafe"), "{path}");
        assert_eq!(says("x-frame-options"), "DENY", "{path}");
        assert_eq!(says("cache-control"), "no-store", "{path}");
        assert_eq!(says("x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn markup_in_a_field_is_shown_and_not_obeyed() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut ada = world.signed_in("ada@x.com").await;
    let markup = r#""><script>alert(1)</script>"#;
    let query: String = url::form_urlencoded::byte_serialize(markup.as_bytes()).collect();
    let pages = [
        ada.post("/keys", &[("name", markup)]).await,
        ada.post("/users/invite", &[("login", markup), ("role", "agent"), ("agent", markup)]).await,
        ada.get(&format!("/audit?actor={query}&action={query}")).await,
        ada.get(&format!("/login?next={query}&login={query}")).await,
        world.browser().post("/login", &[("login", markup), ("password", "x"), ("next", markup)]).await,
    ];
    for page in pages {
        assert!(!page.text.contains("<script>alert"), "{}", page.text);
    }
}

#[tokio::test]
async fn away_from_this_machine_the_cookie_needs_tls() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut browser = world.browser();
    browser.host = "calls.example.com".into();
    let answer = browser.post("/login", &[("login", "ada@x.com"), ("password", PASSWORD)]).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-debrief_session="), "{cookie}");
    for attribute in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert_eq!(browser.get("/users").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_administrator_of_another_workspace_finds_nothing_here() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    world.arrived("0111", phoned("Dana Ortiz", "+12025550111")).await;
    let key = NewKey { workspace: "other", name: "k", scopes: Scopes::ALL, hash: "k", actor: "cli:test" };
    let KeyCreation::Created { workspace, .. } = world.store.create_key(key).await.unwrap() else { panic!() };
    let role = (Role::Administrator, None);
    world.accounts.create(workspace, "eve@y.com", role, &PASSWORD.into(), "cli:test").await.unwrap();
    let mut eve = world.signed_in("eve@y.com").await;
    for path in ["/", "/users", "/keys", "/audit"] {
        let page = eve.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.text.contains("ada@x.com") && !page.text.contains("+12025550111"), "{path}");
    }
    let ada = world.store.user_by_login("ada@x.com").await.unwrap().unwrap().user.id;
    assert_eq!(eve.get(&format!("/users/{ada}")).await.status, StatusCode::NOT_FOUND);
    for (end, fields) in [
        ("role", &[("role", "viewer")][..]),
        ("disable", &[]),
        ("enable", &[]),
        ("password", &[("password", "Passw0rd-2")]),
        ("sessions", &[]),
    ] {
        let answer = eve.post(&format!("/users/{ada}/{end}"), fields).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{end}");
    }
    let home = domain::call::WorkspaceId::DEFAULT.to_string();
    let entered = eve.post("/account/workspace", &[("workspace", &home)]).await;
    assert_eq!(entered.status, StatusCode::NOT_FOUND);
}
