//! Doing a call again, because somebody asked for it or sent a dead letter on.
//!
//! What is done again, the letter that is done with and who asked stand in one transaction: whoever is cut
//! off has done a letter whole or not at all.

use uuid::Uuid;

use super::audit::{self, Asked, Audit};
use super::settlements::refresh_status;
use super::stage_runs::{NewRun, put_waiting};
use super::{DeadLetter, Result, Store, Tx, execute, query};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

impl Store {
    /// Does the call again from `stage` on: raises its generation and makes the run wait with the same
    /// input. Returns the new run and the batch it is on record as, or nothing where that stage never ran for
    /// this call. In the live lane: a person waits for it.
    pub async fn replay_call(
        &self,
        asked: &Asked<'_>,
        call: CallId,
        stage: &'static str,
        input_of: impl Fn(i64) -> String + Send,
    ) -> Result<Option<(NewRun, Uuid)>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let Some(run) = again(&mut tx, (asked.workspace, call), (stage, "live"), input_of, now).await? else {
            tx.roll_back().await?;
            return Ok(None);
        };
        let batch = audit::note(&mut tx, asked, now).await?;
        tx.commit().await?;
        Ok(Some((run, batch)))
    }

    /// Does the run again of which `letter` tells, from its stage on. False where that was done before, or
    /// the run is not dead any more: something newer came in. Either way the letter is done with.
    pub async fn replay_letter(
        &self,
        audit: &Audit,
        letter: &DeadLetter,
        (workspace, call): (WorkspaceId, CallId),
        stage: &'static str,
        input_of: impl Fn(i64) -> String + Send,
    ) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let mut done = false;
        if mark(&mut tx, letter, now).await? && is_dead(&mut tx, call, stage).await? {
            // A person waits for one call; letters come in thousands.
            done = again(&mut tx, (workspace, call), (stage, "bulk"), input_of, now).await?.is_some();
        }
        if done {
            audit::count(&mut tx, audit).await?;
        }
        tx.commit().await?;
        Ok(done)
    }

    /// Puts the event of a letter behind which no run stands into the outbox again; false when that was done
    /// before.
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

/// Marks a letter as replayed; false when it was before, so that a batch run twice changes nothing.
async fn mark(tx: &mut Tx, letter: &DeadLetter, now: Moment) -> Result<bool> {
    let rows = execute!(
        *tx,
        "UPDATE dead_letters SET replayed_at = $2 WHERE id = $1 AND replayed_at IS NULL",
        letter.id,
        now,
    )?;
    Ok(rows == 1)
}

async fn is_dead(tx: &mut Tx, call: CallId, stage: &str) -> Result<bool> {
    let row = query!(
        fetch_optional,
        (String,),
        *tx,
        "SELECT state FROM stage_runs WHERE call_id = $1 AND stage = $2",
        call,
        stage,
    )?;
    Ok(row.is_some_and(|(state,)| state == "dead"))
}

async fn again(
    tx: &mut Tx,
    (workspace, call): (WorkspaceId, CallId),
    (stage, lane): (&'static str, &str),
    input_of: impl Fn(i64) -> String + Send,
    now: Moment,
) -> Result<Option<NewRun>> {
    let row = query!(
        fetch_optional,
        (i64,),
        *tx,
        "UPDATE calls SET generation = generation + 1, updated_at = $3 WHERE workspace = $1 AND id = $2
            AND EXISTS (SELECT 1 FROM stage_runs WHERE stage_runs.call_id = calls.id AND stage_runs.stage = $4)
         RETURNING generation",
        workspace,
        call,
        now,
        stage,
    )?;
    let Some((generation,)) = row else { return Ok(None) };
    let run = NewRun { stage, generation, lane: lane.to_owned(), input: input_of(generation) };
    put_waiting(tx, workspace, call, std::slice::from_ref(&run), now).await?;
    // No message announces it: the keeper does.
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
    refresh_status(tx, call, now).await?;
    Ok(Some(run))
}
