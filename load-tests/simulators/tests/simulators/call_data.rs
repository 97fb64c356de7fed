//! The simulator of the call-data API.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulators::call_data;

use crate::playground::{Playground, answer};

#[tokio::test]
async fn call_data_is_checked_stored_and_listed_in_pages() {
    let play = Playground::start().await;
    let path = "/apis/api/public/call-data";
    let document = |id: &str| {
        json!({
            "campaignId": "c", "voiceAgentId": "v", "client": "k",
            "callDetails": { "callId": id, "direction": "inbound", "startTime": "2026-01-02T03:04:05Z",
                "endTime": "2026-01-02T03:05:05Z", "duration": 60, "status": "completed", "callerNumber": "+1" },
            "caller": { "phoneNumber": "+1" },
            "transcription": { "conversation_items": [{ "role": "user", "content": "Hi" }] },
            "lead": {},
        })
    };
    let send = |body: &Value| answer(play.at(Method::POST, &call_data::PROVIDER, path).json(body));
    for id in ["1", "2", "2"] {
        assert_eq!(send(&document(id)).await.0, StatusCode::CREATED);
    }
    let mut wrong = document("3");
    wrong["callDetails"]["startTime"] = json!("2026-01-02T03:04:05+00:00Z");
    let (status, refused) = send(&wrong).await;
    assert_eq!((status, &refused["success"]), (StatusCode::BAD_REQUEST, &json!(false)));
    assert!(refused["message"].as_str().unwrap().contains("/callDetails/startTime"));
    let list = |query: &str| answer(play.at(Method::GET, &call_data::PROVIDER, &format!("{path}?{query}")));
    let page = list("limit=2&campaignId=c").await.1;
    assert_eq!(page["pagination"], json!({ "total": 3, "limit": 2, "offset": 0, "has_more": true }));
    assert_eq!(list("callId=1&startDate=2026-01-02&endDate=2026-01-02").await.1["pagination"]["total"], 1);
    assert_eq!(list("endDate=2026-01-01").await.1["pagination"]["total"], 0);
    assert_eq!(play.of(&call_data::PROVIDER).effects()["call_data"]["2"], 2);
}
