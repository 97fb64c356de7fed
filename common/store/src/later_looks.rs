//! Calls about which the system that keeps their recording is asked once more, because their details settle late.
//!
//! Such a look is no run: it costs no attempt, nothing waits for it, and the call's status does not show it.

use std::time::Duration;

use super::{Result, Store, execute, query};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

/// How often a look is tried that comes to nothing.
const MAX_TRIES: i64 = 5;

/// A look whose time has come.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LaterLook {
    pub workspace: WorkspaceId,
    pub call_id: CallId,
    /// The name of the file that the system keeps, such as `telephony:CALL-1`.
    pub held: String,
    /// When the look is tried again, if nobody says that it was done.
    due_at: Moment,
}

impl Store {
    /// Plans a look at what the keeper of the file `held` knows of the call. A call has one look, the latest.
    pub async fn look_later(
        &self,
        workspace: WorkspaceId,
        call: CallId,
        held: &str,
        after: Duration,
    ) -> Result<()> {
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "INSERT INTO later_looks (call_id, workspace, held, due_at, tries) VALUES ($1, $2, $3, $4, 0)
             ON CONFLICT (call_id) DO UPDATE SET held = excluded.held, due_at = excluded.due_at, tries = 0",
            call,
            workspace,
            held,
            self.now().plus(after),
        )?;
        tx.commit().await
    }

    /// Up to `limit` looks whose time has come. Each is postponed by `again_after`, so that a look whose process died is
    /// tried again, but not for ever.
    pub async fn due_looks(&self, limit: u16, again_after: Duration) -> Result<Vec<LaterLook>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        execute!(tx, "DELETE FROM later_looks WHERE due_at <= $1 AND tries >= $2", now, MAX_TRIES)?;
        // Of two processes that ask at once the second finds the time changed, and takes none of the same.
        let due = query!(
            fetch_all,
            LaterLook,
            tx,
            "UPDATE later_looks SET due_at = $2, tries = tries + 1
             WHERE due_at <= $1 AND call_id IN (
                SELECT call_id FROM later_looks WHERE due_at <= $1 ORDER BY due_at LIMIT $3)
             RETURNING workspace, call_id, held, due_at",
            now,
            now.plus(again_after),
            i64::from(limit),
        )?;
        tx.commit().await?;
        Ok(due)
    }

    /// Ends a look. One that was planned anew meanwhile stays.
    pub async fn looked(&self, look: &LaterLook) -> Result<()> {
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "DELETE FROM later_looks WHERE workspace = $1 AND call_id = $2 AND due_at = $3",
            look.workspace,
            look.call_id,
            look.due_at,
        )?;
        tx.commit().await
    }
}
