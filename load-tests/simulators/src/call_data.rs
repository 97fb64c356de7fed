//! The call-data API: it takes one document for each call, and lists the documents again, filtered and in pages.
//!
//! It asks for no credentials and knows no idempotency: a document that is sent twice is there twice.

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

use crate::control::Control;
use crate::provider::{Provider, Setting, Site};
use crate::state::{BoundedMap, lock};

pub static PROVIDER: Provider =
    Provider { name: "call_data", made_once: &["call_data"], routes, refusal, settings };

const PATH: &str = "/apis/api/public/call-data";
const MAX_DOCUMENTS: usize = 50_000;
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

struct CallData {
    control: Arc<Control>,
    documents: Mutex<BoundedMap<Value>>,
}

fn settings(address: &str) -> Vec<Setting> {
    vec![
        ("CRM_AUTO_UPLOAD", "true".to_owned()),
        ("CRM_UPLOAD_URL", format!("{address}{PATH}")),
        ("CRM_CAMPAIGN_ID", "simulated-campaign".to_owned()),
        ("CRM_VOICE_AGENT_ID", "simulated-agent".to_owned()),
        ("CRM_CLIENT_ID", "simulated-client".to_owned()),
        ("CRM_DEFAULT_CALLER_PHONE", "+12025550100".to_owned()),
    ]
}

fn routes(site: &Site<'_>) -> Router {
    let documents = Mutex::new(BoundedMap::new(MAX_DOCUMENTS));
    Router::new()
        .route(PATH, post(create).get(list))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(Arc::new(CallData { control: site.control.clone(), documents }))
}

fn refusal(status: StatusCode) -> Response {
    error(status, status.canonical_reason().unwrap_or("Error"), "the request was refused")
}

fn error(status: StatusCode, error: &str, message: &str) -> Response {
    (status, Json(json!({ "success": false, "error": error, "message": message }))).into_response()
}

async fn create(State(state): State<Arc<CallData>>, body: String) -> Response {
    let Ok(mut document) = serde_json::from_str::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, "Bad Request", "the body is not JSON");
    };
    if let Some(field) = wrong_field(&document) {
        let message = format!("`{field}` is missing or has a wrong value");
        return error(StatusCode::BAD_REQUEST, "Validation failed", &message);
    }
    let id = Uuid::new_v4().to_string();
    let call_id = document["callDetails"]["callId"].clone();
    state.control.made("call_data", call_id.as_str().unwrap_or_default());
    document["_id"] = json!(id);
    document["createdAt"] = json!(Utc::now());
    lock(&state.documents).insert(id.clone(), document);
    let data = json!({ "id": id, "callId": call_id });
    (StatusCode::CREATED, Json(json!({ "success": true, "data": data }))).into_response()
}

/// A JSON pointer, and a check of the value to which it points.
type Rule<'a> = (&'a str, &'a dyn Fn(&Value) -> bool);

/// Returns the JSON pointer of the first field that is missing or has a wrong value.
fn wrong_field(document: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    // A caller may withhold the number. The field has to be there all the same.
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
    let is_broken = |(pointer, holds): &&Rule<'_>| !document.pointer(pointer).is_some_and(holds);
    if let Some((pointer, _)) = rules.iter().find(is_broken) {
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
    /// The earliest start of a call: a day, or a time with its offset.
    start_date: Option<String>,
    /// The latest start of a call.
    end_date: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
}

impl Filter {
    fn matches(&self, document: &Value) -> bool {
        let same = |wanted: &Option<String>, value: &Value| {
            wanted.as_ref().is_none_or(|wanted| value.as_str() == Some(wanted))
        };
        let details = &document["callDetails"];
        // Times in UTC in the form of RFC 3339 sort as text, and a day sorts before its times.
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

async fn list(State(state): State<Arc<CallData>>, Query(filter): Query<Filter>) -> Response {
    let (limit, offset) = (filter.limit.unwrap_or(DEFAULT_LIMIT), filter.offset.unwrap_or(0));
    if limit == 0 || limit > MAX_LIMIT {
        return error(StatusCode::BAD_REQUEST, "Bad Request", "`limit` must be from 1 to 1000");
    }
    let documents = lock(&state.documents);
    let matching: Vec<&Value> = documents.iter().rev().filter(|document| filter.matches(document)).collect();
    let total = matching.len();
    let page: Vec<&Value> = matching.into_iter().skip(offset).take(limit).collect();
    let pagination = json!({
        "total": total, "limit": limit, "offset": offset, "has_more": offset + page.len() < total,
    });
    Json(json!({ "success": true, "data": page, "pagination": pagination })).into_response()
}
