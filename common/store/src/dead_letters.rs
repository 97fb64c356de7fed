//! What could not be done, with why, for people to see and send on.

use uuid::Uuid;

use super::types::bounded;
use super::{Result, Store, execute, read};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

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

impl DeadFilter {
    /// Between which moments a letter died, both included.
    fn span(&self) -> (Moment, Moment) {
        (
            self.since.unwrap_or(Moment::from_micros(0)),
            self.until.unwrap_or(Moment::from_micros(253_402_300_799_000_000)),
        )
    }
}

/// Who sees a message that nobody could read, and so belongs to no workspace: whoever runs the installation, whose
/// workspace is the one that it begins with.
const OPERATORS: WorkspaceId = WorkspaceId::DEFAULT;
const MAX_BODY_CHARS: usize = 65_536;
const MAX_ERROR_CHARS: usize = 1000;

impl Store {
    /// Records a message behind which no run stands. One that was sent on and died again is listed again.
    pub async fn bury(&self, letter: &DeadLetter) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "INSERT INTO dead_letters (id, workspace, call_id, stage, generation, attempts, error_code, error_text,
                error_group, body, died_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             ON CONFLICT (id) DO UPDATE SET error_code = excluded.error_code, error_text = excluded.error_text,
                error_group = excluded.error_group, died_at = excluded.died_at, replayed_at = NULL
             WHERE dead_letters.replayed_at IS NOT NULL AND excluded.died_at > dead_letters.replayed_at",
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
        let (since, until) = filter.span();
        let letters = read!(
            fetch_all,
            DeadLetter,
            self,
            "SELECT id, workspace, call_id, stage, generation, attempts, error_code, error_text, error_group, body,
                died_at, replayed_at
             FROM dead_letters WHERE COALESCE(workspace, $1) = $2 AND replayed_at IS NULL AND died_at >= $3 AND died_at <= $4
                AND (CAST($5 AS TEXT) IS NULL OR stage = $5) AND (CAST($6 AS TEXT) IS NULL OR error_group = $6)
             ORDER BY died_at DESC, id LIMIT $7 OFFSET $8",
            OPERATORS,
            workspace,
            since,
            until,
            filter.stage.as_deref(),
            filter.group.as_deref(),
            page.limit,
            page.offset,
        )?;
        let total = self.count_dead(workspace, filter).await?;
        Ok((letters, total))
    }

    /// How many letters match.
    pub async fn count_dead(&self, workspace: WorkspaceId, filter: &DeadFilter) -> Result<i64> {
        let (since, until) = filter.span();
        let (total,) = read!(
            fetch_one,
            (i64,),
            self,
            "SELECT COUNT(*)
             FROM dead_letters WHERE COALESCE(workspace, $1) = $2 AND replayed_at IS NULL AND died_at >= $3 AND died_at <= $4
                AND (CAST($5 AS TEXT) IS NULL OR stage = $5) AND (CAST($6 AS TEXT) IS NULL OR error_group = $6)",
            OPERATORS,
            workspace,
            since,
            until,
            filter.stage.as_deref(),
            filter.group.as_deref(),
        )?;
        Ok(total)
    }

    /// Up to `limit` letters that match, oldest first: what a batch takes next.
    pub async fn next_dead(
        &self,
        workspace: WorkspaceId,
        filter: &DeadFilter,
        limit: i64,
    ) -> Result<Vec<DeadLetter>> {
        let (since, until) = filter.span();
        Ok(read!(
            fetch_all,
            DeadLetter,
            self,
            "SELECT id, workspace, call_id, stage, generation, attempts, error_code, error_text, error_group, body,
                died_at, replayed_at
             FROM dead_letters WHERE COALESCE(workspace, $1) = $2 AND replayed_at IS NULL AND died_at >= $3 AND died_at <= $4
                AND (CAST($5 AS TEXT) IS NULL OR stage = $5) AND (CAST($6 AS TEXT) IS NULL OR error_group = $6)
             ORDER BY died_at, id LIMIT $7",
            OPERATORS,
            workspace,
            since,
            until,
            filter.stage.as_deref(),
            filter.group.as_deref(),
            limit,
        )?)
    }

    pub async fn dead_letter(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<DeadLetter>> {
        Ok(read!(
            fetch_optional,
            DeadLetter,
            self,
            "SELECT id, workspace, call_id, stage, generation, attempts, error_code, error_text, error_group, body,
                died_at, replayed_at
             FROM dead_letters WHERE COALESCE(workspace, $1) = $2 AND id = $3",
            OPERATORS,
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
            OPERATORS,
            workspace,
        )?)
    }
}
