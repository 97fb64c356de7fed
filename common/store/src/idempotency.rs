//! Requests that a client may repeat. A key stands for one request. When the request comes again, it gets the same
//! answer, and another request with the key is told apart.

use std::time::Duration;

use uuid::Uuid;

use super::{Result, Store, execute, query};
use domain::call::WorkspaceId;

/// How long a key is remembered.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// How long a request may take. After that, whoever worked on it is taken to be gone.
const WORKED_ON_FOR: Duration = Duration::from_mins(10);

/// Who has to do a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyClaim {
    /// The caller: the key is new. After the work it calls [`Store::answer_key`] or [`Store::release_key`].
    Yours,
    /// Nobody: the request was done, and this was the answer.
    Answered(String),
    /// Somebody else, who is working on it now.
    InProgress,
    /// Nobody: the key stands for another request.
    Taken,
}

impl Store {
    /// Claims the request with the key `id`. `request` is a hash of everything that the client asks for.
    pub async fn claim_key(&self, workspace: WorkspaceId, id: Uuid, request: Uuid) -> Result<KeyClaim> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "DELETE FROM idempotency_keys WHERE created_at < $1 OR (answer IS NULL AND created_at < $2)",
            now.minus(KEPT_FOR),
            now.minus(WORKED_ON_FOR),
        )?;
        let taken = execute!(
            tx,
            "INSERT INTO idempotency_keys (workspace, id, request, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
            workspace,
            id,
            request,
            now,
        )?;
        let known = query!(
            fetch_optional,
            (Option<String>, Option<Uuid>),
            tx,
            "SELECT answer, request FROM idempotency_keys WHERE workspace = $1 AND id = $2",
            workspace,
            id,
        )?;
        tx.commit().await?;
        Ok(match known {
            _ if taken == 1 => KeyClaim::Yours,
            Some((_, asked)) if asked != Some(request) => KeyClaim::Taken,
            Some((Some(answer), _)) => KeyClaim::Answered(answer),
            _ => KeyClaim::InProgress,
        })
    }

    /// Keeps the answer to the request.
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

    /// Gives the request up, because nothing was done. Whoever comes next with the key may do it.
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
