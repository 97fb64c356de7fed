//! Practice meetings: what was planned, and how far they are.

use serde_json::{Value, json};
use sqlx::types::Json;
use strum::{EnumString, IntoStaticStr};
use uuid::Uuid;

use crate::audit::{self, Action};
use crate::columns::storable;
use crate::{Page, Result, Store, execute, query, read};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum MeetingStatus {
    Pending,
    Active,
    Completed,
}

impl MeetingStatus {
    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

#[derive(Clone, Copy, Debug)]
pub struct NewMeeting<'a> {
    pub salesperson: Uuid,
    pub company: Uuid,
    /// Who made it. Whoever sees only her own calls sees only her own meetings.
    pub created_by: &'a str,
    pub plan: &'a Value,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MeetingRow {
    pub id: Uuid,
    pub salesperson: Uuid,
    pub company: Uuid,
    pub created_by: String,
    pub status: MeetingStatus,
    pub plan: Value,
    pub turns: i64,
    /// The call that the meeting became.
    pub call: Option<CallId>,
    pub score: Option<Value>,
    pub created_at: Moment,
    pub started_at: Option<Moment>,
    pub ended_at: Option<Moment>,
}

#[derive(sqlx::FromRow)]
struct Columns {
    id: Uuid,
    salesperson: Uuid,
    company: Uuid,
    created_by: String,
    status: String,
    plan: Json<Value>,
    turns: i64,
    call_id: Option<CallId>,
    score: Option<Json<Value>>,
    created_at: Moment,
    started_at: Option<Moment>,
    ended_at: Option<Moment>,
}

impl TryFrom<Columns> for MeetingRow {
    type Error = sqlx::Error;

    fn try_from(row: Columns) -> std::result::Result<Self, sqlx::Error> {
        let status = row.status.parse().map_err(|_| {
            sqlx::Error::Decode(format!("`{}` is no status of a practice meeting", row.status).into())
        })?;
        Ok(Self {
            id: row.id,
            salesperson: row.salesperson,
            company: row.company,
            created_by: row.created_by,
            status,
            plan: row.plan.0,
            turns: row.turns,
            call: row.call_id,
            score: row.score.map(|score| score.0),
            created_at: row.created_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
        })
    }
}

macro_rules! meeting_columns {
    () => {
        "SELECT id, salesperson, company, created_by, status, plan, turns, call_id, score, created_at, started_at, ended_at
         FROM practice_meetings "
    };
}

impl Store {
    /// Makes a meeting. Returns false where the salesperson or the company is gone.
    pub async fn add_meeting(&self, workspace: WorkspaceId, id: Uuid, new: NewMeeting<'_>) -> Result<bool> {
        let mut tx = self.one_statement().await?;
        let added = execute!(
            tx,
            "INSERT INTO practice_meetings (workspace, id, salesperson, company, created_by, status, plan, created_at)
             SELECT $1, $2, $3, $4, $5, 'pending', $6, $7
             WHERE EXISTS (SELECT 1 FROM practice_salespersons WHERE workspace = $1 AND id = $3)
               AND EXISTS (SELECT 1 FROM practice_companies WHERE workspace = $1 AND id = $4)",
            workspace,
            id,
            new.salesperson,
            new.company,
            new.created_by,
            storable(new.plan),
            self.now(),
        )?;
        tx.commit().await?;
        Ok(added == 1)
    }

    pub async fn meeting(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<MeetingRow>> {
        let sql = concat!(meeting_columns!(), "WHERE workspace = $1 AND id = $2");
        let row = read!(fetch_optional, Columns, self, sql, workspace, id)?;
        Ok(row.map(MeetingRow::try_from).transpose()?)
    }

    /// The meetings of a salesperson, the newest first. With `created_by` only those that this one made.
    pub async fn meetings_of(
        &self,
        workspace: WorkspaceId,
        salesperson: Uuid,
        created_by: Option<&str>,
    ) -> Result<Vec<MeetingRow>> {
        let sql = concat!(
            meeting_columns!(),
            "WHERE workspace = $1 AND salesperson = $2 AND ($3 IS NULL OR created_by = $3)
             ORDER BY created_at DESC, id DESC LIMIT 1000"
        );
        let rows = read!(fetch_all, Columns, self, sql, workspace, salesperson, created_by)?;
        Ok(rows.into_iter().map(MeetingRow::try_from).collect::<std::result::Result<_, _>>()?)
    }

    /// All meetings of the workspace, the newest first. With `created_by` only those that this one made.
    pub async fn meetings(
        &self,
        workspace: WorkspaceId,
        created_by: Option<&str>,
        page: Page,
    ) -> Result<Vec<MeetingRow>> {
        let sql = concat!(
            meeting_columns!(),
            "WHERE workspace = $1 AND ($2 IS NULL OR created_by = $2)
             ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4"
        );
        let rows = read!(fetch_all, Columns, self, sql, workspace, created_by, page.limit, page.offset)?;
        Ok(rows.into_iter().map(MeetingRow::try_from).collect::<std::result::Result<_, _>>()?)
    }

    /// Starts a meeting. Returns false where it is not there, or was started before.
    pub async fn start_meeting(&self, workspace: WorkspaceId, id: Uuid) -> Result<bool> {
        let mut tx = self.one_statement().await?;
        let started = execute!(
            tx,
            "UPDATE practice_meetings SET status = 'active', started_at = $3
             WHERE workspace = $1 AND id = $2 AND status = 'pending'",
            workspace,
            id,
            self.now(),
        )?;
        tx.commit().await?;
        Ok(started == 1)
    }

    /// Ends a meeting and frees its floor, which `holder` has. Returns false where somebody else has the floor.
    pub async fn end_meeting(
        &self,
        workspace: WorkspaceId,
        id: Uuid,
        holder: Uuid,
        (call, score, ended_at): (Option<CallId>, &Value, Moment),
    ) -> Result<bool> {
        let mut tx = self.one_statement().await?;
        let ended = execute!(
            tx,
            "UPDATE practice_meetings SET status = 'completed', ended_at = $4, call_id = $5, score = $6,
                floor = NULL, floor_until = NULL
             WHERE workspace = $1 AND id = $2 AND status = 'active' AND floor = $3",
            workspace,
            id,
            holder,
            ended_at,
            call,
            storable(score),
        )?;
        tx.commit().await?;
        Ok(ended == 1)
    }

    /// Removes a meeting with its turns. Returns the keys of the blobs that belonged to it, and `None` where there is no
    /// such meeting.
    pub async fn delete_meeting(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        id: Uuid,
    ) -> Result<Option<Vec<String>>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let gone =
            execute!(tx, "DELETE FROM practice_meetings WHERE workspace = $1 AND id = $2", workspace, id)?;
        if gone == 0 {
            tx.roll_back().await?;
            return Ok(None);
        }
        let blobs = query!(
            fetch_all,
            (Option<String>,),
            tx,
            "DELETE FROM practice_turns WHERE workspace = $1 AND meeting = $2 RETURNING audio",
            workspace,
            id,
        )?;
        let what = json!({"meeting": id});
        audit::record(&mut tx, (workspace, actor), Action::DeletePracticeMeeting, what, now).await?;
        tx.commit().await?;
        Ok(Some(blobs.into_iter().filter_map(|(blob,)| blob).collect()))
    }
}
