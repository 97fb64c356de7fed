use domain::refusal::Sent;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

use super::*;
use crate::models::Schema;

const MODEL: &str = "some-model";

fn made(base: &str, more: &[(&str, &str)]) -> Arc<dyn LanguageModel> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut values =
        Values::of([("OPENAI_API_KEY", "test-key"), ("OPENAI_BASE_URL", base), ("OPENAI_MODEL", MODEL)]);
    for (name, value) in more {
        values.set(name, value);
    }
    (DESCRIPTOR.make)(&values, &Slots::of_this_process()).unwrap().unwrap()
}

async fn server(answer: impl Respond + 'static) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/proxy/v1/chat/completions"))
        .and(header("authorization", "Bearer test-key"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

fn at(server: &MockServer) -> Arc<dyn LanguageModel> {
    made(&format!("{}/proxy/v1/", server.uri()), &[])
}

const QUESTION: Request<'static> =
    Request { system: "Read it.", user: "Call gil@attacker.example.com.", schema: None, repair: None };

/// Returns the refusal when the model gives this answer. The model must have been asked exactly once.
async fn failure(answer: impl Respond + 'static) -> Refusal {
    let server = server(answer).await;
    let refusal = at(&server).complete(&QUESTION).await.unwrap_err();
    assert_eq!(server.received_requests().await.unwrap().len(), 1, "whoever asks schedules retries");
    assert!(!refusal.text.contains("attacker"), "a refusal repeats nothing that was said: {refusal}");
    assert!(refusal.text.starts_with("failed to "), "{refusal}");
    assert_eq!(refusal.sent, Sent::No);
    refusal
}

fn completion(content: &str, finish_reason: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL,
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": content, "refusal": null }, "finish_reason": finish_reason }],
        "usage": { "prompt_tokens": 1_000, "completion_tokens": 200, "total_tokens": 1_200 }
    })
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn api_error(status: u16, code: &str) -> ResponseTemplate {
    says(status, code, "said the provider")
}

fn says(status: u16, code: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .set_body_json(json!({ "error": { "message": message, "type": code, "param": null, "code": code } }))
}

#[tokio::test]
async fn a_request_names_the_model_and_asks_for_the_strict_schema() {
    let server = server(ok(&completion("{}", "stop"))).await;
    let schema = json!({ "type": "object" });
    let request = Request { schema: Some(Schema { name: "reading", schema: &schema }), ..QUESTION };
    let reply = at(&server).complete(&request).await.unwrap();
    assert_eq!(reply, Reply { text: "{}".into(), tokens: Tokens { prompt: 1_000, completion: 200 } });
    let sent: Value = server.received_requests().await.unwrap()[0].body_json().unwrap();
    assert_eq!(
        sent,
        json!({
            "model": MODEL,
            "messages": [
                { "role": "system", "content": QUESTION.system },
                { "role": "user", "content": QUESTION.user },
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": { "name": "reading", "strict": true, "schema": schema },
            },
        })
    );
}

#[tokio::test]
async fn the_json_of_an_answer_is_read_where_a_schema_was_asked_for() {
    let answer = "\u{feff}<think>{so}</think>Here it is:\n```json\n{\"a\": 1}\n```";
    let server = server(ok(&completion(answer, "stop"))).await;
    let schema = json!({ "type": "object" });
    let strict = Request { schema: Some(Schema { name: "reading", schema: &schema }), ..QUESTION };
    assert_eq!(at(&server).complete(&strict).await.unwrap().text, "{\"a\": 1}");
    assert_eq!(at(&server).complete(&QUESTION).await.unwrap().text, answer, "any text may be the answer");
}

#[tokio::test]
async fn a_repair_shows_the_model_its_answer_and_what_is_wrong() {
    let server = server(ok(&completion("{}", "stop"))).await;
    let repair = Some(Repair { answer: "{", complaint: "It is not JSON." });
    at(&server).complete(&Request { repair, ..QUESTION }).await.unwrap();
    let sent: Value = server.received_requests().await.unwrap()[0].body_json().unwrap();
    let messages = sent["messages"].as_array().unwrap();
    assert_eq!(
        messages[2..],
        [json!({"role": "assistant", "content": "{"}), json!({"role": "user", "content": "It is not JSON."})]
    );
}

#[tokio::test]
async fn a_server_that_leaves_out_what_is_not_needed_is_understood() {
    let server = server(ok(&json!({ "choices": [{ "message": { "content": "Hello." } }] }))).await;
    let reply = at(&server).complete(&QUESTION).await.unwrap();
    assert_eq!(reply, Reply { text: "Hello.".into(), tokens: Tokens::default() });
}

#[tokio::test]
async fn a_refused_key_parks_the_runs_of_this_destination() {
    for status in [401, 403] {
        let refusal = failure(api_error(status, "invalid_api_key")).await;
        assert_eq!((refusal.fault, refusal.code.name()), (Fault::Unavailable, "model_unauthorized"));
        assert_eq!(&*refusal.destination, "model");
        assert!(
            refusal.text.contains("OPENAI_API_KEY") && refusal.text.contains("invalid_api_key"),
            "{refusal}"
        );
    }
    let key_shown = failure(says(401, "invalid_api_key", "Incorrect API key provided: sk-12ab34.")).await;
    assert!(!key_shown.text.contains("sk-12"), "{key_shown}");
}

#[tokio::test]
async fn a_rate_limit_waits_as_long_as_it_says() {
    let refusal = failure(api_error(429, "rate_limit_exceeded").insert_header("retry-after", "7")).await;
    assert_eq!(refusal.fault, Fault::Throttled(Duration::from_secs(7)));
    let refusal = failure(api_error(429, "rate_limit_exceeded")).await;
    assert_eq!(refusal.fault, Fault::Throttled(Duration::from_secs(20)));
}

#[tokio::test]
async fn an_empty_account_is_no_rate_limit() {
    let refusal = failure(api_error(429, "insufficient_quota").insert_header("retry-after", "7")).await;
    assert_eq!((refusal.fault, refusal.code.name()), (Fault::Unavailable, "model_quota_exceeded"));
    assert_eq!(refusal.retry_after, None);
    let refusal = failure(ResponseTemplate::new(402)).await;
    assert_eq!((refusal.fault, refusal.code.name()), (Fault::Unavailable, "model_quota_exceeded"));
}

#[tokio::test]
async fn a_server_error_is_tried_again_by_the_schedule() {
    let refusal = failure(ResponseTemplate::new(500).set_body_string("oops")).await;
    assert_eq!(
        (refusal.fault, refusal.code.name(), refusal.retry_after),
        (Fault::Transient, "model_failed", None)
    );
    let refusal = failure(ResponseTemplate::new(503).insert_header("retry-after", "30")).await;
    assert_eq!((refusal.fault, refusal.retry_after), (Fault::Transient, Some(Duration::from_secs(30))));
    for status in [408, 409, 425] {
        let refusal = failure(ResponseTemplate::new(status)).await;
        assert_eq!((refusal.fault, refusal.code.name()), (Fault::Transient, "model_failed"), "{status}");
    }
}

#[tokio::test]
async fn a_request_that_is_rejected_stays_rejected() {
    let refusal = failure(api_error(400, "context_length_exceeded")).await;
    assert_eq!((refusal.fault, refusal.code.name()), (Fault::Permanent, "model_rejected"));
    let quoted =
        failure(says(400, "invalid_request_error", "Invalid message: gil@attacker.example.com")).await;
    assert!(quoted.text.ends_with("(400, `invalid_request_error`)"), "{quoted}");
}

#[tokio::test]
async fn a_model_that_does_not_exist_is_named_as_the_provider_says_it() {
    let message = "The model `some-model` does not exist or you do not have access to it.";
    let refusal = failure(says(404, "model_not_found", message)).await;
    assert_eq!((refusal.fault, refusal.code.name()), (Fault::Unavailable, "model_not_found"));
    assert!(refusal.text.contains(message) && refusal.text.contains("OPENAI_MODEL"), "{refusal}");
    for status in [302, 404, 405] {
        let refusal = failure(ResponseTemplate::new(status)).await;
        assert_eq!((refusal.fault, refusal.code.name()), (Fault::Unavailable, "model_not_found"), "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_a_refusal() {
    let mut refused = completion("", "stop");
    refused["choices"][0]["message"] = json!({ "content": null, "refusal": "I can't help with that." });
    let half = &completion("attacker", "stop").to_string()[..60];
    let text = |text: &str| ResponseTemplate::new(200).set_body_string(text);
    for (what, answer, code) in [
        ("a refusal", ok(&refused), "model_refused"),
        ("the length limit", ok(&completion("{", "length")), "model_answer_cut_short"),
        ("a content filter", ok(&completion("", "content_filter")), "model_answer_filtered"),
        ("no choices", ok(&json!({ "choices": [] })), "model_answer_invalid"),
        ("a page instead of an answer", text("<html>attacker"), "model_answer_invalid"),
        ("an answer cut off", text(half), "model_answer_invalid"),
    ] {
        let refusal = failure(answer).await;
        assert_eq!((refusal.fault, refusal.code.name()), (Fault::Transient, code), "{what}");
    }
}

#[tokio::test]
async fn a_slow_model_is_given_up_and_a_missing_one_is_unreachable() {
    let slow = server(ok(&completion("", "stop")).set_delay(Duration::from_secs(30))).await;
    let base = format!("{}/proxy/v1", slow.uri());
    let refusal = made(&base, &[("OPENAI_TIMEOUT", "1s")]).complete(&QUESTION).await.unwrap_err();
    assert_eq!((refusal.fault, refusal.code.name()), (Fault::Transient, "model_failed"));
    let refusal = made("http://127.0.0.1:9/v1", &[]).complete(&QUESTION).await.unwrap_err();
    assert_eq!((refusal.fault, refusal.code.name()), (Fault::Unavailable, "model_unreachable"));
}

#[tokio::test]
async fn a_check_asks_whether_the_model_exists_and_how_long_it_will() {
    let checked = async |page: ResponseTemplate, list: ResponseTemplate| {
        let server = MockServer::start().await;
        Mock::given(path("/proxy/v1/models/some-model")).respond_with(page).mount(&server).await;
        Mock::given(path("/proxy/v1/models")).respond_with(list).mount(&server).await;
        let checked = at(&server).check().await.map_err(|refusal| refusal.text);
        let asked = server.received_requests().await.unwrap();
        assert!(asked.iter().all(|request| request.method.as_str() == "GET"), "a check costs nothing");
        checked
    };
    let none = || ResponseTemplate::new(404);
    let page = |shutdown: Value| ok(&json!({ "id": MODEL, "object": "model", "shutdown_date": shutdown }));
    let list = |id: &str| ok(&json!({ "object": "list", "data": [{ "id": id, "object": "model" }] }));
    assert_eq!(checked(page(Value::Null), none()).await, Ok(Checked::reached()));
    let Ok(Checked::Reached { notes }) = checked(page(json!("2027-01-14")), none()).await else { panic!() };
    assert!(notes[0].contains("2027-01-14") && notes[0].contains("OPENAI_MODEL"), "{notes:?}");

    let gone = says(404, "model_not_found", "The model `some-model` does not exist.");
    assert!(checked(gone, none()).await.unwrap_err().contains("`some-model`"));
    assert_eq!(checked(none(), list(MODEL)).await, Ok(Checked::reached()));
    assert!(checked(none(), list("another")).await.unwrap_err().contains("OPENAI_MODEL"));
    assert!(matches!(checked(none(), none()).await, Ok(Checked::Reached { notes }) if notes.len() == 1));
    assert!(checked(ResponseTemplate::new(401), none()).await.unwrap_err().contains("OPENAI_API_KEY"));
}
