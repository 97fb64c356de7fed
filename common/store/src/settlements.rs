//! How a run ends: its results, the runs that follow and the call's status are stored in one transaction, under
//! the run's fence.
//!
//! Whoever changes runs together with their call locks the call first. So no two transactions wait for each other.

use uuid::Uuid;

use super::call_index;
use super::call_status::{refresh_status, status};
use super::columns::bounded;
use super::results;
use super::stage_runs::{Claim, NewRun, RunKey, RunState, put_waiting};
use super::{Result, Store, Tx, Write, execute, query};
use domain::moment::Moment;

const MAX_ERROR_CHARS: usize = 1000;
/// How many times longer a parked run waits when another run probes the same destination.
const OTHERS_LOOK_RARELY: u32 = 20;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement<'a> {
    Done {
        writes: &'a [Write],
        children: &'a [NewRun],
    },
    /// The run is tried again, at `not_before` or later. `spent` says whether the attempt counts.
    Again {
        not_before: Moment,
        spent: bool,
        error: Option<ErrorText<'a>>,
    },
    /// The run waits for a destination, which is tried again at `probe_at`.
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
    /// The settlement took effect. A newer generation was waiting, so the run starts again at once.
    NewerWaits {
        generation: i64,
    },
    /// Somebody else took the run over meanwhile, so nothing was changed.
    NotOurs,
}

impl Store {
    /// Ends the run that `claim` holds, with its results and the runs that follow, in one transaction.
    pub async fn settle_run(&self, claim: &Claim, settlement: &Settlement<'_>) -> Result<Settled> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let settled = settle(&mut tx, claim, settlement, now).await?;
        if let Settlement::Done { writes, .. } = settlement
            && settled != Settled::NotOurs
            && writes.iter().any(Write::is_indexed)
        {
            call_index::refresh(&mut tx, &self.facts, claim.run.call, now).await?;
        }
        platform::failpoint!("settle.commit", claim.run.stage);
        match settled {
            Settled::NotOurs => tx.roll_back().await?,
            _ => tx.commit().await?,
        }
        platform::failpoint!("settle.committed", claim.run.stage);
        Ok(settled)
    }
}

/// The statement that keeps a run that ended as history.
macro_rules! history {
    () => {
        "INSERT INTO stage_history (call_id, stage, generation, fence, workspace, state, attempts, error_code, since,
            started_at, finished_at)
         VALUES ($1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $2) ON CONFLICT DO NOTHING"
    };
}

/// The statement that moves the row to its next state, under the fence. A newer generation that waits in the row
/// stays there.
macro_rules! end {
    ($with:literal, $from:literal, $and:literal) => {
        concat!(
            $with,
            "UPDATE stage_runs SET state = $5, attempts = attempts - $6,
                crashes = CASE WHEN $5 = 'done' THEN 0 ELSE crashes END,
                not_before = $7, wake_at = $8, destination = $9, error_code = $10, error_text = $11,
                finished_at = $12, owner = NULL",
            $from,
            " WHERE call_id = $1 AND stage = $2 AND owner = $3 AND fence = $4 AND state = 'running'",
            $and,
            " RETURNING generation, next_generation, attempts, CASE WHEN $5 = 'dead' THEN input ELSE '' END AS input,
                since, started_at"
        )
    };
}

/// A run as it ended.
#[derive(sqlx::FromRow)]
struct Ended {
    generation: i64,
    next_generation: Option<i64>,
    attempts: i64,
    /// Empty unless the run is dead.
    input: String,
    since: Moment,
    started_at: Option<Moment>,
}

/// Settles the run in the caller's transaction.
pub(super) async fn settle(
    tx: &mut Tx,
    claim: &Claim,
    settlement: &Settlement<'_>,
    now: Moment,
) -> Result<Settled> {
    let Some(run) = end(tx, claim, settlement, now).await? else { return Ok(Settled::NotOurs) };
    match settlement {
        Settlement::Done { writes, children } => {
            let key = RunKey { generation: run.generation, ..claim.run };
            for write in *writes {
                results::save(tx, &key, write, now).await?;
            }
            // When a newer generation waits, the runs that follow will follow from that one.
            if run.next_generation.is_none() {
                put_waiting(tx, key.workspace, key.call, children, now).await?;
            }
        }
        Settlement::Dead { error, group } => {
            execute!(
                *tx,
                "INSERT INTO dead_letters (id, workspace, call_id, stage, generation, attempts, error_code, error_text,
                    error_group, body, died_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                Uuid::now_v7(),
                claim.run.workspace,
                claim.run.call,
                claim.run.stage,
                run.generation,
                run.attempts,
                error.code,
                bounded(error.text, MAX_ERROR_CHARS),
                *group,
                &run.input,
                now,
            )?;
        }
        Settlement::Again { .. } | Settlement::Parked { .. } => {}
    }
    if run.next_generation.is_some() {
        start_newer(tx, claim, now).await?;
    }
    match settlement {
        Settlement::Done { .. } => remember(tx, claim, &run, RunState::Done, None, now).await?,
        Settlement::Dead { error, .. } => {
            remember(tx, claim, &run, RunState::Dead, Some(error.code), now).await?;
        }
        Settlement::Again { .. } | Settlement::Parked { .. } => {
            refresh_status(tx, claim.run.call, now).await?;
        }
    }
    Ok(run.next_generation.map_or(Settled::Yes, |generation| Settled::NewerWaits { generation }))
}

/// When a run that is parked is tried again. One run probes a destination for all runs of the workspace that wait
/// for it, and its success wakes them. The others are tried by themselves only now and then, in case the first run
/// has gone.
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
        claim.run.workspace,
        destination,
        probe_at,
        claim.run.call,
        claim.run.stage,
    )?;
    Ok(if prober.is_some() { now.plus(probe_at.since(now) * OTHERS_LOOK_RARELY) } else { probe_at })
}

/// Ends the run if `claim` still holds it. Locks the call's row and then the run's row. From here on nobody can
/// take the run over.
async fn end(tx: &mut Tx, claim: &Claim, settlement: &Settlement<'_>, now: Moment) -> Result<Option<Ended>> {
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
    let sql = match tx {
        Tx::Postgres(_) => end!(
            "WITH locked AS (SELECT id FROM calls WHERE id = $1 FOR UPDATE) ",
            " FROM locked",
            " AND stage_runs.call_id = locked.id"
        ),
        Tx::Sqlite(_) => end!("", "", ""),
    };
    Ok(query!(
        fetch_optional,
        Ended,
        *tx,
        sql,
        claim.run.call,
        claim.run.stage,
        claim.owner.0,
        claim.fence,
        state.name(),
        i64::from(!spent),
        not_before,
        wake_at,
        destination,
        error.map(|error| error.code),
        error.map(|error| bounded(error.text, MAX_ERROR_CHARS)),
        now,
    )?)
}

/// Starts the newer generation that waited in the row of a run that has ended.
async fn start_newer(tx: &mut Tx, claim: &Claim, now: Moment) -> Result<()> {
    execute!(
        *tx,
        "UPDATE stage_runs SET state = 'waiting', generation = next_generation, input = next_input,
            attempts = 0, crashes = 0, since = $3, not_before = $3, wake_at = $3, destination = NULL,
            error_code = NULL, error_text = NULL, next_generation = NULL, next_input = NULL
         WHERE call_id = $1 AND stage = $2",
        claim.run.call,
        claim.run.stage,
        now,
    )?;
    Ok(())
}

/// Keeps a run that ended as history and derives the call's status, in one statement on PostgreSQL.
async fn remember(
    tx: &mut Tx,
    claim: &Claim,
    run: &Ended,
    state: RunState,
    error_code: Option<&str>,
    now: Moment,
) -> Result<()> {
    let (sql, both) = match tx {
        Tx::Postgres(_) => (concat!("WITH remembered AS (", history!(), ") ", status!("")), true),
        Tx::Sqlite(_) => (history!(), false),
    };
    execute!(
        *tx,
        sql,
        claim.run.call,
        now,
        claim.run.stage,
        run.generation,
        claim.fence,
        claim.run.workspace,
        state.name(),
        run.attempts,
        error_code,
        run.since,
        run.started_at,
    )?;
    if both { Ok(()) } else { refresh_status(tx, claim.run.call, now).await }
}
