use std::sync::Arc;
use std::time::Duration;

use crm::call_data::{CallData, CallDataSettings, Defaults};
use domain::fault::Fault;
use platform::cache::Memory;
use queue_topology::stage::Sent;
use queue_topology::{Effect as _, Receipt, StageError, Unknown};
use serde_json::json;
use uuid::Uuid;
use wiremock::matchers::{body_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{cut_short, nobody, tls};

async fn post(uri: &str) -> Result<Receipt, StageError> {
    tls();
    let url = format!("{uri}/apis/api/public/call-data").parse().unwrap();
    let settings =
        CallDataSettings { url, defaults: Defaults::default(), unknown: Unknown::Hold, rate: None };
    let call_data = CallData::new(settings, Arc::new(Memory::default()));
    call_data.log("CALL-1".into(), json!({"lead": {}})).send(Uuid::nil(), None).await
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
        let receipt = post(&server.uri()).await.unwrap();
        assert_eq!(receipt, Receipt { remote_id: "CALL-1".into(), replaced: None });
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
        assert_eq!((error.fault, error.code, error.sent), (fault, code, sent), "{error}");
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
        (error.fault, error.code, error.sent),
        (Fault::Unavailable, "call_data_unreachable", Sent::No)
    );
    assert_eq!(error.destination.as_deref(), Some("call_data"));
}
