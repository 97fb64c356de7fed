//! Dead letters: the work that could not be done, each with its reason. People look at them and replay them.

use uuid::Uuid;

use super::columns::bounded;
use super::{Result, Store, execute, read};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DeadLetter {
    pub id: Uuid,
    /// Absent if the message could not be read.
    pub workspace: Option<WorkspaceId>,
    pub call_id: Option<CallId>,
    pub stage: String,
    pub generation: i64,
    pub attempts: i64,
    pub error_code: String,
    pub error_text: String,
    pub error_group: String,
    /// The event, or the message as it arrived.
    pub body: String,
    pub died_at: Moment,
    pub replayed_at: Option<Moment>,
}

/// Narrows a list of dead letters. Letters that were replayed are never listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadFilter {
    pub stage: Option<String>,
    pub group: Option<String>,
    pub since: Option<Moment>,
    pub until: Option<Moment>,
}

/// Dead letters with the same reason.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DeadGroup {
    pub stage: String,
    pub error_group: String,
    pub error_code: String,
    pub letters: i64,
    pub first: Moment,
    pub last: Moment,
    /// The text of one of them. The others have the same text, but for ids, numbers and quoted names.
    pub example: String,
}

/// The letters before and after a letter, in the order of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LetterBeside {
    /// The letter above it, which died later.
    pub above: Option<Uuid>,
    /// The letter below it, which died earlier.
    pub below: Option<Uuid>,
}

impl DeadFilter {
    /// The first and the last moment at which a letter of the list may have died.
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
    /// Records a message that has no run. A letter that was replayed and died again is listed again.
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

    /// One page of the letters that match, newest first, and how many match in all. A letter that could not be
    /// read belongs to no workspace, and is listed for the default one.
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

    /// The letters of one call, oldest first. Those that were replayed are left out.
    pub async fn dead_letters_of(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<DeadLetter>> {
        Ok(read!(
            fetch_all,
            DeadLetter,
            self,
            "SELECT id, workspace, call_id, stage, generation, attempts, error_code, error_text, error_group, body,
                died_at, replayed_at
             FROM dead_letters WHERE workspace = $1 AND call_id = $2 AND replayed_at IS NULL ORDER BY died_at, id",
            workspace,
            call,
        )?)
    }

    /// How many letters match the filter.
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

    /// Up to `limit` letters that match, oldest first. A batch replays these next.
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

    /// The letters beside `letter` in the list of those that match.
    pub async fn letters_beside(
        &self,
        workspace: WorkspaceId,
        filter: &DeadFilter,
        letter: &DeadLetter,
    ) -> Result<LetterBeside> {
        macro_rules! beside {
            ($than:literal, $order:literal) => {
                concat!(
                    "SELECT id FROM dead_letters WHERE COALESCE(workspace, $1) = $2 AND replayed_at IS NULL
                        AND died_at >= $3 AND died_at <= $4
                        AND (CAST($5 AS TEXT) IS NULL OR stage = $5)
                        AND (CAST($6 AS TEXT) IS NULL OR error_group = $6) AND ",
                    $than,
                    " ORDER BY ",
                    $order,
                    " LIMIT 1"
                )
            };
        }
        let (since, until) = filter.span();
        let find = async |sql| -> Result<Option<Uuid>> {
            let id = read!(
                fetch_optional,
                (Uuid,),
                self,
                sql,
                OPERATORS,
                workspace,
                since,
                until,
                filter.stage.as_deref(),
                filter.group.as_deref(),
                letter.died_at,
                letter.id,
            )?;
            Ok(id.map(|(id,)| id))
        };
        let above = find(beside!("(died_at > $7 OR (died_at = $7 AND id < $8))", "died_at, id DESC"));
        let below = find(beside!("(died_at < $7 OR (died_at = $7 AND id > $8))", "died_at DESC, id"));
        Ok(LetterBeside { above: above.await?, below: below.await? })
    }

    /// How many letters nobody has replayed yet, by their stage. It counts over all workspaces. A stage without letters
    /// is missing.
    pub async fn open_letter_counts(&self) -> Result<Vec<(String, i64)>> {
        Ok(read!(
            fetch_all,
            (String, i64),
            self,
            "SELECT stage, COUNT(*) FROM dead_letters WHERE replayed_at IS NULL GROUP BY stage",
        )?)
    }

    pub async fn dead_groups(&self, workspace: WorkspaceId) -> Result<Vec<DeadGroup>> {
        Ok(read!(
            fetch_all,
            DeadGroup,
            self,
            "SELECT stage, error_group, error_code, COUNT(*) AS letters, MIN(died_at) AS first, MAX(died_at) AS last,
                MIN(error_text) AS example
             FROM dead_letters WHERE COALESCE(workspace, $1) = $2 AND replayed_at IS NULL
             GROUP BY stage, error_group, error_code ORDER BY letters DESC, stage, error_group",
            OPERATORS,
            workspace,
        )?)
    }
}
