//! Replays: somebody wants a call, or what stands behind a dead letter, to be done again.
//!
//! The new run, the mark on the dead letter and the note of who asked are stored in one transaction. So a batch that
//! is cut off has replayed each letter either completely or not at all.

use uuid::Uuid;

use super::audit::{self, Audit, OperatorRequest};
use super::call_status::refresh_status;
use super::stage_runs::{NewRun, RunKey, RunState, put_waiting};
use super::{DeadLetter, Result, Store, Tx, execute, query};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

/// The stages of a call from which the call is done again.
pub(super) struct Start<'a> {
    pub(super) workspace: WorkspaceId,
    pub(super) call: CallId,
    pub(super) stages: &'a [&'static str],
    pub(super) lane: &'a str,
}

impl Store {
    /// Does the call again from `stage` on: raises its generation and makes that run wait, with the input that
    /// `input_of` encodes. Returns the new run and the batch that the audit keeps it under, or nothing if that
    /// stage never ran for this call. The run goes through the live lane, because a person waits for it.
    pub async fn replay_call(
        &self,
        request: &OperatorRequest<'_>,
        call: CallId,
        stage: &'static str,
        input_of: impl Fn(&RunKey) -> String + Send,
    ) -> Result<Option<(RunKey, Uuid)>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let start = Start { workspace: request.workspace, call, stages: &[stage], lane: "live" };
        let Some(run) = start_again(&mut tx, &start, input_of, now).await?.pop() else {
            tx.roll_back().await?;
            return Ok(None);
        };
        let batch = audit::note(&mut tx, request, now).await?;
        tx.commit().await?;
        Ok(Some((run, batch)))
    }

    /// Does the call of `letter` again from the dead run `died` on. Returns false if the letter was replayed before, or
    /// if the run is no longer dead because something newer came in. In both cases nobody needs the
    /// letter any more, so it is marked.
    pub async fn replay_letter(
        &self,
        audit: &Audit,
        letter: &DeadLetter,
        died: &RunKey,
        input_of: impl Fn(&RunKey) -> String + Send,
    ) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let mut done = false;
        if mark(&mut tx, letter, now).await? && is_dead(&mut tx, died).await? {
            // Letters come in thousands, and calls that a person waits for must not stand behind them.
            let RunKey { workspace, call, stage, .. } = *died;
            let start = Start { workspace, call, stages: &[stage], lane: "bulk" };
            done = !start_again(&mut tx, &start, input_of, now).await?.is_empty();
        }
        if done {
            audit::count(&mut tx, audit).await?;
        }
        tx.commit().await?;
        Ok(done)
    }

    /// Lets a live session go on whose run is dead. Returns false if the letter was replayed before, or if the run is no
    /// longer dead.
    pub async fn replay_live_letter(
        &self,
        audit: &Audit,
        letter: &DeadLetter,
        input_of: super::live::InputOf<'_>,
    ) -> Result<bool> {
        let (Some(workspace), Some(call)) = (letter.workspace, letter.call_id) else { return Ok(false) };
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        super::live::lock_call(&mut tx, workspace, call).await?;
        let died = RunKey { workspace, call, stage: super::live::STAGE, generation: letter.generation };
        let mut done = false;
        if mark(&mut tx, letter, now).await? && is_dead(&mut tx, &died).await? {
            super::live::wake_now(&mut tx, (workspace, call), input_of, now).await?;
            audit::count(&mut tx, audit).await?;
            done = true;
        }
        tx.commit().await?;
        Ok(done)
    }

    /// Puts the event of a letter that has no run into the outbox again. Returns false when that was done before.
    pub async fn requeue_letter(&self, audit: &Audit, letter: &DeadLetter) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let marked = mark(&mut tx, letter, now).await?;
        if marked {
            execute!(
                tx,
                "INSERT INTO outbox (event_id, lane, body, created_at) VALUES ($1, 'bulk', $2, $3)",
                letter.id,
                &letter.body,
                now,
            )?;
            audit::count(&mut tx, audit).await?;
        }
        tx.commit().await?;
        Ok(marked)
    }
}

/// Marks a letter as replayed. Returns false when it is marked already, so that a second replay of the same batch
/// changes nothing.
async fn mark(tx: &mut Tx, letter: &DeadLetter, now: Moment) -> Result<bool> {
    let rows = execute!(
        *tx,
        "UPDATE dead_letters SET replayed_at = $2 WHERE id = $1 AND replayed_at IS NULL",
        letter.id,
        now,
    )?;
    Ok(rows == 1)
}

/// Whether the row of this run is dead now, at whatever generation.
async fn is_dead(tx: &mut Tx, run: &RunKey) -> Result<bool> {
    let row = query!(
        fetch_optional,
        (String,),
        *tx,
        "SELECT state FROM stage_runs WHERE call_id = $1 AND stage = $2",
        run.call,
        run.stage,
    )?;
    Ok(row.is_some_and(|(state,)| state == RunState::Dead.name()))
}

/// Raises the call's generation and makes the runs of `start` wait. Returns those runs: none of a stage that has no row.
pub(super) async fn start_again(
    tx: &mut Tx,
    start: &Start<'_>,
    input_of: impl Fn(&RunKey) -> String + Send,
    now: Moment,
) -> Result<Vec<RunKey>> {
    let Start { workspace, call, stages, lane } = *start;
    // Whoever adds a stage to the call locks this row too. So a stage that comes meanwhile is either seen here, or it begins
    // after this transaction.
    let lock = match tx {
        Tx::Postgres(_) => "SELECT generation FROM calls WHERE workspace = $1 AND id = $2 FOR UPDATE",
        Tx::Sqlite(_) => "SELECT generation FROM calls WHERE workspace = $1 AND id = $2",
    };
    if query!(fetch_optional, (i64,), *tx, lock, workspace, call)?.is_none() {
        return Ok(Vec::new());
    }
    let mut known = Vec::new();
    for stage in stages {
        let row = query!(
            fetch_optional,
            (i64,),
            *tx,
            "SELECT generation FROM stage_runs WHERE workspace = $1 AND call_id = $2 AND stage = $3",
            workspace,
            call,
            stage,
        )?;
        known.extend(row.map(|_| *stage));
    }
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let row = query!(
        fetch_optional,
        (i64,),
        *tx,
        "UPDATE calls SET generation = generation + 1, nothing_made = NULL, updated_at = $3 WHERE workspace = $1 AND id = $2
         RETURNING generation",
        workspace,
        call,
        now,
    )?;
    let Some((generation,)) = row else { return Ok(Vec::new()) };
    let keys: Vec<_> = known.into_iter().map(|stage| RunKey { workspace, call, stage, generation }).collect();
    let run =
        |key: &RunKey| NewRun { stage: key.stage, generation, lane: lane.to_owned(), input: input_of(key) };
    put_waiting(tx, workspace, call, &keys.iter().map(run).collect::<Vec<_>>(), now).await?;
    for RunKey { stage, .. } in &keys {
        // No message is sent for the run, so the keeper has to wake it at once.
        execute!(
            *tx,
            "UPDATE stage_runs SET wake_at = $3 WHERE call_id = $1 AND stage = $2 AND state = 'waiting'",
            call,
            stage,
            now,
        )?;
        execute!(
            *tx,
            "UPDATE dead_letters SET replayed_at = $3 WHERE call_id = $1 AND stage = $2 AND replayed_at IS NULL",
            call,
            stage,
            now,
        )?;
    }
    refresh_status(tx, call, now).await?;
    Ok(keys)
}
