//! One row per (call, stage). The row decides, a message only wakes it.
//!
//! Messages may be lost, doubled, late or out of order: every decision is one conditional statement here,
//! and whoever lost the race changes nothing.

use std::time::Duration;

use uuid::Uuid;

use super::results::{self, Of};
use super::types::bounded;
use super::{Db, InstanceId, Result, Store, Tx, Write, execute, query, read};
use crate::call::{CallId, WorkspaceId};
use crate::moment::Moment;

/// How long a message is trusted to arrive before the keeper wakes its row.
const MESSAGE_OVERDUE: Duration = Duration::from_mins(1);
/// A run that outlived this many of its owners is poison.
const MAX_CRASHES: i64 = 3;
const MAX_ERROR_CHARS: usize = 1000;

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

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement<'a> {
    Done {
        writes: &'a [Write],
        children: &'a [NewRun],
    },
    /// Not before this moment again. `spent` says whether the attempt counts.
    Again {
        not_before: Moment,
        spent: bool,
        error: Option<ErrorText<'a>>,
    },
    /// Waits for a destination; probed again at `probe_at`.
    Parked {
        destination: &'a str,
        probe_at: Moment,
        error: ErrorText<'a>,
    },
    Dead {
        error: ErrorText<'a>,
        group: &'a str,
    },
}

/// A code that people filter by, and the scrubbed text behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorText<'a> {
    pub code: &'a str,
    pub text: &'a str,
}

/// Whether a settlement took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Yes,
    /// It did, and a newer generation was waiting: the run starts again at once.
    NewerWaits {
        generation: i64,
    },
    /// Somebody else took the run over meanwhile; nothing was changed.
    NotOurs,
}

/// A row that the keeper has to wake.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    pub workspace: WorkspaceId,
    pub call_id: CallId,
    pub stage: String,
    pub generation: i64,
    pub lane: String,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct RunRow {
    pub stage: String,
    pub generation: i64,
    pub state: String,
    pub attempts: i64,
    pub crashes: i64,
    pub destination: Option<String>,
    pub error_code: Option<String>,
    pub since: Moment,
    pub not_before: Moment,
    pub started_at: Option<Moment>,
    pub finished_at: Option<Moment>,
}

/// A run of an earlier generation, or of this one, that ended.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct EndedRun {
    pub stage: String,
    pub generation: i64,
    pub state: String,
    pub attempts: i64,
    pub error_code: Option<String>,
    pub since: Moment,
    pub started_at: Option<Moment>,
    pub finished_at: Moment,
}

/// What one stage holds, over all workspaces: for whoever operates the system.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StageCounts {
    pub stage: String,
    pub waiting_due: i64,
    pub waiting_later: i64,
    pub running: i64,
    pub parked: i64,
    pub dead: i64,
    /// When the oldest run that is due became due.
    pub oldest_due: Option<Moment>,
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
        self.begin_run_asked(self.now(), workspace, call, stage, generation, nudge, owner).await
    }

    /// [`Self::begin_run`] for who asks until it is answered: `asked_at` is when it asked first. Where an
    /// answer was lost after the claim was committed, the claim is given again; otherwise the run would
    /// belong to a process that lives and does not know of it.
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
        tx.commit().await?;
        Ok(Begun::Mine(run))
    }

    /// Ends the run that `claim` holds, with its results and the runs that follow, in one transaction.
    pub async fn settle_run(&self, claim: &Claim, settlement: &Settlement<'_>) -> Result<Settled> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let settled = settle(&mut tx, claim, settlement, now).await?;
        match settled {
            Settled::NotOurs => tx.roll_back().await?,
            _ => tx.commit().await?,
        }
        Ok(settled)
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

    /// Rows whose time has come, or whose owner is dead, each postponed so that the next look does not
    /// wake it again at once. Two keepers never take the same row.
    pub async fn due_runs(&self, limit: i64) -> Result<Vec<Due>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let sql = match &self.db {
            Db::Postgres(_) => concat!(
                "UPDATE stage_runs SET wake_at = $2 WHERE (call_id, stage) IN (
                    SELECT call_id, stage FROM stage_runs WHERE wake_at <= $1 AND state <> 'running'
                    ORDER BY wake_at LIMIT $3 FOR UPDATE SKIP LOCKED)",
                " RETURNING workspace, call_id, stage, generation, lane"
            ),
            Db::Sqlite { .. } => concat!(
                "UPDATE stage_runs SET wake_at = $2 WHERE (call_id, stage) IN (
                    SELECT call_id, stage FROM stage_runs WHERE wake_at <= $1 AND state <> 'running'
                    ORDER BY wake_at LIMIT $3)",
                " RETURNING workspace, call_id, stage, generation, lane"
            ),
        };
        let mut due = query!(fetch_all, Due, tx, sql, now, now.plus(MESSAGE_OVERDUE), limit)?;
        let orphaned = query!(
            fetch_all,
            Due,
            tx,
            "SELECT workspace, call_id, stage, generation, lane FROM stage_runs
             WHERE state = 'running' AND (wake_at IS NULL OR wake_at <= $1) AND NOT EXISTS (
                SELECT 1 FROM instances WHERE instances.id = stage_runs.owner AND instances.alive_until > $1)
             LIMIT $2",
            now,
            limit,
        )?;
        for run in &orphaned {
            execute!(
                tx,
                "UPDATE stage_runs SET wake_at = $3 WHERE call_id = $1 AND stage = $2 AND state = 'running'",
                run.call_id,
                &run.stage,
                now.plus(MESSAGE_OVERDUE),
            )?;
        }
        due.extend(orphaned);
        tx.commit().await?;
        Ok(due)
    }

    /// The message that was to wake a run could not be sent: the next look of a keeper wakes it.
    pub async fn wake_soon(&self, call: CallId, stage: &str, generation: i64) -> Result<()> {
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "UPDATE stage_runs SET wake_at = $4 WHERE call_id = $1 AND stage = $2 AND generation = $3 AND wake_at > $4",
            call,
            stage,
            generation,
            self.now(),
        )?;
        tx.commit().await
    }

    /// When the next row has to be woken.
    pub async fn next_wake(&self) -> Result<Option<Moment>> {
        let (next,) = read!(
            fetch_one,
            (Option<Moment>,),
            self,
            "SELECT MIN(wake_at) FROM stage_runs WHERE state <> 'running'"
        )?;
        Ok(next)
    }

    /// Starts every run that is parked for `destination`: it was reached again.
    pub async fn unpark(&self, workspace: WorkspaceId, destination: &str) -> Result<u64> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let woken = execute!(
            tx,
            "UPDATE stage_runs SET state = 'waiting', not_before = $3, wake_at = $3, destination = NULL
             WHERE workspace = $1 AND destination = $2 AND state = 'parked'",
            workspace,
            destination,
            now,
        )?;
        tx.commit().await?;
        Ok(woken)
    }

    /// Does the call again from `stage` on: raises its generation and makes the run wait with the same
    /// input. Returns the new generation, or nothing where that stage never ran for this call.
    pub async fn replay_call(
        &self,
        workspace: WorkspaceId,
        call: CallId,
        stage: &'static str,
        input_of: impl Fn(i64) -> String + Send,
    ) -> Result<Option<NewRun>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let row = query!(
            fetch_optional,
            (i64,),
            tx,
            "UPDATE calls SET generation = generation + 1, updated_at = $3 WHERE workspace = $1 AND id = $2
                AND EXISTS (SELECT 1 FROM stage_runs WHERE stage_runs.call_id = calls.id AND stage_runs.stage = $4)
             RETURNING generation",
            workspace,
            call,
            now,
            stage,
        )?;
        let Some((generation,)) = row else {
            tx.roll_back().await?;
            return Ok(None);
        };
        let run = NewRun { stage, generation, lane: "live".into(), input: input_of(generation) };
        put_waiting(&mut tx, workspace, call, &run, now).await?;
        // No message announces it: the keeper does.
        execute!(
            tx,
            "UPDATE stage_runs SET wake_at = $3 WHERE call_id = $1 AND stage = $2 AND state = 'waiting'",
            call,
            stage,
            now,
        )?;
        execute!(
            tx,
            "UPDATE dead_letters SET replayed_at = $3 WHERE call_id = $1 AND stage = $2 AND replayed_at IS NULL",
            call,
            stage,
            now,
        )?;
        refresh_status(&mut tx, call, now).await?;
        tx.commit().await?;
        Ok(Some(run))
    }

    pub async fn runs(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<RunRow>> {
        Ok(read!(
            fetch_all,
            RunRow,
            self,
            "SELECT stage, generation, state, attempts, crashes, destination, error_code, since, not_before,
                started_at, finished_at
             FROM stage_runs WHERE workspace = $1 AND call_id = $2 ORDER BY since, stage",
            workspace,
            call,
        )?)
    }

    pub async fn ended_runs(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<EndedRun>> {
        Ok(read!(
            fetch_all,
            EndedRun,
            self,
            "SELECT stage, generation, state, attempts, error_code, since, started_at, finished_at
             FROM stage_history WHERE workspace = $1 AND call_id = $2 ORDER BY finished_at, stage",
            workspace,
            call,
        )?)
    }

    pub async fn stage_counts(&self) -> Result<Vec<StageCounts>> {
        let now = self.now();
        Ok(read!(
            fetch_all,
            StageCounts,
            self,
            "SELECT stage,
                COUNT(*) FILTER (WHERE state = 'waiting' AND not_before <= $1) AS waiting_due,
                COUNT(*) FILTER (WHERE state = 'waiting' AND not_before > $1) AS waiting_later,
                COUNT(*) FILTER (WHERE state = 'running') AS running,
                COUNT(*) FILTER (WHERE state = 'parked') AS parked,
                COUNT(*) FILTER (WHERE state = 'dead') AS dead,
                MIN(CASE WHEN state = 'waiting' AND not_before <= $1 THEN not_before END) AS oldest_due
             FROM stage_runs WHERE state <> 'done' GROUP BY stage",
            now,
        )?)
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

/// Derives the call's status from its runs. The call's row is locked first, so that two stages that end
/// at the same time do not each miss the other.
pub(super) async fn refresh_status(tx: &mut Tx, call: CallId, now: Moment) -> Result<()> {
    execute!(*tx, "UPDATE calls SET updated_at = $2 WHERE id = $1", call, now)?;
    execute!(
        *tx,
        "UPDATE calls SET status = (
            SELECT CASE
                WHEN COUNT(*) = 0 THEN 'no_recording'
                WHEN COUNT(*) FILTER (WHERE state IN ('waiting', 'running')) > 0 THEN
                    CASE WHEN COUNT(*) FILTER (WHERE NOT (state = 'waiting' AND attempts = 0)) = 0 THEN 'queued'
                    ELSE 'processing' END
                WHEN COUNT(*) FILTER (WHERE state = 'dead') > 0 THEN 'failed'
                WHEN COUNT(*) FILTER (WHERE state = 'parked') > 0 THEN 'waiting'
                ELSE 'completed'
            END FROM stage_runs WHERE stage_runs.call_id = calls.id)
         WHERE id = $1",
        call,
    )?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct SettledRow {
    generation: i64,
    state: String,
}

#[derive(sqlx::FromRow)]
struct Before {
    generation: i64,
    next_generation: Option<i64>,
    attempts: i64,
    input: String,
    since: Moment,
    started_at: Option<Moment>,
}

async fn settle(tx: &mut Tx, claim: &Claim, settlement: &Settlement<'_>, now: Moment) -> Result<Settled> {
    // Under the fence, and it locks the row: from here on nobody takes it over.
    let before = query!(
        fetch_optional,
        Before,
        *tx,
        "UPDATE stage_runs SET finished_at = $5
         WHERE call_id = $1 AND stage = $2 AND owner = $3 AND fence = $4 AND state = 'running'
         RETURNING generation, next_generation, attempts, input, since, started_at",
        claim.call,
        claim.stage,
        claim.owner.0,
        claim.fence,
        now,
    )?;
    let Some(before) = before else { return Ok(Settled::NotOurs) };
    let row = end(tx, claim, settlement, now).await?;
    let newer = row.state == "waiting" && row.generation != before.generation;
    match settlement {
        Settlement::Done { writes, children } => {
            let of = Of {
                workspace: claim.workspace,
                call: claim.call,
                stage: claim.stage,
                generation: before.generation,
                now,
            };
            for write in *writes {
                results::save(tx, &of, write).await?;
            }
            // What follows belongs to the newer generation, and will follow from it.
            for child in children.iter().filter(|_| before.next_generation.is_none()) {
                put_waiting(tx, claim.workspace, claim.call, child, now).await?;
            }
            remember(tx, claim, &before, RunState::Done, None, now).await?;
        }
        Settlement::Dead { error, group } => {
            remember(tx, claim, &before, RunState::Dead, Some(error.code), now).await?;
            execute!(
                *tx,
                "INSERT INTO dead_letters (id, workspace, call_id, stage, generation, attempts, error_code, error_text,
                    error_group, body, died_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                Uuid::now_v7(),
                claim.workspace,
                claim.call,
                claim.stage,
                before.generation,
                before.attempts,
                error.code,
                bounded(error.text, MAX_ERROR_CHARS),
                *group,
                &before.input,
                now,
            )?;
        }
        Settlement::Again { .. } | Settlement::Parked { .. } => {}
    }
    refresh_status(tx, claim.call, now).await?;
    Ok(if newer { Settled::NewerWaits { generation: row.generation } } else { Settled::Yes })
}

/// Moves the row to its next state, or to the newer generation that waited in it.
async fn end(tx: &mut Tx, claim: &Claim, settlement: &Settlement<'_>, now: Moment) -> Result<SettledRow> {
    let (state, not_before, spent, error, destination) = match settlement {
        Settlement::Done { .. } => (RunState::Done, now, true, None, None),
        Settlement::Again { not_before, spent, error } => {
            (RunState::Waiting, *not_before, *spent, *error, None)
        }
        Settlement::Parked { destination, probe_at, error } => {
            (RunState::Parked, *probe_at, false, Some(*error), Some(*destination))
        }
        Settlement::Dead { error, .. } => (RunState::Dead, now, true, Some(*error), None),
    };
    let wake_at = matches!(state, RunState::Waiting | RunState::Parked).then_some(not_before);
    Ok(query!(
        fetch_one,
        SettledRow,
        *tx,
        "UPDATE stage_runs SET
            state = CASE WHEN next_generation IS NULL THEN $3 ELSE 'waiting' END,
            generation = COALESCE(next_generation, generation),
            input = COALESCE(next_input, input),
            attempts = CASE WHEN next_generation IS NULL THEN attempts - $4 ELSE 0 END,
            crashes = CASE WHEN next_generation IS NULL AND $3 <> 'done' THEN crashes ELSE 0 END,
            since = CASE WHEN next_generation IS NULL THEN since ELSE $5 END,
            not_before = CASE WHEN next_generation IS NULL THEN $6 ELSE $5 END,
            wake_at = CASE WHEN next_generation IS NULL THEN $7 ELSE $5 END,
            destination = CASE WHEN next_generation IS NULL THEN $8 END,
            error_code = CASE WHEN next_generation IS NULL THEN $9 END,
            error_text = CASE WHEN next_generation IS NULL THEN $10 END,
            owner = NULL, next_generation = NULL, next_input = NULL
         WHERE call_id = $1 AND stage = $2
         RETURNING generation, state",
        claim.call,
        claim.stage,
        state.name(),
        i64::from(!spent),
        now,
        not_before,
        wake_at,
        destination,
        error.map(|error| error.code),
        error.map(|error| bounded(error.text, MAX_ERROR_CHARS)),
    )?)
}

/// Keeps a run that ended as history.
async fn remember(
    tx: &mut Tx,
    claim: &Claim,
    run: &Before,
    state: RunState,
    error_code: Option<&str>,
    now: Moment,
) -> Result<()> {
    execute!(
        *tx,
        "INSERT INTO stage_history (call_id, stage, generation, fence, workspace, state, attempts, error_code, since,
            started_at, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        claim.call,
        claim.stage,
        run.generation,
        claim.fence,
        claim.workspace,
        state.name(),
        run.attempts,
        error_code,
        run.since,
        run.started_at,
        now,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{CallDetails, CallKind};
    use crate::event::{Material, MaterialAt, MaterialKind};
    use crate::store::Arrival;

    const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;

    /// An embedded store with a call whose transcription waits.
    async fn waiting(folder: &tempfile::TempDir) -> (Store, CallId, InstanceId) {
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let call = CallId::derive(WORKSPACE, "exotel", "a");
        let arrival = Arrival {
            event_id: Uuid::new_v4(),
            workspace: WORKSPACE,
            call,
            source: "exotel".into(),
            external_id: "a".into(),
            kind: CallKind::Phone,
            details: CallDetails::default(),
            materials: vec![Material {
                kind: MaterialKind::Recording,
                digest: "d".into(),
                at: MaterialAt::SealedUrl("https://r.example.com/a.mp3".into()),
                media_type: None,
            }],
        };
        store.take_in(&arrival, &["transcription"], "live", |_| "input".into()).await.unwrap();
        let owner = InstanceId::new();
        store.renew_instance(owner, Duration::from_mins(1)).await.unwrap();
        (store, call, owner)
    }

    async fn begin(store: &Store, call: CallId, owner: InstanceId) -> Begun {
        store.begin_run(WORKSPACE, call, "transcription", 1, false, owner).await.unwrap()
    }

    /// Makes this process's reading of the store's clock earlier: another process has a better one.
    fn fall_behind(store: &Store, by: Duration) {
        store.clock.set(store.now().minus(by), Duration::ZERO);
    }

    #[tokio::test]
    async fn what_was_just_handed_on_is_due_where_the_clock_is_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (store, call, owner) = waiting(&folder).await;
        fall_behind(&store, Duration::from_secs(1));
        assert!(matches!(begin(&store, call, owner).await, Begun::Mine(_)));
    }

    #[tokio::test]
    async fn what_was_woken_a_moment_too_soon_is_woken_again_when_it_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let (store, call, owner) = waiting(&folder).await;
        let Begun::Mine(run) = begin(&store, call, owner).await else { panic!("not taken") };
        let claim = Claim { workspace: WORKSPACE, call, stage: "transcription", owner, fence: run.fence };
        let not_before = store.now();
        let again = Settlement::Again { not_before, spent: false, error: None };
        store.settle_run(&claim, &again).await.unwrap();
        assert_eq!(store.due_runs(10).await.unwrap().len(), 1);

        fall_behind(&store, Duration::from_secs(1));
        assert_eq!(begin(&store, call, owner).await, Begun::NothingToDo);
        assert_eq!(store.next_wake().await.unwrap(), Some(not_before));
    }

    #[tokio::test]
    async fn a_claim_whose_answer_was_lost_is_given_again_to_who_asked() {
        let folder = tempfile::tempdir().unwrap();
        let (store, call, owner) = waiting(&folder).await;
        let asked_at = store.now();
        let ask = || store.begin_run_asked(asked_at, WORKSPACE, call, "transcription", 1, false, owner);
        let Begun::Mine(lost) = ask().await.unwrap() else { panic!("not taken") };
        let Begun::Mine(run) = ask().await.unwrap() else { panic!("not given again") };
        assert_eq!((run.attempts, run.crashes), (1, 0));
        assert!(run.fence > lost.fence);
        assert_eq!(begin(&store, call, owner).await, Begun::NothingToDo, "another message is not who asked");
    }
}
