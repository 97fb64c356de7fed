//! The list of jobs, newest first, in pages.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::job::Job;
use super::{Account, error, is_allowed, refusal};
use crate::state::lock;

const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    limit: Option<usize>,
    status: Option<String>,
    /// A day, such as `2026-11-29`.
    created_on: Option<String>,
    /// Only jobs that are older than the one with this id.
    before_id: Option<String>,
    /// Only jobs that are newer than the one with this id.
    after_id: Option<String>,
    throttled_only: Option<bool>,
}

pub(super) async fn list(
    State(account): State<Arc<Account>>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Response {
    if !is_allowed(&headers) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return error(StatusCode::BAD_REQUEST, "\"limit\" must be between 1 and 200");
    }
    let jobs = lock(&account.jobs);
    let newest_first: Vec<(&String, &Job)> = jobs.entries().rev().collect();
    let place = |id: &Option<String>| {
        id.as_ref().and_then(|id| newest_first.iter().position(|(known, _)| *known == id))
    };
    let from = place(&wanted.before_id).map_or(0, |at| at + 1);
    let until = place(&wanted.after_id).unwrap_or(newest_first.len()).max(from);
    let fits = |(_, job): &&(&String, &Job)| {
        let status = job.status(account.transcription_time);
        wanted.status.as_deref().is_none_or(|wanted| wanted == status)
            && wanted.created_on.as_deref().is_none_or(|day| job.created.format("%F").to_string() == day)
            && !wanted.throttled_only.unwrap_or_default()
    };
    let fitting: Vec<_> = newest_first[from..until].iter().filter(fits).collect();
    // Next to a job the newer ones are asked for from the one that is next to it.
    let shown = if wanted.after_id.is_some() && wanted.before_id.is_none() {
        &fitting[fitting.len().saturating_sub(limit)..]
    } else {
        &fitting[..fitting.len().min(limit)]
    };
    let url = |query: &str| format!("{}/v2/transcript?limit={limit}{query}", account.base);
    let beside =
        |name: &str, one: Option<&&(&String, &Job)>| one.map(|(id, _)| url(&format!("&{name}={id}")));
    Json(json!({
        "page_details": {
            "limit": limit,
            "result_count": shown.len(),
            "current_url": url(""),
            "prev_url": beside("before_id", shown.last()),
            "next_url": beside("after_id", shown.first()),
        },
        "transcripts": shown.iter().map(|(id, job)| item(&account, id, job)).collect::<Vec<_>>(),
    }))
    .into_response()
}

fn item(account: &Account, id: &str, job: &Job) -> Value {
    let status = job.status(account.transcription_time);
    let time = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    let is_done = matches!(status, "completed" | "error");
    let takes = chrono::TimeDelta::from_std(account.transcription_time).unwrap_or_default();
    json!({
        "id": id,
        "resource_url": format!("{}/v2/transcript/{id}", account.base),
        "status": status,
        "created": time(job.created),
        "completed": is_done.then(|| time(job.created + takes)),
        "audio_url": job.audio_url(),
        "error": job.view(id, account.transcription_time).get("error"),
    })
}
