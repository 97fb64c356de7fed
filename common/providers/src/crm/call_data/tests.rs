use domain::fault::Fault;
use domain::refusal::Sent;
use serde_json::json;
use wiremock::matchers::{body_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::testing::{cut_short, nobody, tls};

fn problem(pairs: &[(&str, &str)]) -> String {
    let values = Values::of(pairs.iter().copied());
    CallData::from_values(&values, &Slots::of_this_process())
        .err()
        .map(|error| error.name)
        .unwrap_or_default()
}

async fn post(uri: &str) -> Result<(), Refusal> {
    tls();
    let url = format!("{uri}/apis/api/public/call-data");
    let values = Values::of([("CRM_AUTO_UPLOAD", "true"), ("CRM_UPLOAD_URL", url.as_str())]);
    let api = CallData::from_values(&values, &Slots::of_this_process()).unwrap().unwrap();
    api.post(&json!({"lead": {}})).await
}

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/apis/api/public/call-data"))
        .and(body_json(json!({"lead": {}})))
        .respond_with(answer)
        .expect(1)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn any_2xx_is_done_whatever_it_says() {
    for answer in [
        ResponseTemplate::new(200).set_body_json(json!({"success": true})),
        ResponseTemplate::new(201).set_body_string("<html>"),
        ResponseTemplate::new(204),
    ] {
        let server = answering(answer).await;
        post(&server.uri()).await.unwrap();
    }
}

#[tokio::test]
async fn each_refusal_says_what_becomes_of_the_run() {
    let throttled = |seconds| Fault::Throttled(Duration::from_secs(seconds));
    for (answer, fault, code, sent) in [
        (ResponseTemplate::new(302), Fault::Permanent, "call_data_refused", Sent::No),
        (ResponseTemplate::new(400), Fault::Permanent, "call_data_refused", Sent::No),
        (ResponseTemplate::new(401), Fault::Unavailable, "call_data_forbidden", Sent::No),
        (ResponseTemplate::new(403), Fault::Unavailable, "call_data_forbidden", Sent::No),
        (ResponseTemplate::new(404), Fault::Permanent, "call_data_refused", Sent::No),
        (
            ResponseTemplate::new(429).insert_header("retry-after", "7"),
            throttled(7),
            "call_data_throttled",
            Sent::No,
        ),
        (ResponseTemplate::new(429), throttled(60), "call_data_throttled", Sent::No),
        (ResponseTemplate::new(500), Fault::Transient, "call_data_no_answer", Sent::Maybe),
        (
            ResponseTemplate::new(503).insert_header("retry-after", "9"),
            Fault::Transient,
            "call_data_no_answer",
            Sent::Maybe,
        ),
    ] {
        let server = answering(answer).await;
        let error = post(&server.uri()).await.unwrap_err();
        assert_eq!((error.fault, error.code.name(), error.sent), (fault, code, sent), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_open_whether_the_call_arrived() {
    let error = post(&cut_short("500 Internal Server Error").await).await.unwrap_err();
    assert_eq!((error.fault, error.sent), (Fault::Transient, Sent::Maybe));
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let error = post(&nobody().await).await.unwrap_err();
    assert_eq!(
        (error.fault, error.code.name(), error.sent),
        (Fault::Unavailable, "call_data_unreachable", Sent::No)
    );
    assert_eq!(&*error.destination, "call_data");
}

#[test]
fn a_setting_that_is_missing_or_wrong_is_named() {
    let upload = ("CRM_AUTO_UPLOAD", "true");
    let url = ("CRM_UPLOAD_URL", "http://127.0.0.1:9/call-data");
    assert_eq!(problem(&[("CRM_AUTO_UPLOAD", "perhaps")]), "CRM_AUTO_UPLOAD");
    assert_eq!(problem(&[upload]), "CRM_UPLOAD_URL");
    assert_eq!(problem(&[upload, ("CRM_UPLOAD_URL", "crm.example.com")]), "CRM_UPLOAD_URL");
    assert_eq!(problem(&[upload, url, ("CRM_RATE", "5")]), "CRM_RATE");
    assert_eq!(problem(&[]), "");
}
