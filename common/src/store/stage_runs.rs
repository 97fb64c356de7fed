//! One row per (call, stage). The row decides, a message only wakes it.
//!
//! Messages may be lost, doubled, late or out of order: every decision is one conditional statement here,
//! and whoever lost the race changes nothing.

use super::settling::{ErrorText, Settlement, settle};
use super::waking::MESSAGE_OVERDUE;
use super::{InstanceId, Result, Store, Tx, execute, query, read};
use crate::call::{CallId, WorkspaceId};
use crate::moment::Moment;

/// A run that outlived this many of its owners is poison.
const MAX_CRASHES: i64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Waiting,
    Running,
    Parked,
    Done,
    Dead,
}

impl RunState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Parked => "parked",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }
}

/// A run that a finished stage hands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    pub stage: &'static str,
    pub generation: i64,
    pub lane: String,
    /// The encoded envelope of the event that it consumes.
    pub input: String,
}

/// Proof that this process holds a run: what it does under it is refused once somebody else took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub workspace: WorkspaceId,
    pub call: CallId,
    pub stage: &'static str,
    pub owner: InstanceId,
    pub fence: i64,
}

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
        self.begin_run_asked(self.now(), workspace, call, stage, generation, nudge, owner, true).await
    }

    /// [`Self::begin_run`] for who asks until it is answered: `asked_at` is when it asked first. Where an
    /// answer was lost after the claim was committed, the claim is given again; otherwise the run would
    /// belong to a process that lives and does not know of it. `alone` says that the process has nothing else
    /// in hand.
    #[expect(clippy::too_many_arguments, reason = "what begin_run takes, and who asks")]
    pub async fn begin_run_asked(
        &self,
        asked_at: Moment,
        workspace: WorkspaceId,
        call: CallId,
        stage: &'static str,
        generation: i64,
        nudge: bool,
        owner: InstanceId,
        alone: bool,
    ) -> Result<Begun> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let run = query!(
            fetch_optional,
            BegunRun,
            tx,
            "UPDATE stage_runs SET state = 'running', owner = $5, fence = fence + 1, started_at = $6, wake_at = NULL,
                attempts = attempts + CASE WHEN state = 'running' AND owner = $5 AND started_at = $6 THEN 0 ELSE 1 END,
                crashes = crashes + CASE WHEN state <> 'running' OR (owner = $5 AND started_at = $6) THEN 0 ELSE 1 END
             WHERE workspace = $1 AND call_id = $2 AND stage = $3 AND generation = $4 AND (
                (state IN ('waiting', 'parked') AND (not_before <= $7 OR not_before <= since OR $8))
                OR (state = 'running' AND owner = $5 AND started_at = $6)
                OR (state = 'running' AND NOT EXISTS (
                    SELECT 1 FROM instances WHERE instances.id = stage_runs.owner AND instances.alive_until > $7)))
             RETURNING generation, fence, attempts, crashes, since, input, lane, destination",
            workspace,
            call,
            stage,
            generation,
            owner.0,
            asked_at,
            now,
            nudge,
        )?;
        let Some(run) = run else {
            // Who woke it may go by a clock that is ahead of ours: it is woken again when it is due, not
            // only when its message counts as lost.
            let early = execute!(
                tx,
                "UPDATE stage_runs SET wake_at = not_before
                 WHERE workspace = $1 AND call_id = $2 AND stage = $3 AND generation = $4
                    AND state IN ('waiting', 'parked') AND not_before > $5 AND wake_at > not_before",
                workspace,
                call,
                stage,
                generation,
                now,
            )?;
            if early > 0 {
                tx.commit().await?;
            } else {
                tx.roll_back().await?;
            }
            return Ok(Begun::NothingToDo);
        };
        if run.crashes >= MAX_CRASHES {
            let claim = Claim { workspace, call, stage, owner, fence: run.fence };
            let error =
                ErrorText { code: "poison", text: "the process died three times while it worked on this" };
            settle(&mut tx, &claim, &Settlement::Dead { error, group: "poison" }, now).await?;
            tx.commit().await?;
            return Ok(Begun::Poison);
        }
        if run.crashes == MAX_CRASHES - 1 && !alone {
            tx.roll_back().await?;
            return Ok(Begun::Suspect);
        }
        tx.commit().await?;
        Ok(Begun::Mine(run))
    }

    /// Children of a finished run that nobody has begun yet: they are announced again when its message
    /// arrives a second time.
    pub async fn waiting_runs(
        &self,
        call: CallId,
        stages: &[&'static str],
        generation: i64,
    ) -> Result<Vec<NewRun>> {
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

    /// Whether the run of this generation is done.
    pub async fn is_done(&self, call: CallId, stage: &str, generation: i64) -> Result<bool> {
        let row = read!(
            fetch_optional,
            (String,),
            self,
            "SELECT state FROM stage_runs WHERE call_id = $1 AND stage = $2 AND generation = $3",
            call,
            stage,
            generation,
        )?;
        Ok(row.is_some_and(|(state,)| state == "done"))
    }
}

/// Makes a run wait. A newer generation replaces a row that is not running, and waits in it otherwise; an
/// older or equal one changes nothing.
pub(super) async fn put_waiting(
    tx: &mut Tx,
    workspace: WorkspaceId,
    call: CallId,
    run: &NewRun,
    now: Moment,
) -> Result<()> {
    execute!(
        *tx,
        "INSERT INTO stage_runs (call_id, stage, workspace, generation, input, lane, state, since, not_before, wake_at,
            fence, attempts, crashes)
         VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $7, $8, 0, 0, 0)
         ON CONFLICT (call_id, stage) DO UPDATE SET
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
            AND excluded.generation > COALESCE(stage_runs.next_generation, 0)",
        call,
        run.stage,
        workspace,
        run.generation,
        &run.input,
        &run.lane,
        now,
        now.plus(MESSAGE_OVERDUE),
    )?;
    Ok(())
}

/// Whether any of these runs waits untouched at `generation`.
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

#[cfg(test)]
mod tests;
