//! The ledger of effects: what we changed in other people's systems, and where nobody knows whether we did.
//!
//! The id of a row is a hash of scope, target and object. It holds no attempt and no generation, so a retry and a
//! replay find the same row.

use serde_json::Value;
use sqlx::types::Json;
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};
use uuid::Uuid;

use super::columns::storable;
use super::{Result, Store, execute, read};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray, VariantNames)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum EffectState {
    /// The request is about to be sent, or a process has sent it and has not recorded how it ended.
    Intent,
    Confirmed,
    /// The request failed in a way that leaves open whether it took effect.
    Unknown,
    /// The effect certainly did not happen.
    NotSent,
    /// The effect happened, its content has changed since, and the destination cannot change it.
    Outdated,
}

impl EffectState {
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// Names one effect. The name never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectKey {
    pub id: Uuid,
    pub target: String,
    pub object: String,
}

impl EffectKey {
    /// `scope` is the id of the workspace if its calls share the record, and the id of the call otherwise.
    pub fn new(scope: Uuid, target: &str, object: &str) -> Self {
        let target_id = Uuid::new_v5(&scope, target.as_bytes());
        Self {
            id: Uuid::new_v5(&target_id, object.as_bytes()),
            target: target.to_owned(),
            object: object.to_owned(),
        }
    }
}

/// The name that effects of one kind share: the destination, and what is made there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectName<'a> {
    pub target: &'a str,
    pub object: &'a str,
}

#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct EffectRow {
    pub id: Uuid,
    pub call_id: CallId,
    pub target: String,
    pub object: String,
    pub state: String,
    pub digest: String,
    pub generation: i64,
    pub remote_id: Option<String>,
    pub replaced: Option<Json<Value>>,
    pub deadline: Moment,
    pub absent_at: Option<Moment>,
    pub error_code: Option<String>,
    pub updated_at: Moment,
}

impl EffectRow {
    pub fn is_named(&self, name: EffectName<'_>) -> bool {
        (self.target.as_str(), self.object.as_str()) == (name.target, name.object)
    }
}

impl Store {
    /// Records that a request succeeded. `asked_at` names its intent, and `digest` its content.
    ///
    /// If another process has sent a newer request meanwhile, because this one stood still, nothing is changed and
    /// the answer is false. If the effect counts as unknown meanwhile, it is confirmed now.
    pub async fn confirm_effect(
        &self,
        id: Uuid,
        (asked_at, digest): (Moment, &str),
        remote_id: &str,
        replaced: Option<&Value>,
    ) -> Result<bool> {
        platform::failpoint!("confirm.commit");
        let mut tx = self.one_statement().await?;
        let confirmed = execute!(
            tx,
            "UPDATE effects SET state = 'confirmed', remote_id = $2, replaced = COALESCE($3, replaced), absent_at = NULL,
                error_code = NULL, updated_at = $4
             WHERE id = $1 AND ((state = 'intent' AND updated_at = $5) OR (state = 'unknown' AND digest = $6))",
            id,
            remote_id,
            replaced.map(storable),
            self.now(),
            asked_at,
            digest,
        )?;
        tx.commit().await?;
        platform::failpoint!("confirm.committed");
        Ok(confirmed == 1)
    }

    /// Records that the destination was asked about an unknown effect and has it.
    pub async fn record_found_effect(
        &self,
        id: Uuid,
        remote_id: &str,
        replaced: Option<&Value>,
    ) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "UPDATE effects SET state = 'confirmed', remote_id = $2, replaced = COALESCE($3, replaced), absent_at = NULL,
                error_code = NULL, updated_at = $4
             WHERE id = $1 AND state = 'unknown'",
            id,
            remote_id,
            replaced.map(storable),
            self.now(),
        )?;
        tx.commit().await
    }

    /// Records that a request failed. `asked_at` names its intent, and `unknown` says that the request may have taken
    /// effect. A newer request for the same effect is not touched.
    pub async fn fail_effect(&self, id: Uuid, asked_at: Moment, unknown: bool, code: &str) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "UPDATE effects SET state = $2, error_code = $3, updated_at = $4
             WHERE id = $1 AND state = 'intent' AND updated_at = $5",
            id,
            if unknown { EffectState::Unknown.name() } else { EffectState::NotSent.name() },
            code,
            self.now(),
            asked_at,
        )?;
        tx.commit().await
    }

    /// Records that the destination was asked about an unknown effect and does not have it. The effect counts as
    /// absent only when the destination says so twice.
    pub async fn record_absent_effect(&self, id: Uuid) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "UPDATE effects SET absent_at = COALESCE(absent_at, $2), updated_at = $2
             WHERE id = $1 AND state = 'unknown'",
            id,
            self.now(),
        )?;
        tx.commit().await
    }

    /// Records that the destination still does not have an effect that it did not have at the moment `since`. So
    /// the effect certainly did not happen. A newer request for the same effect is not touched.
    pub async fn record_effect_not_sent(&self, id: Uuid, since: Moment) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "UPDATE effects SET state = 'not_sent', digest = '', remote_id = NULL, absent_at = NULL, updated_at = $2
             WHERE id = $1 AND state = 'unknown' AND absent_at = $3",
            id,
            self.now(),
            since,
        )?;
        tx.commit().await
    }

    /// Declares that what an effect made is of no use any more, so that the effect is made again.
    pub async fn void_effect(&self, id: Uuid) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "UPDATE effects SET state = 'not_sent', digest = '', remote_id = NULL, absent_at = NULL, updated_at = $2 WHERE id = $1",
            id,
            self.now(),
        )?;
        tx.commit().await
    }

    /// The effects that this call made, or was the last to change, by target and object.
    pub async fn effects_of(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<EffectRow>> {
        Ok(read!(
            fetch_all,
            EffectRow,
            self,
            "SELECT id, call_id, target, object, state, digest, generation, remote_id, replaced, deadline, absent_at,
                error_code, updated_at
             FROM effects WHERE workspace = $1 AND call_id = $2 ORDER BY target, object",
            workspace,
            call,
        )?)
    }
}
