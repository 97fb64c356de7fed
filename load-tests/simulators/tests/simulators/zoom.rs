//! The simulator of Zoom.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use simulators::zoom;

use crate::playground::{Playground, answer};

async fn sign_in(play: &Playground) -> String {
    let request = play
        .at(Method::POST, &zoom::PROVIDER, "/oauth/token?grant_type=account_credentials&account_id=a")
        .basic_auth("id", Some("secret"));
    answer(request).await.1["access_token"].as_str().unwrap().to_owned()
}

fn get(play: &Playground, path: &str, token: &str) -> RequestBuilder {
    play.at(Method::GET, &zoom::PROVIDER, path).bearer_auth(token)
}

/// Brings a meeting and returns its webhooks.
async fn bring(play: &Playground, meeting: &Value) -> Value {
    answer(play.at(Method::POST, &zoom::PROVIDER, "/_control/meetings").json(meeting)).await.1
}

fn meeting(uuid: &str, day: u32) -> Value {
    json!({
        "uuid": uuid, "id": 84_512_376_903_i64, "topic": "Pilot", "start_time": format!("2026-03-{day:02}T09:00:00Z"),
        "participants": [{ "name": "Iris" }],
        "recording_files": [
            { "id": format!("a-{day}"), "file_type": "M4A", "recording_start": "2026-03-04T09:00:00Z", "content": "sound" },
            { "id": format!("t-{day}"), "file_type": "TRANSCRIPT", "recording_start": "2026-03-04T09:00:00Z", "content": "WEBVTT" },
        ],
    })
}

#[tokio::test]
async fn a_token_is_given_for_the_credentials_of_an_account_and_asked_for_everywhere() {
    let play = Playground::start().await;
    let without =
        play.at(Method::POST, &zoom::PROVIDER, "/oauth/token?grant_type=account_credentials&account_id=a");
    assert_eq!(answer(without).await.0, StatusCode::BAD_REQUEST);
    let token = sign_in(&play).await;
    assert_eq!(answer(get(&play, "/v2/users", &token)).await.0, StatusCode::OK);
    assert_eq!(
        answer(get(&play, "/v2/users", "other")).await,
        (StatusCode::UNAUTHORIZED, json!({ "code": 124, "message": "Invalid access token." }),)
    );
}

#[tokio::test]
async fn a_file_is_opened_by_the_token_of_its_webhook_or_of_the_account_until_they_end() {
    let play = Playground::start().await;
    let webhooks = bring(&play, &meeting("m==", 4)).await;
    let bodies: Vec<Value> = webhooks
        .as_array()
        .unwrap()
        .iter()
        .map(|webhook| serde_json::from_str(webhook["body"].as_str().unwrap()).unwrap())
        .collect();
    let events: Vec<_> = bodies.iter().map(|body| body["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["recording.completed", "recording.transcript_completed"]);
    assert_eq!(bodies[0]["payload"]["object"]["recording_files"].as_array().unwrap().len(), 1);
    let (download, account) = (bodies[0]["download_token"].as_str().unwrap(), sign_in(&play).await);
    let file = |token: &str| get(&play, "/rec/webhook_download/a-4", token);
    assert_eq!(answer(file(download)).await, (StatusCode::OK, json!("sound")));
    assert_eq!(answer(file(&account)).await.0, StatusCode::OK);
    answer(play.at(Method::POST, &zoom::PROVIDER, "/_control/expire")).await;
    assert_eq!(answer(file(download)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(answer(file(&account)).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn recordings_are_listed_by_user_and_day_page_by_page() {
    let play = Playground::start().await;
    for day in 1..=12 {
        bring(&play, &meeting(&format!("m{day}=="), day)).await;
    }
    let token = sign_in(&play).await;
    let users = answer(get(&play, "/v2/users?status=active", &token)).await.1;
    assert_eq!(users["users"][0]["id"], "simulated-host");
    let path = "/v2/users/simulated-host/recordings?from=2026-03-02&to=2026-03-31&page_size=300";
    let first = answer(get(&play, path, &token)).await.1;
    assert_eq!(first["meetings"].as_array().unwrap().len(), 10);
    assert_eq!(first["meetings"][0]["uuid"], "m12==");
    let next = format!("{path}&next_page_token={}", first["next_page_token"].as_str().unwrap());
    let second = answer(get(&play, &next, &token)).await.1;
    assert_eq!((second["meetings"].as_array().unwrap().len(), &second["next_page_token"]), (1, &json!("")));
    let long = "/v2/users/me/recordings?from=2026-01-01&to=2026-03-31";
    assert_eq!(answer(get(&play, long, &token)).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_uuid_that_begins_with_a_slash_is_found_only_when_it_was_encoded_twice() {
    let play = Playground::start().await;
    bring(&play, &meeting("/a//b+c==", 4)).await;
    let token = sign_in(&play).await;
    let once = get(&play, "/v2/meetings/%2Fa%2F%2Fb%2Bc%3D%3D/recordings", &token);
    assert_eq!(answer(once).await.0, StatusCode::NOT_FOUND);
    let twice = get(&play, "/v2/meetings/%252Fa%252F%252Fb%252Bc%253D%253D/recordings", &token);
    assert_eq!(answer(twice).await.1["uuid"], "/a//b+c==");
    let people = get(&play, "/v2/past_meetings/%252Fa%252F%252Fb%252Bc%253D%253D/participants", &token);
    assert_eq!(answer(people).await.1["participants"][0]["name"], "Iris");
}
