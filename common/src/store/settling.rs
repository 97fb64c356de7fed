//! How a run ends: its results, the runs that follow and the call's status, in one transaction under the
//! run's fence.

use uuid::Uuid;

use super::results::{self, Of};
use super::stage_runs::{Claim, NewRun, RunState, put_waiting};
use super::types::bounded;
use super::{Result, Store, Tx, Write, execute, query};
use crate::call::CallId;
use crate::moment::Moment;

const MAX_ERROR_CHARS: usize = 1000;
/// How many times longer those wait who do not probe.
const OTHERS_LOOK_RARELY: u32 = 20;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement<'a> {
    Done {
        writes: &'a [Write],
        children: &'a [NewRun],
    },
    /// Not before this moment again. `spent` says whether the attempt counts.
    Again {
        not_before: Moment,
        spent: bool,
        error: Option<ErrorText<'a>>,
    },
    /// Waits for a destination; probed again at `probe_at`.
    Parked {
        destination: &'a str,
        probe_at: Moment,
        error: ErrorText<'a>,
    },
    Dead {
        error: ErrorText<'a>,
        group: &'a str,
    },
}

/// A code that people filter by, and the scrubbed text behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorText<'a> {
    pub code: &'a str,
    pub text: &'a str,
}

/// Whether a settlement took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Yes,
    /// It did, and a newer generation was waiting: the run starts again at once.
    NewerWaits {
        generation: i64,
    },
    /// Somebody else took the run over meanwhile; nothing was changed.
    NotOurs,
}

impl Store {
    /// Ends the run that `claim` holds, with its results and the runs that follow, in one transaction.
    pub async fn settle_run(&self, claim: &Claim, settlement: &Settlement<'_>) -> Result<Settled> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let settled = settle(&mut tx, claim, settlement, now).await?;
        crate::failpoint!("settle.commit", claim.stage);
        match settled {
            Settled::NotOurs => tx.roll_back().await?,
            _ => tx.commit().await?,
        }
        crate::failpoint!("settle.committed", claim.stage);
        Ok(settled)
    }
}

/// Derives the call's status from its runs. The call's row is locked first, so that two stages that end
/// at the same time do not each miss the other.
pub(super) async fn refresh_status(tx: &mut Tx, call: CallId, now: Moment) -> Result<()> {
    execute!(*tx, "UPDATE calls SET updated_at = $2 WHERE id = $1", call, now)?;
    execute!(
        *tx,
        "UPDATE calls SET status = (
            SELECT CASE
                WHEN COUNT(*) = 0 THEN 'no_recording'
                WHEN COUNT(*) FILTER (WHERE state IN ('waiting', 'running')) > 0 THEN
                    CASE WHEN COUNT(*) FILTER (WHERE NOT (state = 'waiting' AND attempts = 0)) = 0 THEN 'queued'
                    ELSE 'processing' END
                WHEN COUNT(*) FILTER (WHERE state = 'dead') > 0 THEN 'failed'
                WHEN COUNT(*) FILTER (WHERE state = 'parked') > 0 THEN 'waiting'
                ELSE 'completed'
            END FROM stage_runs WHERE stage_runs.call_id = calls.id)
         WHERE id = $1",
        call,
    )?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct SettledRow {
    generation: i64,
    state: String,
}

#[derive(sqlx::FromRow)]
struct Before {
    generation: i64,
    next_generation: Option<i64>,
    attempts: i64,
    input: String,
    since: Moment,
    started_at: Option<Moment>,
}

pub(super) async fn settle(
    tx: &mut Tx,
    claim: &Claim,
    settlement: &Settlement<'_>,
    now: Moment,
) -> Result<Settled> {
    // Under the fence, and it locks the row: from here on nobody takes it over.
    let before = query!(
        fetch_optional,
        Before,
        *tx,
        "UPDATE stage_runs SET finished_at = $5
         WHERE call_id = $1 AND stage = $2 AND owner = $3 AND fence = $4 AND state = 'running'
         RETURNING generation, next_generation, attempts, input, since, started_at",
        claim.call,
        claim.stage,
        claim.owner.0,
        claim.fence,
        now,
    )?;
    let Some(before) = before else { return Ok(Settled::NotOurs) };
    let row = end(tx, claim, settlement, now).await?;
    let newer = row.state == "waiting" && row.generation != before.generation;
    match settlement {
        Settlement::Done { writes, children } => {
            let of = Of {
                workspace: claim.workspace,
                call: claim.call,
                stage: claim.stage,
                generation: before.generation,
                now,
            };
            for write in *writes {
                results::save(tx, &of, write).await?;
            }
            // What follows belongs to the newer generation, and will follow from it.
            for child in children.iter().filter(|_| before.next_generation.is_none()) {
                put_waiting(tx, claim.workspace, claim.call, child, now).await?;
            }
            remember(tx, claim, &before, RunState::Done, None, now).await?;
        }
        Settlement::Dead { error, group } => {
            remember(tx, claim, &before, RunState::Dead, Some(error.code), now).await?;
            execute!(
                *tx,
                "INSERT INTO dead_letters (id, workspace, call_id, stage, generation, attempts, error_code, error_text,
                    error_group, body, died_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                Uuid::now_v7(),
                claim.workspace,
                claim.call,
                claim.stage,
                before.generation,
                before.attempts,
                error.code,
                bounded(error.text, MAX_ERROR_CHARS),
                *group,
                &before.input,
                now,
            )?;
        }
        Settlement::Again { .. } | Settlement::Parked { .. } => {}
    }
    refresh_status(tx, claim.call, now).await?;
    Ok(if newer { Settled::NewerWaits { generation: row.generation } } else { Settled::Yes })
}

/// When a run that is parked looks again. One probes a destination for all that wait for it in a workspace,
/// and its success wakes them; the others look by themselves only now and then, in case it has gone.
async fn probe(
    tx: &mut Tx,
    claim: &Claim,
    destination: &str,
    probe_at: Moment,
    now: Moment,
) -> Result<Moment> {
    let prober = query!(
        fetch_optional,
        (String,),
        *tx,
        "SELECT stage FROM stage_runs WHERE workspace = $1 AND destination = $2 AND state = 'parked'
            AND wake_at <= $3 AND NOT (call_id = $4 AND stage = $5) LIMIT 1",
        claim.workspace,
        destination,
        probe_at,
        claim.call,
        claim.stage,
    )?;
    Ok(if prober.is_some() { now.plus(probe_at.since(now) * OTHERS_LOOK_RARELY) } else { probe_at })
}

/// Moves the row to its next state, or to the newer generation that waited in it.
async fn end(tx: &mut Tx, claim: &Claim, settlement: &Settlement<'_>, now: Moment) -> Result<SettledRow> {
    let (state, not_before, spent, error, destination) = match settlement {
        Settlement::Done { .. } => (RunState::Done, now, true, None, None),
        Settlement::Again { not_before, spent, error } => {
            (RunState::Waiting, *not_before, *spent, *error, None)
        }
        Settlement::Parked { destination, probe_at, error } => {
            let probe_at = probe(tx, claim, destination, *probe_at, now).await?;
            (RunState::Parked, probe_at, false, Some(*error), Some(*destination))
        }
        Settlement::Dead { error, .. } => (RunState::Dead, now, true, Some(*error), None),
    };
    let wake_at = matches!(state, RunState::Waiting | RunState::Parked).then_some(not_before);
    Ok(query!(
        fetch_one,
        SettledRow,
        *tx,
        "UPDATE stage_runs SET
            state = CASE WHEN next_generation IS NULL THEN $3 ELSE 'waiting' END,
            generation = COALESCE(next_generation, generation),
            input = COALESCE(next_input, input),
            attempts = CASE WHEN next_generation IS NULL THEN attempts - $4 ELSE 0 END,
            crashes = CASE WHEN next_generation IS NULL AND $3 <> 'done' THEN crashes ELSE 0 END,
            since = CASE WHEN next_generation IS NULL THEN since ELSE $5 END,
            not_before = CASE WHEN next_generation IS NULL THEN $6 ELSE $5 END,
            wake_at = CASE WHEN next_generation IS NULL THEN $7 ELSE $5 END,
            destination = CASE WHEN next_generation IS NULL THEN $8 END,
            error_code = CASE WHEN next_generation IS NULL THEN $9 END,
            error_text = CASE WHEN next_generation IS NULL THEN $10 END,
            owner = NULL, next_generation = NULL, next_input = NULL
         WHERE call_id = $1 AND stage = $2
         RETURNING generation, state",
        claim.call,
        claim.stage,
        state.name(),
        i64::from(!spent),
        now,
        not_before,
        wake_at,
        destination,
        error.map(|error| error.code),
        error.map(|error| bounded(error.text, MAX_ERROR_CHARS)),
    )?)
}

/// Keeps a run that ended as history.
async fn remember(
    tx: &mut Tx,
    claim: &Claim,
    run: &Before,
    state: RunState,
    error_code: Option<&str>,
    now: Moment,
) -> Result<()> {
    execute!(
        *tx,
        "INSERT INTO stage_history (call_id, stage, generation, fence, workspace, state, attempts, error_code, since,
            started_at, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        claim.call,
        claim.stage,
        run.generation,
        claim.fence,
        claim.workspace,
        state.name(),
        run.attempts,
        error_code,
        run.since,
        run.started_at,
        now,
    )?;
    Ok(())
}
