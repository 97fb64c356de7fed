//! Effects that are not confirmed, and their resolution: if nobody knows whether an effect happened, a person says so.

use uuid::Uuid;

use super::wake_ups::wake_parked;
use super::{Audit, EffectRow, EffectState, Page, Result, Store, audit, execute, read};
use domain::call::WorkspaceId;
use domain::moment::Moment;

/// Narrows a list of effects. Without a state, the list holds the effects that are not confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EffectFilter {
    pub target: Option<String>,
    pub state: Option<EffectState>,
    /// The effect has been in its state since this moment, or since a later one.
    pub since: Option<Moment>,
}

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

    /// Up to `limit` effects that match, oldest first.
    pub async fn effects(
        &self,
        workspace: WorkspaceId,
        filter: &EffectFilter,
        limit: i64,
    ) -> Result<Vec<EffectRow>> {
        Ok(read!(
            fetch_all,
            EffectRow,
            self,
            "SELECT id, call_id, target, object, state, digest, generation, remote_id, replaced, deadline, absent_at,
                error_code, updated_at
             FROM effects WHERE workspace = $1 AND updated_at >= $2 AND (CAST($3 AS TEXT) IS NULL OR target = $3)
                AND ((CAST($4 AS TEXT) IS NULL AND state <> 'confirmed') OR state = $4)
             ORDER BY updated_at, id LIMIT $5",
            workspace,
            filter.since.unwrap_or(Moment::from_micros(0)),
            filter.target.as_deref(),
            filter.state.map(EffectState::name),
            limit,
        )?)
    }

    /// One page of the effects that are not confirmed, oldest first, and how many there are in all.
    pub async fn open_effects(&self, workspace: WorkspaceId, page: Page) -> Result<(Vec<EffectRow>, i64)> {
        let rows = read!(
            fetch_all,
            EffectRow,
            self,
            "SELECT id, call_id, target, object, state, digest, generation, remote_id, replaced, deadline, absent_at,
                error_code, updated_at
             FROM effects WHERE workspace = $1 AND state <> 'confirmed'
             ORDER BY updated_at, id LIMIT $2 OFFSET $3",
            workspace,
            page.limit,
            page.offset,
        )?;
        let (total,) = read!(
            fetch_one,
            (i64,),
            self,
            "SELECT COUNT(*) FROM effects WHERE workspace = $1 AND state <> 'confirmed'",
            workspace,
        )?;
        Ok((rows, total))
    }

    /// Up to `limit` effects that match and that only a person can resolve. They have been in their state since
    /// `bound` or longer.
    pub async fn doubtful_effects(
        &self,
        workspace: WorkspaceId,
        filter: &EffectFilter,
        bound: Moment,
        limit: i64,
    ) -> Result<Vec<Uuid>> {
        let ids: Vec<(Uuid,)> = read!(
            fetch_all,
            (Uuid,),
            self,
            "SELECT id FROM effects WHERE workspace = $1 AND updated_at >= $2
                AND (CAST($3 AS TEXT) IS NULL OR target = $3) AND (CAST($4 AS TEXT) IS NULL OR state = $4)
                AND (state = 'unknown' OR (state = 'intent' AND deadline < $5)) AND updated_at <= $6
             ORDER BY updated_at, id LIMIT $7",
            workspace,
            filter.since.unwrap_or(Moment::from_micros(0)),
            filter.target.as_deref(),
            filter.state.map(EffectState::name),
            self.now(),
            bound,
            limit,
        )?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    /// How many effects match that only a person can resolve.
    pub async fn count_doubtful(&self, workspace: WorkspaceId, filter: &EffectFilter) -> Result<i64> {
        let (total,) = read!(
            fetch_one,
            (i64,),
            self,
            "SELECT COUNT(*) FROM effects WHERE workspace = $1 AND updated_at >= $2
                AND (CAST($3 AS TEXT) IS NULL OR target = $3) AND (CAST($4 AS TEXT) IS NULL OR state = $4)
                AND (state = 'unknown' OR (state = 'intent' AND deadline < $5))",
            workspace,
            filter.since.unwrap_or(Moment::from_micros(0)),
            filter.target.as_deref(),
            filter.state.map(EffectState::name),
            self.now(),
        )?;
        Ok(total)
    }

    /// How many effects are in each state other than confirmed. The count is over all workspaces, for whoever
    /// operates the system.
    pub async fn open_effect_counts(&self) -> Result<Vec<(String, i64)>> {
        Ok(read!(
            fetch_all,
            (String, i64),
            self,
            "SELECT state, COUNT(*) FROM effects WHERE state <> 'confirmed' GROUP BY state",
        )?)
    }

    /// Stores what a person says about an effect: that it was `sent`, or that it has to be sent again. Runs that were
    /// parked for it go on at once. Returns false and changes nothing if the effect is not in doubt, because its end
    /// is known or because its request may still be on its way.
    pub async fn resolve_effect(
        &self,
        audit: &Audit,
        workspace: WorkspaceId,
        id: Uuid,
        sent: bool,
    ) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        // A record that has to be made again has no id yet.
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
        wake_parked(&mut tx, workspace, &format!("effect:{id}"), u64::MAX, now).await?;
        audit::count(&mut tx, audit).await?;
        tx.commit().await?;
        Ok(true)
    }
}
