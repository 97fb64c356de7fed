//! What could not be done, with why, for people to see and send on.

use uuid::Uuid;

use super::types::bounded;
use super::{Result, Store, execute, read};
use crate::call::{CallId, WorkspaceId};
use crate::moment::Moment;

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DeadLetter {
    pub id: Uuid,
    /// Absent where the message could not be read.
    pub workspace: Option<WorkspaceId>,
    pub call_id: Option<CallId>,
    pub stage: String,
    pub generation: i64,
    pub attempts: i64,
    pub error_code: String,
    pub error_text: String,
    pub error_group: String,
    /// The event, or the message as it came.
    pub body: String,
    pub died_at: Moment,
    pub replayed_at: Option<Moment>,
}

/// Narrows a list of dead letters. Those that were replayed are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadFilter {
    pub stage: Option<String>,
    pub group: Option<String>,
    pub since: Option<Moment>,
    pub until: Option<Moment>,
}

/// Dead letters that died of the same thing.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DeadGroup {
    pub stage: String,
    pub error_group: String,
    pub error_code: String,
    pub letters: i64,
    pub first: Moment,
    pub last: Moment,
}

const MAX_BODY_CHARS: usize = 65_536;
const MAX_ERROR_CHARS: usize = 1000;

impl Store {
    /// Records a message behind which no run stands.
    pub async fn bury(&self, letter: &DeadLetter) -> Result<()> {
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "INSERT INTO dead_letters (id, workspace, call_id, stage, generation, attempts, error_code, error_text,
                error_group, body, died_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
            letter.id,
            letter.workspace,
            letter.call_id,
            &letter.stage,
            letter.generation,
            letter.attempts,
            &letter.error_code,
            bounded(&letter.error_text, MAX_ERROR_CHARS),
            &letter.error_group,
            bounded(&letter.body, MAX_BODY_CHARS),
            letter.died_at,
        )?;
        tx.commit().await
    }

    /// Letters that match, newest first, and how many there are. A letter that could not be read belongs
    /// to no workspace and is listed for the default one.
    pub async fn dead_letters(
        &self,
        workspace: WorkspaceId,
        filter: &DeadFilter,
        page: super::Page,
    ) -> Result<(Vec<DeadLetter>, i64)> {
        let since = filter.since.unwrap_or(Moment::from_micros(0));
        let until = filter.until.unwrap_or(Moment::from_micros(253_402_300_799_000_000));
        let letters = read!(
            fetch_all,
            DeadLetter,
            self,
            "SELECT id, workspace, call_id, stage, generation, attempts, error_code, error_text, error_group, body,
                died_at, replayed_at
             FROM dead_letters WHERE COALESCE(workspace, $1) = $2 AND replayed_at IS NULL AND died_at >= $3 AND died_at <= $4
                AND (CAST($5 AS TEXT) IS NULL OR stage = $5) AND (CAST($6 AS TEXT) IS NULL OR error_group = $6)
             ORDER BY died_at DESC, id LIMIT $7 OFFSET $8",
            WorkspaceId::DEFAULT,
            workspace,
            since,
            until,
            filter.stage.as_deref(),
            filter.group.as_deref(),
            page.limit,
            page.offset,
        )?;
        let (total,) = read!(
            fetch_one,
            (i64,),
            self,
            "SELECT COUNT(*)
             FROM dead_letters WHERE COALESCE(workspace, $1) = $2 AND replayed_at IS NULL AND died_at >= $3 AND died_at <= $4
                AND (CAST($5 AS TEXT) IS NULL OR stage = $5) AND (CAST($6 AS TEXT) IS NULL OR error_group = $6)",
            WorkspaceId::DEFAULT,
            workspace,
            since,
            until,
            filter.stage.as_deref(),
            filter.group.as_deref(),
        )?;
        Ok((letters, total))
    }

    pub async fn dead_letter(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<DeadLetter>> {
        Ok(read!(
            fetch_optional,
            DeadLetter,
            self,
            "SELECT id, workspace, call_id, stage, generation, attempts, error_code, error_text, error_group, body,
                died_at, replayed_at
             FROM dead_letters WHERE COALESCE(workspace, $1) = $2 AND id = $3",
            WorkspaceId::DEFAULT,
            workspace,
            id,
        )?)
    }

    pub async fn dead_groups(&self, workspace: WorkspaceId) -> Result<Vec<DeadGroup>> {
        Ok(read!(
            fetch_all,
            DeadGroup,
            self,
            "SELECT stage, error_group, error_code, COUNT(*) AS letters, MIN(died_at) AS first, MAX(died_at) AS last
             FROM dead_letters WHERE COALESCE(workspace, $1) = $2 AND replayed_at IS NULL
             GROUP BY stage, error_group, error_code ORDER BY letters DESC, stage, error_group",
            WorkspaceId::DEFAULT,
            workspace,
        )?)
    }

    /// Marks a letter as replayed; false when it was before, so that a batch run twice changes nothing.
    pub async fn mark_replayed(&self, id: Uuid) -> Result<bool> {
        let mut tx = self.begin_tx().await?;
        let rows = execute!(
            tx,
            "UPDATE dead_letters SET replayed_at = $2 WHERE id = $1 AND replayed_at IS NULL",
            id,
            self.now(),
        )?;
        tx.commit().await?;
        Ok(rows == 1)
    }

    /// Puts the event of a letter behind which no run stands into the outbox again, and marks the letter;
    /// false when that was done before.
    pub async fn requeue_letter(&self, letter: &DeadLetter) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let marked = execute!(
            tx,
            "UPDATE dead_letters SET replayed_at = $2 WHERE id = $1 AND replayed_at IS NULL",
            letter.id,
            now,
        )?;
        if marked == 1 {
            execute!(
                tx,
                "INSERT INTO outbox (event_id, lane, body, created_at) VALUES ($1, 'bulk', $2, $3)",
                letter.id,
                &letter.body,
                now,
            )?;
        }
        tx.commit().await?;
        Ok(marked == 1)
    }
}
