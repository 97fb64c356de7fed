//! Which runs the keeper has to wake, and when.

use std::time::Duration;

use super::settlements::refresh_status;
use super::{Result, Store, Tx, execute, query, read};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

/// How long a message is trusted to arrive before the keeper wakes its row.
pub(super) const MESSAGE_OVERDUE: Duration = Duration::from_mins(1);
/// A row that has waited for long is looked at ever less often, but at least so often.
const LOOKED_AT_EVERY: Duration = Duration::from_mins(10);

/// Runs that are woken in one transaction.
const UNPARKED_AT_ONCE: u64 = 200;

macro_rules! parked_calls {
    ($lock:literal) => {
        concat!(
            "SELECT id FROM calls WHERE id IN (
                SELECT call_id FROM stage_runs
                WHERE workspace = $1 AND destination = $2 AND state = 'parked' LIMIT $3)
             ORDER BY id",
            $lock
        )
    };
}

/// A row that the keeper has to wake.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    pub workspace: WorkspaceId,
    pub call_id: CallId,
    pub stage: String,
    pub generation: i64,
    pub lane: String,
    /// A message was sent for it before, which may still wait in its queue.
    pub announced: bool,
}

/// Rows whose time has come. Of one for which nobody has sent a message yet `wake_at` is its own time.
macro_rules! due {
    ($lock:literal) => {
        concat!(
            "SELECT workspace, call_id, stage, generation, lane, wake_at > not_before AS announced
             FROM stage_runs WHERE wake_at <= $1 AND state <> 'running' ORDER BY wake_at LIMIT $2",
            $lock
        )
    };
}

impl Store {
    /// Rows whose time has come, or whose owner is dead, each postponed so that the next look does not
    /// wake it again at once: for as long as it has waited, within bounds. Two keepers never take the same row.
    pub async fn due_runs(&self, limit: i64) -> Result<Vec<Due>> {
        self.due_runs_seen_by(true, limit).await
    }

    /// [`Self::due_runs`] for a process that says of others that they are dead only where it `judges`.
    pub async fn due_runs_seen_by(&self, judges: bool, limit: i64) -> Result<Vec<Due>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let (soonest, latest) = (now.plus(MESSAGE_OVERDUE), now.plus(LOOKED_AT_EVERY));
        let mut due = match &mut tx {
            Tx::Postgres(_) => query!(
                fetch_all,
                Due,
                tx,
                concat!(
                    "UPDATE stage_runs SET wake_at = LEAST($4, GREATEST($3, $1 + ($1 - not_before))) FROM (",
                    due!(" FOR UPDATE SKIP LOCKED"),
                    ") AS due WHERE stage_runs.call_id = due.call_id AND stage_runs.stage = due.stage
                     RETURNING due.workspace, due.call_id, due.stage, due.generation, due.lane, due.announced"
                ),
                now,
                limit,
                soonest,
                latest,
            )?,
            // It returns of a row only what it is afterwards; but nobody else writes meanwhile.
            Tx::Sqlite(_) => {
                let due = query!(fetch_all, Due, tx, due!(""), now, limit)?;
                execute!(
                    tx,
                    "UPDATE stage_runs SET wake_at = MIN($4, MAX($3, $1 + ($1 - not_before)))
                     WHERE (call_id, stage) IN (
                        SELECT call_id, stage FROM stage_runs WHERE wake_at <= $1 AND state <> 'running'
                        ORDER BY wake_at LIMIT $2)",
                    now,
                    limit,
                    soonest,
                    latest,
                )?;
                due
            }
        };
        let orphaned = query!(
            fetch_all,
            Due,
            tx,
            "SELECT workspace, call_id, stage, generation, lane, FALSE AS announced FROM stage_runs
             WHERE $3 AND state = 'running' AND (wake_at IS NULL OR wake_at <= $1) AND NOT EXISTS (
                SELECT 1 FROM instances WHERE instances.id = stage_runs.owner AND instances.alive_until > $1)
             LIMIT $2",
            now,
            limit,
            judges,
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

    /// The message that was to wake a run could not be sent: a keeper wakes it as soon as it is due.
    pub async fn wake_soon(&self, call: CallId, stage: &str, generation: i64) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "UPDATE stage_runs SET wake_at = not_before
             WHERE call_id = $1 AND stage = $2 AND generation = $3 AND wake_at > not_before",
            call,
            stage,
            generation,
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
        let mut woken = 0;
        loop {
            let some = self.unpark_some(workspace, destination).await?;
            woken += some;
            if some < UNPARKED_AT_ONCE {
                return Ok(woken);
            }
        }
    }

    async fn unpark_some(&self, workspace: WorkspaceId, destination: &str) -> Result<u64> {
        let mut tx = self.begin_tx().await?;
        let woken = wake_parked(&mut tx, workspace, destination, UNPARKED_AT_ONCE, self.now()).await?;
        tx.commit().await?;
        Ok(woken)
    }
}

/// Starts runs that are parked for `destination`, about `limit` at most, and says how many.
pub(super) async fn wake_parked(
    tx: &mut Tx,
    workspace: WorkspaceId,
    destination: &str,
    limit: u64,
    now: Moment,
) -> Result<u64> {
    // The calls are locked before their runs, and in one order, so that nobody waits for who waits for him.
    let sql = match tx {
        Tx::Postgres(_) => parked_calls!(" FOR UPDATE"),
        Tx::Sqlite(_) => parked_calls!(""),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let calls = query!(fetch_all, (CallId,), *tx, sql, workspace, destination, limit)?;
    let mut woken = 0;
    for (call,) in calls {
        woken += execute!(
            *tx,
            "UPDATE stage_runs SET state = 'waiting', not_before = $4, wake_at = $4, destination = NULL
             WHERE workspace = $1 AND destination = $2 AND call_id = $3 AND state = 'parked'",
            workspace,
            destination,
            call,
            now,
        )?;
        refresh_status(tx, call, now).await?;
    }
    Ok(woken)
}
