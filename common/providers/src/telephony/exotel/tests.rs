use domain::fault::Fault;
use serde_json::json;
use wiremock::matchers::{basic_auth, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::testing::{cut_short, nobody, tls};

fn exotel(base: &str, sid: Option<&str>) -> Exotel {
    tls();
    let mut values = Values::of([(KEY, "key"), (TOKEN, "token"), ("EXOTEL_BASE_URL", base)]);
    if let Some(sid) = sid {
        values.set(SID, sid);
    }
    Exotel::from_values(&values, &Slots::of_this_process()).unwrap().unwrap()
}

fn file() -> HeldFile {
    HeldFile::new(Holder::Exotel, "CALL-1")
}

/// A server that answers the details of the call with this.
async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1/Accounts/acme/Calls/CALL-1.json"))
        .and(query_param("details", "true"))
        .and(basic_auth("key", "token"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

#[expect(clippy::needless_pass_by_value, reason = "the fields are written where they are passed")]
fn call(fields: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "Call": fields }))
}

fn at(text: &str) -> Moment {
    text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().into()
}

async fn located(answer: ResponseTemplate, file: &HeldFile) -> Result<Located, Refusal> {
    let server = server(answer).await;
    exotel(&server.uri(), Some("acme")).found(file, at("2026-01-18T05:30:00Z")).await
}

fn is_nothing(located: &Located) -> bool {
    matches!(located, Located::Nothing { .. })
}

#[tokio::test]
async fn the_address_in_the_details_goes_before_the_one_that_was_announced() {
    let answer = call(json!({ "Status": "completed", "RecordingUrl": "https://s3.example.com/a?sig=2" }));
    let announced = file().with("url", "https://s3.example.com/a?sig=1");
    let Located::At(address) = located(answer, &announced).await.unwrap() else { panic!() };
    assert_eq!(address.url, "https://s3.example.com/a?sig=2");
    assert!(address.authorization.is_none() && !address.is_configured);
}

#[tokio::test]
async fn a_call_that_goes_on_or_has_just_ended_has_its_recording_later() {
    let just_ended = json!({ "Status": "completed", "EndTime": "2026-01-18 10:50:00", "RecordingUrl": "" });
    for fields in [json!({ "Status": "in-progress", "RecordingUrl": null }), just_ended] {
        assert!(matches!(located(call(fields), &file()).await.unwrap(), Located::NotYet));
    }
    assert!(matches!(located(ResponseTemplate::new(404), &file()).await.unwrap(), Located::NotYet));
}

#[tokio::test]
async fn a_call_in_which_nobody_talked_or_that_was_not_recorded_has_no_recording() {
    for status in ["busy", "no-answer", "failed"] {
        assert!(is_nothing(&located(call(json!({ "Status": status })), &file()).await.unwrap()), "{status}");
    }
    let long_ago = json!({ "Status": "completed", "EndTime": "2026-01-18 10:40:00" });
    assert!(is_nothing(&located(call(long_ago), &file()).await.unwrap()));
}

#[tokio::test]
async fn numbers_as_texts_and_indian_times_are_the_facts_of_the_call() {
    let fields = json!({
        "Sid": "CALL-1", "Status": "completed", "Duration": "64", "Price": "0.800",
        "StartTime": "2026-01-18 10:47:05", "EndTime": "1970-01-01 05:30:00",
        "Details": { "ConversationDuration": 48 },
    });
    let server = server(call(fields)).await;
    let facts = exotel(&server.uri(), Some("acme")).facts(&file()).await.unwrap().unwrap();
    assert_eq!(facts.duration_ms, Some(48_000));
    assert_eq!(facts.started_at.unwrap().to_string(), "2026-01-18T05:17:05Z");
    assert_eq!(facts.ended_at, None);
    assert_eq!(facts.metadata["Price"], "0.800");
}

#[tokio::test]
async fn without_the_account_only_what_was_announced_is_fetched_and_the_key_goes_to_our_own_address_only() {
    let exotel = exotel("http://127.0.0.1:9/proxy", None);
    assert!(is_nothing(&exotel.found(&file(), Moment::now()).await.unwrap()));
    for (url, is_ours) in
        [("http://127.0.0.1:9/a.mp3", true), ("https://recordings.example.com/a.mp3", false)]
    {
        let Located::At(address) = exotel.found(&file().with("url", url), Moment::now()).await.unwrap()
        else {
            panic!("{url}")
        };
        assert_eq!((address.authorization.is_some(), address.is_configured), (is_ours, is_ours), "{url}");
    }
}

#[tokio::test]
async fn what_exotel_refuses_says_what_follows() {
    let said = json!({ "RestException": { "Status": 401, "Message": "Authentication failed" } });
    for (answer, code, fault) in [
        (ResponseTemplate::new(401).set_body_json(said), "exotel_refuses_account", Fault::Unavailable),
        (
            ResponseTemplate::new(429).insert_header("retry-after", "7"),
            "exotel_throttled",
            Fault::Throttled(Duration::from_secs(7)),
        ),
        (ResponseTemplate::new(500), "exotel_failed", Fault::Transient),
        (ResponseTemplate::new(200).set_body_string("<xml/>"), "exotel_failed", Fault::Transient),
        (ResponseTemplate::new(400), "exotel_refused", Fault::Permanent),
    ] {
        let refusal = located(answer, &file()).await.unwrap_err();
        assert_eq!((refusal.code.name(), refusal.fault), (code, fault));
    }
    for base in [nobody().await, cut_short("200 OK").await] {
        assert!(exotel(&base, Some("acme")).found(&file(), Moment::now()).await.is_err());
    }
}

#[tokio::test]
async fn a_recording_that_was_announced_is_fetched_even_where_the_details_cannot_be_read() {
    let announced = file().with("url", "https://s3.example.com/a");
    assert!(matches!(located(ResponseTemplate::new(401), &announced).await.unwrap(), Located::At(_)));
}

#[tokio::test]
async fn a_check_reads_the_list_of_calls() {
    let server = MockServer::start().await;
    let list = ResponseTemplate::new(200).set_body_json(json!({ "Calls": [] }));
    Mock::given(path("/v1/Accounts/acme/Calls.json")).respond_with(list).mount(&server).await;
    assert_eq!(exotel(&server.uri(), Some("acme")).check().await.unwrap(), Checked::reached());
    assert!(exotel(&server.uri(), Some("other")).check().await.is_err());
    assert!(matches!(exotel(&server.uri(), None).check().await.unwrap(), Checked::Untried { .. }));
}

#[test]
fn a_key_without_its_token_is_a_mistake() {
    for (given, missing) in [(KEY, TOKEN), (TOKEN, KEY)] {
        let made = Exotel::from_values(&Values::of([(given, "x")]), &Slots::of_this_process());
        assert_eq!(made.err().unwrap().name, missing);
    }
}
