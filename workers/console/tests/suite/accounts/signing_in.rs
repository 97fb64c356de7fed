//! Signing in and out.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::account::Role;
use domain::call::WorkspaceId;

use crate::world::{HERE, PASSWORD, World};

const SESSION: &str = "debrief_session";

#[tokio::test]
async fn who_is_not_signed_in_signs_in_first_and_comes_back_to_the_page() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut browser = world.browser();
    assert_eq!(browser.get("/users?a=b").await.location(), "/login?next=%2Fusers%3Fa%3Db");
    let fields = [("login", " Ada@X.com"), ("password", PASSWORD), ("next", "/users?a=b")];
    let answer = browser.post("/login", &fields).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/users?a=b"));
    assert_eq!(browser.get("/users").await.status, StatusCode::OK);
    assert_eq!(browser.post("/logout", &[]).await.location(), "/login");
    assert_eq!(browser.get("/users").await.location(), "/login?next=%2Fusers");
}

#[tokio::test]
async fn a_sign_in_leads_to_no_other_site() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    for next in [
        "//evil.example.com",
        "https://evil.example.com/",
        "/\\evil.example.com",
        "javascript:alert(1)",
        "/\t/evil.com",
    ] {
        let mut browser = world.browser();
        let fields = [("login", "ada@x.com"), ("password", PASSWORD), ("next", next)];
        assert_eq!(browser.post("/login", &fields).await.location(), "/", "{next:?}");
        let query: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let page = world.browser().get(&format!("/login?next={query}")).await;
        assert!(page.text.contains(r#"name="next" value="/""#), "{next:?}");
    }
}

#[tokio::test]
async fn a_sign_in_makes_a_new_session_and_ends_the_one_before() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut browser = world.browser();
    // A session that somebody else has put into the browser.
    let planted = format!("session_{}", "A".repeat(43));
    browser.cookies.insert(SESSION.into(), planted.clone());
    browser.post("/login", &[("login", "ada@x.com"), ("password", PASSWORD)]).await;
    let first = browser.cookies[SESSION].clone();
    assert_ne!(first, planted);
    browser.post("/login", &[("login", "ada@x.com"), ("password", PASSWORD)]).await;
    assert_ne!(browser.cookies[SESSION], first);
    for old in [planted, first] {
        let mut other = world.browser();
        other.cookies.insert(SESSION.into(), old);
        assert_eq!(other.get("/users").await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn the_text_of_the_form_stays_after_a_mistake_and_the_password_does_not() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut browser = world.browser();
    let answers = [
        browser.post("/login", &[("login", "ada@x.com"), ("password", "Wr0ng-one")]).await,
        browser.post("/login", &[("login", "nobody@x.com"), ("password", "Wr0ng-one")]).await,
    ];
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.text.contains("The name or the password is wrong."), "{}", answer.text);
        assert!(!answer.text.contains("Wr0ng-one"));
    }
    assert!(answers[0].text.contains(r#"value="ada@x.com""#));
}

#[tokio::test]
async fn after_some_wrong_passwords_even_the_right_one_has_to_wait() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut browser = world.browser();
    for _ in 0..5 {
        let answer = browser.post("/login", &[("login", "ada@x.com"), ("password", "wrong")]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let answer = browser.post("/login", &[("login", "ada@x.com"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.text.contains("Try again in "), "{}", answer.text);
}

#[tokio::test]
async fn a_session_that_was_ended_ends_at_once_in_this_process() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    world.account("max@x.com", Role::Manager).await;
    let mut max = world.signed_in("max@x.com").await;
    assert_eq!(max.get("/").await.status, StatusCode::OK);
    let users = world.store.users(WorkspaceId::DEFAULT).await.unwrap();
    let id = users.iter().find(|user| user.login == "max@x.com").unwrap().id;
    let mut ada = world.signed_in("ada@x.com").await;
    assert!(ada.get(&format!("/users/{id}")).await.text.contains("max@x.com"));
    ada.post(&format!("/users/{id}/sessions"), &[]).await;
    assert_eq!(max.get("/").await.status, StatusCode::SEE_OTHER);
    let mut max = world.signed_in("max@x.com").await;
    assert_eq!(max.get("/").await.status, StatusCode::OK);
    ada.post(&format!("/users/{id}/disable"), &[]).await;
    assert_eq!(max.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_that_cannot_be_read_ends_none() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    world.account("max@x.com", Role::Manager).await;
    let mut ada = world.signed_in("ada@x.com").await;
    let mut elsewhere = world.signed_in("ada@x.com").await;
    let mut max = world.signed_in("max@x.com").await;
    let id = world.store.user_by_login("max@x.com").await.unwrap().unwrap().user.id;
    for path in ["/account/sessions".to_owned(), format!("/users/{}/sessions", id.0)] {
        let answer = ada.post(&path, &[("session", "the first one")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(elsewhere.get("/account").await.status, StatusCode::OK);
    assert_eq!(max.get("/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_was_typed_comes_back_when_the_session_has_ended() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut browser = world.signed_in("ada@x.com").await;
    let csrf = browser.csrf().await;
    let who = world.store.users(WorkspaceId::DEFAULT).await.unwrap().remove(0);
    world
        .accounts
        .set_password((who.workspace, "cli:test"), who.id, &who.login, &"Passw0rd-2".into())
        .await
        .unwrap();
    let mut other = world.signed_in_with("ada@x.com", "Passw0rd-2").await;
    assert_eq!(other.get("/").await.status, StatusCode::OK);
    let fields = [("name", "a <long> name"), ("password", "Secret-1"), ("csrf", &*csrf)];
    let answer = browser.post_as("/keys", &fields, Some("same-origin")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.text.contains("a &#60;long&#62; name"), "{}", answer.text);
    assert!(!answer.text.contains("Secret-1"));
}

#[tokio::test]
async fn a_program_signs_in_with_json_or_basic_auth_and_gets_a_token_and_no_cookie() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let json = Request::post("/login").header("host", HERE).header("content-type", "application/json");
    let body = format!(r#"{{"username": "ada@x.com", "password": "{PASSWORD}"}}"#);
    let answer = world.send(json.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(!answer.headers.contains_key("set-cookie"));
    let token = answer.text.split('"').nth(3).unwrap();
    let with_token =
        Request::get("/users").header("host", HERE).header("authorization", format!("Bearer {token}"));
    assert_eq!(world.send(with_token.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
    let basic =
        Request::post("/login").header("host", HERE).header("authorization", "Basic YWRhQHguY29tOndyb25n");
    let answer = world.send(basic.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.text.contains("Could not verify!"), "{}", answer.text);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Viewer).await;
    let mut other = world.signed_in("ada@x.com").await;
    let mut browser = world.signed_in("ada@x.com").await;
    let wrong = browser.post("/account/password", &[("old", "wrong"), ("password", "Passw0rd-2")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let weak = browser.post("/account/password", &[("old", PASSWORD), ("password", "short")]).await;
    assert_eq!(weak.status, StatusCode::BAD_REQUEST);
    let done = browser.post("/account/password", &[("old", PASSWORD), ("password", "Passw0rd-2")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
    assert_eq!(other.get("/account").await.status, StatusCode::SEE_OTHER);
}
