//! The ledger of effects: what was changed in other people's systems, and what nobody knows.
//!
//! A row's id is a hash of scope, target and object; it holds no attempt and no generation, so a retry and
//! a replay meet the same row.

use std::time::Duration;

use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::stage_runs::Claim;
use super::types::storable;
use super::{Result, Store, Tx, execute, query, read};
use crate::call::{CallId, WorkspaceId};
use crate::moment::Moment;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub const ALL: [Self; 5] = [Self::Intent, Self::Confirmed, Self::Unknown, Self::NotSent, Self::Outdated];

    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Confirmed => "confirmed",
            Self::Unknown => "unknown",
            Self::NotSent => "not_sent",
            Self::Outdated => "outdated",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
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

/// What a run wants to have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectWant {
    pub digest: String,
    pub generation: i64,
    /// How long the request may take.
    pub timeout: Duration,
    /// Whether a record that exists can be changed; doing so twice is as once.
    pub can_update: bool,
    /// What to do when nobody knows whether it happened: send again, or not without an answer.
    pub resend_unknown: bool,
}

/// What a run may do about its effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// The intent is committed: send, changing `prior` where a record exists.
    Send { prior: Option<String> },
    /// It is done, or as done as it can be.
    Done { remote_id: Option<String>, replaced: Option<Value> },
    /// Somebody may still be sending; look again then.
    Wait(Duration),
    /// Nobody knows whether it happened. The destination can be asked, or a person. The request was sent
    /// after `since`, if it was.
    Unknown { since: Moment, absent_since: Option<Moment> },
    /// The run was taken over; it must not do anything.
    NotOurs,
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

/// After a request's deadline, how long its packets may still be on their way.
const STRAGGLERS: Duration = Duration::from_secs(30);

impl Store {
    /// Commits the intent to do `key`, if it is to be done.
    pub async fn intend(&self, claim: &Claim, key: &EffectKey, want: &EffectWant) -> Result<Intent> {
        self.intend_asked(self.now(), claim, key, want).await
    }

    /// [`Self::intend`] for who asks until it is answered: `asked_at` is when it asked first. An intent whose
    /// answer was lost is one of which nothing was sent.
    pub async fn intend_asked(
        &self,
        asked_at: Moment,
        claim: &Claim,
        key: &EffectKey,
        want: &EffectWant,
    ) -> Result<Intent> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        if !holds(&mut tx, claim).await? {
            tx.roll_back().await?;
            return Ok(Intent::NotOurs);
        }
        execute!(
            tx,
            "INSERT INTO effects (id, workspace, call_id, stage, target, object, state, digest, generation, deadline, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, 'not_sent', '', 0, $7, $7) ON CONFLICT DO NOTHING",
            key.id,
            claim.workspace,
            claim.call,
            claim.stage,
            &key.target,
            &key.object,
            now,
        )?;
        // Locks the row: of two calls that share a contact, one goes first.
        let row = query!(
            fetch_one,
            EffectRow,
            tx,
            "UPDATE effects SET updated_at = updated_at WHERE id = $1
             RETURNING id, call_id, target, object, state, digest, generation, remote_id, replaced, deadline, absent_at,
                error_code, updated_at",
            key.id,
        )?;
        // Who sent before an embedded store was opened is gone, and its connections with it.
        let sender_gone = self.is_embedded() && row.updated_at < self.opened_at;
        let stragglers = if sender_gone { Duration::ZERO } else { STRAGGLERS };
        let outdone = row.call_id == claim.call && row.generation > want.generation;
        let answer_lost = row.state == EffectState::Intent.name()
            && (row.call_id, row.updated_at, &row.digest) == (claim.call, asked_at, &want.digest);
        let intent = if answer_lost {
            Intent::Send { prior: row.remote_id.clone() }
        } else {
            verdict(&row, want, outdone, now, stragglers)
        };
        match &intent {
            Intent::Send { .. } => execute!(
                tx,
                "UPDATE effects SET state = 'intent', digest = $2, generation = $3, deadline = $4, absent_at = NULL,
                    call_id = $5, stage = $6, error_code = NULL, updated_at = $7
                 WHERE id = $1",
                key.id,
                &want.digest,
                want.generation,
                now.plus(want.timeout),
                claim.call,
                claim.stage,
                asked_at,
            )?,
            Intent::Done { .. } if row.digest != want.digest && !outdone => execute!(
                tx,
                "UPDATE effects SET state = 'outdated', updated_at = $2 WHERE id = $1",
                key.id,
                now,
            )?,
            Intent::Unknown { .. } => execute!(
                tx,
                "UPDATE effects SET state = 'unknown', updated_at = $2 WHERE id = $1 AND state <> 'unknown'",
                key.id,
                now,
            )?,
            _ => 0,
        };
        crate::failpoint!("intent.commit", key.target);
        tx.commit().await?;
        crate::failpoint!("intent.committed", key.target);
        Ok(intent)
    }

    pub async fn confirm_effect(&self, id: Uuid, remote_id: &str, replaced: Option<&Value>) -> Result<()> {
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "UPDATE effects SET state = 'confirmed', remote_id = $2, replaced = COALESCE($3, replaced), absent_at = NULL,
                error_code = NULL, updated_at = $4
             WHERE id = $1",
            id,
            remote_id,
            replaced.map(storable),
            self.now(),
        )?;
        crate::failpoint!("confirm.commit");
        tx.commit().await?;
        crate::failpoint!("confirm.committed");
        Ok(())
    }

    /// Says how a request failed: `unknown` when it may have taken effect.
    pub async fn fail_effect(&self, id: Uuid, unknown: bool, code: &str) -> Result<()> {
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "UPDATE effects SET state = $2, error_code = $3, updated_at = $4 WHERE id = $1 AND state = 'intent'",
            id,
            if unknown { EffectState::Unknown.name() } else { EffectState::NotSent.name() },
            code,
            self.now(),
        )?;
        tx.commit().await
    }

    /// Notes that the destination, asked, did not have it. Absent twice is absent.
    pub async fn absent_effect(&self, id: Uuid) -> Result<()> {
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "UPDATE effects SET absent_at = COALESCE(absent_at, $2), updated_at = $2 WHERE id = $1",
            id,
            self.now(),
        )?;
        tx.commit().await
    }

    /// Declares that it has to be made anew: a person said so, the destination does not have it, or what
    /// it made is of no use any more.
    pub async fn void_effect(&self, id: Uuid) -> Result<()> {
        let mut tx = self.begin_tx().await?;
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

/// Whether `claim` still holds its run; locks the run's row until the transaction ends.
async fn holds(tx: &mut Tx, claim: &Claim) -> Result<bool> {
    let rows = execute!(
        *tx,
        "UPDATE stage_runs SET fence = fence
         WHERE call_id = $1 AND stage = $2 AND owner = $3 AND fence = $4 AND state = 'running'",
        claim.call,
        claim.stage,
        claim.owner.0,
        claim.fence,
    )?;
    Ok(rows == 1)
}

/// What a row says about a want. `outdone` says that a newer generation of the same call wrote the row;
/// generations of different calls, which can share a record, say nothing about each other.
fn verdict(row: &EffectRow, want: &EffectWant, outdone: bool, now: Moment, stragglers: Duration) -> Intent {
    let prior = row.remote_id.clone();
    match EffectState::from_name(&row.state) {
        Some(EffectState::Confirmed | EffectState::Outdated) => {
            let up_to_date = row.digest == want.digest || outdone;
            if up_to_date || !want.can_update {
                Intent::Done { remote_id: prior, replaced: row.replaced.clone().map(|Json(value)| value) }
            } else {
                Intent::Send { prior }
            }
        }
        // Who would rather send twice than never need not wait for stragglers.
        Some(EffectState::Intent) if want.resend_unknown && now < row.deadline => {
            Intent::Wait(row.deadline.since(now))
        }
        Some(EffectState::Intent | EffectState::Unknown)
            if !want.resend_unknown && now < row.deadline.plus(stragglers) =>
        {
            Intent::Wait(row.deadline.plus(stragglers).since(now))
        }
        Some(EffectState::Intent | EffectState::Unknown) if want.resend_unknown => Intent::Send { prior },
        // What is unknown is a change of that record, and a change made twice is made once.
        Some(EffectState::Intent | EffectState::Unknown) if want.can_update && prior.is_some() => {
            Intent::Send { prior }
        }
        Some(EffectState::Intent | EffectState::Unknown) => {
            Intent::Unknown { since: row.deadline.minus(want.timeout), absent_since: row.absent_at }
        }
        Some(EffectState::NotSent) | None => Intent::Send { prior },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: EffectState, digest: &str, generation: i64) -> EffectRow {
        EffectRow {
            id: Uuid::nil(),
            call_id: CallId(Uuid::nil()),
            target: "slack".into(),
            object: "post".into(),
            state: state.name().into(),
            digest: digest.into(),
            generation,
            remote_id: Some("r1".into()),
            replaced: None,
            deadline: Moment::from_micros(10_000_000),
            absent_at: None,
            error_code: None,
            updated_at: Moment::from_micros(0),
        }
    }

    fn want(digest: &str, generation: i64) -> EffectWant {
        EffectWant {
            digest: digest.into(),
            generation,
            timeout: Duration::from_secs(1),
            can_update: true,
            resend_unknown: false,
        }
    }

    fn at(seconds: i64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    /// A first request, of which nobody has said how it ended.
    fn first(state: EffectState) -> EffectRow {
        EffectRow { remote_id: None, ..row(state, "a", 1) }
    }

    fn look(row: &EffectRow, want: &EffectWant, now: Moment) -> Intent {
        verdict(row, want, row.generation > want.generation, now, Duration::from_secs(30))
    }

    #[test]
    fn who_would_rather_send_twice_waits_only_for_the_deadline() {
        let (row, resend) =
            (row(EffectState::Intent, "x", 1), EffectWant { resend_unknown: true, ..want("x", 1) });
        assert_eq!(look(&row, &resend, at(9)), Intent::Wait(Duration::from_secs(1)));
        assert_eq!(look(&row, &resend, at(10)), Intent::Send { prior: Some("r1".into()) });
        assert!(matches!(look(&row, &want("x", 1), at(39)), Intent::Wait(_)));
    }

    #[test]
    fn what_is_confirmed_with_the_same_content_is_never_sent_again() {
        let intent = look(&row(EffectState::Confirmed, "a", 1), &want("a", 2), at(0));
        assert!(matches!(intent, Intent::Done { remote_id: Some(id), .. } if id == "r1"));
    }

    #[test]
    fn an_older_generation_does_not_overwrite_what_a_newer_one_sent() {
        assert!(matches!(
            look(&row(EffectState::Confirmed, "b", 3), &want("a", 2), at(0)),
            Intent::Done { .. }
        ));
    }

    #[test]
    fn changed_content_updates_the_record_where_it_can_be_updated() {
        let confirmed = row(EffectState::Confirmed, "a", 1);
        assert_eq!(look(&confirmed, &want("b", 2), at(0)), Intent::Send { prior: Some("r1".into()) });
        let fixed = EffectWant { can_update: false, ..want("b", 2) };
        assert!(matches!(look(&confirmed, &fixed, at(0)), Intent::Done { .. }));
    }

    #[test]
    fn an_intent_of_a_process_that_died_is_unknown_only_when_nothing_can_be_on_its_way() {
        let intent = first(EffectState::Intent);
        assert_eq!(look(&intent, &want("a", 1), at(15)), Intent::Wait(Duration::from_secs(25)));
        let unknown = Intent::Unknown { since: at(9), absent_since: None };
        assert_eq!(look(&intent, &want("a", 1), at(40)), unknown);
    }

    #[test]
    fn a_change_of_which_nobody_knows_is_made_again_when_nothing_of_it_can_be_on_its_way() {
        for state in [EffectState::Intent, EffectState::Unknown] {
            let change = row(state, "a", 1);
            assert!(matches!(look(&change, &want("a", 1), at(39)), Intent::Wait(_)));
            let again = Intent::Send { prior: Some("r1".into()) };
            assert_eq!(look(&change, &want("a", 1), at(40)), again);
            let fixed = EffectWant { can_update: false, ..want("a", 1) };
            assert!(matches!(look(&change, &fixed, at(40)), Intent::Unknown { .. }));
        }
    }

    #[test]
    fn an_unknown_effect_is_sent_again_only_where_the_policy_says_so() {
        let unknown = first(EffectState::Unknown);
        assert!(matches!(look(&unknown, &want("a", 1), at(100)), Intent::Unknown { .. }));
        let resend = EffectWant { resend_unknown: true, ..want("a", 1) };
        assert!(matches!(look(&unknown, &resend, at(0)), Intent::Send { .. }));
    }
}
