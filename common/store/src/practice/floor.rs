//! The floor of a meeting. Only who has it adds turns, so turns have an order however many send them.
//!
//! The claim is a row's column with a time at which it ends. A process that dies in the middle of an answer leaves the
//! claim to run out. Whoever takes the floor next marks what was only half said.

use std::time::Duration;

use uuid::Uuid;

use super::meetings::MeetingStatus;
use crate::{Result, Store, execute, query};
use domain::call::WorkspaceId;

/// What became of a claim on the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloorClaim {
    Taken,
    /// Somebody else has it.
    Busy,
    /// Nobody speaks in a meeting that has not begun or is over.
    NotActive(MeetingStatus),
    /// There is no such meeting.
    Gone,
}

impl Store {
    /// Takes the floor for `lease`. What the one before left half said is marked as cut.
    pub async fn take_floor(
        &self,
        workspace: WorkspaceId,
        meeting: Uuid,
        holder: Uuid,
        lease: Duration,
    ) -> Result<FloorClaim> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let taken = execute!(
            tx,
            "UPDATE practice_meetings SET floor = $3, floor_until = $4
             WHERE workspace = $1 AND id = $2 AND status = 'active' AND (floor IS NULL OR floor_until < $5)",
            workspace,
            meeting,
            holder,
            now.plus(lease),
            now,
        )?;
        if taken == 0 {
            let known = query!(
                fetch_optional,
                (String,),
                tx,
                "SELECT status FROM practice_meetings WHERE workspace = $1 AND id = $2",
                workspace,
                meeting,
            )?;
            tx.roll_back().await?;
            return Ok(match known.and_then(|(status,)| status.parse().ok()) {
                None => FloorClaim::Gone,
                Some(MeetingStatus::Active) => FloorClaim::Busy,
                Some(status) => FloorClaim::NotActive(status),
            });
        }
        execute!(
            tx,
            "UPDATE practice_turns SET state = 'cut' WHERE workspace = $1 AND meeting = $2 AND state = 'speaking'",
            workspace,
            meeting,
        )?;
        tx.commit().await?;
        Ok(FloorClaim::Taken)
    }

    /// Keeps the floor for another `lease`. Returns false where somebody else has it now.
    pub async fn keep_floor(
        &self,
        workspace: WorkspaceId,
        meeting: Uuid,
        holder: Uuid,
        lease: Duration,
    ) -> Result<bool> {
        let mut tx = self.one_statement().await?;
        let kept = execute!(
            tx,
            "UPDATE practice_meetings SET floor_until = $4 WHERE workspace = $1 AND id = $2 AND floor = $3",
            workspace,
            meeting,
            holder,
            self.now().plus(lease),
        )?;
        tx.commit().await?;
        Ok(kept == 1)
    }

    /// Gives the floor back.
    pub async fn leave_floor(&self, workspace: WorkspaceId, meeting: Uuid, holder: Uuid) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "UPDATE practice_meetings SET floor = NULL, floor_until = NULL
             WHERE workspace = $1 AND id = $2 AND floor = $3",
            workspace,
            meeting,
            holder,
        )?;
        tx.commit().await
    }

    /// Frees every floor. Only the process that owns an embedded store may call this, at its start: whoever had a floor
    /// there is gone.
    pub async fn free_all_floors(&self) -> Result<u64> {
        let mut tx = self.one_statement().await?;
        let freed = execute!(
            tx,
            "UPDATE practice_meetings SET floor = NULL, floor_until = NULL WHERE floor IS NOT NULL",
        )?;
        tx.commit().await?;
        Ok(freed)
    }
}
