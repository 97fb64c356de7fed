//! Tests the client on answers like Zoom's.

use std::time::Duration;

use domain::call::Role;
use domain::fault::Fault;
use domain::refusal::Refusal;
use platform::config::Values;
use serde_json::{Value, json};
use wiremock::matchers::{basic_auth, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::api::Host;
use super::*;
use crate::testing::{cut_short, nobody, tls};

fn values(base: &str) -> Values {
    Values::of([
        ("ZOOM_BASE_URL", base),
        ("ZOOM_ACCOUNT_ID", "account"),
        ("ZOOM_CLIENT_ID", "client"),
        ("ZOOM_CLIENT_SECRET", "secret"),
        ("ZOOM_RATE", "1000/s"),
    ])
}

fn api(base: &str) -> Arc<Api> {
    tls();
    Zoom::from_values(&values(base), &Slots::of_this_process()).unwrap().unwrap().api.unwrap()
}

/// A server that gives out the tokens `t1`, `t2`, …
async fn server() -> (MockServer, Arc<Api>) {
    let server = MockServer::start().await;
    let granted = std::sync::atomic::AtomicUsize::new(0);
    Mock::given(method("POST"))
        .and(path("/oauth/token"))
        .and(query_param("grant_type", "account_credentials"))
        .and(query_param("account_id", "account"))
        .and(basic_auth("client", "secret"))
        .respond_with(move |_: &wiremock::Request| {
            let number = granted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            let scope = "user:read:admin recording:read:admin";
            ResponseTemplate::new(200).set_body_json(json!({
                "access_token": format!("t{number}"), "token_type": "bearer", "expires_in": 3599, "scope": scope,
            }))
        })
        .mount(&server)
        .await;
    let api = api(&server.uri());
    (server, api)
}

async fn answers(server: &MockServer, token: &str, at: &str, answer: ResponseTemplate) {
    let bearer = format!("Bearer {token}");
    let given = Mock::given(method("GET")).and(path(at)).and(header("authorization", bearer.as_str()));
    given.respond_with(answer).mount(server).await;
}

fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

#[tokio::test]
async fn one_token_serves_many_requests_and_a_new_one_is_made_when_it_is_refused() {
    let (server, api) = server().await;
    answers(&server, "t1", "/meetings/a/recordings", ok(json!({ "uuid": "a" }))).await;
    for _ in 0..3 {
        assert_eq!(api.recordings("a").await.unwrap()["uuid"], "a");
    }
    let refused =
        ResponseTemplate::new(401).set_body_json(json!({ "code": 124, "message": "Invalid access token." }));
    answers(&server, "t1", "/meetings/b/recordings", refused).await;
    answers(&server, "t2", "/meetings/b/recordings", ok(json!({ "uuid": "b" }))).await;
    assert_eq!(api.recordings("b").await.unwrap()["uuid"], "b");
    let asked = server.received_requests().await.unwrap();
    assert_eq!(asked.iter().filter(|request| request.url.path() == "/oauth/token").count(), 2);
}

#[tokio::test]
async fn a_token_is_not_used_after_its_end() {
    let server = MockServer::start().await;
    let short = json!({ "access_token": "t", "expires_in": 30 });
    let tokens = Mock::given(path("/oauth/token")).respond_with(ok(short)).expect(2);
    tokens.mount(&server).await;
    answers(&server, "t", "/meetings/a/recordings", ok(json!({}))).await;
    let api = api(&server.uri());
    api.recordings("a").await.unwrap();
    api.recordings("a").await.unwrap();
}

#[tokio::test]
async fn every_page_of_participants_is_read() {
    let (server, api) = server().await;
    let page = |token: &str, name: &str| {
        ok(
            json!({ "next_page_token": token, "participants": [{ "id": "", "name": name, "user_email": "" }] }),
        )
    };
    let at = "/past_meetings/a%252F%252Fb/participants";
    let given = Mock::given(path(at)).and(query_param("next_page_token", "p2"));
    given.respond_with(page("", "Tom")).mount(&server).await;
    Mock::given(path(at)).respond_with(page("p2", "Priya")).mount(&server).await;
    let people = api.participants("a//b", &Host::default()).await.unwrap();
    let names: Vec<_> = people.iter().map(|who| who.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["Priya", "Tom"]);
    assert!(people.iter().all(|who| who.role == Some(Role::Participant)));
}

async fn refused(status: u16, body: Value, headers: &[(&str, &str)]) -> Refusal {
    let (server, api) = server().await;
    let mut answer = ResponseTemplate::new(status).set_body_json(body);
    for (name, value) in headers {
        answer = answer.insert_header(*name, *value);
    }
    Mock::given(path("/meetings/a/recordings")).respond_with(answer).mount(&server).await;
    api.recordings("a").await.unwrap_err()
}

#[tokio::test]
async fn the_two_limits_of_zoom_are_told_apart_by_their_words() {
    let second = "You have reached the maximum per-second rate limit for this API. Try again later.";
    let refusal = refused(429, json!({ "code": 429, "message": second }), &[]).await;
    assert_eq!(
        (refusal.fault, refusal.code.name()),
        (Fault::Throttled(Duration::from_secs(2)), "zoom_throttled")
    );
    let daily = "You have reached the maximum daily rate limit for this API. Refer to the response header for details.";
    let refusal = refused(429, json!({ "code": 429, "message": daily }), &[]).await;
    assert_eq!(
        (refusal.fault, refusal.code.name()),
        (Fault::Throttled(Duration::from_hours(1)), "zoom_daily_limit")
    );
    let far = [("retry-after", "2999-01-01T00:00:00Z")];
    let refusal = refused(429, json!({ "code": 429, "message": daily }), &far).await;
    assert_eq!(refusal.fault, Fault::Throttled(Duration::from_hours(24)));
}

#[tokio::test]
async fn a_scope_that_is_missing_is_named_and_waits_for_the_administrator() {
    let said =
        "Invalid access token, does not contain scopes:[cloud_recording:read:list_recording_files:admin].";
    let refusal = refused(400, json!({ "code": 4711, "message": said }), &[]).await;
    assert_eq!((refusal.fault, refusal.code.name()), (Fault::Unavailable, "zoom_refuses_account"));
    assert!(refusal.text.contains("cloud_recording:read:list_recording_files:admin"), "{refusal}");
}

#[tokio::test]
async fn a_meeting_without_recordings_is_refused_for_good_and_its_words_are_not_shown() {
    let said = json!({ "code": 3301, "message": "This recording of Ann Lee does not exist." });
    let refusal = refused(404, said, &[]).await;
    assert_eq!((refusal.fault, refusal.code.name()), (Fault::Permanent, "zoom_refused"));
    assert!(refusal.text.contains("code 3301") && !refusal.text.contains("Ann"), "{refusal}");
    let failed = refused(500, json!({}), &[]).await;
    assert_eq!(failed.fault, Fault::Transient);
}

#[tokio::test]
async fn an_account_that_is_unknown_waits_for_the_administrator() {
    let server = MockServer::start().await;
    let said = json!({ "reason": "Bad Request", "error": "invalid_request" });
    Mock::given(path("/oauth/token"))
        .respond_with(ResponseTemplate::new(400).set_body_json(said))
        .mount(&server)
        .await;
    let refusal = api(&server.uri()).recordings("a").await.unwrap_err();
    assert_eq!((refusal.fault, refusal.code.name()), (Fault::Unavailable, "zoom_refuses_account"));
}

#[tokio::test]
async fn a_server_that_is_away_or_breaks_off_is_asked_again() {
    let away = api(&nobody().await).recordings("a").await.unwrap_err();
    assert_eq!((away.fault, away.code.name()), (Fault::Unavailable, "zoom_unreachable"));
    let cut = api(&cut_short("200 OK").await).recordings("a").await.unwrap_err();
    assert_eq!((cut.fault, cut.code.name()), (Fault::Transient, "zoom_failed"));
    let (server, api) = server().await;
    let page = ResponseTemplate::new(200).set_body_string("<html>");
    Mock::given(path("/meetings/a/recordings")).respond_with(page).mount(&server).await;
    assert_eq!(api.recordings("a").await.unwrap_err().fault, Fault::Transient);
}

#[tokio::test]
async fn a_check_says_what_the_app_may_not_do() {
    let (_server, api) = server().await;
    let zoom = Zoom { secret: None, api: Some(api) };
    let Ok(Checked::Reached { notes }) = zoom.check().await else { panic!("it is reached") };
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("meeting:read:list_past_participants:admin"), "{notes:?}");
    let only_webhook = Zoom { secret: Some("secret".into()), api: None };
    assert!(matches!(only_webhook.check().await, Ok(Checked::Untried { .. })));
}

#[test]
fn a_part_of_the_credentials_is_a_mistake_and_none_is_none() {
    let made = |given: &[(&str, &str)]| {
        Zoom::from_values(&Values::of(given.iter().copied()), &Slots::of_this_process())
    };
    tls();
    assert!(made(&[]).unwrap().is_none());
    let only_webhook = made(&[("ZOOM_WEBHOOK_SECRET_TOKEN", "x")]).unwrap().unwrap();
    assert!(only_webhook.api.is_none() && only_webhook.secret.is_some());
    let error = made(&[("ZOOM_ACCOUNT_ID", "a"), ("ZOOM_CLIENT_ID", "c")]).err().unwrap();
    assert_eq!(error.name, "ZOOM_CLIENT_SECRET");
    let error = made(&[("ZOOM_CLIENT_SECRET", "s")]).err().unwrap();
    assert_eq!(error.name, "ZOOM_ACCOUNT_ID");
}
