//! Salespeople, and the files that they bring.

use serde_json::json;
use uuid::Uuid;

use super::{MAX_CONTENT_CHARS, MAX_TEXT_CHARS};
use crate::audit::{self, Action};
use crate::columns::bounded;
use crate::{Page, Result, Store, Tx, execute, query, read};
use domain::call::WorkspaceId;
use domain::moment::Moment;

/// What somebody sells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salesperson {
    pub product_name: String,
    pub description: String,
    pub product_url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SalespersonRow {
    pub id: Uuid,
    pub product_name: String,
    pub description: String,
    pub product_url: Option<String>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// A file that somebody brought, and what was read in it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredMaterialFile {
    pub id: Uuid,
    pub file_name: String,
    pub file_type: String,
    pub file_size: i64,
    /// The key of the blob that holds the file.
    pub blob: String,
    pub pages: Option<i64>,
    pub words: i64,
    /// Why nothing was read, or not all of it.
    pub note: Option<String>,
    pub content: String,
}

impl Store {
    pub async fn add_salesperson(
        &self,
        workspace: WorkspaceId,
        id: Uuid,
        new: &Salesperson,
        materials: &[StoredMaterialFile],
    ) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "INSERT INTO practice_salespersons (workspace, id, product_name, description, product_url, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
            workspace,
            id,
            bounded(&new.product_name, MAX_TEXT_CHARS),
            bounded(&new.description, MAX_TEXT_CHARS),
            new.product_url.as_deref().map(|url| bounded(url, MAX_TEXT_CHARS)),
            now,
        )?;
        add_materials(&mut tx, workspace, id, materials, now).await?;
        tx.commit().await
    }

    pub async fn salesperson(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<SalespersonRow>> {
        Ok(read!(
            fetch_optional,
            SalespersonRow,
            self,
            "SELECT id, product_name, description, product_url, created_at, updated_at FROM practice_salespersons
             WHERE workspace = $1 AND id = $2",
            workspace,
            id,
        )?)
    }

    /// The newest salespeople, and how many there are.
    pub async fn salespersons(
        &self,
        workspace: WorkspaceId,
        page: Page,
    ) -> Result<(Vec<SalespersonRow>, i64)> {
        let rows = read!(
            fetch_all,
            SalespersonRow,
            self,
            "SELECT id, product_name, description, product_url, created_at, updated_at FROM practice_salespersons
             WHERE workspace = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3",
            workspace,
            page.limit,
            page.offset,
        )?;
        let (total,) = read!(
            fetch_one,
            (i64,),
            self,
            "SELECT COUNT(*) FROM practice_salespersons WHERE workspace = $1",
            workspace,
        )?;
        Ok((rows, total))
    }

    /// Changes what is not `None`, and adds files behind those that are there. Returns false where there is no such
    /// salesperson.
    pub async fn change_salesperson(
        &self,
        workspace: WorkspaceId,
        id: Uuid,
        (product_name, description, product_url): (Option<&str>, Option<&str>, Option<&str>),
        materials: &[StoredMaterialFile],
    ) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let text = |text: Option<&str>| text.map(|text| bounded(text, MAX_TEXT_CHARS));
        let changed = execute!(
            tx,
            "UPDATE practice_salespersons SET product_name = COALESCE($3, product_name),
                description = COALESCE($4, description), product_url = COALESCE($5, product_url), updated_at = $6
             WHERE workspace = $1 AND id = $2",
            workspace,
            id,
            text(product_name),
            text(description),
            text(product_url),
            now,
        )?;
        if changed == 0 {
            tx.roll_back().await?;
            return Ok(false);
        }
        add_materials(&mut tx, workspace, id, materials, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The files of a salesperson in their order.
    pub async fn materials_of(
        &self,
        workspace: WorkspaceId,
        salesperson: Uuid,
    ) -> Result<Vec<StoredMaterialFile>> {
        Ok(read!(
            fetch_all,
            StoredMaterialFile,
            self,
            "SELECT id, file_name, file_type, file_size, blob, pages, words, note, content FROM practice_materials
             WHERE workspace = $1 AND salesperson = $2 ORDER BY position, id",
            workspace,
            salesperson,
        )?)
    }

    /// Removes a file. Returns the key of its blob, and `None` where it is not there.
    pub async fn delete_material(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        salesperson: Uuid,
        id: Uuid,
    ) -> Result<Option<String>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let blob = query!(
            fetch_optional,
            (String,),
            tx,
            "DELETE FROM practice_materials WHERE workspace = $1 AND salesperson = $2 AND id = $3 RETURNING blob",
            workspace,
            salesperson,
            id,
        )?;
        if blob.is_some() {
            let what = json!({"salesperson": salesperson, "material": id});
            audit::record(&mut tx, (workspace, actor), Action::DeleteMaterial, what, now).await?;
        }
        tx.commit().await?;
        Ok(blob.map(|(blob,)| blob))
    }

    /// Removes a salesperson with the files and the meetings. Returns the keys of the blobs that belonged to them, and
    /// `None` where there is no such salesperson.
    pub async fn delete_salesperson(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        id: Uuid,
    ) -> Result<Option<Vec<String>>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let gone = execute!(
            tx,
            "DELETE FROM practice_salespersons WHERE workspace = $1 AND id = $2",
            workspace,
            id,
        )?;
        if gone == 0 {
            tx.roll_back().await?;
            return Ok(None);
        }
        let mut blobs = query!(
            fetch_all,
            (String,),
            tx,
            "DELETE FROM practice_materials WHERE workspace = $1 AND salesperson = $2 RETURNING blob",
            workspace,
            id,
        )?;
        blobs.extend(query!(
            fetch_all,
            (String,),
            tx,
            "SELECT audio FROM practice_turns WHERE workspace = $1 AND audio IS NOT NULL
             AND meeting IN (SELECT id FROM practice_meetings WHERE workspace = $1 AND salesperson = $2)",
            workspace,
            id,
        )?);
        execute!(
            tx,
            "DELETE FROM practice_turns WHERE workspace = $1
             AND meeting IN (SELECT id FROM practice_meetings WHERE workspace = $1 AND salesperson = $2)",
            workspace,
            id,
        )?;
        execute!(
            tx,
            "DELETE FROM practice_meetings WHERE workspace = $1 AND salesperson = $2",
            workspace,
            id,
        )?;
        let what = json!({"salesperson": id});
        audit::record(&mut tx, (workspace, actor), Action::DeleteSalesperson, what, now).await?;
        tx.commit().await?;
        Ok(Some(blobs.into_iter().map(|(blob,)| blob).collect()))
    }
}

async fn add_materials(
    tx: &mut Tx,
    workspace: WorkspaceId,
    salesperson: Uuid,
    materials: &[StoredMaterialFile],
    now: Moment,
) -> Result<()> {
    for material in materials {
        execute!(
            *tx,
            "INSERT INTO practice_materials (workspace, id, salesperson, position, file_name, file_type, file_size, blob,
                pages, words, note, content, created_at)
             VALUES ($1, $2, $3, (SELECT COALESCE(MAX(position), 0) + 1 FROM practice_materials
                WHERE workspace = $1 AND salesperson = $3), $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            workspace,
            material.id,
            salesperson,
            bounded(&material.file_name, 255),
            material.file_type.as_str(),
            material.file_size,
            material.blob.as_str(),
            material.pages,
            material.words,
            material.note.as_deref(),
            bounded(&material.content, MAX_CONTENT_CHARS),
            now,
        )?;
    }
    Ok(())
}
