//! A call: whole, in a list, and as the source's own id finds it.

use std::borrow::Cow;

use domain::analysis::Analysis;
use domain::call::{Call, CallKind, CallStatus, Participant};
use domain::moment::Moment;
use domain::transcript::Transcript;
use serde::Serialize;
use serde_json::{Map, Value};
use store::{EffectName, EffectRow, EffectState};
use utoipa::ToSchema;
use utoipa::openapi::Object;
use uuid::Uuid;

use super::{AnalysisView, analysis, free_object, name_of, one_of, one_of_or_null, transcript};

#[derive(Serialize, ToSchema)]
#[schema(as = Call)]
pub struct CallView {
    pub id: Uuid,
    /// The source's own id.
    pub external_id: String,
    /// Who made the external id: `exotel`, `twilio`, `zoom`, `upload` …
    pub source: String,
    #[schema(schema_with = kind)]
    pub kind: Cow<'static, str>,
    #[schema(schema_with = status)]
    pub status: Cow<'static, str>,
    /// As the source said it.
    #[schema(schema_with = direction)]
    pub direction: Option<Cow<'static, str>>,
    pub from_number: Option<String>,
    pub to_number: Option<String>,
    /// RFC 3339 in UTC; the source's own text where it could not be read as a time.
    pub started_at: Option<String>,
    pub duration_ms: Option<i64>,
    pub participants: Vec<ParticipantView>,
    /// What else the source sent, by the source's own names, and the fields that have no place of their own:
    /// `agent_name`, `agent_phone`, `agent_slack_handle`, `department`, `customer_segment`, `topic`,
    /// `source_status`, `ended_at`, `lead`.
    #[schema(schema_with = free_object)]
    pub metadata: Map<String, Value>,
    /// Null until there is one.
    pub analysis: Option<AnalysisView>,
    /// What was changed in other systems for this call.
    pub effects: Vec<EffectOfCall>,
    /// When we first heard of the call.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Moment,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Moment,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Participant)]
pub struct ParticipantView {
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    #[schema(schema_with = transcript::role)]
    pub role: Option<Cow<'static, str>>,
}

#[derive(Serialize, ToSchema)]
pub struct EffectOfCall {
    /// The destination: `slack`, `salesforce`, `call_data` …
    pub target: String,
    /// Names the thing there: `post`, `log`, `contact:<e-mail>` …
    pub object: String,
    #[schema(schema_with = effect_state)]
    pub state: String,
    /// The destination's own id; null until it is known.
    pub remote_id: Option<String>,
}

/// A call in a list.
#[derive(Serialize, ToSchema)]
pub struct CallSummary {
    pub id: Uuid,
    pub external_id: String,
    pub source: String,
    #[schema(schema_with = kind)]
    pub kind: Cow<'static, str>,
    #[schema(schema_with = status)]
    pub status: Cow<'static, str>,
    #[schema(schema_with = direction)]
    pub direction: Option<Cow<'static, str>>,
    pub from_number: Option<String>,
    pub to_number: Option<String>,
    pub agent: Option<String>,
    pub started_at: Option<String>,
    pub duration_ms: Option<i64>,
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Moment,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Moment,
}

#[derive(Serialize, ToSchema)]
pub struct CallList {
    pub calls: Vec<CallSummary>,
    /// From 1.
    pub page: i64,
    pub limit: i64,
    /// Calls that the list leaves out at its start.
    pub skip: i64,
    /// How many calls match, on all pages.
    pub total: i64,
}

/// A call by the id that its source gave it.
#[derive(Serialize, ToSchema)]
pub struct SourceCallView {
    /// The source's own id.
    pub call_id: String,
    pub from_number: Option<String>,
    pub to_number: Option<String>,
    /// In seconds, as the source said it, else as the transcript shows.
    pub duration: Option<i64>,
    /// When the call began; the source's own text where it could not be read as a time.
    pub timestamp: Option<String>,
    /// Null while work goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub processed_at: Option<Moment>,
    /// One line a segment: `Speaker A: text`.
    pub transcription_text: Option<String>,
    /// Whether Slack confirmed the message.
    pub slack_posted: bool,
    #[schema(schema_with = status)]
    pub status: Cow<'static, str>,
    /// Our own id, for `/api/calls/{id}`.
    pub id: Uuid,
    pub source: String,
    pub summary: Option<String>,
    pub tone: Option<Cow<'static, str>>,
}

/// A call with its analysis, where there is one, and its effects.
pub fn call(of: &Call, found: Option<&Analysis>, effects: &[EffectRow]) -> CallView {
    CallView {
        id: of.id.0,
        external_id: of.external_id.clone(),
        source: of.source.clone(),
        kind: name_of(&of.kind),
        status: of.status.name().into(),
        direction: of.details.direction.as_ref().map(name_of),
        from_number: of.details.from_number.clone(),
        to_number: of.details.to_number.clone(),
        started_at: started(of),
        duration_ms: of.details.duration_ms,
        participants: of.details.participants.iter().map(participant).collect(),
        metadata: metadata(of),
        analysis: found.map(analysis),
        effects: effects.iter().map(effect).collect(),
        received_at: of.received_at,
        updated_at: of.updated_at,
    }
}

pub fn summary(of: &Call) -> CallSummary {
    CallSummary {
        id: of.id.0,
        external_id: of.external_id.clone(),
        source: of.source.clone(),
        kind: name_of(&of.kind),
        status: of.status.name().into(),
        direction: of.details.direction.as_ref().map(name_of),
        from_number: of.details.from_number.clone(),
        to_number: of.details.to_number.clone(),
        agent: of.details.agent_name.clone(),
        started_at: started(of),
        duration_ms: of.details.duration_ms,
        received_at: of.received_at,
        updated_at: of.updated_at,
    }
}

pub fn source_call(
    of: &Call,
    said: Option<&Transcript>,
    found: Option<&Analysis>,
    effects: &[EffectRow],
) -> SourceCallView {
    let ended = matches!(of.status, CallStatus::Completed | CallStatus::Failed);
    let duration_ms = of.details.duration_ms.or_else(|| said.and_then(Transcript::duration_ms));
    SourceCallView {
        call_id: of.external_id.clone(),
        from_number: of.details.from_number.clone(),
        to_number: of.details.to_number.clone(),
        duration: duration_ms.map(|ms| ms.saturating_add(500).div_euclid(1000)),
        timestamp: started(of),
        processed_at: ended.then_some(of.updated_at),
        transcription_text: said.map(Transcript::to_text),
        slack_posted: effects.iter().any(is_slack_post),
        status: of.status.name().into(),
        id: of.id.0,
        source: of.source.clone(),
        summary: found.map(|analysis| analysis.summary.clone()),
        tone: found.map(|analysis| name_of(&analysis.tone)),
    }
}

/// The effect that puts a call's message into Slack.
pub const SLACK_POST: EffectName<'static> = EffectName { target: "slack", object: "post" };

/// The message is in Slack, whether or not it says what we would say now.
fn is_slack_post(effect: &EffectRow) -> bool {
    let there = [EffectState::Confirmed.name(), EffectState::Outdated.name()];
    effect.is_named(SLACK_POST) && there.contains(&effect.state.as_str())
}

fn started(of: &Call) -> Option<String> {
    of.details.started_at.map(|time| time.to_string()).or_else(|| of.details.started_text.clone())
}

fn metadata(of: &Call) -> Map<String, Value> {
    let details = &of.details;
    let ours = [
        ("agent_name", details.agent_name.clone().map(Value::from)),
        ("agent_phone", details.agent_phone.clone().map(Value::from)),
        ("agent_slack_handle", details.agent_slack_handle.clone().map(Value::from)),
        ("department", details.department.clone().map(Value::from)),
        ("customer_segment", details.customer_segment.clone().map(Value::from)),
        ("topic", details.topic.clone().map(Value::from)),
        ("source_status", details.source_status.clone().map(Value::from)),
        ("ended_at", details.ended_at.map(|time| time.to_string().into())),
        ("lead", details.lead.clone()),
    ];
    let mut metadata = details.metadata.clone();
    metadata.extend(ours.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    metadata
}

fn participant(of: &Participant) -> ParticipantView {
    ParticipantView {
        name: of.name.clone(),
        email: of.email.clone(),
        phone: of.phone.clone(),
        role: of.role.map(|role| role.name().into()),
    }
}

fn effect(of: &EffectRow) -> EffectOfCall {
    EffectOfCall {
        target: of.target.clone(),
        object: of.object.clone(),
        state: of.state.clone(),
        remote_id: of.remote_id.clone(),
    }
}

fn kind() -> Object {
    one_of(CallKind::NAMES)
}

pub(super) fn status() -> Object {
    one_of(CallStatus::NAMES)
}

fn direction() -> Object {
    one_of_or_null(&["incoming", "outgoing"])
}

pub(super) fn effect_state() -> Object {
    one_of(EffectState::NAMES)
}
