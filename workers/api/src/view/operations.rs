//! The JSON for people who operate Debrief: queues, dead letters, replays, the audit and effects.

use std::time::Duration;

use domain::call::WorkspaceId;
use domain::moment::Moment;
use queue_topology::broker::Depth;
use queue_topology::replay;
use queue_topology::work::{StageWork, Work};
use serde::Serialize;
use serde_json::Value;
use store::{AuditRow, DeadGroup, DeadLetter, EffectRow, RunningRun};
use utoipa::ToSchema;
use utoipa::openapi::Object;
use uuid::Uuid;

use super::one_of;

#[derive(Serialize, ToSchema)]
pub struct Queues {
    #[schema(schema_with = broker_state)]
    pub broker: &'static str,
    /// One entry for each stage, in the order in which a call passes through them.
    pub items: Vec<QueueView>,
    /// How many messages could not be read and are not yet listed as dead letters.
    pub rejected: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
pub struct QueueView {
    pub stage: &'static str,
    pub lanes: Lanes,
    /// How many runs are being worked on.
    pub running: i64,
    /// How many runs could start now.
    pub waiting_due: i64,
    /// How many runs wait for a later time.
    pub waiting_later: i64,
    /// How many runs wait for something outside Debrief.
    pub parked: i64,
    pub dead: i64,
    /// How long the oldest of the runs that could start has been waiting to start. It is null when there is none.
    pub oldest_due_ms: Option<i64>,
    /// The runs that hold places of the workers, the oldest first. Only the oldest runs of all stages are listed.
    pub held: Vec<HeldView>,
}

/// A run that holds a place of a worker.
#[derive(Serialize, ToSchema)]
#[schema(as = HeldPlace)]
pub struct HeldView {
    /// Null when the call belongs to another workspace.
    pub call_id: Option<Uuid>,
    pub since: String,
    pub for_ms: i64,
    /// The host, the provider or the `memory` that the run waits for. It is null while the run works by itself.
    pub waits_for: Option<String>,
}

/// The two queues of a stage. A queue is null when the broker did not answer.
#[derive(Serialize, ToSchema)]
pub struct Lanes {
    pub live: Option<LaneView>,
    /// The queue for imports, for replays, and for senders who send more than their rate.
    pub bulk: Option<LaneView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Lane)]
pub struct LaneView {
    /// How many messages no worker has taken yet.
    pub ready: u64,
    pub consumers: u32,
}

pub fn queues(broker: &'static str, work: &Work) -> Queues {
    let lane =
        |depth: Option<Depth>| depth.map(|depth| LaneView { ready: depth.ready, consumers: depth.consumers });
    let milliseconds = |span: Duration| i64::try_from(span.as_millis()).ok();
    let view = |of: &StageWork| QueueView {
        stage: of.stage,
        lanes: Lanes { live: lane(of.live), bulk: lane(of.bulk) },
        running: of.running,
        waiting_due: of.waiting_due,
        waiting_later: of.waiting_later,
        parked: of.parked,
        dead: of.dead,
        oldest_due_ms: of.oldest_due_for(work.at).and_then(milliseconds),
        held: of.held.iter().map(|run| held(run, work.at)).collect(),
    };
    Queues { broker, items: work.stages.iter().map(view).collect(), rejected: work.rejected }
}

fn held(run: &RunningRun, now: Moment) -> HeldView {
    HeldView {
        call_id: (run.workspace == WorkspaceId::DEFAULT).then_some(run.call_id.0),
        since: run.started_at.to_string(),
        for_ms: i64::try_from(now.since(run.started_at).as_millis()).unwrap_or(i64::MAX),
        waits_for: run.waits_for.clone(),
    }
}

#[derive(Serialize, ToSchema)]
pub struct DeadLetters {
    /// The letters that were not replayed, newest first.
    pub items: Vec<DeadLetterView>,
    /// All letters that were not replayed, counted by their cause. The filter does not matter here.
    pub groups: Vec<DeadGroupView>,
    pub page: i64,
    pub limit: i64,
    pub total: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct DeadLetterView {
    pub id: Uuid,
    /// Null when the message could not be read.
    pub call_id: Option<Uuid>,
    pub stage: String,
    pub generation: i64,
    pub attempts: i64,
    /// The error code. People filter by it, so it never changes.
    pub code: String,
    /// What went wrong, in words. The text is cut to a limit and holds no personal data.
    pub error: String,
    /// Letters with the same cause have the same group.
    pub group: String,
    #[schema(value_type = String, format = DateTime)]
    pub died_at: Moment,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub replayed_at: Option<Moment>,
}

#[derive(Serialize, ToSchema)]
pub struct DeadLetterDetail {
    #[serde(flatten)]
    pub letter: DeadLetterView,
    /// The event as JSON, or the text of the message when it is not JSON.
    pub body: Value,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeadGroup)]
pub struct DeadGroupView {
    pub stage: String,
    pub group: String,
    pub code: String,
    pub letters: i64,
    #[schema(value_type = String, format = DateTime)]
    pub first: Moment,
    #[schema(value_type = String, format = DateTime)]
    pub last: Moment,
}

pub fn dead_letter(of: &DeadLetter) -> DeadLetterView {
    DeadLetterView {
        id: of.id,
        call_id: of.call_id.map(|call| call.0),
        stage: of.stage.clone(),
        generation: of.generation,
        attempts: of.attempts,
        code: of.error_code.clone(),
        error: of.error_text.clone(),
        group: of.error_group.clone(),
        died_at: of.died_at,
        replayed_at: of.replayed_at,
    }
}

pub fn dead_letter_detail(of: &DeadLetter) -> DeadLetterDetail {
    let body = serde_json::from_str(&of.body).unwrap_or_else(|_| Value::from(of.body.clone()));
    DeadLetterDetail { letter: dead_letter(of), body }
}

pub fn dead_group(of: &DeadGroup) -> DeadGroupView {
    DeadGroupView {
        stage: of.stage.clone(),
        group: of.error_group.clone(),
        code: of.error_code.clone(),
        letters: of.letters,
        first: of.first,
        last: of.last,
    }
}

/// The result of a request to replay dead letters.
#[derive(Serialize, ToSchema)]
pub struct Batch {
    /// The id under which `/api/audit` lists this batch. It is null in a dry run.
    pub id: Option<Uuid>,
    /// Whether this request continued a batch that had been interrupted.
    pub resumed: bool,
    /// How many letters the filter selects.
    pub matched: i64,
    /// How many letters are done again. It is zero in a dry run.
    pub replayed: i64,
}

pub fn batch(of: &replay::Batch) -> Batch {
    Batch { id: Some(of.id), resumed: of.resumed, matched: of.matched, replayed: of.replayed }
}

#[derive(Serialize, ToSchema)]
pub struct Audit {
    pub items: Vec<AuditEntry>,
    pub page: i64,
    pub limit: i64,
    pub total: i64,
}

/// One request that somebody made by hand.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    pub id: Uuid,
    /// The id of the batch. All requests that continue the same batch share it.
    pub batch: Uuid,
    #[schema(value_type = String, format = DateTime)]
    pub at: Moment,
    /// Who made the request: `api key` or `webhook key` of the configuration; `key:` and the name of a key that was made;
    /// `no key` when there is none; or `cli:` with the name of the machine's user who ran the command.
    pub actor: String,
    /// `call_replay`, `dead_letters_replay`, `effects_resolve`, `key_create` or `key_revoke`.
    pub action: String,
    /// What was asked for, as it was given: the filter, the ids, or the key's name.
    pub asked: Value,
    /// Whether this request continued a batch that had been interrupted.
    pub resumed: bool,
    /// How many calls, letters, effects or keys it changed.
    pub done: i64,
    /// Null while the work goes on, and when it was interrupted.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Moment>,
}

pub fn audit_entry(of: &AuditRow) -> AuditEntry {
    AuditEntry {
        id: of.id,
        batch: of.batch,
        at: of.at,
        actor: of.actor.clone(),
        action: of.action.clone(),
        asked: serde_json::from_str(&of.asked).unwrap_or_else(|_| Value::from(of.asked.clone())),
        resumed: of.resumed,
        done: of.done,
        ended_at: of.ended_at,
    }
}

/// A call that is done again.
#[derive(Serialize, ToSchema)]
pub struct Replayed {
    pub call_id: Uuid,
    /// The first stage that is done again.
    pub from: &'static str,
    pub generation: i64,
    pub status_url: String,
}

/// A change in another system.
#[derive(Serialize, ToSchema)]
#[schema(as = Effect)]
pub struct EffectView {
    pub id: Uuid,
    /// The call for which this change was made or last updated.
    pub call_id: Uuid,
    /// The destination: `slack`, `salesforce`, `call_data` …
    pub target: String,
    /// The thing that is changed there: `post`, `log`, `contact:<e-mail>` …
    pub object: String,
    /// `unknown` means that nobody knows whether the change was made. `outdated` means that it was made, but that it
    /// could not be updated when its content changed.
    #[schema(schema_with = super::call::effect_state)]
    pub state: String,
    pub generation: i64,
    /// The destination's own id of this thing. It is null until it is known.
    pub remote_id: Option<String>,
    /// The values that the destination had before and that were replaced.
    pub replaced: Option<Value>,
    pub code: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Moment,
}

#[derive(Serialize, ToSchema)]
pub struct Effects {
    pub items: Vec<EffectView>,
    pub page: i64,
    pub limit: i64,
    pub total: i64,
}

pub fn effect(of: &EffectRow) -> EffectView {
    EffectView {
        id: of.id,
        call_id: of.call_id.0,
        target: of.target.clone(),
        object: of.object.clone(),
        state: of.state.clone(),
        generation: of.generation,
        remote_id: of.remote_id.clone(),
        replaced: of.replaced.as_ref().map(|replaced| replaced.0.clone()),
        code: of.error_code.clone(),
        updated_at: of.updated_at,
    }
}

pub(crate) fn broker_state() -> Object {
    one_of(&["connected", "blocked", "disconnected"])
}
