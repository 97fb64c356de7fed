//! One row for each stage of each call. The row decides, and a message only wakes somebody who looks at it.
//!
//! Messages may be lost, doubled, late or out of order. So every decision is one conditional statement on a row,
//! and whoever comes too late changes nothing.

use std::time::Duration;

use strum::{IntoStaticStr, VariantNames};

use super::{InstanceId, Result, Store, Tx, execute, query, read};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

/// How long the message for a run is trusted to arrive. After that the keeper wakes the run.
pub(super) const MESSAGE_OVERDUE: Duration = Duration::from_mins(1);

/// Names a run: the work of one stage on one generation of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunKey {
    pub workspace: WorkspaceId,
    pub call: CallId,
    pub stage: &'static str,
    pub generation: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum RunState {
    Waiting,
    Running,
    Parked,
    Done,
    Dead,
}

impl RunState {
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// A run that begins to wait because another run of its call has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    pub stage: &'static str,
    pub generation: i64,
    pub lane: String,
    /// The encoded envelope of the event that the run consumes.
    pub input: String,
}

/// Proof that this process holds a run. The store refuses a change under a claim that somebody else has taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub run: RunKey,
    pub owner: InstanceId,
    /// Rises each time somebody takes the run.
    pub fence: i64,
}

impl Store {
    /// The runs of `stages` that follow from the run `parent` and that nobody has begun yet. When the message of
    /// the parent arrives a second time, they are announced again.
    pub async fn waiting_runs(&self, parent: &RunKey, stages: &[&'static str]) -> Result<Vec<NewRun>> {
        let RunKey { call, generation, .. } = *parent;
        let mut waiting = Vec::new();
        for stage in stages {
            let row = read!(
                fetch_optional,
                (String, String),
                self,
                "SELECT lane, input FROM stage_runs
                 WHERE call_id = $1 AND stage = $2 AND generation = $3 AND state = 'waiting' AND attempts = 0",
                call,
                *stage,
                generation,
            )?;
            waiting.extend(row.map(|(lane, input)| NewRun { stage, generation, lane, input }));
        }
        Ok(waiting)
    }

    /// Whether the run is done.
    pub async fn is_done(&self, run: &RunKey) -> Result<bool> {
        let row = read!(
            fetch_optional,
            (String,),
            self,
            "SELECT state FROM stage_runs WHERE call_id = $1 AND stage = $2 AND generation = $3",
            run.call,
            run.stage,
            run.generation,
        )?;
        Ok(row.is_some_and(|(state,)| state == RunState::Done.name()))
    }
}

/// The statement that makes runs wait. A newer generation replaces a row that is not running, and waits in a row
/// that is. An older or equal generation changes nothing.
macro_rules! insert_waiting {
    ($rows:literal) => {
        concat!(
            "INSERT INTO stage_runs (call_id, stage, workspace, generation, input, lane, state, since, not_before,
                wake_at, fence, attempts, crashes)
             VALUES ",
            $rows,
            " ON CONFLICT (call_id, stage) DO UPDATE SET
                next_generation = CASE WHEN stage_runs.state = 'running' THEN excluded.generation END,
                next_input = CASE WHEN stage_runs.state = 'running' THEN excluded.input END,
                generation = CASE WHEN stage_runs.state = 'running' THEN stage_runs.generation ELSE excluded.generation END,
                input = CASE WHEN stage_runs.state = 'running' THEN stage_runs.input ELSE excluded.input END,
                attempts = CASE WHEN stage_runs.state = 'running' THEN stage_runs.attempts ELSE 0 END,
                crashes = CASE WHEN stage_runs.state = 'running' THEN stage_runs.crashes ELSE 0 END,
                since = CASE WHEN stage_runs.state = 'running' THEN stage_runs.since ELSE excluded.since END,
                not_before = CASE WHEN stage_runs.state = 'running' THEN stage_runs.not_before ELSE excluded.not_before END,
                wake_at = CASE WHEN stage_runs.state = 'running' THEN stage_runs.wake_at ELSE excluded.wake_at END,
                lane = excluded.lane,
                destination = CASE WHEN stage_runs.state = 'running' THEN stage_runs.destination END,
                error_code = CASE WHEN stage_runs.state = 'running' THEN stage_runs.error_code END,
                error_text = CASE WHEN stage_runs.state = 'running' THEN stage_runs.error_text END,
                finished_at = CASE WHEN stage_runs.state = 'running' THEN stage_runs.finished_at END,
                state = CASE WHEN stage_runs.state = 'running' THEN stage_runs.state ELSE 'waiting' END
             WHERE excluded.generation > stage_runs.generation
                AND excluded.generation > COALESCE(stage_runs.next_generation, 0)"
        )
    };
}

/// Makes runs of different stages wait, two in a statement. The transaction must have locked the call.
pub(super) async fn put_waiting(
    tx: &mut Tx,
    workspace: WorkspaceId,
    call: CallId,
    runs: &[NewRun],
    now: Moment,
) -> Result<()> {
    let overdue = now.plus(MESSAGE_OVERDUE);
    let (pairs, last) = runs.as_chunks::<2>();
    for [one, other] in pairs {
        execute!(
            *tx,
            insert_waiting!(
                "($1, $5, $2, $6, $7, $8, 'waiting', $3, $3, $4, 0, 0, 0),
                 ($1, $9, $2, $10, $11, $12, 'waiting', $3, $3, $4, 0, 0, 0)"
            ),
            call,
            workspace,
            now,
            overdue,
            one.stage,
            one.generation,
            &one.input,
            &one.lane,
            other.stage,
            other.generation,
            &other.input,
            &other.lane,
        )?;
    }
    for run in last {
        execute!(
            *tx,
            insert_waiting!("($1, $5, $2, $6, $7, $8, 'waiting', $3, $3, $4, 0, 0, 0)"),
            call,
            workspace,
            now,
            overdue,
            run.stage,
            run.generation,
            &run.input,
            &run.lane,
        )?;
    }
    Ok(())
}

/// Whether any of these stages has a run that waits at `generation` and that nobody has begun yet.
pub(super) async fn is_waiting(
    tx: &mut Tx,
    call: CallId,
    stages: &[&'static str],
    generation: i64,
) -> Result<bool> {
    for stage in stages {
        let row = query!(
            fetch_optional,
            (i64,),
            *tx,
            "SELECT generation FROM stage_runs
             WHERE call_id = $1 AND stage = $2 AND generation = $3 AND state = 'waiting' AND attempts = 0",
            call,
            *stage,
            generation,
        )?;
        if row.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
