use domain::fault::Fault;
use domain::refusal::Sent;
use serde_json::json;
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::testing::{cut_short, nobody, tls};

const CONTACTS: &str = "/services/data/v66.0/sobjects/Contact";
const QUERY: &str = "/services/data/v66.0/query";

fn org_at(login: &str) -> Salesforce {
    tls();
    let values = Values::of([
        ("SALESFORCE_LOGIN_URL", login),
        ("SALESFORCE_CONSUMER_KEY", "key"),
        ("SALESFORCE_CONSUMER_SECRET", "secret"),
    ]);
    Salesforce::from_values(&values, &Slots::of_this_process()).unwrap().unwrap()
}

fn granted(token: &str, instance: &str) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_json(json!({"access_token": token, "instance_url": instance, "issued_at": "1767225600000"}))
}

/// A server that lets us in.
async fn server() -> MockServer {
    let server = MockServer::start().await;
    let token = Mock::given(method("POST")).and(path("/services/oauth2/token"));
    token.respond_with(granted("token", &server.uri())).with_priority(10).mount(&server).await;
    server
}

/// What creating a contact comes to when the org answers like this.
async fn created(answer: ResponseTemplate) -> Result<String, SalesforceError> {
    let server = server().await;
    Mock::given(method("POST")).and(path(CONTACTS)).respond_with(answer).mount(&server).await;
    org_at(&server.uri()).create("Contact", &json!({"LastName": "O'Neil"})).await
}

fn error(status: u16, error: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!([error]))
}

#[tokio::test]
async fn records_are_read_created_and_changed_with_the_token() {
    let server = server().await;
    let with_token = |verb: &str| Mock::given(method(verb)).and(header("authorization", "Bearer token"));
    let found = json!({"totalSize": 1, "done": true, "records": [{"Id": "003A"}]});
    with_token("GET")
        .and(path(QUERY))
        .and(query_param("q", "SELECT Id FROM Contact"))
        .respond_with(ResponseTemplate::new(200).set_body_json(found))
        .mount(&server)
        .await;
    with_token("POST")
        .and(path(CONTACTS))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"id": "003B", "success": true})))
        .mount(&server)
        .await;
    with_token("PATCH")
        .and(path(format!("{CONTACTS}/003B")))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let org = org_at(&server.uri());
    assert_eq!(org.query("SELECT Id FROM Contact").await.unwrap().unwrap()["Id"], "003A");
    assert_eq!(org.create("Contact", &json!({"LastName": "O'Neil"})).await.unwrap(), "003B");
    org.update("Contact", "003B", &json!({"Title": "CFO"})).await.unwrap();
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let server = server().await;
    let stale = Mock::given(path("/services/oauth2/token")).respond_with(granted("stale", &server.uri()));
    stale.up_to_n_times(1).with_priority(1).mount(&server).await;
    let expired = error(401, &json!({"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}));
    let refused = Mock::given(path(QUERY)).and(header("authorization", "Bearer stale"));
    refused.respond_with(expired.clone()).expect(1).mount(&server).await;
    let none = ResponseTemplate::new(200).set_body_json(json!({"records": []}));
    let taken = Mock::given(path(QUERY)).and(header("authorization", "Bearer token"));
    taken.respond_with(none).mount(&server).await;
    assert_eq!(org_at(&server.uri()).query("SELECT Id FROM Contact").await.unwrap(), None);

    let server = self::server().await;
    Mock::given(path(QUERY)).respond_with(expired).expect(2).mount(&server).await;
    let refusal = Refusal::from(org_at(&server.uri()).query("SELECT Id FROM Contact").await.unwrap_err());
    assert_eq!((refusal.fault, refusal.code.name()), (Fault::Unavailable, "salesforce_unauthorized"));
    assert_eq!(&*refusal.destination, "salesforce");
}

#[tokio::test]
async fn each_error_says_what_follows_from_it() {
    let named =
        |status: u16, code: &str| error(status, &json!({"errorCode": code, "message": "Odile is there"}));
    let (transient, permanent, unavailable) = (Fault::Transient, Fault::Permanent, Fault::Unavailable);
    let required = json!({"errorCode": "REQUIRED_FIELD_MISSING", "message": "m", "fields": ["Region__c"]});
    for (answer, fault, code, sent) in [
        (named(400, "DUPLICATES_DETECTED"), permanent, "salesforce_duplicate", Sent::No),
        (named(400, "UNABLE_TO_LOCK_ROW"), transient, "salesforce_row_locked", Sent::No),
        (error(400, &required), permanent, "salesforce_field_refused", Sent::No),
        (named(400, "ENTITY_IS_DELETED"), transient, "salesforce_contact_gone", Sent::No),
        (named(404, "NOT_FOUND"), transient, "salesforce_contact_gone", Sent::No),
        (named(403, "REQUEST_LIMIT_EXCEEDED"), unavailable, "salesforce_quota_used_up", Sent::No),
        (named(403, "API_DISABLED_FOR_ORG"), unavailable, "salesforce_forbidden", Sent::No),
        (named(400, "INSUFFICIENT_ACCESS_OR_READONLY"), permanent, "salesforce_record_forbidden", Sent::No),
        (ResponseTemplate::new(404), permanent, "salesforce_refused", Sent::No),
        (ResponseTemplate::new(410), unavailable, "salesforce_version_not_served", Sent::No),
        (
            ResponseTemplate::new(429).insert_header("retry-after", "7"),
            Fault::Throttled(Duration::from_secs(7)),
            "salesforce_throttled",
            Sent::No,
        ),
        (
            ResponseTemplate::new(429),
            Fault::Throttled(Duration::from_mins(1)),
            "salesforce_throttled",
            Sent::No,
        ),
        (ResponseTemplate::new(500), transient, "salesforce_error", Sent::Maybe),
        (
            ResponseTemplate::new(201).set_body_string("<html>"),
            transient,
            "salesforce_answer_unreadable",
            Sent::Maybe,
        ),
    ] {
        let refusal = Refusal::from(created(answer).await.unwrap_err());
        assert_eq!((refusal.fault, refusal.code.name(), refusal.sent), (fault, code, sent), "{refusal}");
        assert!(!refusal.text.contains("Odile") && refusal.text.starts_with("failed to "), "{refusal}");
    }
}

#[tokio::test]
async fn what_was_only_read_cannot_have_taken_effect() {
    let server = MockServer::start().await;
    let broken = cut_short("200 OK").await;
    let token = Mock::given(path("/services/oauth2/token"));
    token.respond_with(granted("token", &broken)).mount(&server).await;
    let read = Refusal::from(org_at(&server.uri()).query("SELECT Id FROM Contact").await.unwrap_err());
    assert_eq!(
        (read.fault, read.code.name(), read.sent),
        (Fault::Transient, "salesforce_no_answer", Sent::No)
    );
    let written =
        Refusal::from(org_at(&server.uri()).update("Contact", "003A", &json!({})).await.unwrap_err());
    assert_eq!((written.code.name(), written.sent), ("salesforce_no_answer", Sent::Maybe));

    let server = self::server().await;
    Mock::given(path(QUERY)).respond_with(ResponseTemplate::new(500)).mount(&server).await;
    let failed = Refusal::from(org_at(&server.uri()).query("SELECT Id FROM Contact").await.unwrap_err());
    assert_eq!((failed.code.name(), failed.sent), ("salesforce_error", Sent::No));
}

#[tokio::test]
async fn who_is_not_let_in_is_told_what_to_check() {
    let login = async |answer: ResponseTemplate| {
        let server = MockServer::start().await;
        Mock::given(path("/services/oauth2/token")).respond_with(answer).mount(&server).await;
        Refusal::from(org_at(&server.uri()).query("SELECT Id FROM Contact").await.unwrap_err())
    };
    let refused = ResponseTemplate::new(400)
        .set_body_json(json!({"error": "invalid_grant", "error_description": "authentication failure"}));
    let refusal = login(refused).await;
    assert_eq!((refusal.fault, refusal.code.name()), (Fault::Unavailable, "salesforce_refused_login"));
    assert!(refusal.text.contains("SALESFORCE_*: invalid_grant"), "{refusal}");
    let busy = login(ResponseTemplate::new(503)).await;
    assert_eq!((busy.fault, busy.sent), (Fault::Transient, Sent::No));
    let elsewhere = login(granted("token", "ftp://org.example.com")).await;
    assert_eq!(elsewhere.code.name(), "salesforce_refused_login");

    let away = org_at(&nobody().await).query("SELECT Id FROM Contact").await.unwrap_err();
    let away = Refusal::from(away);
    assert_eq!((away.fault, away.code.name()), (Fault::Unavailable, "salesforce_unreachable"));
}

#[tokio::test]
async fn a_check_signs_in_and_asks_which_versions_are_served() {
    let checked = async |versions: &[&str]| {
        let server = server().await;
        let list: Vec<_> = versions.iter().map(|version| json!({"label": "x", "version": version})).collect();
        let list_request = Mock::given(method("GET")).and(path("/services/data"));
        list_request.respond_with(ResponseTemplate::new(200).set_body_json(list)).mount(&server).await;
        org_at(&server.uri()).check().await.map_err(|refusal| refusal.text)
    };
    assert_eq!(checked(&["65.0", "66.0"]).await, Ok(Checked::reached()));
    let missing = checked(&["67.0"]).await.unwrap_err();
    assert!(missing.contains("66.0") && missing.contains("SALESFORCE_API_VERSION"), "{missing}");
}

#[test]
fn a_record_has_a_page_where_the_settings_name_the_org() {
    let of =
        |login: &str, id: &str| page_of(&Values::of([("SALESFORCE_LOGIN_URL", login)]), id).map(String::from);
    let page = "https://acme--dev.sandbox.my.salesforce.com/003A0000001";
    assert_eq!(of("https://acme--dev.sandbox.my.salesforce.com", "003A0000001").as_deref(), Some(page));
    assert_eq!(of("https://login.salesforce.com", "003A0000001"), None);
    assert_eq!(of("https://my.salesforce.com.example.com", "003A0000001"), None);
    for id in ["", "../x", "003 1", "a?b"] {
        assert_eq!(of("https://acme.my.salesforce.com", id), None, "{id}");
    }
}
