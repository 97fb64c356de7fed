//! Signing in at a provider, with a provider that cheats as it is told.

use axum::http::StatusCode;
use domain::account::Role;
use domain::call::WorkspaceId;
use serde_json::{Value, json};
use simulators::{Options, Simulators, oidc};

use crate::browser::{Answer, Browser};
use crate::world::World;

struct Provider {
    all: Simulators,
    http: reqwest::Client,
}

impl Provider {
    async fn start() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let all = Simulators::start_only(&[&oidc::PROVIDER], &Options::default()).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "a browser follows no redirect by itself here")]
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { all, http }
    }

    async fn world(&self, more: &[(&str, &str)]) -> World {
        let settings = self.all.settings();
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let key = [("DEBRIEF_API_KEY", crate::world::KEY)];
        World::with(&[&key[..], &settings[..], more].concat()).await
    }

    async fn control(&self, path: &str, body: String) {
        let url = self.all.of(&oidc::PROVIDER).url(&format!("/_control/{path}"));
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        assert!(request.send().await.unwrap().status().is_success(), "{path}");
    }

    async fn person(&self, person: &Value) {
        self.control("person", person.to_string()).await;
    }

    async fn cheats(&self, how: &str) {
        self.control("cheat", how.to_owned()).await;
    }

    /// Where the provider sends a browser that comes to this address: a path of ours.
    async fn sends_back(&self, location: &str) -> String {
        let answer = self.http.get(location).send().await.unwrap();
        assert_eq!(answer.status(), 302, "{location}");
        let back = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        assert_eq!(back.path(), "/login/oidc/back");
        format!("{}?{}", back.path(), back.query().unwrap())
    }

    /// The whole way of a browser.
    async fn signs_in(&self, browser: &mut Browser) -> Answer {
        let begun = browser.get("/login/oidc?next=%2Faccount%3Fa%3Db").await;
        assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
        let back = self.sends_back(begun.location()).await;
        browser.get(&back).await
    }
}

#[tokio::test]
async fn somebody_with_an_account_signs_in_at_the_provider_and_comes_back_to_her_page() {
    let provider = Provider::start().await;
    let world = provider.world(&[]).await;
    world.account("ada@example.com", Role::Administrator).await;
    let mut browser = world.browser();
    let page = browser.get("/login?next=%2Fusers").await;
    assert!(page.text.contains("Sign in with the simulated provider"), "{}", page.text);
    assert!(page.text.contains("/login/oidc?next=%2Fusers"), "{}", page.text);
    let planted = format!("session_{}", "A".repeat(43));
    browser.cookies.insert("debrief_session".into(), planted.clone());
    let answer = provider.signs_in(&mut browser).await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "/account?a=b"),
        "{}",
        answer.text
    );
    assert_ne!(browser.cookies["debrief_session"], planted, "she gets a session of her own");
    assert_eq!(browser.get("/users").await.status, StatusCode::OK);
    // From now on her number at the provider counts, and not her address.
    provider.person(&json!({"sub": "1001", "email": "new@example.com", "email_verified": false})).await;
    assert_eq!(provider.signs_in(&mut world.browser()).await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.store.users(WorkspaceId::DEFAULT).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_is_not_known_needs_an_invitation_or_a_domain_with_a_role() {
    let provider = Provider::start().await;
    let world = provider.world(&[("OIDC_ROLE", "viewer"), ("OIDC_DOMAINS", "Example.com,example.org")]).await;
    world.account("root@x.com", Role::Administrator).await;
    for (email, verified, is_let_in) in [
        ("max@example.com", true, true),
        ("eve@evil.com", true, false),
        ("eve@example.com.evil.com", true, false),
        ("eve@example.com", false, false),
    ] {
        provider
            .person(&json!({"sub": email, "email": email, "email_verified": verified, "name": "M"}))
            .await;
        let answer = provider.signs_in(&mut world.browser()).await;
        assert_eq!(answer.status == StatusCode::SEE_OTHER, is_let_in, "{email}: {}", answer.text);
        let mut cookies = answer.headers.get_all("set-cookie").iter();
        let is_session =
            |cookie: &axum::http::HeaderValue| cookie.as_bytes().starts_with(b"debrief_session=session_");
        assert_eq!(cookies.any(is_session), is_let_in, "{email}");
    }
    let users = world.store.users(WorkspaceId::DEFAULT).await.unwrap();
    let roles: Vec<_> = users.iter().map(|user| (user.login.as_str(), user.role)).collect();
    assert_eq!(roles.len(), 2, "{roles:?}");
    assert!(roles.contains(&("max@example.com", Some(Role::Viewer))), "{roles:?}");
    world
        .accounts
        .invite((WorkspaceId::DEFAULT, "cli:test"), "eve@evil.com", Role::Manager, None)
        .await
        .unwrap();
    provider.person(&json!({"sub": "eve", "email": "eve@evil.com", "email_verified": true})).await;
    let answer = provider.signs_in(&mut world.browser()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "an invitation lets her in: {}", answer.text);
}

#[tokio::test]
async fn a_provider_cannot_make_the_first_administrator() {
    let provider = Provider::start().await;
    let world = provider.world(&[("OIDC_ROLE", "administrator"), ("OIDC_DOMAINS", "example.com")]).await;
    assert_eq!(world.browser().get("/login/oidc").await.location(), "/register");
}

#[tokio::test]
async fn a_token_that_cheats_signs_nobody_in() {
    let provider = Provider::start().await;
    let world = provider.world(&[]).await;
    world.account("ada@example.com", Role::Administrator).await;
    for cheat in [
        "alg_none",
        "alg_hs256",
        "alg_other_kind",
        "unlisted_key",
        "foreign_key",
        "changed",
        "crit",
        "issuer",
        "audience",
        "audiences",
        "party",
        "over",
        "old",
        "future",
        "not_yet",
        "nonce",
        "no_nonce",
        "subject",
        "mix_up",
        "denied",
    ] {
        provider.cheats(cheat).await;
        let mut browser = world.browser();
        let answer = provider.signs_in(&mut browser).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{cheat}: {}", answer.text);
        assert!(!browser.cookies.contains_key("debrief_session"), "{cheat}");
        assert_eq!(browser.get("/users").await.status, StatusCode::SEE_OTHER, "{cheat}");
    }
    provider.cheats("").await;
    assert_eq!(provider.signs_in(&mut world.browser()).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_way_back_belongs_to_the_browser_that_began_and_is_good_once() {
    let provider = Provider::start().await;
    let world = provider.world(&[]).await;
    world.account("ada@example.com", Role::Administrator).await;
    let mut browser = world.browser();
    let begun = browser.get("/login/oidc").await;
    let back = provider.sends_back(begun.location()).await;
    // Somebody plants her own way back in another browser, with and without a sign-in of its own.
    let mut other = world.browser();
    assert_eq!(other.get(&back).await.status, StatusCode::UNAUTHORIZED);
    other.get("/login/oidc").await;
    assert_eq!(other.get(&back).await.status, StatusCode::UNAUTHORIZED);
    let without_state =
        back.split('&').filter(|part| !part.starts_with("state=")).collect::<Vec<_>>().join("&");
    let mut copy = world.browser();
    copy.cookies = browser.cookies.clone();
    assert_eq!(copy.get(&without_state).await.status, StatusCode::UNAUTHORIZED);
    let kept = browser.cookies.clone();
    assert_eq!(browser.get(&back).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get(&back).await.status, StatusCode::UNAUTHORIZED, "the cookie is gone");
    let mut again = world.browser();
    again.cookies = kept;
    assert_eq!(again.get(&back).await.status, StatusCode::UNAUTHORIZED, "the code was used");
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_learned_when_it_is_met() {
    let provider = Provider::start().await;
    let world = provider.world(&[]).await;
    world.account("ada@example.com", Role::Administrator).await;
    assert_eq!(provider.signs_in(&mut world.browser()).await.status, StatusCode::SEE_OTHER);
    provider.control("rotate", String::new()).await;
    let answer = provider.signs_in(&mut world.browser()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
}

#[tokio::test]
async fn a_description_of_somebody_else_and_an_address_in_our_network_are_not_used() {
    for cheat in ["description", "private"] {
        let provider = Provider::start().await;
        let world = provider.world(&[]).await;
        world.account("ada@example.com", Role::Administrator).await;
        provider.cheats(cheat).await;
        let answer = world.browser().get("/login/oidc").await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{cheat}");
        assert!(answer.text.contains("cannot be used at the moment"), "{cheat}: {}", answer.text);
        assert!(!answer.text.contains("10.0.0.1"), "a guest learns nothing of our network");
    }
}

#[tokio::test]
async fn the_way_back_leads_to_no_other_site_and_to_no_host_that_a_browser_names() {
    let provider = Provider::start().await;
    let world = provider.world(&[]).await;
    world.account("ada@example.com", Role::Administrator).await;
    let mut browser = world.browser();
    let begun = browser.get("/login/oidc?next=%2F%2Fevil.example.com").await;
    let back = provider.sends_back(begun.location()).await;
    assert_eq!(browser.get(&back).await.location(), "/");
    let mut far = world.browser();
    far.host = "calls.example.com".to_owned();
    let answer = far.get("/login/oidc").await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.text.contains("DEBRIEF_PUBLIC_URL"), "{}", answer.text);
    let world = provider.world(&[("DEBRIEF_PUBLIC_URL", "https://calls.example.com/")]).await;
    world.account("ada@example.com", Role::Administrator).await;
    let mut far = world.browser();
    far.host = "calls.example.com".to_owned();
    let begun = far.get("/login/oidc").await;
    let asked = url::Url::parse(begun.location()).unwrap();
    let redirect = asked.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    assert_eq!(redirect, "https://calls.example.com/login/oidc/back");
    assert!(far.cookies.keys().any(|name| name == "__Host-debrief_oidc"), "{:?}", far.cookies);
}
