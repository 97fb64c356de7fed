//! What a page shows of the files of all salespeople, without what was read in them.

use uuid::Uuid;

use crate::{Result, Store, read};
use domain::call::WorkspaceId;

/// A file of a salesperson without its content.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct MaterialHead {
    pub id: Uuid,
    pub salesperson: Uuid,
    pub file_name: String,
    pub file_type: String,
    pub pages: Option<i64>,
    pub words: i64,
    /// Why nothing was read, or not all of it.
    pub note: Option<String>,
}

impl Store {
    /// The files of all salespeople of the workspace, in the order in which they came.
    pub async fn material_heads(&self, workspace: WorkspaceId, limit: i64) -> Result<Vec<MaterialHead>> {
        Ok(read!(
            fetch_all,
            MaterialHead,
            self,
            "SELECT id, salesperson, file_name, file_type, pages, words, note FROM practice_materials
             WHERE workspace = $1 ORDER BY salesperson, position, id LIMIT $2",
            workspace,
            limit,
        )?)
    }
}
