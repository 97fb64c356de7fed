//! The ledger of effects: what was changed in other people's systems, and what nobody knows.
//!
//! A row's id is a hash of scope, target and object; it holds no attempt and no generation, so a retry and
//! a replay meet the same row.

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
    /// Its request is about to be sent, or was, by a process that did not say how it ended.
    Intent,
    Confirmed,
    /// The request failed in a way that leaves open whether it took effect.
    Unknown,
    /// It certainly did not happen.
    NotSent,
    /// It happened with content that has changed since, and the destination cannot change it.
    Outdated,
}

impl EffectState {
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// Names an effect for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectKey {
    pub id: Uuid,
    pub target: String,
    pub object: String,
}

impl EffectKey {
    /// `scope` is the workspace of a shared thing, or the call of a call's own thing.
    pub fn new(scope: Uuid, target: &str, object: &str) -> Self {
        let target_id = Uuid::new_v5(&scope, target.as_bytes());
        Self {
            id: Uuid::new_v5(&target_id, object.as_bytes()),
            target: target.to_owned(),
            object: object.to_owned(),
        }
    }
}

/// What effects of one kind are called: where something is made, and what.
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
    /// Says that a request succeeded: the one whose intent was `asked_at`, with the content of `digest`.
    ///
    /// A process that stood still can say so after another one has sent a newer request. Then nothing is changed,
    /// and it is false. Where the request counts as unknown meanwhile, it is known now.
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

    /// Says that the destination, asked, has what nobody knew of.
    pub async fn found_effect(&self, id: Uuid, remote_id: &str, replaced: Option<&Value>) -> Result<()> {
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

    /// Says how a request failed, the one whose intent was `asked_at`: `unknown` when it may have taken effect.
    /// It says nothing of a newer one.
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

    /// Notes that the destination, asked, did not have it. Absent twice is absent.
    pub async fn absent_effect(&self, id: Uuid) -> Result<()> {
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

    /// Notes that the destination did not have it `since` then: it certainly did not happen. It says nothing of a
    /// newer request.
    pub async fn still_absent_effect(&self, id: Uuid, since: Moment) -> Result<()> {
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

    /// Declares that it has to be made anew: what it made is of no use any more.
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

    /// Effects that this call made or last changed, in the order in which they were.
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
