//! Requests that say by a key that they are the same one: what was answered the first time.

use std::time::Duration;

use uuid::Uuid;

use super::{Result, Store, execute, query};
use domain::call::WorkspaceId;

/// A key is forgotten after so long.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// Whoever has not answered by then has gone.
const IN_HAND_FOR: Duration = Duration::from_mins(10);

/// Whose a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyClaim {
    /// Nobody came with it before: do it, then [`Store::answer_key`] or [`Store::release_key`].
    Yours,
    /// It was done, and this was the answer.
    Answered(String),
    /// Somebody else is at it.
    InHand,
}

impl Store {
    /// Takes the request that `id` names.
    pub async fn claim_key(&self, workspace: WorkspaceId, id: Uuid) -> Result<KeyClaim> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "DELETE FROM idempotency_keys WHERE created_at < $1 OR (answer IS NULL AND created_at < $2)",
            now.minus(KEPT_FOR),
            now.minus(IN_HAND_FOR),
        )?;
        let taken = execute!(
            tx,
            "INSERT INTO idempotency_keys (workspace, id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            workspace,
            id,
            now,
        )?;
        let known = query!(
            fetch_optional,
            (Option<String>,),
            tx,
            "SELECT answer FROM idempotency_keys WHERE workspace = $1 AND id = $2",
            workspace,
            id,
        )?;
        tx.commit().await?;
        Ok(match known {
            _ if taken == 1 => KeyClaim::Yours,
            Some((Some(answer),)) => KeyClaim::Answered(answer),
            _ => KeyClaim::InHand,
        })
    }

    /// Keeps what was answered.
    pub async fn answer_key(&self, workspace: WorkspaceId, id: Uuid, answer: &str) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "UPDATE idempotency_keys SET answer = $3 WHERE workspace = $1 AND id = $2",
            workspace,
            id,
            answer,
        )?;
        tx.commit().await
    }

    /// Nothing was done: who comes next with the key may do it.
    pub async fn release_key(&self, workspace: WorkspaceId, id: Uuid) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "DELETE FROM idempotency_keys WHERE workspace = $1 AND id = $2 AND answer IS NULL",
            workspace,
            id,
        )?;
        tx.commit().await
    }
}
