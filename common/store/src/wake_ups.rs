//! Which runs the keeper has to wake, and when.
//!
//! To wake a run means to send a message that names it.

use std::time::Duration;

use super::call_status::refresh_status;
use super::stage_runs::{MESSAGE_OVERDUE, RunKey};
use super::{Result, Store, Tx, execute, query, read};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

/// The longest time between two wake-ups of a run. The longer a run has waited, the less often it is woken.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// How many parked runs one transaction wakes.
const UNPARKED_AT_ONCE: u64 = 200;

/// The query for the calls that have runs parked for a destination, in the order in which they are locked.
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

/// A run that the keeper has to wake.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    pub workspace: WorkspaceId,
    pub call_id: CallId,
    pub stage: String,
    pub generation: i64,
    pub lane: String,
    /// A message was sent for the run before, and may still wait in its queue.
    pub announced: bool,
}

impl Due {
    /// The key of the run. The caller knows the stage's name as a name of its own table.
    pub fn key(&self, stage: &'static str) -> RunKey {
        RunKey { workspace: self.workspace, call: self.call_id, stage, generation: self.generation }
    }
}

/// The query for the rows whose time has come. Where nobody has sent a message for a row yet, its `wake_at` is
/// the time at which it is due.
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
    /// Up to `limit` runs whose time has come, and up to `limit` whose owner is dead. The second kind is left out
    /// unless `may_judge` says that this process may declare others dead.
    ///
    /// Each run is postponed, so that the next look does not wake it again at once: for as long as it has waited
    /// already, but at least for a minute and at most for ten. Two keepers never take the same run.
    pub async fn due_runs(&self, limit: i64, may_judge: bool) -> Result<Vec<Due>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let (soonest, latest) = (now.plus(MESSAGE_OVERDUE), now.plus(LONGEST_PAUSE));
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
            // SQLite returns only the new values of a row, so the old ones are read first. Nobody else writes
            // meanwhile.
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
            may_judge,
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

    /// Has a keeper wake the run as soon as it is due, because the message for it could not be sent.
    pub async fn wake_soon(&self, run: &RunKey) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "UPDATE stage_runs SET wake_at = not_before
             WHERE call_id = $1 AND stage = $2 AND generation = $3 AND wake_at > not_before",
            run.call,
            run.stage,
            run.generation,
        )?;
        tx.commit().await
    }

    /// When the next run has to be woken.
    pub async fn next_wake(&self) -> Result<Option<Moment>> {
        let (next,) = read!(
            fetch_one,
            (Option<Moment>,),
            self,
            "SELECT MIN(wake_at) FROM stage_runs WHERE state <> 'running'"
        )?;
        Ok(next)
    }

    /// Makes every run wait that is parked for `destination`, which was reached again. Returns how many they were.
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

/// Makes runs wait that are parked for `destination`, of at most `limit` calls. Returns how many runs they were.
pub(super) async fn wake_parked(
    tx: &mut Tx,
    workspace: WorkspaceId,
    destination: &str,
    limit: u64,
    now: Moment,
) -> Result<u64> {
    // The calls are locked before their runs, and always in the same order. Otherwise two transactions could wait
    // for each other.
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
