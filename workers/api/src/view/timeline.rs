//! The JSON of a call's timeline: what happened to the call, and when.

use std::borrow::Cow;

use domain::call::Call;
use domain::moment::Moment;
use serde::Serialize;
use store::{DeliveredRow, EffectRow, EndedRun, RunRow, RunState, SpeechAttemptRow};
use utoipa::ToSchema;
use utoipa::openapi::Object;
use uuid::Uuid;

use super::{EffectView, SpeechAttemptView, effect, one_of, speech};

#[derive(Serialize, ToSchema)]
#[schema(as = Timeline)]
pub struct TimelineView {
    pub call_id: Uuid,
    #[schema(schema_with = super::call::status)]
    pub status: Cow<'static, str>,
    /// How often the call was processed from the start. It rises when new material arrives from which a transcript can
    /// be made, and when the call is done again.
    pub generation: i64,
    /// What arrived about the call, oldest first.
    pub materials: Vec<MaterialView>,
    /// The present run of each stage that the call has reached, in the order in which it reached them.
    pub stages: Vec<StageView>,
    /// The runs that ended before those in `stages`, oldest first.
    pub earlier: Vec<EarlierView>,
    /// What the providers of speech to text made of the recording, oldest first.
    pub transcription: Vec<SpeechAttemptView>,
    pub effects: Vec<EffectView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Material)]
pub struct MaterialView {
    /// The event that brought this material.
    pub event_id: Uuid,
    /// `announcement` is a delivery that brought nothing from which a transcript can be made.
    #[schema(schema_with = material_kind)]
    pub kind: String,
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Moment,
}

/// The present run of a stage.
#[derive(Serialize, ToSchema)]
#[schema(as = StageRun)]
pub struct StageView {
    pub stage: String,
    pub generation: i64,
    #[schema(schema_with = run_state)]
    pub state: String,
    pub attempts: i64,
    /// How often a process died while it worked on this run.
    pub crashes: i64,
    /// What a parked run waits for: `slack`, `effect:<id>` …
    pub waits_for: Option<String>,
    /// The error code of the last attempt that failed.
    pub error_code: Option<String>,
    /// When this run was requested.
    #[schema(value_type = String, format = DateTime)]
    pub since: Moment,
    /// When a waiting or parked run is tried next.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_try_at: Option<Moment>,
    /// When the last attempt began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Moment>,
    /// When the run ended, as done or as dead.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Moment>,
    /// How long the last attempt took, or has taken so far. It is null while the run waits.
    pub duration_ms: Option<i64>,
}

/// An earlier run, which has ended.
#[derive(Serialize, ToSchema)]
#[schema(as = EndedRun)]
pub struct EarlierView {
    pub stage: String,
    pub generation: i64,
    #[schema(schema_with = run_state)]
    pub state: String,
    pub attempts: i64,
    pub error_code: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub since: Moment,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Moment>,
    #[schema(value_type = String, format = DateTime)]
    pub finished_at: Moment,
    pub duration_ms: Option<i64>,
}

/// Makes the timeline of a call. `ended` may also hold the present runs of `runs`; each run is shown only once.
pub fn timeline(
    of: &Call,
    delivered: &[DeliveredRow],
    runs: &[RunRow],
    ended: &[EndedRun],
    effects: &[EffectRow],
    now: Moment,
) -> TimelineView {
    let earlier = ended.iter().filter(|ended| !runs.iter().any(|run| is_present(ended, run)));
    TimelineView {
        call_id: of.id.0,
        status: of.status.name().into(),
        generation: of.generation,
        materials: delivered.iter().map(material).collect(),
        stages: runs.iter().map(|run| stage(run, now)).collect(),
        earlier: earlier.map(earlier_run).collect(),
        transcription: Vec::new(),
        effects: effects.iter().map(effect).collect(),
    }
}

impl TimelineView {
    /// The same timeline, with the attempts at the providers of speech to text.
    pub fn transcribed(self, attempts: &[SpeechAttemptRow]) -> Self {
        Self { transcription: attempts.iter().map(speech::attempt).collect(), ..self }
    }
}

fn is_present(ended: &EndedRun, run: &RunRow) -> bool {
    ended.stage == run.stage
        && ended.generation == run.generation
        && ended.state == run.state
        && run.finished_at == Some(ended.finished_at)
}

fn material(of: &DeliveredRow) -> MaterialView {
    MaterialView { event_id: of.event_id, kind: of.kind.clone(), received_at: of.received_at }
}

fn stage(of: &RunRow, now: Moment) -> StageView {
    let is = |state: RunState| of.state == state.name();
    let finished_at = of.finished_at.filter(|_| is(RunState::Done) || is(RunState::Dead));
    // When a run is requested again, its row keeps the start of the earlier run until the new run begins.
    let started_at = of.started_at.filter(|started| *started >= of.since);
    let until = if is(RunState::Running) { Some(now) } else { finished_at };
    StageView {
        stage: of.stage.clone(),
        generation: of.generation,
        state: of.state.clone(),
        attempts: of.attempts,
        crashes: of.crashes,
        waits_for: of.destination.clone().filter(|_| is(RunState::Parked)),
        error_code: of.error_code.clone(),
        since: of.since,
        next_try_at: (is(RunState::Waiting) || is(RunState::Parked)).then_some(of.not_before),
        started_at,
        finished_at,
        duration_ms: duration_ms(started_at, until),
    }
}

fn earlier_run(of: &EndedRun) -> EarlierView {
    EarlierView {
        stage: of.stage.clone(),
        generation: of.generation,
        state: of.state.clone(),
        attempts: of.attempts,
        error_code: of.error_code.clone(),
        since: of.since,
        started_at: of.started_at,
        finished_at: of.finished_at,
        duration_ms: duration_ms(of.started_at, Some(of.finished_at)),
    }
}

fn duration_ms(from: Option<Moment>, until: Option<Moment>) -> Option<i64> {
    i64::try_from(until?.since(from?).as_millis()).ok()
}

fn run_state() -> Object {
    one_of(RunState::NAMES)
}

fn material_kind() -> Object {
    one_of(&["recording", "transcript", "session", "announcement"])
}
