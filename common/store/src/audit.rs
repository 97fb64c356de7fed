//! Who had what done again, gave their word for an effect, or made or revoked a key: one row for each time somebody
//! asked.
//!
//! A row counts what was done in the transaction that does it, so that it is right even where the asker was
//! cut off. Whoever asks for the same within a day goes on with what was cut off: that is one batch, with a
//! row for each of them, and it does not grow meanwhile.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::{Page, Result, Store, Tx, execute, query, read};
use domain::call::WorkspaceId;
use domain::moment::Moment;

/// Past it, a batch that was cut off is not gone on with: who asks for the same means what is there now.
const RESUMED_WITHIN: Duration = Duration::from_hours(24);

/// What can be asked for by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    ReplayCall,
    ReplayDeadLetters,
    ResolveEffects,
    CreateKey,
    RevokeKey,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Self::ReplayCall => "call_replay",
            Self::ReplayDeadLetters => "dead_letters_replay",
            Self::ResolveEffects => "effects_resolve",
            Self::CreateKey => "key_create",
            Self::RevokeKey => "key_revoke",
        }
    }
}

/// Somebody asks for something, and it is kept who and what.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked<'a> {
    pub workspace: WorkspaceId,
    /// A principal's actor, or `cli:<user>`.
    pub actor: &'a str,
    pub action: Action,
    /// The filter or the ids, as they were given.
    pub what: Value,
}

/// A request that is being done; [`Store::end_audit`] says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    pub id: Uuid,
    /// The same for whoever went on with it.
    pub batch: Uuid,
    /// It goes on with a batch that was cut off.
    pub resumed: bool,
    /// What came up later than this is not of the batch.
    pub bound: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct AuditRow {
    pub id: Uuid,
    pub batch: Uuid,
    pub at: Moment,
    pub actor: String,
    pub action: String,
    /// JSON.
    pub asked: String,
    pub resumed: bool,
    /// How many calls, letters, effects or keys.
    pub done: i64,
    /// Absent while it is being done, and where it was cut off.
    pub ended_at: Option<Moment>,
}

impl Store {
    /// Notes that somebody asks. Where the same was asked and cut off within a day, this goes on with it, and
    /// has its bound.
    pub async fn begin_audit(&self, asked: &Asked<'_>, bound: Moment) -> Result<Audit> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let open = query!(
            fetch_optional,
            (Uuid, Moment),
            tx,
            "SELECT batch, bound FROM audit AS open
             WHERE workspace = $1 AND action = $2 AND asked = $3 AND at > $4 AND NOT EXISTS (
                SELECT 1 FROM audit AS ended WHERE ended.batch = open.batch AND ended.ended_at IS NOT NULL)
             ORDER BY at DESC LIMIT 1",
            asked.workspace,
            asked.action.name(),
            asked.what.to_string(),
            now.minus(RESUMED_WITHIN),
        )?;
        let id = Uuid::now_v7();
        let (batch, bound) = open.unwrap_or((id, bound));
        let audit = Audit { id, batch, resumed: open.is_some(), bound };
        insert(&mut tx, asked, &audit, (0, None), now).await?;
        tx.commit().await?;
        Ok(audit)
    }

    /// What was asked for is done, to its end.
    pub async fn end_audit(&self, audit: &Audit) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(tx, "UPDATE audit SET ended_at = $2 WHERE id = $1", audit.id, self.now())?;
        tx.commit().await
    }

    /// Newest first, and how many there are.
    pub async fn audit(&self, workspace: WorkspaceId, page: Page) -> Result<(Vec<AuditRow>, i64)> {
        let rows = read!(
            fetch_all,
            AuditRow,
            self,
            "SELECT id, batch, at, actor, action, asked, resumed, done, ended_at
             FROM audit WHERE workspace = $1 ORDER BY at DESC, id DESC LIMIT $2 OFFSET $3",
            workspace,
            page.limit,
            page.offset,
        )?;
        let (total,) =
            read!(fetch_one, (i64,), self, "SELECT COUNT(*) FROM audit WHERE workspace = $1", workspace)?;
        Ok((rows, total))
    }
}

/// Notes, in the transaction that does it, what was asked for and done at once. Returns its batch.
pub(super) async fn note(tx: &mut Tx, asked: &Asked<'_>, now: Moment) -> Result<Uuid> {
    let id = Uuid::now_v7();
    let audit = Audit { id, batch: id, resumed: false, bound: now };
    insert(tx, asked, &audit, (1, Some(now)), now).await?;
    Ok(id)
}

/// Counts one more, in the transaction that does it.
pub(super) async fn count(tx: &mut Tx, audit: &Audit) -> Result<()> {
    execute!(*tx, "UPDATE audit SET done = done + 1 WHERE id = $1", audit.id)?;
    Ok(())
}

async fn insert(
    tx: &mut Tx,
    asked: &Asked<'_>,
    audit: &Audit,
    (done, ended_at): (i64, Option<Moment>),
    now: Moment,
) -> Result<()> {
    execute!(
        *tx,
        "INSERT INTO audit (id, workspace, batch, at, actor, action, asked, resumed, bound, done, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        audit.id,
        asked.workspace,
        audit.batch,
        now,
        asked.actor,
        asked.action.name(),
        asked.what.to_string(),
        audit.resumed,
        audit.bound,
        done,
        ended_at,
    )?;
    Ok(())
}
