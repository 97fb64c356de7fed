//! The end of a meeting: it is judged, and it goes through the pipeline as a call of the kind `practice`.
//!
//! The call's id is made from the meeting's id. So a process that dies between the two steps, and whoever does them again, make
//! the same call.

use bytes::Bytes;
use domain::call::{CallDetails, CallKind, Participant, Role, WorkspaceId};
use domain::event::MaterialKind;
use domain::moment::Moment;
use platform::blobs::{BlobError, Upload};
use queue_topology::intake::{Arrival, NewMaterial, NotKept};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::{MeetingRow, MeetingStatus, TurnRow};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::kept::plan_of;
use crate::plan::Plan;
use crate::recording::{self, Span};
use crate::request::{Answer, conflict, internal_error, unavailable};
use crate::score::{self, Scorecard, Turn};
use crate::state::Practice;
use crate::talk::{Floor, SALESPERSON};

#[derive(Serialize, ToSchema)]
pub(crate) struct MeetingEnded {
    pub(crate) meeting_id: Uuid,
    pub(crate) status: &'static str,
    pub(crate) duration_seconds: f64,
    /// The call that goes through the pipeline. Null where nobody said anything.
    pub(crate) call_id: Option<Uuid>,
    pub(crate) score: Option<Scorecard>,
}

/// Who made the ids of calls that come from practice.
const SOURCE: &str = "practice";

/// Ends a meeting. `agent` is the name of who is signed in, where she sees only her own calls.
pub(crate) async fn end(
    practice: &Practice,
    workspace: WorkspaceId,
    meeting: &MeetingRow,
    agent: Option<String>,
) -> Answer<MeetingEnded> {
    let plan = plan_of(meeting)?;
    let floor = Floor::take(practice, workspace, meeting.id).await?;
    let holder = floor.holder;
    let done = floor.while_working(settle(practice, workspace, meeting, &plan, agent, holder)).await;
    if done.is_err() {
        floor.leave().await?;
    } else {
        practice.floors.notify_waiters();
    }
    done
}

async fn settle(
    practice: &Practice,
    workspace: WorkspaceId,
    meeting: &MeetingRow,
    plan: &Plan,
    agent: Option<String>,
    holder: Uuid,
) -> Answer<MeetingEnded> {
    let turns = practice.store.turns_of(workspace, meeting.id).await?;
    let materials = practice.store.materials_of(workspace, meeting.salesperson).await?;
    let mut material = plan.product.description.clone();
    for file in &materials {
        material.push('\n');
        material.push_str(&file.content);
    }
    let cards = scorecards(&turns, &material);
    let ended_at = practice.store.now();
    let call = if turns.is_empty() {
        None
    } else {
        let (spans, recording) = recorded(practice, meeting, &turns).await.map_err(|error| {
            tracing::warn!(%error, "failed to join the sound of a practice meeting");
            unavailable("the sound of the meeting cannot be joined at the moment; end it again")
        })?;
        let arrival = arrival(meeting, plan, (&turns, &spans), recording, ended_at, agent);
        let accepted = practice.intake.accept(workspace, arrival).await;
        Some(
            accepted
                .map_err(|NotKept| {
                    unavailable("the meeting cannot be handed over at the moment; end it again")
                })?
                .call,
        )
    };
    let score = serde_json::to_value(&cards).map_err(|_| internal_error())?;
    if !practice.store.end_meeting(workspace, meeting.id, holder, (call, &score, ended_at)).await? {
        return Err(conflict("the meeting was ended or removed by somebody else"));
    }
    let started = meeting.started_at.unwrap_or(meeting.created_at);
    Ok(MeetingEnded {
        meeting_id: meeting.id,
        status: MeetingStatus::Completed.name(),
        duration_seconds: (ended_at.since(started).as_secs_f64() * 10.0).round() / 10.0,
        call_id: call.map(|call| call.0),
        score: cards.into_iter().next(),
    })
}

/// The conversation as it is judged.
pub(crate) fn judged(turns: &[TurnRow]) -> Vec<Turn> {
    turns
        .iter()
        .filter(|turn| !turn.said.trim().is_empty())
        .map(|turn| Turn {
            number: turn.number,
            is_ours: turn.speaker == SALESPERSON,
            text: turn.said.clone(),
        })
        .collect()
}

fn scorecards(turns: &[TurnRow], material: &str) -> Vec<Scorecard> {
    let turns = judged(turns);
    score::all().iter().map(|criteria| score::score(criteria, &turns, material)).collect()
}

/// When each turn was said, and the recording of all of them where there is sound.
async fn recorded(
    practice: &Practice,
    meeting: &MeetingRow,
    turns: &[TurnRow],
) -> Result<(Vec<Span>, Option<Upload>), BlobError> {
    let started = meeting.started_at.unwrap_or(meeting.created_at);
    let sounds = recording::sounds_of(&practice.blobs, turns).await?;
    let spans = recording::spans(turns, &sounds, started);
    let recording = recording::joined(&practice.blobs, turns, sounds, &spans).await?;
    Ok((spans, recording))
}

/// What the pipeline gets.
fn arrival(
    meeting: &MeetingRow,
    plan: &Plan,
    (turns, spans): (&[TurnRow], &[Span]),
    recording: Option<Upload>,
    ended_at: Moment,
    agent: Option<String>,
) -> Arrival {
    let started = meeting.started_at.unwrap_or(meeting.created_at);
    let ours = agent.clone().unwrap_or_else(|| "Salesperson".to_owned());
    let person = |name: &str, role| Participant {
        name: Some(name.to_owned()),
        role: Some(role),
        ..Participant::default()
    };
    let mut participants = vec![person(&ours, Role::Agent)];
    participants.extend(plan.cast.iter().map(|member| person(&member.name, Role::Customer)));
    let metadata: Map<String, Value> = [
        ("practice_meeting", json!(meeting.id)),
        ("product", json!(plan.product.name)),
        ("meeting_goal", json!(plan.goal)),
        ("difficulty", json!(plan.difficulty.name())),
        ("from_call", plan.from_call.as_ref().map_or(Value::Null, |from| json!(from.call_id))),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_null())
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    // A call is as long as its recording.
    let recorded_ms = recording.as_ref().and_then(|_| spans.last()).map(|last| last.end_ms);
    let details = CallDetails {
        started_at: Some(started),
        ended_at: Some(ended_at),
        duration_ms: recorded_ms.or_else(|| i64::try_from(ended_at.since(started).as_millis()).ok()),
        topic: Some(format!("Practice: {}", plan.product.name)),
        agent_name: agent,
        participants,
        metadata,
        ..CallDetails::default()
    };
    let transcript = transcript(turns, spans, &ours);
    let bytes = Bytes::from(transcript.to_string());
    let transcript =
        NewMaterial::Document { kind: MaterialKind::Transcript, media_type: "application/json", bytes };
    let recording = recording.map(|file| NewMaterial::File(MaterialKind::Recording, file));
    let materials = recording.into_iter().chain([transcript]).collect();
    Arrival {
        source: SOURCE.to_owned(),
        external_id: meeting.id.to_string(),
        kind: CallKind::Practice,
        details,
        materials,
    }
}

/// The transcript in our own form.
fn transcript(turns: &[TurnRow], spans: &[Span], ours: &str) -> Value {
    let segments: Vec<Value> = turns
        .iter()
        .zip(spans)
        .filter(|(turn, _)| !turn.said.trim().is_empty())
        .map(|(turn, span)| {
            let speaker = if turn.speaker == SALESPERSON { ours } else { &turn.name };
            json!({"speaker": speaker, "text": turn.said, "start_ms": span.start_ms, "end_ms": span.end_ms})
        })
        .collect();
    json!({"segments": segments})
}
