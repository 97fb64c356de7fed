//! What is known of a session: its summary, its numbers, and what the CRM has of it.

use axum::Json;
use axum::extract::State;
use domain::analysis::{Analysis, Sentiment};
use domain::call::CallStatus;
use domain::moment::Moment;
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::EffectRow;
use store::live::{LiveEvent, LiveState};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Authorized, Problem, ReadOwn};

use crate::counsel::sentiment_analysis;
use crate::progress::{Measures, Progress, seconds};
use crate::service::{Live, SessionId, away};

/// The destinations that are no CRM.
const NO_CRM: [&str; 2] = ["slack", "mail"];

#[derive(Serialize, ToSchema)]
pub(crate) struct SummaryAnswer {
    call_id: Uuid,
    session_id: String,
    /// `active` while the call is spoken, then the status of the call.
    status: String,
    #[schema(value_type = Option<Object>)]
    summary: Option<Value>,
    #[schema(value_type = Option<Object>)]
    analytics: Option<Value>,
    #[schema(value_type = Object)]
    crm_status: Map<String, Value>,
}

/// The summary of a session, as far as it is made. Times are in seconds.
#[utoipa::path(get, path = "/api/calls/{session_id}/summary", operation_id = "liveSummary", tag = "live",
    security(("key" = ["read"])),
    params(("session_id" = String, Path, description = "The sender's id of the session")),
    responses((status = 200, body = SummaryAnswer),
        (status = 404, description = "There is no such session", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn summary(
    who: Authorized<ReadOwn>,
    State(state): State<Live>,
    SessionId(id): SessionId,
) -> Result<Json<SummaryAnswer>, Problem> {
    let (session, call) = state.session(&who, &id).await?;
    let (workspace, call_id) = (session.workspace, session.call);
    let measures = Progress::read(&session.progress).measures();
    let analysis = state.store.analysis(workspace, call_id).await.map_err(|error| away(&error))?;
    let (summary, analytics) = if let Some(analysis) = &analysis {
        let is_final = call.status == CallStatus::Completed;
        let at = call.updated_at;
        (
            Some(made(&session.session_id, analysis, &measures, is_final, at)),
            Some(numbers(analysis, &measures)),
        )
    } else {
        let last = state.store.last_live_event(workspace, call_id, "summary_update").await;
        let last = last.map_err(|error| away(&error))?;
        let so_far = last.map(|event| so_far(&session.session_id, &event, &measures));
        (so_far, (measures.duration_ms > 0).then(|| numbers_so_far(&measures)))
    };
    let status = match session.state {
        LiveState::Active => "active".to_owned(),
        // The pipeline has not begun yet.
        LiveState::Ended if session.delivered_at.is_none() => "ended".to_owned(),
        LiveState::Ended => call.status.name().to_owned(),
    };
    let effects = state.store.effects_of(workspace, call_id).await.map_err(|error| away(&error))?;
    Ok(Json(SummaryAnswer {
        call_id: call_id.0,
        session_id: session.session_id.clone(),
        status,
        summary,
        analytics,
        crm_status: crm(&effects),
    }))
}

fn talk_time(measures: &Measures) -> Value {
    json!({
        "total_duration": seconds(measures.duration_ms),
        "agent_talk_time": seconds(measures.agent_ms),
        "customer_talk_time": seconds(measures.customer_ms),
        "silence_time": seconds(measures.silence_ms),
        "interruptions_count": measures.interruptions,
    })
}

fn made(session: &str, analysis: &Analysis, measures: &Measures, is_final: bool, at: Moment) -> Value {
    json!({
        "call_session_id": session,
        "summary_text": analysis.summary,
        "key_points": analysis.key_points,
        "action_items": analysis.action_items,
        "sentiment_analysis": sentiment_analysis(analysis),
        "talk_time_stats": talk_time(measures),
        "topics": analysis.topics,
        "is_final": is_final,
        "created_at": at,
    })
}

fn so_far(session: &str, event: &LiveEvent, measures: &Measures) -> Value {
    json!({
        "call_session_id": session,
        "summary_text": event.data["summary_text"],
        "key_points": event.data["key_points"],
        "action_items": [],
        "sentiment_analysis": event.data["sentiment_analysis"],
        "talk_time_stats": talk_time(measures),
        "topics": [],
        "is_final": false,
        "created_at": event.at,
    })
}

fn numbers(analysis: &Analysis, measures: &Measures) -> Value {
    let mut numbers = numbers_so_far(measures);
    numbers["overall_sentiment"] = json!(analysis.sentiment);
    numbers["sentiment_scores"] = scores(analysis.sentiment);
    numbers["word_count"] = json!(analysis.metrics.words);
    numbers["topics"] = json!(analysis.topics);
    numbers
}

/// The seed's numbers. Nobody asked the customer how satisfied they are, so that is not known.
fn numbers_so_far(measures: &Measures) -> Value {
    let mut numbers = talk_time(measures);
    for (name, value) in [
        ("overall_sentiment", Value::Null),
        ("sentiment_scores", json!({})),
        ("word_count", Value::Null),
        ("topics", json!([])),
        ("customer_satisfaction", json!("unknown")),
    ] {
        numbers[name] = value;
    }
    numbers
}

fn scores(sentiment: Sentiment) -> Value {
    let score = |of: Sentiment| if of == sentiment { 1.0 } else { 0.0 };
    json!({
        "positive": score(Sentiment::Positive),
        "neutral": score(Sentiment::Neutral),
        "negative": score(Sentiment::Negative),
    })
}

/// What each CRM has of the call.
fn crm(effects: &[EffectRow]) -> Map<String, Value> {
    let mut status = Map::new();
    for effect in effects {
        let is_crm =
            !NO_CRM.contains(&effect.target.as_str()) && !providers::speech::is_provider(&effect.target);
        if is_crm {
            let rows = status.entry(effect.target.clone()).or_insert_with(|| json!([]));
            if let Some(rows) = rows.as_array_mut() {
                rows.push(json!({"object": effect.object, "state": effect.state, "crm_record_id": effect.remote_id}));
            }
        }
    }
    status
}
