//! Workspaces by their names. Everything else names a workspace by its id, which never changes.

use uuid::Uuid;

use super::{Result, Store, Tx, execute, query, read};
use domain::call::WorkspaceId;
use domain::moment::Moment;

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct WorkspaceRow {
    pub id: WorkspaceId,
    pub name: String,
}

impl Store {
    /// Every workspace, by name, for an administrator of the installation.
    pub async fn workspaces(&self) -> Result<Vec<WorkspaceRow>> {
        Ok(read!(fetch_all, WorkspaceRow, self, "SELECT id, name FROM workspaces ORDER BY name")?)
    }

    /// The name of a workspace.
    pub async fn workspace_name(&self, id: WorkspaceId) -> Result<Option<String>> {
        let row = read!(fetch_optional, (String,), self, "SELECT name FROM workspaces WHERE id = $1", id)?;
        Ok(row.map(|(name,)| name))
    }

    /// The workspace of this name, for whoever runs the installation: a command, not a request.
    pub async fn workspace(&self, name: &str) -> Result<Option<WorkspaceId>> {
        let row =
            read!(fetch_optional, (WorkspaceId,), self, "SELECT id FROM workspaces WHERE name = $1", name)?;
        Ok(row.map(|(id,)| id))
    }

    /// The names of all workspaces, for whoever runs the installation.
    pub async fn workspace_names(&self) -> Result<Vec<String>> {
        let rows: Vec<(String,)> =
            read!(fetch_all, (String,), self, "SELECT name FROM workspaces ORDER BY name")?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }
}

/// The workspace of this name, made where there is none; and whether it was made.
pub(super) async fn find_or_make(tx: &mut Tx, name: &str, now: Moment) -> Result<(WorkspaceId, bool)> {
    let made = execute!(
        *tx,
        "INSERT INTO workspaces (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        Uuid::new_v4(),
        name,
        now,
    )?;
    let (id,) = query!(fetch_one, (WorkspaceId,), *tx, "SELECT id FROM workspaces WHERE name = $1", name)?;
    Ok((id, made == 1))
}
