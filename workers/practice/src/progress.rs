//! How a salesperson gets better: the scores of the meetings over time, and whether later real calls are better too.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use domain::call::CallId;
use domain::moment::Moment;
use serde::Serialize;
use store::{MeetingRow, MeetingStatus, ScoreInTime};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Params, Problem};

use crate::kept::{plan_of, scores_of};
use crate::lift::{Comparison, Group, compare};
use crate::meetings::only_of;
use crate::request::{Answer, Answered, Id, Reader, not_found};
use crate::score;
use crate::state::Practice;

/// The criteria where nobody names others.
const DEFAULT: &str = "sales";
/// The longest name of criteria, in characters.
const MAX_CRITERIA: usize = 50;

/// How a salesperson gets better.
#[derive(Serialize, ToSchema)]
pub(crate) struct Progress {
    salesperson_id: Uuid,
    /// The name of the criteria.
    criteria: String,
    /// The agent with whose real calls practice is compared. Null where nobody is known.
    agent: Option<String>,
    /// The meetings that have ended, oldest first.
    meetings: Vec<MeetingScore>,
    /// How the later half of the meetings compares with the earlier half.
    over_time: Comparison,
    /// The scores of practice by the rule for real calls, which knows no material.
    practice: Group,
    /// The agent's real calls before the end of the first meeting.
    real_calls_before: Group,
    /// The agent's real calls after it.
    real_calls_after: Group,
    /// How the real calls after the first meeting compare with those before it.
    lift: Comparison,
    /// How the real calls after the first meeting compare with practice.
    real_against_practice: Comparison,
    /// How many scores were left out, because another version of the criteria made them.
    other_versions: usize,
}

/// The score of a meeting.
#[derive(Serialize, ToSchema)]
pub(crate) struct MeetingScore {
    meeting_id: Uuid,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Moment>,
    difficulty: &'static str,
    /// From 0 to 100.
    overall: u32,
    criteria: Vec<CriterionPoints>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CriterionPoints {
    name: String,
    /// From 0 to 100.
    score: u32,
}

/// How a salesperson gets better.
///
/// Real calls count where they were judged by the same criteria: see the setting `SCORECARDS`. Where there are too few of them, the
/// answer says so.
#[utoipa::path(get, path = "/api/meeting/salesperson/{id}/progress", operation_id = "getPracticeProgress", tag = "practice", security(("key" = ["read"])),
    params(("id" = String, Path, description = "The id of the salesperson"),
        ("criteria" = Option<String>, Query, description = "The name of the criteria; `sales` when it is absent"),
        ("agent" = Option<String>, Query, description = "The name of the agent whose real calls are compared; when it is absent, the one who practised")),
    responses((status = 200, body = Answered<Progress>),
        (status = 404, description = "There is no such salesperson", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn progress(
    State(practice): State<Practice>,
    who: Reader,
    Id(id): Id,
    uri: Uri,
) -> Answer<Json<Answered<Progress>>> {
    let (store, workspace) = (&practice.store, who.workspace);
    let mut params = Params::of_query(&uri);
    let criteria = params.read("criteria", "a name of criteria", |text| {
        (text.chars().count() <= MAX_CRITERIA).then(|| text.to_owned())
    });
    let named = params.text("agent");
    params.check()?;
    let criteria = criteria.as_deref().unwrap_or(DEFAULT);
    if store.salesperson(workspace, id).await?.is_none() {
        return Err(not_found("salesperson"));
    }
    let mut meetings = store.meetings_of(workspace, id, only_of(&who)).await?;
    meetings.retain(|meeting| meeting.status == MeetingStatus::Completed);
    meetings.sort_by_key(|meeting| meeting.ended_at);
    // Whoever sees only her own calls compares only those.
    let agent = match (who.sees.agent(), named) {
        (Some(own), _) => Some(own.to_owned()),
        (None, Some(named)) => Some(named),
        (None, None) => store.agent_of_practice(workspace, id).await?,
    };
    let real = match &agent {
        Some(agent) => store.scores_of_agent(workspace, criteria, agent).await?,
        None => Vec::new(),
    };
    let practised = store.scores_of_practice(workspace, criteria, id).await?;
    let seen: Vec<CallId> = meetings.iter().filter_map(|meeting| meeting.call).collect();
    let practised: Vec<ScoreInTime> =
        practised.into_iter().filter(|score| seen.contains(&score.call_id)).collect();
    Ok(Answered::plain(compared(id, criteria, agent, &meetings, (&practised, &real))?))
}

fn compared(
    salesperson_id: Uuid,
    criteria: &str,
    agent: Option<String>,
    meetings: &[MeetingRow],
    (practised, real): (&[ScoreInTime], &[ScoreInTime]),
) -> Answer<Progress> {
    let shown = meetings.iter().map(|meeting| shown(meeting, criteria)).collect::<Answer<Vec<_>>>()?;
    let shown: Vec<MeetingScore> = shown.into_iter().flatten().collect();
    let (earlier, later) = shown.split_at(shown.len() / 2);
    let overall = |half: &[MeetingScore]| -> Vec<f64> {
        half.iter().map(|meeting| f64::from(meeting.overall)).collect()
    };
    let newest = practised.iter().chain(real).map(|score| score.version).max();
    let is_newest = |score: &&ScoreInTime| Some(score.version) == newest;
    let points = |scores: Vec<&ScoreInTime>| -> Vec<f64> {
        scores.into_iter().filter_map(|score| i32::try_from(score.overall).ok()).map(f64::from).collect()
    };
    let first = meetings.iter().filter_map(|meeting| meeting.ended_at).min();
    let is_before = |score: &&ScoreInTime| first.is_none_or(|first| score.at < first);
    let of_practice = points(practised.iter().filter(is_newest).collect());
    let (before, after): (Vec<&ScoreInTime>, Vec<&ScoreInTime>) =
        real.iter().filter(is_newest).partition(is_before);
    let (before, after) = (points(before), points(after));
    Ok(Progress {
        salesperson_id,
        criteria: criteria.to_owned(),
        agent,
        over_time: compare(
            ("the earlier meetings", &overall(earlier)),
            ("the later meetings", &overall(later)),
        ),
        practice: Group::of(&of_practice),
        real_calls_before: Group::of(&before),
        real_calls_after: Group::of(&after),
        lift: compare(("real calls before practice", &before), ("real calls after it", &after)),
        real_against_practice: compare(
            ("practice meetings", &of_practice),
            ("real calls after the first one", &after),
        ),
        other_versions: practised.iter().chain(real).filter(|score| !is_newest(score)).count(),
        meetings: shown,
    })
}

/// The score of a meeting by these criteria, if it has one.
fn shown(meeting: &MeetingRow, criteria: &str) -> Answer<Option<MeetingScore>> {
    // A score by an older version of the criteria would not compare.
    let version = score::named(criteria).map(|known| known.version);
    let cards = scores_of(meeting);
    let card = cards.into_iter().find(|card| card.name == criteria && Some(card.version) == version);
    let Some(card) = card else { return Ok(None) };
    Ok(Some(MeetingScore {
        meeting_id: meeting.id,
        ended_at: meeting.ended_at,
        difficulty: plan_of(meeting)?.difficulty.name(),
        overall: card.overall,
        criteria: card
            .criteria
            .into_iter()
            .map(|one| CriterionPoints { name: one.name, score: one.score })
            .collect(),
    }))
}
