//! What somebody who operates the system looks at: queues, dead letters, effects.

use domain::moment::Moment;
use queue_topology::broker::Depth;
use queue_topology::{replay, table};
use serde::Serialize;
use serde_json::Value;
use store::{AuditRow, DeadGroup, DeadLetter, EffectRow, StageCounts};
use utoipa::ToSchema;
use utoipa::openapi::Object;
use uuid::Uuid;

use super::one_of;

#[derive(Serialize, ToSchema)]
pub struct Queues {
    #[schema(schema_with = broker_state)]
    pub broker: &'static str,
    /// One for each stage, in the order in which a call passes.
    pub items: Vec<QueueView>,
    /// Messages that could not be read and that nobody has recorded yet.
    pub rejected: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
pub struct QueueView {
    pub stage: &'static str,
    pub lanes: Lanes,
    /// Runs in hand.
    pub running: i64,
    /// Runs that could start now.
    pub waiting_due: i64,
    /// Runs whose next try is later.
    pub waiting_later: i64,
    /// Runs that wait for something outside.
    pub parked: i64,
    pub dead: i64,
    /// For how long the oldest run that could start has been due; null where none is.
    pub oldest_due_ms: Option<i64>,
}

/// The two queues of a stage. One is null where the broker did not say.
#[derive(Serialize, ToSchema)]
pub struct Lanes {
    pub live: Option<LaneView>,
    /// Imports, replays and whoever is above their rate.
    pub bulk: Option<LaneView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Lane)]
pub struct LaneView {
    /// Messages that nobody holds.
    pub ready: u64,
    pub consumers: u32,
}

/// The depths of a stage's live and bulk queues, as far as the broker said.
type Depths = [Option<Depth>; 2];

/// One view for each stage of the table; `depths` stand in its order.
pub fn queues(depths: &[Depths], counts: &[StageCounts], now: Moment) -> Vec<QueueView> {
    let lane =
        |depth: Option<Depth>| depth.map(|depth| LaneView { ready: depth.ready, consumers: depth.consumers });
    let view = |(queue, depths): (&table::QueueSpec, &Depths)| {
        let count = counts.iter().find(|count| count.stage == queue.stage);
        let number = |of: fn(&StageCounts) -> i64| count.map_or(0, of);
        let oldest = count.and_then(|count| count.oldest_due);
        let [live, bulk] = *depths;
        QueueView {
            stage: queue.stage,
            lanes: Lanes { live: lane(live), bulk: lane(bulk) },
            running: number(|count| count.running),
            waiting_due: number(|count| count.waiting_due),
            waiting_later: number(|count| count.waiting_later),
            parked: number(|count| count.parked),
            dead: number(|count| count.dead),
            oldest_due_ms: oldest.and_then(|due| i64::try_from(now.since(due).as_millis()).ok()),
        }
    };
    table::ALL.iter().zip(depths).map(view).collect()
}

#[derive(Serialize, ToSchema)]
pub struct DeadLetters {
    /// Those that were not replayed, newest first.
    pub items: Vec<DeadLetterView>,
    /// All that were not replayed, whatever the filter, by what they died of.
    pub groups: Vec<DeadGroupView>,
    pub page: i64,
    pub limit: i64,
    pub total: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct DeadLetterView {
    pub id: Uuid,
    /// Null where the message could not be read.
    pub call_id: Option<Uuid>,
    pub stage: String,
    pub generation: i64,
    pub attempts: i64,
    /// Stable: what people filter by.
    pub code: String,
    /// Why, bounded and without anybody's data.
    pub error: String,
    /// Letters that died of the same thing share it.
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
    /// The event as JSON, or the message's text where it is none.
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

/// What became of a request to replay dead letters.
#[derive(Serialize, ToSchema)]
pub struct Batch {
    /// By which `/api/audit` names it; null in a dry run.
    pub id: Option<Uuid>,
    /// It was the rest of a batch that had been cut off.
    pub resumed: bool,
    /// Letters that the filter named.
    pub matched: i64,
    /// Letters that are done again; zero in a dry run.
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

/// Somebody asked for something by hand.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    pub id: Uuid,
    /// The same for all who went on with one batch.
    pub batch: Uuid,
    #[schema(value_type = String, format = DateTime)]
    pub at: Moment,
    /// `api key` or `webhook key` of the configuration; `key:` and the name of a key that was made; `no key`, where there
    /// is none; `cli:` and the user of the machine who ran the command.
    pub actor: String,
    /// `call_replay`, `dead_letters_replay`, `effects_resolve`, `key_create` or `key_revoke`.
    pub action: String,
    /// What was asked for, as it was given: the filter, the ids, or the key's name.
    pub asked: Value,
    /// It went on with a batch that had been cut off.
    pub resumed: bool,
    /// How many calls, letters, effects or keys.
    pub done: i64,
    /// Null while it is being done, and where it was cut off.
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
    /// The stage from which on.
    pub from: &'static str,
    pub generation: i64,
    pub status_url: String,
}

/// A change to somebody else's system.
#[derive(Serialize, ToSchema)]
#[schema(as = Effect)]
pub struct EffectView {
    pub id: Uuid,
    /// The call that made it or last changed it.
    pub call_id: Uuid,
    /// The destination: `slack`, `salesforce`, `call_data` …
    pub target: String,
    /// Names the thing there: `post`, `log`, `contact:<e-mail>` …
    pub object: String,
    /// `unknown` means that nobody knows whether it happened; `outdated` that the destination could not be
    /// changed when the content did.
    #[schema(schema_with = super::call::effect_state)]
    pub state: String,
    pub generation: i64,
    /// The destination's own id; null until it is known.
    pub remote_id: Option<String>,
    /// The values that were replaced, where the destination had others.
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
