//! The first administrator, and invitations.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::account::Role;
use domain::call::WorkspaceId;

use crate::world::{HERE, KEY, PASSWORD, World};

const ADA: [(&str, &str); 3] = [("login", "ada@x.com"), ("name", "Ada"), ("password", PASSWORD)];

#[tokio::test]
async fn the_first_visitor_shows_the_api_key_and_is_the_administrator() {
    let world = World::with_key().await;
    let mut browser = world.browser();
    assert_eq!(browser.get("/").await.location(), "/login?next=%2F");
    assert_eq!(browser.get("/login").await.location(), "/register");
    assert!(browser.get("/register").await.text.contains("Show the API key"));
    let refused = browser.post("/register", &ADA).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains(r#"value="ada@x.com""#) && !refused.text.contains(PASSWORD));
    let with_key: Vec<_> = ADA.iter().copied().chain([("key", KEY)]).collect();
    assert_eq!(browser.post("/register", &with_key).await.location(), "/");
    assert_eq!(browser.get("/users").await.status, StatusCode::OK);
    let closed = world.browser().post("/register", &with_key).await;
    assert_eq!(closed.status, StatusCode::FORBIDDEN);
    assert!(closed.text.contains("Registration is closed"), "{}", closed.text);
}

#[tokio::test]
async fn without_a_key_the_console_is_open_and_says_so_until_there_is_an_account() {
    let world = World::with(&[]).await;
    let mut browser = world.browser();
    assert!(browser.get("/").await.text.contains("This console needs no sign-in"));
    let mut stranger = world.browser();
    assert_eq!(browser.post("/register", &ADA).await.location(), "/");
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    assert_eq!(stranger.get("/").await.status, StatusCode::SEE_OTHER, "now everybody signs in");
}

#[tokio::test]
async fn a_program_registers_with_the_words_and_the_rules_of_the_first_system() {
    let world = World::with_key().await;
    let register = async |body: &str| {
        let request =
            Request::post("/register").header("host", HERE).header("content-type", "application/json");
        let answer = world.send(request.body(Body::from(body.to_owned())).unwrap()).await;
        (answer.status.as_u16(), answer.text)
    };
    let key = format!(r#""key": "{KEY}""#);
    for (body, status, words) in [
        (r#"{"username": "ada"}"#.to_owned(), 400, "Username and password are required!"),
        (
            r#"{"username": "ada", "password": "Passw0rd"}"#.to_owned(),
            403,
            "an account is made by an invitation",
        ),
        (
            format!(r#"{{"username": "ada", "password": "password", {key}}}"#),
            400,
            "Password does not meet security requirements!",
        ),
        (format!(r#"{{"username": "ada", "password": "Passw0rd", {key}}}"#), 201, "Registered successfully!"),
        (format!(r#"{{"username": "eve", "password": "Passw0rd", {key}}}"#), 403, "Registration is closed"),
        ("nothing".to_owned(), 422, "the body is no JSON"),
    ] {
        let (found, text) = register(&body).await;
        assert_eq!(found, status, "{body}: {text}");
        assert!(text.contains(words), "{body}: {text}");
    }
}

#[tokio::test]
async fn an_invitation_makes_one_account_with_the_role_that_it_says() {
    let world = World::with_key().await;
    world.account("ada@x.com", Role::Administrator).await;
    let mut ada = world.signed_in("ada@x.com").await;
    let page = ada.post("/users/invite", &[("login", "max@x.com"), ("role", "manager")]).await;
    let (_, behind) = page.text.split_once(&format!("http://{HERE}/register?invitation=")).unwrap();
    let token = behind.split('<').next().unwrap();
    let mut max = world.browser();
    let form = max.get(&format!("/register?invitation={token}")).await;
    assert!(form.text.contains("max@x.com") && !form.text.contains("API key"), "{}", form.text);
    let fields = [("invitation", token), ("name", "Max"), ("password", PASSWORD), ("login", "other@x.com")];
    assert_eq!(max.post("/register", &fields).await.location(), "/");
    assert_eq!(
        max.get("/users").await.status,
        StatusCode::FORBIDDEN,
        "a manager does not decide who gets in"
    );
    let again = world.browser().post("/register", &fields).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    let users = world.store.users(WorkspaceId::DEFAULT).await.unwrap();
    let logins: Vec<_> = users.iter().map(|user| (user.login.as_str(), user.role)).collect();
    assert_eq!(logins, [("ada@x.com", Some(Role::Administrator)), ("max@x.com", Some(Role::Manager))]);
}
