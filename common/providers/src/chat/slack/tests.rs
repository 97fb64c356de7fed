//! Recorded answers of Slack, and what follows from each.

use domain::moment::Moment;
use domain::refusal::Sent;
use serde_json::{Value, json};
use wiremock::matchers::{any, header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const EFFECT: Uuid = Uuid::from_u128(7);
const HISTORY: &str = "/api/conversations.history";
const REPLIES: &str = "/api/conversations.replies";
const LIST: &str = "/api/conversations.list";

async fn server() -> MockServer {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    MockServer::start().await
}

fn made(settings: &[(&str, &str)]) -> Slack {
    Slack::from_values(&Values::of(settings.iter().copied()), &Slots::of_this_process()).unwrap().unwrap()
}

fn bot_at(base: &str, channel: &str) -> Slack {
    made(&[("SLACK_BOT_TOKEN", "xoxb-1"), ("SLACK_CHANNEL", channel), ("SLACK_BASE_URL", base)])
}

fn bot(server: &MockServer, channel: &str) -> Slack {
    bot_at(&format!("{}/api", server.uri()), channel)
}

fn sought(thread: Option<&str>) -> Sought<'_> {
    Sought { effect: EFFECT, since: Moment::from_micros(1_700_000_000_000_000), thread }
}

async fn find(server: &MockServer, thread: Option<&str>) -> Result<Option<String>, Refusal> {
    bot(server, "C024BE91L").find(sought(thread)).await
}

fn message(ts: &str, event_type: &str, effect: Uuid) -> Value {
    json!({
        "type": "message", "user": "U1", "bot_id": "B1", "text": "Hi", "ts": ts,
        "metadata": { "event_type": event_type, "event_payload": { "effect": effect } },
    })
}

fn ours() -> Value {
    message("1700000001.000200", "debrief_post", EFFECT)
}

/// A page of messages. Where there is a cursor, other pages follow.
fn page(field: &str, things: &[Value], cursor: &str) -> ResponseTemplate {
    let next = json!({ "next_cursor": cursor });
    ResponseTemplate::new(200).set_body_json(
        json!({ "ok": true, field: things, "has_more": !cursor.is_empty(), "response_metadata": next }),
    )
}

fn no(word: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "ok": false, "error": word }))
}

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = server().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

#[tokio::test]
async fn a_message_is_found_in_the_history_by_its_metadata_and_on_whatever_page_it_is() {
    let server = server().await;
    let others = [
        json!({ "type": "message", "user": "U2", "text": "Good morning", "ts": "1700000003.000100" }),
        message("1700000002.000100", "debrief_post", Uuid::from_u128(8)),
        message("1700000001.000900", "somebody_elses", EFFECT),
    ];
    let asked = || {
        Mock::given(method("GET"))
            .and(path(HISTORY))
            .and(header("authorization", "Bearer xoxb-1"))
            .and(query_param("channel", "C024BE91L"))
            .and(query_param("include_all_metadata", "true"))
            .and(query_param("oldest", "1699999700.000000"))
            .and(query_param("latest", "1700003600.000000"))
    };
    let first = asked().and(query_param_is_missing("cursor"));
    first.respond_with(page("messages", &others, "dGVhbTpD")).expect(1).mount(&server).await;
    let second = asked().and(query_param("cursor", "dGVhbTpD"));
    second.respond_with(page("messages", &[ours()], "")).expect(1).mount(&server).await;
    assert_eq!(find(&server, None).await.unwrap().as_deref(), Some("C024BE91L/1700000001.000200"));
}

#[tokio::test]
async fn a_part_is_found_in_the_thread_that_it_continues_and_in_its_channel() {
    let server = server().await;
    let parent = message("1700000000.000100", "debrief_post", Uuid::from_u128(6));
    Mock::given(path(REPLIES))
        .and(query_param("channel", "C0OTHER99"))
        .and(query_param("ts", "1700000000.000100"))
        .and(query_param("include_all_metadata", "true"))
        .respond_with(page("messages", &[parent, ours()], ""))
        .mount(&server)
        .await;
    let found = find(&server, Some("C0OTHER99/1700000000.000100")).await.unwrap();
    assert_eq!(found.as_deref(), Some("C0OTHER99/1700000001.000200"));
}

#[tokio::test]
async fn a_message_on_no_page_is_absent_and_so_is_a_part_whose_thread_is_gone() {
    let empty = answering(page("messages", &[], "")).await;
    assert_eq!(find(&empty, None).await.unwrap(), None);
    // A message without our metadata is not ours.
    let bare = json!({ "type": "message", "text": "Hi", "ts": "1700000001.000200" });
    assert_eq!(find(&answering(page("messages", &[bare], "")).await, None).await.unwrap(), None);
    let gone = answering(no("thread_not_found")).await;
    assert_eq!(find(&gone, Some("C024BE91L/1.2")).await.unwrap(), None);
}

#[tokio::test]
async fn a_failure_to_look_is_no_answer_and_never_a_request_that_may_have_taken_effect() {
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "60").set_body_json(json!({
        "ok": false, "error": "ratelimited"
    }));
    let cut_short = r#"{"ok":true,"messages":[{"ts":"17"#;
    let no_way_on = json!({ "ok": true, "messages": [], "has_more": true });
    let cases = [
        (no("missing_scope"), Fault::Unavailable, "slack_missing_scope"),
        (no("invalid_auth"), Fault::Unavailable, "slack_invalid_auth"),
        (no("not_in_channel"), Fault::Unavailable, "slack_not_in_channel"),
        (no("channel_not_found"), Fault::Permanent, "slack_channel_not_found"),
        (no("something_new"), Fault::Permanent, "slack_rejected"),
        (busy, Fault::Throttled(Duration::from_mins(1)), "slack_rate_limited"),
        (no("ratelimited"), Fault::Throttled(Duration::from_secs(30)), "slack_rate_limited"),
        (no("fatal_error"), Fault::Transient, "slack_no_answer"),
        (ResponseTemplate::new(503), Fault::Transient, "slack_no_answer"),
        (ResponseTemplate::new(200).set_body_string(cut_short), Fault::Transient, "slack_no_answer"),
        (ResponseTemplate::new(200).set_body_string("<html>"), Fault::Transient, "slack_no_answer"),
        (
            ResponseTemplate::new(200).set_body_json(json!({ "ok": true })),
            Fault::Transient,
            "slack_no_answer",
        ),
        (ResponseTemplate::new(200).set_body_json(no_way_on), Fault::Transient, "slack_no_answer"),
        (page("messages", &[], "round and round"), Fault::Transient, "slack_no_answer"),
    ];
    for (answer, fault, code) in cases {
        let error = find(&answering(answer).await, None).await.unwrap_err();
        assert_eq!((error.fault, error.code.name(), error.sent), (fault, code, Sent::No), "{error}");
        assert!(
            error.to_string().starts_with("failed to ") && !error.to_string().contains("xoxb"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_slack_that_cannot_be_asked_is_waited_for() {
    let server = server().await;
    // The port was free a moment ago, so nobody listens on it.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = bot_at(&format!("http://127.0.0.1:{free}"), "C024BE91L");
    let error = away.find(sought(None)).await.unwrap_err();
    assert_eq!((error.fault, error.code.name()), (Fault::Unavailable, "slack_unreachable"));
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_scope_that_is_missing_is_named() {
    let missing = |needed: &str| {
        ResponseTemplate::new(200).set_body_json(
            json!({ "ok": false, "error": "missing_scope", "needed": needed, "provided": "chat:write" }),
        )
    };
    let error = find(&answering(missing("channels:history")).await, None).await.unwrap_err();
    assert!(error.to_string().contains("needed: channels:history"), "{error}");

    let server = answering(missing("channels:read")).await;
    let error = bot(&server, "#calls").find(sought(None)).await.unwrap_err().to_string();
    assert!(error.contains("set SLACK_CHANNEL to the channel's id"), "{error}");
}

#[tokio::test]
async fn a_channel_that_is_configured_by_its_name_is_looked_up() {
    let channel = |id: &str, name: &str| json!({ "id": id, "name": name, "is_channel": true });
    let server = server().await;
    let public = || Mock::given(path(LIST)).and(query_param("types", "public_channel"));
    let first = page("channels", &[channel("C0GENERAL", "general")], "more");
    public().and(query_param_is_missing("cursor")).respond_with(first).mount(&server).await;
    let second = page("channels", &[channel("C0CALLS77", "calls")], "");
    public().and(query_param("cursor", "more")).respond_with(second).mount(&server).await;
    let private = page("channels", &[channel("C0SECRET1", "secret-calls")], "");
    Mock::given(path(LIST))
        .and(query_param("types", "private_channel"))
        .respond_with(private)
        .mount(&server)
        .await;
    for id in ["C0CALLS77", "C0SECRET1"] {
        let history = Mock::given(path(HISTORY)).and(query_param("channel", id));
        history.respond_with(page("messages", &[ours()], "")).mount(&server).await;
    }
    for (name, id) in [("#calls", "C0CALLS77"), ("calls", "C0CALLS77"), ("#secret-calls", "C0SECRET1")] {
        let found = bot(&server, name).find(sought(None)).await.unwrap();
        assert_eq!(found, Some(format!("{id}/1700000001.000200")), "{name}");
    }
    let error = bot(&server, "#nowhere").find(sought(None)).await.unwrap_err();
    assert_eq!((error.fault, error.code.name()), (Fault::Permanent, "slack_channel_not_found"));
    assert!(error.to_string().contains("`nowhere`"), "{error}");
}

#[tokio::test]
async fn a_check_tries_the_token_its_scopes_and_the_channel_and_posts_nothing() {
    let signed_in = |scopes: &str| {
        let answer =
            ResponseTemplate::new(200).set_body_json(json!({ "ok": true, "team": "T", "user_id": "U" }));
        answer.insert_header("x-oauth-scopes", scopes)
    };
    let checked = async |sign_in: ResponseTemplate, history: ResponseTemplate| {
        let server = server().await;
        Mock::given(method("POST")).and(path("/api/auth.test")).respond_with(sign_in).mount(&server).await;
        Mock::given(path(HISTORY)).and(query_param("limit", "1")).respond_with(history).mount(&server).await;
        let checked = bot(&server, "C024BE91L").check().await.map_err(|error| error.to_string());
        let paths = server.received_requests().await.unwrap();
        assert!(paths.iter().all(|request| !request.url.path().contains("chat.")));
        checked
    };
    let good = || page("messages", &[], "");
    assert_eq!(checked(signed_in("chat:write,channels:history"), good()).await, Ok(Checked::reached()));
    let cases = [
        (no("invalid_auth"), good(), "SLACK_BOT_TOKEN"),
        (signed_in("channels:history,channels:read"), good(), "chat:write"),
        (signed_in("chat:write"), no("missing_scope"), "channels:history"),
        (signed_in("chat:write,channels:history"), no("not_in_channel"), "invite the bot"),
        (signed_in("chat:write,channels:history"), no("channel_not_found"), "SLACK_CHANNEL"),
    ];
    for (sign_in, history, told) in cases {
        let error = checked(sign_in, history).await.unwrap_err();
        assert!(error.contains(told), "{error}");
    }
}

fn message_to_post() -> Message<'static> {
    Message { text: "Hi", effect: EFFECT, thread: None, prior: None }
}

#[tokio::test]
async fn a_word_means_the_same_when_a_message_is_posted_and_when_it_is_looked_for() {
    for word in [
        "not_in_channel",
        "channel_not_found",
        "invalid_auth",
        "missing_scope",
        "token_revoked",
        "is_archived",
    ] {
        let server = answering(no(word)).await;
        let posted = bot(&server, "C024BE91L").post(message_to_post()).await.unwrap_err();
        let looked = find(&server, None).await.unwrap_err();
        assert_eq!((posted.fault, posted.code), (looked.fault, looked.code), "{word}");
    }
    let uninvited = answering(no("not_in_channel")).await;
    let error = bot(&uninvited, "C024BE91L").post(message_to_post()).await.unwrap_err();
    assert_eq!((error.fault, error.code.name()), (Fault::Unavailable, "slack_not_in_channel"));
    assert!(error.text.contains("invite the bot"), "{error}");
}

#[test]
fn a_bot_comes_before_a_webhook_and_needs_its_channel() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let (token, url) = (("SLACK_BOT_TOKEN", "xoxb-1"), ("SLACK_WEBHOOK_URL", "https://hooks.example/x"));
    assert!(made(&[token, url, ("SLACK_CHANNEL", "C1")]).can_find());
    assert!(!made(&[token, url]).can_find());
    let none = Slack::from_values(&Values::default(), &Slots::of_this_process()).unwrap();
    assert!(none.is_none());
    let problem = |settings: &[(&str, &str)]| {
        Slack::from_values(&Values::of(settings.iter().copied()), &Slots::of_this_process()).err().unwrap()
    };
    assert_eq!(problem(&[token]).name, "SLACK_CHANNEL");
    assert_eq!(problem(&[("SLACK_RATE", "often")]).name, "SLACK_RATE");
    let wrong = problem(&[("SLACK_WEBHOOK_URL", "hooks.example/secret")]).to_string();
    assert!(wrong.starts_with("SLACK_WEBHOOK_URL: ") && !wrong.contains("secret"), "{wrong}");
}

#[tokio::test]
async fn a_channel_that_is_configured_by_its_name_is_remarked_on() {
    let server = server().await;
    assert!(bot(&server, "#calls").remarks()[0].contains("`#calls` is a name"));
    assert!(bot(&server, "C024BE91L").remarks().is_empty());
}

#[test]
fn a_message_of_a_bot_has_a_page_and_a_receipt_of_a_webhook_or_of_another_service_has_none() {
    let of = |base: &str, receipt: &str| {
        page_of(&Values::of([("SLACK_BASE_URL", base)]), receipt).map(String::from)
    };
    let page = "https://slack.com/archives/C024BE91L/p1700000000000100";
    assert_eq!(of(BASE_URL, "C024BE91L/1700000000.000100").as_deref(), Some(page));
    assert_eq!(of("http://127.0.0.1:9/api", "C024BE91L/1700000000.000100"), None);
    for receipt in ["", "ok", "/", "C0/", "C0/17", "C0/17.x", "C0/../1.2", "C0?a/1.2", "C0/1.2/3"] {
        assert_eq!(of(BASE_URL, receipt), None, "{receipt}");
    }
}
