//! The order in which calls changed.
//!
//! Whoever follows the changes names the last number that it saw. So a number must never become visible after a higher
//! one. A number that is taken when a call changes would do so: a transaction that began early can commit late. So a
//! change takes no number. A trigger marks the call, and whoever reads gives numbers to the marked calls that are
//! committed. Only one reader of a workspace does this at a time, until its transaction ends, so numbers are committed in
//! their order. A call whose transaction is still open is locked, so it is left for the next reader.
//!
//! Numbers go by the clock. After a restore of an older back-up, a new change still has a higher number than every change
//! that somebody saw before.

use super::call_status::{call_columns, shown_status};
use super::calls::CallRow;
use super::{Result, Store, Tx, execute, query, read};
use domain::call::{Call, CallId, WorkspaceId};

/// How many calls get a number in one transaction.
const NUMBERED_AT_ONCE: i64 = 1000;

/// Calls that changed, and up to where they were read.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// Each call as it is now, in the order of their changes.
    pub calls: Vec<Call>,
    /// What to read after next time.
    pub cursor: i64,
}

#[derive(sqlx::FromRow)]
struct ChangedRow {
    seq: i64,
    #[sqlx(flatten)]
    call: CallRow,
}

/// Gives numbers to marked calls. `$lock` leaves out what somebody else has locked.
macro_rules! number {
    ($lock:literal) => {
        concat!(
            "UPDATE call_changes SET seq = $2 + numbered.place
             FROM (SELECT call_id, row_number() OVER (ORDER BY changed_at, call_id) AS place
                FROM (SELECT call_id, changed_at FROM call_changes WHERE workspace = $1 AND seq IS NULL
                    ORDER BY changed_at, call_id LIMIT $3",
            $lock,
            ") AS picked) AS numbered
             WHERE call_changes.call_id = numbered.call_id"
        )
    };
}

impl Store {
    /// The calls that changed after `after`, at most `limit`. Whoever always sends the last cursor misses no change.
    pub async fn changed_calls(&self, workspace: WorkspaceId, after: i64, limit: i64) -> Result<Changes> {
        let mut rows = self.numbered_changes(workspace, after, limit).await?;
        if i64::try_from(rows.len()).unwrap_or(limit) < limit && self.number_changes(workspace).await? {
            rows = self.numbered_changes(workspace, after, limit).await?;
        }
        let cursor = rows.last().map_or(after, |row| row.seq);
        let calls =
            rows.into_iter().map(|row| Call::try_from(row.call)).collect::<std::result::Result<_, _>>()?;
        Ok(Changes { calls, cursor })
    }

    async fn numbered_changes(
        &self,
        workspace: WorkspaceId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ChangedRow>> {
        Ok(read!(
            fetch_all,
            ChangedRow,
            self,
            concat!(
                "SELECT seq, ",
                call_columns!(),
                " FROM (SELECT call_id, seq FROM call_changes WHERE workspace = $1 AND seq > $2 ORDER BY seq LIMIT $3)
                    AS changed JOIN calls ON calls.id = changed.call_id ORDER BY seq"
            ),
            workspace,
            after,
            limit,
        )?)
    }

    /// Gives the next numbers. Returns whether any call got one.
    async fn number_changes(&self, workspace: WorkspaceId) -> Result<bool> {
        let marked = read!(
            fetch_optional,
            (CallId,),
            self,
            "SELECT call_id FROM call_changes WHERE workspace = $1 AND seq IS NULL LIMIT 1",
            workspace,
        )?;
        if marked.is_none() {
            return Ok(false);
        }
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        // This locks the counter until the transaction ends, so the numbers of two readers are committed in their order.
        let (last,) = query!(
            fetch_one,
            (i64,),
            tx,
            "INSERT INTO change_counters (workspace, seq) VALUES ($1, $2)
             ON CONFLICT (workspace) DO UPDATE SET seq = change_counters.seq RETURNING seq",
            workspace,
            now.micros(),
        )?;
        let last = last.max(now.micros());
        let sql = match tx {
            Tx::Postgres(_) => number!(" FOR UPDATE SKIP LOCKED"),
            Tx::Sqlite(_) => number!(""),
        };
        let numbered = execute!(tx, sql, workspace, last, NUMBERED_AT_ONCE)?;
        let next = last + i64::try_from(numbered).unwrap_or(NUMBERED_AT_ONCE);
        execute!(tx, "UPDATE change_counters SET seq = $2 WHERE workspace = $1", workspace, next)?;
        tx.commit().await?;
        Ok(numbered > 0)
    }
}
