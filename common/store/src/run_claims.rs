//! Who may begin a run: one statement decides.
//!
//! A run under which two owners have died is begun alone, and one that outlives its third is dead: it is the
//! run that kills them.

use std::time::Duration;

use super::settlements::{ErrorText, Settlement, settle};
use super::stage_runs::{Claim, RunState};
use super::{InstanceId, Result, Store, Tx, execute, query};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

/// A run that outlived this many of its owners is poison.
const MAX_CRASHES: i64 = 3;

/// What became of an attempt to take a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    Mine(BegunRun),
    /// Its third owner died under it: it is dead now, by this statement.
    Poison,
    /// Two of its owners died under it, and the next one that does is to die of nothing else: it is begun
    /// only by who has nothing else in hand.
    Suspect,
    /// Somebody else has it, it is not due, it is done, or it belongs to another generation.
    NothingToDo,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BegunRun {
    pub generation: i64,
    pub fence: i64,
    pub attempts: i64,
    pub crashes: i64,
    pub since: Moment,
    pub input: String,
    pub lane: String,
    /// What it was parked for, if it was.
    pub destination: Option<String>,
}

/// Who wants to take which run.
#[derive(Clone, Copy, Debug)]
pub struct Taking {
    /// When it asked first.
    pub asked_at: Moment,
    pub workspace: WorkspaceId,
    pub call: CallId,
    pub stage: &'static str,
    pub generation: i64,
    /// What the run waits for may have happened: it need not be due.
    pub nudge: bool,
    pub owner: InstanceId,
    /// The process has nothing else in hand.
    pub alone: bool,
    /// Until then the process cannot say whether others are dead. Zero: it can.
    pub judges_in: Duration,
}

impl Taking {
    /// How many times owners may have died under what it takes, and one more.
    fn bearable(&self) -> i64 {
        if self.alone { MAX_CRASHES } else { MAX_CRASHES - 1 }
    }

    /// Takes it, in one statement, if owners of it have died fewer times than `bearable`.
    async fn take(&self, tx: &mut Tx, now: Moment, bearable: i64) -> Result<Option<BegunRun>> {
        Ok(query!(
            fetch_optional,
            BegunRun,
            *tx,
            "UPDATE stage_runs SET state = 'running', owner = $5, fence = fence + 1, started_at = $6, wake_at = NULL,
                attempts = attempts + CASE WHEN state = 'running' AND owner = $5 AND started_at = $6 THEN 0 ELSE 1 END,
                crashes = crashes + CASE WHEN state <> 'running' OR (owner = $5 AND started_at = $6) THEN 0 ELSE 1 END
             WHERE workspace = $1 AND call_id = $2 AND stage = $3 AND generation = $4 AND (
                (state IN ('waiting', 'parked') AND (not_before <= $7 OR not_before <= since OR $8))
                OR (state = 'running' AND owner = $5 AND started_at = $6)
                OR (state = 'running' AND $10 AND NOT EXISTS (
                    SELECT 1 FROM instances WHERE instances.id = stage_runs.owner AND instances.alive_until > $7)))
                AND crashes + CASE WHEN state <> 'running' OR (owner = $5 AND started_at = $6) THEN 0 ELSE 1 END < $9
             RETURNING generation, fence, attempts, crashes, since, input, lane, destination",
            self.workspace,
            self.call,
            self.stage,
            self.generation,
            self.owner.0,
            self.asked_at,
            now,
            self.nudge,
            bearable,
            self.judges_in.is_zero(),
        )?)
    }
}

/// A run that was not taken.
#[derive(sqlx::FromRow)]
struct Looked {
    state: String,
    not_before: Moment,
    wake_at: Option<Moment>,
    crashes: i64,
}

impl Looked {
    /// It waits, and will be woken later than it could be.
    fn is_early(&self, now: Moment) -> bool {
        let waits = [RunState::Waiting, RunState::Parked].iter().any(|state| self.state == state.name());
        waits && self.not_before > now && self.wake_at.is_some_and(|wake_at| wake_at > self.not_before)
    }

    /// A keeper found its owner dead and woke it, and a process that cannot say so yet was told.
    fn is_woken_too_late(&self, judged_at: Moment) -> bool {
        self.state == RunState::Running.name() && self.wake_at.is_some_and(|wake_at| wake_at > judged_at)
    }

    /// How many of its owners will have died under it.
    fn crashes_if_taken(&self) -> i64 {
        self.crashes + i64::from(self.state == RunState::Running.name())
    }
}

impl Store {
    /// Takes the run of (`call`, `stage`) if it is at `generation` and due, or if a `nudge` says that what
    /// it waits for has happened, or if its owner is dead.
    ///
    /// Processes read the store's clock, each a little late, so a run that was never put off is due
    /// whatever our reading says.
    pub async fn begin_run(
        &self,
        workspace: WorkspaceId,
        call: CallId,
        stage: &'static str,
        generation: i64,
        nudge: bool,
        owner: InstanceId,
    ) -> Result<Begun> {
        let (asked_at, alone, judges_in) = (self.now(), true, Duration::ZERO);
        let taking = Taking { asked_at, workspace, call, stage, generation, nudge, owner, alone, judges_in };
        self.begin_run_asked(&taking).await
    }

    /// [`Self::begin_run`] for who asks until it is answered. Where an answer was lost after the claim was
    /// committed, the claim is given again; otherwise the run would belong to a process that lives and does
    /// not know of it. Where the process cannot say whether others are dead, a run under a dead owner is woken
    /// again when it can.
    pub async fn begin_run_asked(&self, taking: &Taking) -> Result<Begun> {
        let now = self.now();
        let mut tx = self.one_statement().await?;
        if let Some(run) = taking.take(&mut tx, now, taking.bearable()).await? {
            tx.commit().await?;
            return Ok(Begun::Mine(run));
        }
        let Taking { workspace, call, stage, generation, judges_in, .. } = *taking;
        let row = query!(
            fetch_optional,
            Looked,
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
        let judged_at = now.plus(judges_in);
        // Who woke it may go by a clock that is ahead of ours: it is woken again when it is due, not only when
        // its message counts as lost.
        let wake_at = if row.is_early(now) {
            Some(row.not_before)
        } else {
            Some(judged_at).filter(|at| !judges_in.is_zero() && row.is_woken_too_late(*at))
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
        if row.crashes_if_taken() < taking.bearable() {
            return Ok(Begun::NothingToDo);
        }
        self.begin_suspect(taking, now).await
    }

    /// Begins a run under which owners have died, if it can be taken at all.
    async fn begin_suspect(&self, taking: &Taking, now: Moment) -> Result<Begun> {
        let mut tx = self.begin_tx().await?;
        // Its end, if it has come, changes the call, which is locked before its runs.
        execute!(tx, "UPDATE calls SET updated_at = updated_at WHERE id = $1", taking.call)?;
        let Some(run) = taking.take(&mut tx, now, i64::MAX).await? else {
            tx.roll_back().await?;
            return Ok(Begun::NothingToDo);
        };
        if run.crashes >= MAX_CRASHES {
            let Taking { workspace, call, stage, owner, .. } = *taking;
            let claim = Claim { workspace, call, stage, owner, fence: run.fence };
            let error =
                ErrorText { code: "poison", text: "the process died three times while it worked on this" };
            settle(&mut tx, &claim, &Settlement::Dead { error, group: "poison" }, now).await?;
            tx.commit().await?;
            return Ok(Begun::Poison);
        }
        if run.crashes >= taking.bearable() {
            tx.roll_back().await?;
            return Ok(Begun::Suspect);
        }
        tx.commit().await?;
        Ok(Begun::Mine(run))
    }
}

#[cfg(test)]
mod tests;
