//! Keys that were made with a command: whose they are, and what they open.
//!
//! Only the SHA-256 of a key is kept. That is enough, and no slow password hash is needed: a key is 256
//! random bits, so nobody finds it by trying, and the hash is what a key is looked up by.

use serde_json::{Value, json};
use uuid::Uuid;

use super::audit::{self, Action, OperatorRequest};
use super::workspaces::find_or_make;
use super::{Result, Store, execute, query, read};
use domain::call::WorkspaceId;
use domain::moment::Moment;
use domain::principal::{Scope, Scopes};

/// A key that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'a> {
    /// The workspace's name. A workspace that is not there yet is made.
    pub workspace: &'a str,
    pub name: &'a str,
    pub scopes: Scopes,
    /// SHA-256 of the key, in hexadecimal digits.
    pub hash: &'a str,
    /// Who makes it.
    pub actor: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyCreation {
    Created {
        workspace: WorkspaceId,
        workspace_is_new: bool,
        created_at: Moment,
        /// The record of it in the audit.
        batch: Uuid,
    },
    /// The workspace has a key of this name, and it is not revoked.
    NameTaken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRevocation {
    /// It is refused from now on; a process that knows it from before refuses it some seconds later.
    Revoked {
        /// The record of it in the audit.
        batch: Uuid,
    },
    /// It was revoked before, at this time.
    RevokedBefore(Moment),
    /// The workspace never had a key of this name.
    Unknown,
}

/// A key, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    pub workspace: WorkspaceId,
    pub name: String,
    pub scopes: Scopes,
    pub created_at: Moment,
    /// `cli:<user>`.
    pub created_by: String,
    pub revoked_at: Option<Moment>,
}

type Columns = (WorkspaceId, String, String, Moment, String, Option<Moment>);

impl From<Columns> for KeyRow {
    fn from((workspace, name, scopes, created_at, created_by, revoked_at): Columns) -> Self {
        Self { workspace, name, scopes: Scopes::from_text(&scopes), created_at, created_by, revoked_at }
    }
}

impl Store {
    /// Makes a key and puts it on record, in one transaction.
    pub async fn create_key(&self, new: NewKey<'_>) -> Result<KeyCreation> {
        let created_at = self.now();
        let mut tx = self.begin_tx().await?;
        let (workspace, workspace_is_new) = find_or_make(&mut tx, new.workspace, created_at).await?;
        let made = execute!(
            tx,
            "INSERT INTO principals (id, workspace, name, key_hash, scopes, created_at, created_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace, name) WHERE revoked_at IS NULL DO NOTHING",
            Uuid::now_v7(),
            workspace,
            new.name,
            new.hash,
            new.scopes.to_string(),
            created_at,
            new.actor,
        )?;
        if made == 0 {
            tx.roll_back().await?;
            return Ok(KeyCreation::NameTaken);
        }
        let what = creation_as_asked(new.name, new.scopes);
        let asked = OperatorRequest { workspace, actor: new.actor, action: Action::CreateKey, what };
        let batch = audit::note(&mut tx, &asked, created_at).await?;
        tx.commit().await?;
        Ok(KeyCreation::Created { workspace, workspace_is_new, created_at, batch })
    }

    /// Revokes a key and puts that on record, in one transaction. The row stays: it says who asked until then.
    pub async fn revoke_key(&self, workspace: WorkspaceId, name: &str, actor: &str) -> Result<KeyRevocation> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let revoked = execute!(
            tx,
            "UPDATE principals SET revoked_at = $3 WHERE workspace = $1 AND name = $2 AND revoked_at IS NULL",
            workspace,
            name,
            now,
        )?;
        if revoked == 0 {
            let (before,) = query!(
                fetch_one,
                (Option<Moment>,),
                tx,
                "SELECT MAX(revoked_at) FROM principals WHERE workspace = $1 AND name = $2",
                workspace,
                name,
            )?;
            tx.roll_back().await?;
            return Ok(before.map_or(KeyRevocation::Unknown, KeyRevocation::RevokedBefore));
        }
        let asked =
            OperatorRequest { workspace, actor, action: Action::RevokeKey, what: revocation_as_asked(name) };
        let batch = audit::note(&mut tx, &asked, now).await?;
        tx.commit().await?;
        Ok(KeyRevocation::Revoked { batch })
    }

    /// The keys of a workspace, oldest first, those that are revoked too.
    pub async fn keys(&self, workspace: WorkspaceId) -> Result<Vec<KeyRow>> {
        let rows = read!(
            fetch_all,
            Columns,
            self,
            "SELECT workspace, name, scopes, created_at, created_by, revoked_at
             FROM principals WHERE workspace = $1 ORDER BY created_at, id",
            workspace,
        )?;
        Ok(rows.into_iter().map(KeyRow::from).collect())
    }

    /// The key with this hash, unless it is revoked. It takes no workspace: which workspace a request is for is
    /// what its key says.
    pub async fn key(&self, hash: &str) -> Result<Option<KeyRow>> {
        let row = read!(
            fetch_optional,
            Columns,
            self,
            "SELECT workspace, name, scopes, created_at, created_by, revoked_at
             FROM principals WHERE key_hash = $1 AND revoked_at IS NULL",
            hash,
        )?;
        Ok(row.map(KeyRow::from))
    }

    /// Whether a key was ever made, in any workspace, be it revoked or not.
    pub async fn has_keys(&self) -> Result<bool> {
        let row = read!(fetch_optional, (String,), self, "SELECT name FROM principals LIMIT 1")?;
        Ok(row.is_some())
    }
}

/// What the audit keeps of a key that was made.
pub fn creation_as_asked(name: &str, scopes: Scopes) -> Value {
    json!({"key": name, "scopes": scopes.iter().map(Scope::name).collect::<Vec<_>>()})
}

/// What the audit keeps of a key that was revoked.
pub fn revocation_as_asked(name: &str) -> Value {
    json!({"key": name})
}
