//! Views of the list of calls that people keep under a name: the filters and the columns of the list.
//!
//! A view belongs to the person who keeps it, or to everybody in the workspace. A change of a view of everybody is put on
//! record; what somebody keeps for herself is nobody's business.

use serde_json::json;
use uuid::Uuid;

use super::audit::{self, Action};
use super::{Result, Store, query, read};
use domain::call::WorkspaceId;

/// How many views one person can have, and how many the workspace can have for everybody.
pub const MAX_VIEWS: i64 = 100;

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SavedView {
    pub id: Uuid,
    /// The name on the audit record of who keeps it.
    pub owner: String,
    pub is_shared: bool,
    pub name: String,
    /// The filters and the columns, as the query of an address has them.
    pub query: String,
}

/// A view that somebody wants to keep.
#[derive(Clone, Copy, Debug)]
pub struct NewView<'a> {
    pub workspace: WorkspaceId,
    pub owner: &'a str,
    /// The view is for everybody in the workspace.
    pub is_shared: bool,
    pub name: &'a str,
    pub query: &'a str,
}

/// What became of a view that somebody wants to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewKept {
    Kept(Uuid),
    /// There is a view for everybody with this name. Somebody else may rely on it, so it stays as it is.
    NameTaken,
    /// There are [`MAX_VIEWS`] already.
    TooMany,
}

impl Store {
    /// The views of `owner` in the order of their names, and those for everybody where `with_shared`.
    pub async fn saved_views(
        &self,
        workspace: WorkspaceId,
        owner: &str,
        with_shared: bool,
    ) -> Result<Vec<SavedView>> {
        Ok(read!(
            fetch_all,
            SavedView,
            self,
            "SELECT id, owner, is_shared, name, query FROM saved_views
             WHERE workspace = $1 AND ((NOT is_shared AND owner = $2) OR (is_shared AND $3)) ORDER BY name, id",
            workspace,
            owner,
            with_shared,
        )?)
    }

    /// Keeps a view. Whoever keeps a view for herself under a name that she has already replaces that one.
    pub async fn keep_view(&self, new: NewView<'_>) -> Result<ViewKept> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let (others, same) = query!(
            fetch_one,
            (i64, i64),
            tx,
            "SELECT COUNT(*) FILTER (WHERE name <> $4), COUNT(*) FILTER (WHERE name = $4) FROM saved_views
             WHERE workspace = $1 AND ((NOT is_shared AND NOT $3 AND owner = $2) OR (is_shared AND $3))",
            new.workspace,
            new.owner,
            new.is_shared,
            new.name,
        )?;
        if same == 0 && others >= MAX_VIEWS {
            tx.roll_back().await?;
            return Ok(ViewKept::TooMany);
        }
        let sql = if new.is_shared {
            "INSERT INTO saved_views (id, workspace, owner, is_shared, name, query, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id"
        } else {
            "INSERT INTO saved_views (id, workspace, owner, is_shared, name, query, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace, owner, name) WHERE NOT is_shared
             DO UPDATE SET query = excluded.query, updated_at = excluded.updated_at RETURNING id"
        };
        let kept = query!(
            fetch_optional,
            (Uuid,),
            tx,
            sql,
            Uuid::now_v7(),
            new.workspace,
            new.owner,
            new.is_shared,
            new.name,
            new.query,
            now,
        )?;
        let Some((id,)) = kept else {
            tx.roll_back().await?;
            return Ok(ViewKept::NameTaken);
        };
        if new.is_shared {
            let what = json!({"view": new.name, "query": new.query});
            audit::record(&mut tx, (new.workspace, new.owner), Action::ShareView, what, now).await?;
        }
        tx.commit().await?;
        Ok(ViewKept::Kept(id))
    }

    /// Removes a view of `actor`, or a view for everybody where `may_shared`. Returns whether there was such a view.
    pub async fn remove_view(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        id: Uuid,
        may_shared: bool,
    ) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let gone = query!(
            fetch_optional,
            (bool, String),
            tx,
            "DELETE FROM saved_views
             WHERE workspace = $1 AND id = $2 AND ((NOT is_shared AND owner = $3) OR (is_shared AND $4))
             RETURNING is_shared, name",
            workspace,
            id,
            actor,
            may_shared,
        )?;
        if let Some((true, name)) = &gone {
            let what = json!({"view": name});
            audit::record(&mut tx, (workspace, actor), Action::RemoveView, what, now).await?;
        }
        tx.commit().await?;
        Ok(gone.is_some())
    }
}
