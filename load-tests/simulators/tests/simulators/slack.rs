//! The simulator of Slack.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use simulators::slack;

use crate::contract::{self, SLACK};
use crate::playground::{Playground, answer};

fn call(play: &Playground, method: &str, arguments: &Value) -> RequestBuilder {
    let request = play.at(Method::POST, &slack::PROVIDER, &format!("/api/{method}"));
    request.bearer_auth("xoxb-1").json(arguments)
}

#[tokio::test]
async fn an_incoming_webhook_answers_ok_or_one_word() {
    let play = Playground::start().await;
    assert_eq!(answer(play.webhook("Hi")).await, (StatusCode::OK, json!("ok")));
    assert_eq!(answer(play.webhook(" ")).await, (StatusCode::BAD_REQUEST, json!("no_text")));
    let broken = play.at(Method::POST, &slack::PROVIDER, "/services/T0/B0/x").body("{");
    assert_eq!(answer(broken).await, (StatusCode::BAD_REQUEST, json!("invalid_payload")));
    let unknown = play.at(Method::POST, &slack::PROVIDER, "/services/nobody").json(&json!({ "text": "x" }));
    assert_eq!(answer(unknown).await, (StatusCode::NOT_FOUND, json!("no_service")));
}

#[tokio::test]
async fn a_bot_posts_updates_and_finds_its_messages_by_their_metadata() {
    let play = Playground::start().await;
    let metadata = json!({ "event_type": "debrief_post", "event_payload": { "effect": "e-1" } });
    let post = json!({ "channel": "C012345678", "text": "First", "metadata": metadata });
    let (_, mut posted) = answer(call(&play, "chat.postMessage", &post)).await;
    assert_eq!(posted["message"]["metadata"], metadata);
    posted["message"].as_object_mut().unwrap().remove("metadata");
    contract::check(SLACK, "chat.postMessage.ok", &posted);
    let reply = json!({ "channel": "C012345678", "text": "More", "thread_ts": posted["ts"] });
    let (_, replied) = answer(call(&play, "chat.postMessage", &reply)).await;
    assert_ne!(replied["ts"], posted["ts"]);
    let change = json!({ "channel": "C012345678", "ts": posted["ts"], "text": "Changed" });
    contract::check(SLACK, "chat.update.ok", &answer(call(&play, "chat.update", &change)).await.1);

    let history = json!({ "channel": "C012345678", "include_all_metadata": true });
    let (_, history) = answer(call(&play, "conversations.history", &history)).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);
    assert_eq!(history["messages"][0]["text"], "Changed");
    assert_eq!(history["messages"][0]["metadata"], metadata);
    let thread = json!({ "channel": "C012345678", "ts": posted["ts"] });
    let (_, thread) = answer(call(&play, "conversations.replies", &thread)).await;
    let texts: Vec<_> =
        thread["messages"].as_array().unwrap().iter().map(|one| one["text"].clone()).collect();
    assert_eq!(texts, ["Changed", "More"]);
    assert!(thread["messages"][0]["metadata"].is_null());
    assert_eq!(play.of(&slack::PROVIDER).effects()["post"]["effect:e-1"], 1);

    contract::check(SLACK, "auth.test.ok", &answer(call(&play, "auth.test", &json!({}))).await.1);
    let (status, refused) =
        answer(call(&play, "chat.postMessage", &json!({ "channel": "C012345678" }))).await;
    assert_eq!((status, refused["error"].as_str()), (StatusCode::OK, Some("no_text")));
    contract::check(SLACK, "chat.postMessage.error", &refused);
}

#[tokio::test]
async fn a_text_is_kept_escaped_and_counted_under_the_key_of_its_request() {
    let play = Playground::start().await;
    let sent = json!({ "channel": "C012345678", "text": "A & B <https://example.org|here>" });
    let (_, posted) = answer(call(&play, "chat.postMessage", &sent)).await;
    assert_eq!(posted["message"]["text"], "A &amp; B <https://example.org|here>");
    assert_eq!(play.of(&slack::PROVIDER).effects()["post"][&slack::key_of_post(&sent)], 1);
}

#[tokio::test]
async fn a_channel_is_described_by_its_id() {
    let play = Playground::start().await;
    let (_, posted) =
        answer(call(&play, "chat.postMessage", &json!({ "channel": "#calls", "text": "x" }))).await;
    let (_, info) = answer(call(&play, "conversations.info", &json!({ "channel": posted["channel"] }))).await;
    assert_eq!((&info["channel"]["id"], &info["channel"]["name"]), (&posted["channel"], &json!("calls")));
    let (_, refused) = answer(call(&play, "conversations.info", &json!({ "channel": "#calls" }))).await;
    assert_eq!(refused["error"], "channel_not_found");
}
