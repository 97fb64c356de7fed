//! The call-data API: one document a call, and the same back, filtered and in pages.
//!
//! It knows no credentials and no idempotency: a document sent twice is there twice.

use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::control::Control;
use super::{Bounded, lock};

const MAX_REMEMBERED: usize = 50_000;
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

struct Desk {
    control: Arc<Control>,
    documents: Mutex<Bounded<Value>>,
}

pub(crate) fn app(control: Arc<Control>) -> Router {
    let desk = Arc::new(Desk { control, documents: Mutex::new(Bounded::new(MAX_REMEMBERED)) });
    Router::new()
        .route("/apis/api/public/call-data", post(take).get(list))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(desk)
}

pub(crate) fn refusal(status: StatusCode) -> Response {
    error(status, status.canonical_reason().unwrap_or("Error"), "the request was refused")
}

fn error(status: StatusCode, error: &str, message: &str) -> Response {
    (status, Json(json!({ "success": false, "error": error, "message": message }))).into_response()
}

async fn take(State(desk): State<Arc<Desk>>, body: String) -> Response {
    let Ok(mut document) = serde_json::from_str::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, "Bad Request", "the body is not JSON");
    };
    if let Some(field) = wrong_field(&document) {
        let message = format!("`{field}` is missing or has a wrong value");
        return error(StatusCode::BAD_REQUEST, "Validation failed", &message);
    }
    let id = Uuid::new_v4().to_string();
    let call_id = document["callDetails"]["callId"].clone();
    desk.control.made("call_data", call_id.as_str().unwrap_or_default());
    document["_id"] = json!(id);
    document["createdAt"] = json!(Utc::now());
    lock(&desk.documents).insert(id.clone(), document);
    let data = json!({ "id": id, "callId": call_id });
    (StatusCode::CREATED, Json(json!({ "success": true, "data": data }))).into_response()
}

/// A JSON pointer and whether what stands there will do.
type Rule<'a> = (&'a str, &'a dyn Fn(&Value) -> bool);

/// The first field, as a JSON pointer, that is missing or no value of its kind.
fn wrong_field(document: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    // A caller may withhold the number; the field stands there all the same.
    let number = |value: &Value| value.is_null() || text(value);
    let time = |value: &Value| value.as_str().is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok());
    let direction = |value: &Value| matches!(value.as_str(), Some("inbound" | "outbound"));
    let rules: [Rule<'_>; 13] = [
        ("/campaignId", &text),
        ("/voiceAgentId", &text),
        ("/client", &text),
        ("/callDetails/callId", &text),
        ("/callDetails/direction", &direction),
        ("/callDetails/startTime", &time),
        ("/callDetails/endTime", &time),
        ("/callDetails/duration", &|value| value.as_u64().is_some()),
        ("/callDetails/status", &text),
        ("/callDetails/callerNumber", &number),
        ("/caller/phoneNumber", &number),
        ("/transcription/conversation_items", &Value::is_array),
        ("/lead", &Value::is_object),
    ];
    let broken = |(pointer, holds): &&Rule<'_>| !document.pointer(pointer).is_some_and(holds);
    if let Some((pointer, _)) = rules.iter().find(broken) {
        return Some((*pointer).to_owned());
    }
    let items = document["transcription"]["conversation_items"].as_array()?;
    let is_item = |item: &Value| {
        matches!(item["role"].as_str(), Some("user" | "assistant")) && item["content"].is_string()
    };
    let nth = items.iter().position(|item| !is_item(item))?;
    Some(format!("/transcription/conversation_items/{nth}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    campaign_id: Option<String>,
    voice_agent_id: Option<String>,
    call_id: Option<String>,
    /// A day, or a time with its offset; of when the call started.
    start_date: Option<String>,
    end_date: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
}

impl Filter {
    fn takes(&self, document: &Value) -> bool {
        let same = |wanted: &Option<String>, value: &Value| {
            wanted.as_ref().is_none_or(|wanted| value.as_str() == Some(wanted))
        };
        let details = &document["callDetails"];
        // RFC 3339 in UTC sorts as text, and a day sorts before its times.
        let start = details["startTime"].as_str().unwrap_or_default();
        same(&self.campaign_id, &document["campaignId"])
            && same(&self.voice_agent_id, &document["voiceAgentId"])
            && same(&self.call_id, &details["callId"])
            && self.start_date.as_ref().is_none_or(|from| start >= from.as_str())
            && self
                .end_date
                .as_ref()
                .is_none_or(|until| start.get(..until.len()).unwrap_or(start) <= until.as_str())
    }
}

async fn list(State(desk): State<Arc<Desk>>, Query(filter): Query<Filter>) -> Response {
    let (limit, offset) = (filter.limit.unwrap_or(DEFAULT_LIMIT), filter.offset.unwrap_or(0));
    if limit == 0 || limit > MAX_LIMIT {
        return error(StatusCode::BAD_REQUEST, "Bad Request", "`limit` must be from 1 to 1000");
    }
    let documents = lock(&desk.documents);
    let fitting: Vec<&Value> = documents.iter().rev().filter(|document| filter.takes(document)).collect();
    let total = fitting.len();
    let page: Vec<&Value> = fitting.into_iter().skip(offset).take(limit).collect();
    let pagination = json!({
        "total": total, "limit": limit, "offset": offset, "has_more": offset + page.len() < total,
    });
    Json(json!({ "success": true, "data": page, "pagination": pagination })).into_response()
}
