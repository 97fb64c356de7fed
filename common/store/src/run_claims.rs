//! Who may begin a run: one statement decides.
//!
//! When two owners have died under a run, the run itself may have killed them. Then only a process that works on
//! nothing else begins it. When a third owner dies under it, the run is dead.

use std::time::Duration;

use super::settlements::{ErrorText, Settlement, settle};
use super::stage_runs::{Claim, RunKey, RunState};
use super::{InstanceId, Result, Store, Tx, execute, query};
use domain::call::CallKind;
use domain::moment::Moment;

/// A run is poison when this many owners have died under it.
const POISON_CRASHES: i64 = 3;

/// What became of a request for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    Mine(BegunRun),
    /// The third owner died under the run. The request has made the run dead.
    Poison,
    /// Two owners died under the run. Only a process that works on nothing else may begin it, so that nothing else
    /// is lost if it kills that process too.
    Suspect,
    /// Somebody else has the run, it is not due, it is done, or the row belongs to another generation.
    NothingToDo,
}

/// A run that the request has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunRun {
    /// Absent where this program does not know the kind, because a newer one wrote it.
    pub kind: Option<CallKind>,
    pub generation: i64,
    pub fence: i64,
    pub attempts: i64,
    pub crashes: i64,
    /// When this generation began to wait at this stage.
    pub since: Moment,
    pub input: String,
    pub lane: String,
    /// The destination that the run was parked for, if it was.
    pub destination: Option<String>,
}

/// A process asks for a run.
#[derive(Clone, Copy, Debug)]
pub struct RunRequest {
    pub run: RunKey,
    pub owner: InstanceId,
    /// When the process asked for the first time. Whoever repeats a request keeps this time.
    pub asked_at: Moment,
    /// Somebody says that the run's reason to wait may be over, so the run need not be due.
    pub nudge: bool,
    /// The process works on nothing else.
    pub alone: bool,
    /// How long until the process may declare other processes dead. Zero: it may do so now.
    pub may_judge_in: Duration,
}

impl RunRequest {
    /// The request of a process that works on nothing else and may declare other processes dead.
    pub fn new(run: RunKey, owner: InstanceId, asked_at: Moment) -> Self {
        Self { run, owner, asked_at, nudge: false, alone: true, may_judge_in: Duration::ZERO }
    }

    /// The claim that this request has got.
    pub fn claim(&self, begun: &BegunRun) -> Claim {
        Claim { run: self.run, owner: self.owner, fence: begun.fence }
    }

    /// The highest crash count with which this request takes a run.
    fn max_crashes(&self) -> i64 {
        if self.alone { POISON_CRASHES - 1 } else { POISON_CRASHES - 2 }
    }

    /// Takes the run in one statement, unless its crash count would be above `max_crashes`.
    async fn take(&self, tx: &mut Tx, now: Moment, max_crashes: i64) -> Result<Option<BegunRun>> {
        let row = query!(
            fetch_optional,
            BegunRow,
            *tx,
            "UPDATE stage_runs SET state = 'running', owner = $5, fence = fence + 1, started_at = $6, wake_at = NULL,
                attempts = attempts + CASE WHEN state = 'running' AND owner = $5 AND started_at = $6 THEN 0 ELSE 1 END,
                crashes = crashes + CASE WHEN state <> 'running' OR (owner = $5 AND started_at = $6) THEN 0 ELSE 1 END
             WHERE workspace = $1 AND call_id = $2 AND stage = $3 AND generation = $4 AND (
                (state IN ('waiting', 'parked') AND (not_before <= $7 OR not_before <= since OR $8))
                OR (state = 'running' AND owner = $5 AND started_at = $6)
                OR (state = 'running' AND $10 AND NOT EXISTS (
                    SELECT 1 FROM instances WHERE instances.id = stage_runs.owner AND instances.alive_until > $7)))
                AND crashes + CASE WHEN state <> 'running' OR (owner = $5 AND started_at = $6) THEN 0 ELSE 1 END <= $9
             RETURNING generation, fence, attempts, crashes, since, input, lane, destination,
                (SELECT kind FROM calls WHERE calls.id = stage_runs.call_id) AS kind",
            self.run.workspace,
            self.run.call,
            self.run.stage,
            self.run.generation,
            self.owner.0,
            self.asked_at,
            now,
            self.nudge,
            max_crashes,
            self.may_judge_in.is_zero(),
        )?;
        Ok(row.map(BegunRun::from))
    }
}

#[derive(sqlx::FromRow)]
struct BegunRow {
    kind: Option<String>,
    generation: i64,
    fence: i64,
    attempts: i64,
    crashes: i64,
    since: Moment,
    input: String,
    lane: String,
    destination: Option<String>,
}

impl From<BegunRow> for BegunRun {
    fn from(row: BegunRow) -> Self {
        let BegunRow { kind, generation, fence, attempts, crashes, since, input, lane, destination } = row;
        let kind = kind.and_then(|kind| kind.parse().ok());
        Self { kind, generation, fence, attempts, crashes, since, input, lane, destination }
    }
}

/// A run that the request did not take.
#[derive(sqlx::FromRow)]
struct UntakenRun {
    state: String,
    not_before: Moment,
    wake_at: Option<Moment>,
    crashes: i64,
}

impl UntakenRun {
    /// The run waits, and would be woken later than it is due.
    fn is_early(&self, now: Moment) -> bool {
        let waits = [RunState::Waiting, RunState::Parked].iter().any(|state| self.state == state.name());
        waits && self.not_before > now && self.wake_at.is_some_and(|wake_at| wake_at > self.not_before)
    }

    /// A keeper found the owner dead and woke the run, but the message came to a process that may not declare
    /// others dead before `judged_at`. The run would be woken again only after that.
    fn is_woken_too_late(&self, judged_at: Moment) -> bool {
        self.state == RunState::Running.name() && self.wake_at.is_some_and(|wake_at| wake_at > judged_at)
    }

    /// The crash count with which somebody would take the run.
    fn crashes_if_taken(&self) -> i64 {
        self.crashes + i64::from(self.state == RunState::Running.name())
    }
}

impl Store {
    /// Takes the run of `request` if the row is at its generation and the run is due, if a nudge says that the
    /// reason to wait is over, or if the owner of the run is dead.
    ///
    /// A process may repeat a request until it gets an answer. If an answer was lost after the claim was
    /// committed, the claim is given again: otherwise the run would belong to a process that lives and does not
    /// know of it. If the process may not declare others dead yet, a run under a dead owner is woken again when it
    /// may.
    ///
    /// Processes read the store's clock, each a little late. So a run that was never put off is due, whatever our
    /// reading of the clock says.
    pub async fn begin_run(&self, request: &RunRequest) -> Result<Begun> {
        let now = self.now();
        let mut tx = self.one_statement().await?;
        if let Some(run) = request.take(&mut tx, now, request.max_crashes()).await? {
            tx.commit().await?;
            return Ok(Begun::Mine(run));
        }
        let RunKey { workspace, call, stage, generation } = request.run;
        let row = query!(
            fetch_optional,
            UntakenRun,
            tx,
            "SELECT state, not_before, wake_at, crashes FROM stage_runs
             WHERE workspace = $1 AND call_id = $2 AND stage = $3 AND generation = $4",
            workspace,
            call,
            stage,
            generation,
        )?;
        let Some(row) = row else {
            tx.roll_back().await?;
            return Ok(Begun::NothingToDo);
        };
        let judged_at = now.plus(request.may_judge_in);
        // The keeper that woke the run may go by a clock that is ahead of ours. Then the run is woken again when it
        // is due, and not only when its message counts as lost.
        let wake_at = if row.is_early(now) {
            Some(row.not_before)
        } else {
            Some(judged_at).filter(|at| !request.may_judge_in.is_zero() && row.is_woken_too_late(*at))
        };
        if let Some(wake_at) = wake_at {
            execute!(
                tx,
                "UPDATE stage_runs SET wake_at = $5
                 WHERE workspace = $1 AND call_id = $2 AND stage = $3 AND generation = $4
                    AND state = $6 AND not_before = $7 AND wake_at > $5",
                workspace,
                call,
                stage,
                generation,
                wake_at,
                &row.state,
                row.not_before,
            )?;
            tx.commit().await?;
            return Ok(Begun::NothingToDo);
        }
        tx.roll_back().await?;
        if row.crashes_if_taken() <= request.max_crashes() {
            return Ok(Begun::NothingToDo);
        }
        self.begin_suspect(request, now).await
    }

    /// Begins a run under which owners have died, if somebody can take it at all.
    async fn begin_suspect(&self, request: &RunRequest, now: Moment) -> Result<Begun> {
        let mut tx = self.begin_tx().await?;
        // If the run is dead now, its call changes too, and a call is locked before its runs.
        execute!(tx, "UPDATE calls SET updated_at = updated_at WHERE id = $1", request.run.call)?;
        let Some(run) = request.take(&mut tx, now, i64::MAX).await? else {
            tx.roll_back().await?;
            return Ok(Begun::NothingToDo);
        };
        if run.crashes >= POISON_CRASHES {
            let error =
                ErrorText { code: "poison", text: "the process died three times while it worked on this" };
            let settlement = Settlement::Dead { error, group: "poison" };
            settle(&mut tx, &request.claim(&run), &settlement, now).await?;
            tx.commit().await?;
            return Ok(Begun::Poison);
        }
        if run.crashes > request.max_crashes() {
            tx.roll_back().await?;
            return Ok(Begun::Suspect);
        }
        tx.commit().await?;
        Ok(Begun::Mine(run))
    }
}

#[cfg(test)]
mod tests;
