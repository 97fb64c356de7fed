//! The audit: who had something done again, who corrected a speaker, who said what became of an effect, who made or revoked a key,
//! who changed an account, who changed what everybody in a workspace sees, and who removed something of practice. Every request has one row.
//!
//! The transaction that does one piece of a request also counts it in the row. So the count is right even if the
//! request is cut off half-way. Whoever makes the same request within a day continues the one that was cut off: both
//! belong to one batch, with a row for each request, and the batch does not grow meanwhile.

use std::time::Duration;

use serde_json::Value;
use strum::{IntoStaticStr, VariantArray};
use uuid::Uuid;

use super::{Page, Result, Store, Tx, execute, query, read};
use domain::call::WorkspaceId;
use domain::moment::Moment;

/// How long a batch that was cut off can be continued. After that, the same request means what is there now.
const RESUMED_WITHIN: Duration = Duration::from_hours(24);

/// What an operator can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(const_into_str)]
pub enum Action {
    #[strum(serialize = "call_replay")]
    ReplayCall,
    #[strum(serialize = "dead_letters_replay")]
    ReplayDeadLetters,
    #[strum(serialize = "speakers_correct")]
    CorrectSpeakers,
    #[strum(serialize = "words_correct")]
    CorrectWords,
    #[strum(serialize = "summary_correct")]
    CorrectSummary,
    #[strum(serialize = "effects_resolve")]
    ResolveEffects,
    #[strum(serialize = "key_create")]
    CreateKey,
    #[strum(serialize = "key_revoke")]
    RevokeKey,
    #[strum(serialize = "user_create")]
    CreateUser,
    #[strum(serialize = "user_invite")]
    InviteUser,
    #[strum(serialize = "invitation_revoke")]
    RevokeInvitation,
    #[strum(serialize = "user_change")]
    ChangeUser,
    #[strum(serialize = "user_disable")]
    DisableUser,
    #[strum(serialize = "user_enable")]
    EnableUser,
    #[strum(serialize = "user_link")]
    LinkUser,
    #[strum(serialize = "password_set")]
    SetPassword,
    #[strum(serialize = "session_end")]
    EndSessions,
    #[strum(serialize = "workspace_enter")]
    EnterWorkspace,
    #[strum(serialize = "view_share")]
    ShareView,
    #[strum(serialize = "view_remove")]
    RemoveView,
    #[strum(serialize = "samples_load")]
    LoadSamples,
    #[strum(serialize = "samples_remove")]
    RemoveSamples,
    #[strum(serialize = "salesperson_delete")]
    DeleteSalesperson,
    #[strum(serialize = "material_delete")]
    DeleteMaterial,
    #[strum(serialize = "company_delete")]
    DeleteCompany,
    #[strum(serialize = "representative_delete")]
    DeleteRepresentative,
    #[strum(serialize = "practice_meeting_delete")]
    DeletePracticeMeeting,
}

impl Action {
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// A request of a person that the audit keeps: who asks, and for what.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorRequest<'a> {
    pub workspace: WorkspaceId,
    /// A principal's actor, or `cli:<user>`.
    pub actor: &'a str,
    pub action: Action,
    /// The filter or the ids, as they were given.
    pub what: Value,
}

/// A request that is being worked on. [`Store::end_audit`] ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    pub id: Uuid,
    /// The first request and all that continue it have the same batch.
    pub batch: Uuid,
    /// The request continues a batch that was cut off.
    pub resumed: bool,
    /// What came up after this moment does not belong to the batch.
    pub bound: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct AuditRow {
    pub id: Uuid,
    pub batch: Uuid,
    pub at: Moment,
    pub actor: String,
    pub action: String,
    /// What was asked for, as JSON.
    pub asked: String,
    pub resumed: bool,
    /// How many calls, letters, effects or keys this request has changed.
    pub done: i64,
    /// Absent while the request is being worked on, and if it was cut off.
    pub ended_at: Option<Moment>,
}

/// Which rows of the audit a page shows. Every field that is set narrows the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub action: Option<Action>,
    pub actor: Option<String>,
    pub from: Option<Moment>,
    /// The rows are older than this.
    pub until: Option<Moment>,
}

/// The last row of the page before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCursor {
    pub at: Moment,
    pub id: Uuid,
}

/// Later than every row: the last second of the year 9999.
const LAST: Moment = Moment::from_micros(253_402_300_799_000_000);

impl Store {
    /// Notes that somebody asks. If the same request was cut off within the last day, this one continues it and has
    /// its bound.
    pub async fn begin_audit(&self, request: &OperatorRequest<'_>, bound: Moment) -> Result<Audit> {
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
            request.workspace,
            request.action.name(),
            request.what.to_string(),
            now.minus(RESUMED_WITHIN),
        )?;
        let id = Uuid::now_v7();
        let (batch, bound) = open.unwrap_or((id, bound));
        let audit = Audit { id, batch, resumed: open.is_some(), bound };
        insert(&mut tx, request, &audit, (0, None), now).await?;
        tx.commit().await?;
        Ok(audit)
    }

    /// Notes that everything that was asked for is done.
    pub async fn end_audit(&self, audit: &Audit) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(tx, "UPDATE audit SET ended_at = $2 WHERE id = $1", audit.id, self.now())?;
        tx.commit().await
    }

    /// How many calls, letters, effects and keys people have changed, by the name of the action. It counts over all
    /// workspaces. An action that nobody has asked for is missing.
    pub async fn audited_changes(&self) -> Result<Vec<(String, i64)>> {
        Ok(read!(
            fetch_all,
            (String, i64),
            self,
            "SELECT action, CAST(SUM(done) AS BIGINT) FROM audit GROUP BY action",
        )?)
    }

    /// One page of the audit, newest first, of the rows that match. The next page begins behind the last row of this one.
    pub async fn audit_matching(
        &self,
        workspace: WorkspaceId,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: i64,
    ) -> Result<Vec<AuditRow>> {
        let cursor = after.unwrap_or(AuditCursor { at: LAST, id: Uuid::max() });
        Ok(read!(
            fetch_all,
            AuditRow,
            self,
            "SELECT id, batch, at, actor, action, asked, resumed, done, ended_at FROM audit
             WHERE workspace = $1 AND at >= $2 AND at < $3 AND (at < $4 OR (at = $4 AND id < $5))
                AND (CAST($6 AS TEXT) IS NULL OR action = $6) AND (CAST($7 AS TEXT) IS NULL OR actor = $7)
             ORDER BY at DESC, id DESC LIMIT $8",
            workspace,
            filter.from.unwrap_or(Moment::from_micros(0)),
            filter.until.unwrap_or(LAST),
            cursor.at,
            cursor.id,
            filter.action.map(Action::name),
            filter.actor.as_deref(),
            limit,
        )?)
    }

    /// One page of the audit, newest first, and how many rows there are in all.
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

/// Notes a request in the transaction that fulfils it. Returns the batch of the request.
pub(super) async fn note(tx: &mut Tx, request: &OperatorRequest<'_>, now: Moment) -> Result<Uuid> {
    note_many(tx, request, 1, now).await
}

/// The same for a request that changed `done` things at once.
pub(super) async fn note_many(
    tx: &mut Tx,
    request: &OperatorRequest<'_>,
    done: i64,
    now: Moment,
) -> Result<Uuid> {
    let id = Uuid::now_v7();
    let audit = Audit { id, batch: id, resumed: false, bound: now };
    insert(tx, request, &audit, (done, Some(now)), now).await?;
    Ok(id)
}

/// Counts one more piece of the request, in the transaction that does that piece.
pub(super) async fn count(tx: &mut Tx, audit: &Audit) -> Result<()> {
    execute!(*tx, "UPDATE audit SET done = done + 1 WHERE id = $1", audit.id)?;
    Ok(())
}

async fn insert(
    tx: &mut Tx,
    request: &OperatorRequest<'_>,
    audit: &Audit,
    (done, ended_at): (i64, Option<Moment>),
    now: Moment,
) -> Result<()> {
    execute!(
        *tx,
        "INSERT INTO audit (id, workspace, batch, at, actor, action, asked, resumed, bound, done, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        audit.id,
        request.workspace,
        audit.batch,
        now,
        request.actor,
        request.action.name(),
        request.what.to_string(),
        audit.resumed,
        audit.bound,
        done,
        ended_at,
    )?;
    Ok(())
}

/// The name on the audit record of who signs in with `login`.
pub(super) fn actor(login: &str) -> String {
    format!("user:{login}")
}

/// Notes what somebody did at once, whole.
pub(super) async fn record(
    tx: &mut Tx,
    (workspace, actor): (WorkspaceId, &str),
    action: Action,
    what: Value,
    now: Moment,
) -> Result<()> {
    note(tx, &OperatorRequest { workspace, actor, action, what }, now).await?;
    Ok(())
}
