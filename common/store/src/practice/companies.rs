//! Companies, and who represents them in meetings.

use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use super::MAX_TEXT_CHARS;
use crate::audit::{self, Action};
use crate::columns::{bounded, storable};
use crate::{Result, Store, execute, query, read};
use domain::call::WorkspaceId;
use domain::moment::Moment;

/// A company that is to be kept, or what a new visit to its pages found.
#[derive(Clone, Copy, Debug)]
pub struct NewCompany<'a> {
    pub url: &'a str,
    /// What its pages say.
    pub data: &'a Value,
    /// Why little or nothing is known.
    pub note: Option<&'a str>,
    /// When its pages were read. `None` where they were not.
    pub fetched_at: Option<Moment>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CompanyRow {
    pub id: Uuid,
    pub url: String,
    pub data: Value,
    pub note: Option<String>,
    pub fetched_at: Option<Moment>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// Somebody who speaks for a company.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRepresentative {
    pub name: String,
    pub role: String,
    pub tenure_months: Option<i64>,
    pub personality_traits: Vec<String>,
    pub is_decision_maker: bool,
    pub linkedin_profile: Option<String>,
    pub notes: Option<String>,
    pub voice_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepresentativeRow {
    pub id: Uuid,
    pub company: Uuid,
    pub is: NewRepresentative,
    pub created_at: Moment,
}

#[derive(sqlx::FromRow)]
struct CompanyColumns {
    id: Uuid,
    url: String,
    data: Json<Value>,
    note: Option<String>,
    fetched_at: Option<Moment>,
    created_at: Moment,
    updated_at: Moment,
}

#[derive(sqlx::FromRow)]
struct RepresentativeColumns {
    id: Uuid,
    company: Uuid,
    name: String,
    role: String,
    tenure_months: Option<i64>,
    traits: Json<Vec<String>>,
    is_decision_maker: bool,
    linkedin_profile: Option<String>,
    notes: Option<String>,
    voice_id: Option<String>,
    created_at: Moment,
}

impl From<CompanyColumns> for CompanyRow {
    fn from(row: CompanyColumns) -> Self {
        Self {
            id: row.id,
            url: row.url,
            data: row.data.0,
            note: row.note,
            fetched_at: row.fetched_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<RepresentativeColumns> for RepresentativeRow {
    fn from(row: RepresentativeColumns) -> Self {
        let is = NewRepresentative {
            name: row.name,
            role: row.role,
            tenure_months: row.tenure_months,
            personality_traits: row.traits.0,
            is_decision_maker: row.is_decision_maker,
            linkedin_profile: row.linkedin_profile,
            notes: row.notes,
            voice_id: row.voice_id,
        };
        Self { id: row.id, company: row.company, is, created_at: row.created_at }
    }
}

macro_rules! representative_columns {
    () => {
        "SELECT id, company, name, role, tenure_months, traits, is_decision_maker, linkedin_profile, notes, voice_id, created_at
         FROM practice_representatives "
    };
}

impl Store {
    pub async fn add_company(&self, workspace: WorkspaceId, id: Uuid, new: NewCompany<'_>) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "INSERT INTO practice_companies (workspace, id, url, data, note, fetched_at, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
            workspace,
            id,
            bounded(new.url, MAX_TEXT_CHARS),
            storable(new.data),
            new.note.map(|note| bounded(note, MAX_TEXT_CHARS)),
            new.fetched_at,
            self.now(),
        )?;
        tx.commit().await
    }

    /// Keeps what a new visit found. Returns false where there is no such company.
    pub async fn refresh_company(
        &self,
        workspace: WorkspaceId,
        id: Uuid,
        new: NewCompany<'_>,
    ) -> Result<bool> {
        let mut tx = self.one_statement().await?;
        let changed = execute!(
            tx,
            "UPDATE practice_companies SET data = $3, note = $4, fetched_at = COALESCE($5, fetched_at), updated_at = $6
             WHERE workspace = $1 AND id = $2",
            workspace,
            id,
            storable(new.data),
            new.note.map(|note| bounded(note, MAX_TEXT_CHARS)),
            new.fetched_at,
            self.now(),
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    pub async fn company(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<CompanyRow>> {
        let row = read!(
            fetch_optional,
            CompanyColumns,
            self,
            "SELECT id, url, data, note, fetched_at, created_at, updated_at FROM practice_companies
             WHERE workspace = $1 AND id = $2",
            workspace,
            id,
        )?;
        Ok(row.map(CompanyRow::from))
    }

    /// Removes a company with its representatives and with the meetings that it had. Returns the keys of the blobs that
    /// belonged to them, and `None` where there is no such company.
    pub async fn delete_company(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        id: Uuid,
    ) -> Result<Option<Vec<String>>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let gone =
            execute!(tx, "DELETE FROM practice_companies WHERE workspace = $1 AND id = $2", workspace, id)?;
        if gone == 0 {
            tx.roll_back().await?;
            return Ok(None);
        }
        execute!(
            tx,
            "DELETE FROM practice_representatives WHERE workspace = $1 AND company = $2",
            workspace,
            id,
        )?;
        let blobs = query!(
            fetch_all,
            (String,),
            tx,
            "SELECT audio FROM practice_turns WHERE workspace = $1 AND audio IS NOT NULL
             AND meeting IN (SELECT id FROM practice_meetings WHERE workspace = $1 AND company = $2)",
            workspace,
            id,
        )?;
        execute!(
            tx,
            "DELETE FROM practice_turns WHERE workspace = $1
             AND meeting IN (SELECT id FROM practice_meetings WHERE workspace = $1 AND company = $2)",
            workspace,
            id,
        )?;
        execute!(tx, "DELETE FROM practice_meetings WHERE workspace = $1 AND company = $2", workspace, id,)?;
        let what = json!({"company": id});
        audit::record(&mut tx, (workspace, actor), Action::DeleteCompany, what, now).await?;
        tx.commit().await?;
        Ok(Some(blobs.into_iter().map(|(blob,)| blob).collect()))
    }

    /// Adds somebody to a company. Returns false where there is no such company.
    pub async fn add_representative(
        &self,
        workspace: WorkspaceId,
        company: Uuid,
        id: Uuid,
        new: &NewRepresentative,
    ) -> Result<bool> {
        let mut tx = self.one_statement().await?;
        let added = execute!(
            tx,
            "INSERT INTO practice_representatives (workspace, id, company, name, role, tenure_months, traits,
                is_decision_maker, linkedin_profile, notes, voice_id, created_at)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
             WHERE EXISTS (SELECT 1 FROM practice_companies WHERE workspace = $1 AND id = $3)",
            workspace,
            id,
            company,
            bounded(&new.name, 200),
            bounded(&new.role, 200),
            new.tenure_months,
            storable(&new.personality_traits),
            new.is_decision_maker,
            new.linkedin_profile.as_deref().map(|text| bounded(text, MAX_TEXT_CHARS)),
            new.notes.as_deref().map(|text| bounded(text, MAX_TEXT_CHARS)),
            new.voice_id.as_deref().map(|text| bounded(text, 200)),
            self.now(),
        )?;
        tx.commit().await?;
        Ok(added == 1)
    }

    pub async fn change_representative(
        &self,
        workspace: WorkspaceId,
        id: Uuid,
        new: &NewRepresentative,
    ) -> Result<bool> {
        let mut tx = self.one_statement().await?;
        let changed = execute!(
            tx,
            "UPDATE practice_representatives SET name = $3, role = $4, tenure_months = $5, traits = $6,
                is_decision_maker = $7, linkedin_profile = $8, notes = $9, voice_id = $10
             WHERE workspace = $1 AND id = $2",
            workspace,
            id,
            bounded(&new.name, 200),
            bounded(&new.role, 200),
            new.tenure_months,
            storable(&new.personality_traits),
            new.is_decision_maker,
            new.linkedin_profile.as_deref().map(|text| bounded(text, MAX_TEXT_CHARS)),
            new.notes.as_deref().map(|text| bounded(text, MAX_TEXT_CHARS)),
            new.voice_id.as_deref().map(|text| bounded(text, 200)),
        )?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    pub async fn representatives(
        &self,
        workspace: WorkspaceId,
        company: Uuid,
    ) -> Result<Vec<RepresentativeRow>> {
        let sql = concat!(
            representative_columns!(),
            "WHERE workspace = $1 AND company = $2 ORDER BY created_at, id"
        );
        let rows = read!(fetch_all, RepresentativeColumns, self, sql, workspace, company)?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    pub async fn representative(
        &self,
        workspace: WorkspaceId,
        id: Uuid,
    ) -> Result<Option<RepresentativeRow>> {
        let sql = concat!(representative_columns!(), "WHERE workspace = $1 AND id = $2");
        Ok(read!(fetch_optional, RepresentativeColumns, self, sql, workspace, id)?.map(Into::into))
    }

    /// Removes a representative. A meeting keeps what it needs of whoever takes part in it.
    pub async fn delete_representative(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        id: Uuid,
    ) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let gone = execute!(
            tx,
            "DELETE FROM practice_representatives WHERE workspace = $1 AND id = $2",
            workspace,
            id,
        )?;
        if gone == 1 {
            let what = json!({"representative": id});
            audit::record(&mut tx, (workspace, actor), Action::DeleteRepresentative, what, now).await?;
        }
        tx.commit().await?;
        Ok(gone == 1)
    }
}

impl Store {
    /// The newest companies of the workspace.
    pub async fn companies(&self, workspace: WorkspaceId, limit: i64) -> Result<Vec<CompanyRow>> {
        let rows = read!(
            fetch_all,
            CompanyColumns,
            self,
            "SELECT id, url, data, note, fetched_at, created_at, updated_at FROM practice_companies
             WHERE workspace = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
            workspace,
            limit,
        )?;
        Ok(rows.into_iter().map(CompanyRow::from).collect())
    }

    /// Those who speak for the companies of the workspace, the newest first.
    pub async fn all_representatives(
        &self,
        workspace: WorkspaceId,
        limit: i64,
    ) -> Result<Vec<RepresentativeRow>> {
        let sql = concat!(
            representative_columns!(),
            "WHERE workspace = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
        );
        Ok(read!(fetch_all, RepresentativeColumns, self, sql, workspace, limit)?
            .into_iter()
            .map(RepresentativeRow::from)
            .collect())
    }
}
