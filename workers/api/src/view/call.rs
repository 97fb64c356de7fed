//! The JSON of a call: the whole call, its entry in a list, and the shape of `/call/{call_id}`.

use std::borrow::Cow;

use domain::analysis::Analysis;
use domain::audio::AudioFacts;
use domain::call::{Call, CallKind, CallStatus, Direction, Participant};
use domain::moment::Moment;
use domain::note::Note;
use domain::parties::SupportLines;
use domain::transcript::Transcript;
use serde::Serialize;
use serde_json::{Map, Value};
use store::{CallScoreRow, EffectName, EffectRow, EffectState, SpeechAttemptRow};
use utoipa::ToSchema;
use utoipa::openapi::Object;
use uuid::Uuid;

use super::{
    AnalysisView, AudioView, CallScoreView, TranscriptionView, analysis, audio, free_object, name_of, one_of,
    one_of_or_null, scores, speech, transcript,
};

#[derive(Serialize, ToSchema)]
#[schema(as = Call)]
pub struct CallView {
    pub id: Uuid,
    /// The source's own id.
    pub external_id: String,
    /// The system that gave the call its external id: `exotel`, `twilio`, `zoom`, `upload` …
    pub source: String,
    #[schema(schema_with = kind)]
    pub kind: Cow<'static, str>,
    #[schema(schema_with = status)]
    pub status: Cow<'static, str>,
    /// A call from a support number, or from its own agent's number, is outgoing. Any other call is incoming. When neither
    /// number is ours, the source's own word counts. The direction of a meeting, and of a call without any number, is null.
    #[schema(schema_with = direction)]
    pub direction: Option<Cow<'static, str>>,
    pub from_number: Option<String>,
    pub to_number: Option<String>,
    /// RFC 3339 in UTC. It is the source's own text when that could not be read as a time.
    pub started_at: Option<String>,
    pub duration_ms: Option<i64>,
    pub participants: Vec<ParticipantView>,
    /// Everything else that the source sent, under the source's own field names. It also holds `agent_email`,
    /// `agent_name`, `agent_phone`, `agent_slack_handle`, `department`, `customer_segment`, `topic`, `source_status`,
    /// `ended_at` and `lead`, where they are known.
    #[schema(schema_with = free_object)]
    pub metadata: Map<String, Value>,
    /// What was odd about what arrived, or about what was made of it.
    pub notes: Vec<NoteView>,
    /// Which provider made the transcript, and what it cost. It is null for a transcript that was supplied.
    pub transcription: Option<TranscriptionView>,
    /// What was measured in the recording. Null where there is no recording, or none that could be measured.
    pub audio: Option<AudioView>,
    /// Null until the call is analyzed.
    pub analysis: Option<AnalysisView>,
    /// What the call is worth by each file of criteria in `SCORECARDS`. It is empty without that setting, until the stage `score`
    /// has run, and where nobody knows who of the speakers is one of us.
    pub scores: Vec<CallScoreView>,
    /// The changes that were made in other systems for this call.
    pub effects: Vec<EffectOfCall>,
    /// When the first event about the call was received.
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
    /// The thing that is changed there: `post`, `log`, `contact:<e-mail>` …
    pub object: String,
    #[schema(schema_with = effect_state)]
    pub state: String,
    /// The destination's own id of this thing. It is null until it is known.
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
    /// The number of this page, from 1.
    pub page: i64,
    pub limit: i64,
    /// How many calls were left out before this page.
    pub skip: i64,
    /// How many calls match, on all pages together.
    pub total: i64,
}

/// A call that was asked for by the source's own id.
#[derive(Serialize, ToSchema)]
pub struct SourceCallView {
    /// The source's own id.
    pub call_id: String,
    pub from_number: Option<String>,
    pub to_number: Option<String>,
    /// The length in seconds. It is the source's value, or else that of the transcript.
    pub duration: Option<i64>,
    /// When the call began. It is the source's own text when that could not be read as a time.
    pub timestamp: Option<String>,
    /// Null while the call is still being processed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub processed_at: Option<Moment>,
    /// The transcript. Each segment is one line, such as `Speaker A: text`.
    pub transcription_text: Option<String>,
    /// Whether the call's message is in Slack.
    pub slack_posted: bool,
    #[schema(schema_with = status)]
    pub status: Cow<'static, str>,
    /// Our own id. It can be used in `/api/calls/{id}`.
    pub id: Uuid,
    pub source: String,
    pub summary: Option<String>,
    pub tone: Option<Cow<'static, str>>,
}

/// Something odd, in words for a person.
#[derive(Serialize, ToSchema)]
#[schema(as = Note)]
pub struct NoteView {
    /// A word in snake case that never changes.
    pub code: String,
    /// The field that the note is about; null when it is about no single field.
    pub field: Option<String>,
    /// A sentence.
    pub text: String,
}

impl NoteView {
    fn of(note: &Note) -> Self {
        Self { code: note.code.clone(), field: note.field.clone(), text: note.text.clone() }
    }
}

/// A call with its analysis, if it has one, its effects, and the notes on its sources and on its transcript: `notes`
/// are those on the transcript. `heard` is what was measured in its recording. `lines` tell who called whom.
pub fn call(
    of: &Call,
    lines: &SupportLines,
    analyzed: Option<&Analysis>,
    effects: &[EffectRow],
    notes: &[Note],
    heard: Option<&AudioFacts>,
) -> CallView {
    let of_audio = heard.map(|facts| facts.notes.as_slice()).unwrap_or_default();
    CallView {
        id: of.id.0,
        external_id: of.external_id.clone(),
        source: of.source.clone(),
        kind: name_of(&of.kind),
        status: of.status.name().into(),
        direction: lines.parties(of).known_direction.as_ref().map(name_of),
        from_number: of.details.from_number.clone(),
        to_number: of.details.to_number.clone(),
        started_at: started(of),
        duration_ms: of.details.duration_ms,
        participants: of.details.participants.iter().map(participant).collect(),
        metadata: metadata(of),
        notes: of.details.notes.iter().chain(notes).chain(of_audio).map(NoteView::of).collect(),
        transcription: None,
        audio: heard.map(audio),
        analysis: analyzed.map(analysis),
        scores: Vec::new(),
        effects: effects.iter().map(effect).collect(),
        received_at: of.received_at,
        updated_at: of.updated_at,
    }
}

impl CallView {
    /// The same call, with what its attempts say of its transcript.
    pub fn transcribed(self, attempts: &[SpeechAttemptRow]) -> Self {
        Self { transcription: speech::transcription(attempts), ..self }
    }

    /// The same call, with what it is worth.
    pub fn judged(self, rows: &[CallScoreRow]) -> Self {
        Self { scores: rows.iter().map(scores::score).collect(), ..self }
    }
}

pub fn summary(of: &Call, lines: &SupportLines) -> CallSummary {
    CallSummary {
        id: of.id.0,
        external_id: of.external_id.clone(),
        source: of.source.clone(),
        kind: name_of(&of.kind),
        status: of.status.name().into(),
        direction: lines.parties(of).known_direction.as_ref().map(name_of),
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
    transcript: Option<&Transcript>,
    analysis: Option<&Analysis>,
    effects: &[EffectRow],
) -> SourceCallView {
    let ended = matches!(of.status, CallStatus::Completed | CallStatus::Failed);
    let duration_ms = of.details.duration_ms.or_else(|| transcript.and_then(Transcript::duration_ms));
    SourceCallView {
        call_id: of.external_id.clone(),
        from_number: of.details.from_number.clone(),
        to_number: of.details.to_number.clone(),
        duration: duration_ms.map(|ms| ms.saturating_add(500).div_euclid(1000)),
        timestamp: started(of),
        processed_at: ended.then_some(of.updated_at),
        transcription_text: transcript.map(Transcript::to_text),
        slack_posted: effects.iter().any(is_slack_post),
        status: of.status.name().into(),
        id: of.id.0,
        source: of.source.clone(),
        summary: analysis.map(|analysis| analysis.summary.clone()),
        tone: analysis.map(|analysis| name_of(&analysis.tone)),
    }
}

/// The effect that puts a call's message into Slack.
pub const SLACK_POST: EffectName<'static> = EffectName { target: "slack", object: "post" };

/// Whether this effect is the call's message in Slack. An outdated message counts too: it is in Slack, but its content
/// could not be updated.
fn is_slack_post(effect: &EffectRow) -> bool {
    let states = [EffectState::Confirmed.name(), EffectState::Outdated.name()];
    effect.is_named(SLACK_POST) && states.contains(&effect.state.as_str())
}

pub(super) fn started(of: &Call) -> Option<String> {
    of.details.started_at.map(|time| time.to_string()).or_else(|| of.details.started_text.clone())
}

fn metadata(of: &Call) -> Map<String, Value> {
    let details = &of.details;
    let ours = [
        ("agent_email", details.agent_email.clone().map(Value::from)),
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
    one_of_or_null(Direction::NAMES)
}

pub(super) fn effect_state() -> Object {
    one_of(EffectState::NAMES)
}
