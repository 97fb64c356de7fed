//! What a run may do about its effect. The decision is committed before the run acts on it.

use std::time::Duration;

use serde_json::Value;
use sqlx::types::Json;

use super::stage_runs::Claim;
use super::{Db, EffectKey, EffectRow, EffectState, Result, Store, Tx, execute, query};
use domain::moment::Moment;

/// The effect that a run wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedEffect {
    pub digest: String,
    pub generation: i64,
    /// How long the request may take.
    pub timeout: Duration,
    /// Whether a record that exists can be changed. To change it twice must be the same as to change it once.
    pub can_update: bool,
    /// What to do if nobody knows whether the effect happened. True: the request is sent again. False: the run waits
    /// until somebody finds out.
    pub resend_unknown: bool,
}

/// What a run may do about its effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// The intent is committed, so the request is to be sent. It changes the record `prior` if there is one.
    Send { prior: Option<String> },
    /// Nothing is left to do: the effect happened, or it happened with other content and cannot be changed.
    Done { remote_id: Option<String>, replaced: Option<Value> },
    /// Somebody may still be sending the request. The run has to look again after this time.
    Wait(Duration),
    /// Nobody knows whether the effect happened, so the destination or a person has to be asked. If the request was
    /// sent, that was after `since`.
    Unknown { since: Moment, absent_since: Option<Moment> },
    /// Somebody else took the run over, so this process must not do anything.
    NotOurs,
}

/// The statement that commits the first intent of an effect. Its lock keeps others from taking the run over before
/// the commit.
macro_rules! intend_first {
    ($lock:literal) => {
        concat!(
            "INSERT INTO effects (id, workspace, call_id, stage, target, object, state, digest, generation, deadline,
                updated_at)
             SELECT $1, $2, $3, $4, $5, $6, 'intent', $7, $8, $9, $10 FROM stage_runs
             WHERE call_id = $3 AND stage = $4 AND owner = $11 AND fence = $12 AND state = 'running'
                AND NOT EXISTS (SELECT 1 FROM doubted_calls WHERE doubted_calls.call_id = $3)",
            $lock,
            " ON CONFLICT DO NOTHING"
        )
    };
}

/// How long after its deadline a request may still be on its way.
const STRAGGLERS: Duration = Duration::from_secs(30);

impl Store {
    /// Commits the intent to make the effect `key`, if it is to be made.
    ///
    /// A caller may repeat the question until it gets an answer. `asked_at` is the time at which it asked first. When
    /// the answer to an intent was lost, nothing was sent for it, and the intent is given again.
    pub async fn intend(
        &self,
        claim: &Claim,
        key: &EffectKey,
        wanted: &WantedEffect,
        asked_at: Moment,
    ) -> Result<Intent> {
        let now = self.now();
        if self.intend_first(asked_at, now, claim, key, wanted).await? {
            return Ok(Intent::Send { prior: None });
        }
        let mut tx = self.begin_tx().await?;
        if !holds(&mut tx, claim).await? {
            tx.roll_back().await?;
            return Ok(Intent::NotOurs);
        }
        record_first(&mut tx, claim, key, wanted, now).await?;
        // This locks the row: if two calls share a contact, one of them goes first.
        let row = query!(
            fetch_one,
            EffectRow,
            tx,
            "UPDATE effects SET updated_at = updated_at WHERE id = $1
             RETURNING id, call_id, target, object, state, digest, generation, remote_id, replaced, deadline, absent_at,
                error_code, updated_at",
            key.id,
        )?;
        // A process that sent before this embedded store was opened is gone, and its connections with it.
        let sender_gone = self.is_embedded() && row.updated_at < self.opened_at;
        let stragglers = if sender_gone { Duration::ZERO } else { STRAGGLERS };
        let outdone = row.call_id == claim.run.call && row.generation > wanted.generation;
        let answer_lost = row.state == EffectState::Intent.name()
            && (row.call_id, row.updated_at, &row.digest) == (claim.run.call, asked_at, &wanted.digest);
        let intent = if answer_lost {
            Intent::Send { prior: row.remote_id.clone() }
        } else {
            verdict(&row, wanted, outdone, now, stragglers)
        };
        match &intent {
            Intent::Send { .. } => execute!(
                tx,
                "UPDATE effects SET state = 'intent', digest = $2, generation = $3, deadline = $4, absent_at = NULL,
                    call_id = $5, stage = $6, error_code = NULL, updated_at = $7
                 WHERE id = $1",
                key.id,
                &wanted.digest,
                wanted.generation,
                now.plus(wanted.timeout),
                claim.run.call,
                claim.run.stage,
                asked_at,
            )?,
            Intent::Done { .. } if row.digest != wanted.digest && !outdone => execute!(
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
        platform::failpoint!("intent.commit", key.target);
        tx.commit().await?;
        platform::failpoint!("intent.committed", key.target);
        Ok(intent)
    }

    /// Commits the first intent of an effect, in one statement. Returns false if it is not the first one, if the run is
    /// not ours, or if the effect may have happened after the back-up that this store was restored from.
    async fn intend_first(
        &self,
        asked_at: Moment,
        now: Moment,
        claim: &Claim,
        key: &EffectKey,
        wanted: &WantedEffect,
    ) -> Result<bool> {
        let sql = match &self.db {
            Db::Postgres(_) => intend_first!(" FOR UPDATE"),
            Db::Sqlite { .. } => intend_first!(""),
        };
        let mut tx = self.one_statement().await?;
        platform::failpoint!("intent.commit", key.target);
        let first = execute!(
            tx,
            sql,
            key.id,
            claim.run.workspace,
            claim.run.call,
            claim.run.stage,
            &key.target,
            &key.object,
            &wanted.digest,
            wanted.generation,
            now.plus(wanted.timeout),
            asked_at,
            claim.owner.0,
            claim.fence,
        )? == 1;
        if first {
            tx.commit().await?;
            platform::failpoint!("intent.committed", key.target);
        } else {
            tx.roll_back().await?;
        }
        Ok(first)
    }
}

/// Puts an effect into the ledger that is not there yet. It certainly did not happen, unless its call is doubted
/// ([`Store::doubt_unfinished_calls`]): then nobody knows whether it happened after the back-up. Of a record that can be
/// changed, nobody knows the content either, so its digest is none.
async fn record_first(
    tx: &mut Tx,
    claim: &Claim,
    key: &EffectKey,
    wanted: &WantedEffect,
    now: Moment,
) -> Result<()> {
    let doubted = query!(
        fetch_optional,
        (Moment,),
        *tx,
        "SELECT since FROM doubted_calls WHERE call_id = $1",
        claim.run.call,
    )?;
    let (state, digest, deadline, at) = match doubted {
        None => (EffectState::NotSent, "", now, now),
        Some((since,)) => {
            let digest = if wanted.can_update { "" } else { &wanted.digest };
            (EffectState::Unknown, digest, since.plus(wanted.timeout), since)
        }
    };
    execute!(
        *tx,
        "INSERT INTO effects (id, workspace, call_id, stage, target, object, state, digest, generation, deadline, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10) ON CONFLICT DO NOTHING",
        key.id,
        claim.run.workspace,
        claim.run.call,
        claim.run.stage,
        &key.target,
        &key.object,
        state.name(),
        digest,
        deadline,
        at,
    )?;
    Ok(())
}

/// Whether `claim` still holds its run. Locks the run's row until the transaction ends.
async fn holds(tx: &mut Tx, claim: &Claim) -> Result<bool> {
    let rows = execute!(
        *tx,
        "UPDATE stage_runs SET fence = fence
         WHERE call_id = $1 AND stage = $2 AND owner = $3 AND fence = $4 AND state = 'running'",
        claim.run.call,
        claim.run.stage,
        claim.owner.0,
        claim.fence,
    )?;
    Ok(rows == 1)
}

/// Decides by the ledger's row what the run may do. `outdone` says that a newer generation of the same call wrote the
/// row. Calls can share a record, but generations of different calls cannot be compared.
fn verdict(
    row: &EffectRow,
    wanted: &WantedEffect,
    outdone: bool,
    now: Moment,
    stragglers: Duration,
) -> Intent {
    let prior = row.remote_id.clone();
    match row.state.parse().ok() {
        Some(EffectState::Confirmed | EffectState::Outdated) => {
            let up_to_date = row.digest == wanted.digest || outdone;
            if up_to_date || !wanted.can_update {
                Intent::Done { remote_id: prior, replaced: row.replaced.clone().map(|Json(value)| value) }
            } else {
                Intent::Send { prior }
            }
        }
        // A run that would rather send twice than not at all does not wait for late packets.
        Some(EffectState::Intent) if wanted.resend_unknown && now < row.deadline => {
            Intent::Wait(row.deadline.since(now))
        }
        Some(EffectState::Intent | EffectState::Unknown)
            if !wanted.resend_unknown && now < row.deadline.plus(stragglers) =>
        {
            Intent::Wait(row.deadline.plus(stragglers).since(now))
        }
        Some(EffectState::Intent | EffectState::Unknown) if wanted.resend_unknown => Intent::Send { prior },
        // The request was to change a record that exists, and to change it twice is the same as once.
        Some(EffectState::Intent | EffectState::Unknown) if wanted.can_update && prior.is_some() => {
            Intent::Send { prior }
        }
        Some(EffectState::Intent | EffectState::Unknown) => {
            Intent::Unknown { since: row.deadline.minus(wanted.timeout), absent_since: row.absent_at }
        }
        Some(EffectState::NotSent) | None => Intent::Send { prior },
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use domain::call::CallId;

    fn row(state: EffectState, digest: &str, generation: i64) -> EffectRow {
        EffectRow {
            id: Uuid::nil(),
            call_id: CallId(Uuid::nil()),
            target: "board".into(),
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

    fn want(digest: &str, generation: i64) -> WantedEffect {
        WantedEffect {
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

    /// The row of a first request that may have ended in any way.
    fn first(state: EffectState) -> EffectRow {
        EffectRow { remote_id: None, ..row(state, "a", 1) }
    }

    fn look(row: &EffectRow, wanted: &WantedEffect, now: Moment) -> Intent {
        verdict(row, wanted, row.generation > wanted.generation, now, Duration::from_secs(30))
    }

    #[test]
    fn a_run_that_would_rather_send_twice_waits_only_for_the_deadline() {
        let (row, resend) =
            (row(EffectState::Intent, "x", 1), WantedEffect { resend_unknown: true, ..want("x", 1) });
        assert_eq!(look(&row, &resend, at(9)), Intent::Wait(Duration::from_secs(1)));
        assert_eq!(look(&row, &resend, at(10)), Intent::Send { prior: Some("r1".into()) });
        assert!(matches!(look(&row, &want("x", 1), at(39)), Intent::Wait(_)));
    }

    #[test]
    fn an_effect_that_is_confirmed_with_the_same_content_is_never_sent_again() {
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
        let fixed = WantedEffect { can_update: false, ..want("b", 2) };
        assert!(matches!(look(&confirmed, &fixed, at(0)), Intent::Done { .. }));
    }

    #[test]
    fn the_intent_of_a_process_that_died_becomes_unknown_when_its_request_cannot_be_on_its_way() {
        let intent = first(EffectState::Intent);
        assert_eq!(look(&intent, &want("a", 1), at(15)), Intent::Wait(Duration::from_secs(25)));
        let unknown = Intent::Unknown { since: at(9), absent_since: None };
        assert_eq!(look(&intent, &want("a", 1), at(40)), unknown);
    }

    #[test]
    fn an_unknown_change_is_made_again_when_its_request_cannot_be_on_its_way() {
        for state in [EffectState::Intent, EffectState::Unknown] {
            let change = row(state, "a", 1);
            assert!(matches!(look(&change, &want("a", 1), at(39)), Intent::Wait(_)));
            let again = Intent::Send { prior: Some("r1".into()) };
            assert_eq!(look(&change, &want("a", 1), at(40)), again);
            let fixed = WantedEffect { can_update: false, ..want("a", 1) };
            assert!(matches!(look(&change, &fixed, at(40)), Intent::Unknown { .. }));
        }
    }

    #[test]
    fn an_unknown_effect_is_sent_again_only_where_the_policy_says_so() {
        let unknown = first(EffectState::Unknown);
        assert!(matches!(look(&unknown, &want("a", 1), at(100)), Intent::Unknown { .. }));
        let resend = WantedEffect { resend_unknown: true, ..want("a", 1) };
        assert!(matches!(look(&unknown, &resend, at(0)), Intent::Send { .. }));
    }
}
