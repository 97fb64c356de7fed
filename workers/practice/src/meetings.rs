//! Routes for practice meetings: made, started, ended, removed.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::moment::Moment;
use domain::principal::Principal;
use serde::Serialize;
use serde_json::Value;
use store::{MeetingRow, MeetingStatus, NewMeeting};
use utoipa::ToSchema;
use uuid::Uuid;
use web::Problem;

use crate::ending::{self, MeetingEnded};
use crate::kept::{plan_of, scores_of};
use crate::plan::{Member, Question};
use crate::planning::{self, Wanted};
use crate::request::{
    Answer, Answered, Id, Reader, Removed, Trainee, conflict, finished, internal_error, json, not_found, once,
};
use crate::state::Practice;
use crate::upload::forget_blobs;

/// A meeting that is to be made.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is read field by field; this type describes it")]
struct MeetingBody {
    salesperson_id: Uuid,
    company_id: Uuid,
    /// `1-on-1`, `1-on-2` or `1-on-3`. The number of representatives has to fit.
    meeting_mode: String,
    /// The ids of representatives of the company.
    representatives: Vec<Uuid>,
    meeting_goal: String,
    /// The temperament of representatives who have no traits of their own.
    personality: Option<String>,
    #[schema(minimum = 1, maximum = 480)]
    duration_minutes: Option<i64>,
    /// `beginner`, `intermediate`, `advanced` or `expert`.
    difficulty: Option<String>,
    /// The meeting goes on from this moment of a real call.
    from_call: Option<FromCallBody>,
}

/// A moment of a call.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is read field by field; this type describes it")]
struct FromCallBody {
    /// Our id of the call.
    call_id: Uuid,
    /// The number of the last segment that was said.
    #[schema(minimum = 1)]
    segment: i64,
}

/// Who takes part in a meeting.
#[derive(Serialize, ToSchema)]
pub(crate) struct CastView {
    id: Uuid,
    name: String,
    role: String,
    personality_traits: Vec<&'static str>,
    is_decision_maker: bool,
}

impl CastView {
    fn of(member: &Member) -> Self {
        Self {
            id: member.id,
            name: member.name.clone(),
            role: member.role.clone(),
            personality_traits: member.traits.iter().map(|one| one.name()).collect(),
            is_decision_maker: member.is_decision_maker,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MeetingMade {
    meeting_id: Uuid,
    /// Five questions for the salesperson.
    top_5_questions: Vec<String>,
    /// The same questions, each with what it is good for, why, and what it rests on.
    questions: Vec<Question>,
    representatives: Vec<CastView>,
    status: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MeetingView {
    id: Uuid,
    salesperson_id: Uuid,
    company_id: Uuid,
    meeting_mode: String,
    representatives: Vec<CastView>,
    meeting_goal: String,
    personality: String,
    duration_minutes: i64,
    difficulty: &'static str,
    top_5_questions: Vec<String>,
    questions: Vec<Question>,
    /// `pending`, `active` or `completed`.
    status: &'static str,
    total_turns: i64,
    /// The call from which the meeting goes on.
    from_call: Option<FromCallView>,
    /// The call that the meeting became when it ended.
    call_id: Option<Uuid>,
    /// From 0 to 100, once the meeting has ended.
    score: Option<u32>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Moment,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Moment>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Moment>,
}

/// A moment of a call.
#[derive(Serialize, ToSchema)]
pub(crate) struct FromCallView {
    call_id: Uuid,
    segment: u32,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MeetingList {
    meetings: Vec<MeetingView>,
    total: usize,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MeetingStarted {
    meeting_id: Uuid,
    status: &'static str,
}

fn view(meeting: &MeetingRow) -> Answer<MeetingView> {
    let plan = plan_of(meeting)?;
    Ok(MeetingView {
        id: meeting.id,
        salesperson_id: meeting.salesperson,
        company_id: meeting.company,
        meeting_mode: plan.mode,
        representatives: plan.cast.iter().map(CastView::of).collect(),
        meeting_goal: plan.goal,
        personality: plan.personality,
        duration_minutes: plan.duration_minutes,
        difficulty: plan.difficulty.name(),
        top_5_questions: plan.questions.iter().map(|one| one.question.clone()).collect(),
        questions: plan.questions,
        status: meeting.status.name(),
        total_turns: meeting.turns,
        from_call: plan.from_call.map(|from| FromCallView { call_id: from.call_id, segment: from.segment }),
        call_id: meeting.call.map(|call| call.0),
        score: scores_of(meeting).first().map(|card| card.overall),
        created_at: meeting.created_at,
        started_at: meeting.started_at,
        ended_at: meeting.ended_at,
    })
}

/// The person to whose meetings somebody is limited: whoever sees only her own calls sees only what she made.
pub(crate) fn only_of(who: &Principal) -> Option<&str> {
    who.sees.is_restricted().then_some(&*who.actor)
}

/// The meeting, if it may be seen.
pub(crate) async fn find(practice: &Practice, who: &Principal, id: Uuid) -> Answer<MeetingRow> {
    let meeting = practice.store.meeting(who.workspace, id).await?;
    let seen = meeting.filter(|meeting| only_of(who).is_none_or(|actor| meeting.created_by == actor));
    seen.ok_or_else(|| not_found("meeting"))
}

/// Makes a meeting of a salesperson with one to three representatives of a company.
#[utoipa::path(post, path = "/api/meeting/create", operation_id = "createPracticeMeeting", tag = "practice", security(("key" = ["operate"])), request_body = MeetingBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same answer")),
    responses((status = 201, body = Answered<MeetingMade>),
        (status = 404, description = "There is no such salesperson, company, representative or call", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing or cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn create(
    State(practice): State<Practice>,
    who: Trainee,
    request: Request,
) -> Answer<(StatusCode, Json<Value>)> {
    let (parts, body) = request.into_parts();
    let body = json(&parts, body).await?;
    let wanted = Wanted::read(body.clone())?;
    let id = Uuid::now_v7();
    let plan = planning::plan(&practice, &who, &wanted, id).await?;
    let (workspace, actor, store) = (who.workspace, who.actor.clone(), practice.store.clone());
    let made = once(&store, &who, &parts, &body, async move {
        let kept = serde_json::to_value(&plan).map_err(|_| internal_error())?;
        let new = NewMeeting {
            salesperson: wanted.salesperson,
            company: wanted.company,
            created_by: &actor,
            plan: &kept,
        };
        if !practice.store.add_meeting(workspace, id, new).await? {
            return Err(not_found("salesperson or company"));
        }
        let made = MeetingMade {
            meeting_id: id,
            top_5_questions: plan.questions.iter().map(|one| one.question.clone()).collect(),
            representatives: plan.cast.iter().map(CastView::of).collect(),
            questions: plan.questions,
            status: MeetingStatus::Pending.name(),
        };
        Ok(Answered::of(made, "The meeting was made. Start it when you are ready.").0)
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// A practice meeting.
#[utoipa::path(get, path = "/api/meeting/{id}", operation_id = "getPracticeMeeting", tag = "practice", security(("key" = ["read"])),
    params(("id" = String, Path, description = "The id of the meeting")),
    responses((status = 200, body = Answered<MeetingView>),
        (status = 404, description = "There is no such meeting", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn one(
    State(practice): State<Practice>,
    who: Reader,
    Id(id): Id,
) -> Answer<Json<Answered<MeetingView>>> {
    Ok(Answered::plain(view(&find(&practice, &who, id).await?)?))
}

/// The meetings of a salesperson, the newest first. Their scores show the progress.
#[utoipa::path(get, path = "/api/meeting/salesperson/{id}/meetings", operation_id = "listPracticeMeetings", tag = "practice", security(("key" = ["read"])),
    params(("id" = String, Path, description = "The id of the salesperson")),
    responses((status = 200, body = Answered<MeetingList>),
        (status = 404, description = "There is no such salesperson", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn of_salesperson(
    State(practice): State<Practice>,
    who: Reader,
    Id(id): Id,
) -> Answer<Json<Answered<MeetingList>>> {
    if practice.store.salesperson(who.workspace, id).await?.is_none() {
        return Err(not_found("salesperson"));
    }
    let rows = practice.store.meetings_of(who.workspace, id, only_of(&who)).await?;
    let meetings = rows.iter().map(view).collect::<Answer<Vec<_>>>()?;
    let total = meetings.len();
    Ok(Answered::plain(MeetingList { meetings, total }))
}

/// Starts a meeting.
#[utoipa::path(post, path = "/api/meeting/{id}/start", operation_id = "startPracticeMeeting", tag = "practice", security(("key" = ["operate"])),
    params(("id" = String, Path, description = "The id of the meeting")),
    responses((status = 200, body = Answered<MeetingStarted>),
        (status = 404, description = "There is no such meeting", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The meeting was started before", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn start(
    State(practice): State<Practice>,
    who: Trainee,
    Id(id): Id,
) -> Answer<Json<Answered<MeetingStarted>>> {
    let meeting = find(&practice, &who, id).await?;
    if !practice.store.start_meeting(who.workspace, id).await? {
        let now = find(&practice, &who, id).await?.status.name();
        return Err(conflict(format!("the meeting is already {now}")));
    }
    let started = MeetingStarted { meeting_id: meeting.id, status: MeetingStatus::Active.name() };
    Ok(Answered::of(started, "The meeting has begun."))
}

/// Ends a meeting. It becomes a call of the kind `practice`, and it is judged.
#[utoipa::path(post, path = "/api/meeting/{id}/end", operation_id = "endPracticeMeeting", tag = "practice", security(("key" = ["operate"])),
    params(("id" = String, Path, description = "The id of the meeting")),
    responses((status = 200, body = Answered<MeetingEnded>),
        (status = 404, description = "There is no such meeting", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The meeting has not begun, or is over", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn end(
    State(practice): State<Practice>,
    who: Trainee,
    Id(id): Id,
) -> Answer<Json<Answered<MeetingEnded>>> {
    let meeting = find(&practice, &who, id).await?;
    let (workspace, agent) = (who.workspace, who.sees.agent().map(str::to_owned));
    finished(async move {
        let ended = ending::end(&practice, workspace, &meeting, agent).await?;
        Ok(Answered::of(ended, "The meeting has ended."))
    })
    .await
}

/// Removes a meeting with its turns. The call that it became stays.
#[utoipa::path(delete, path = "/api/meeting/{id}", operation_id = "deletePracticeMeeting", tag = "practice", security(("key" = ["operate"])),
    params(("id" = String, Path, description = "The id of the meeting")),
    responses((status = 200, body = Answered<Removed>),
        (status = 404, description = "There is no such meeting", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn delete(
    State(practice): State<Practice>,
    who: Trainee,
    Id(id): Id,
) -> Answer<Json<Answered<Removed>>> {
    find(&practice, &who, id).await?;
    finished(async move {
        let by = (who.workspace, &*who.actor);
        let blobs = practice.store.delete_meeting(by, id).await?.ok_or_else(|| not_found("meeting"))?;
        forget_blobs(&practice, blobs).await;
        Ok(Answered::of(Removed { id }, "The meeting was removed."))
    })
    .await
}
