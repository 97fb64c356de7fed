//! Effects of which nobody knows whether they happened, and a person's word for what became of them.

use uuid::Uuid;

use super::settling::refresh_status;
use super::{EffectRow, Result, Store, execute, query, read};
use crate::call::{CallId, WorkspaceId};

impl Store {
    pub async fn effect(&self, workspace: WorkspaceId, id: Uuid) -> Result<Option<EffectRow>> {
        Ok(read!(
            fetch_optional,
            EffectRow,
            self,
            "SELECT id, call_id, target, object, state, digest, generation, remote_id, replaced, deadline, absent_at,
                error_code, updated_at
             FROM effects WHERE workspace = $1 AND id = $2",
            workspace,
            id,
        )?)
    }

    /// Effects that are not confirmed, oldest first.
    pub async fn open_effects(&self, workspace: WorkspaceId) -> Result<Vec<EffectRow>> {
        Ok(read!(
            fetch_all,
            EffectRow,
            self,
            "SELECT id, call_id, target, object, state, digest, generation, remote_id, replaced, deadline, absent_at,
                error_code, updated_at
             FROM effects WHERE workspace = $1 AND state <> 'confirmed' ORDER BY updated_at, id",
            workspace,
        )?)
    }

    /// How many effects stand in each state other than confirmed, over all workspaces: for whoever operates
    /// the system.
    pub async fn open_effect_counts(&self) -> Result<Vec<(String, i64)>> {
        Ok(read!(
            fetch_all,
            (String, i64),
            self,
            "SELECT state, COUNT(*) FROM effects WHERE state <> 'confirmed' GROUP BY state",
        )?)
    }

    /// Takes a person's word for an effect: it was `sent`, or it has to be sent again. Runs that were parked
    /// for it start at once. False, and nothing changed, where it is not in doubt: it is known what became of
    /// it, or its request may still be under way.
    pub async fn resolve_effect(&self, workspace: WorkspaceId, id: Uuid, sent: bool) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        // A record that is to be made anew has no id yet.
        let resolved = execute!(
            tx,
            "UPDATE effects SET state = CASE WHEN $3 THEN 'confirmed' ELSE 'not_sent' END,
                digest = CASE WHEN $3 THEN digest ELSE '' END,
                remote_id = CASE WHEN $3 THEN remote_id END,
                error_code = CASE WHEN $3 THEN NULL ELSE error_code END,
                absent_at = NULL, updated_at = $4
             WHERE workspace = $1 AND id = $2 AND (state = 'unknown' OR (state = 'intent' AND deadline < $4))",
            workspace,
            id,
            sent,
            now,
        )?;
        if resolved == 0 {
            tx.roll_back().await?;
            return Ok(false);
        }
        let woken = query!(
            fetch_all,
            (CallId,),
            tx,
            "UPDATE stage_runs SET state = 'waiting', not_before = $3, wake_at = $3, destination = NULL
             WHERE workspace = $1 AND destination = $2 AND state = 'parked' RETURNING call_id",
            workspace,
            format!("effect:{id}"),
            now,
        )?;
        for (call,) in woken {
            refresh_status(&mut tx, call, now).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}
