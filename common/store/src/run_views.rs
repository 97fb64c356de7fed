//! Runs as people and metrics see them.

use super::columns::bounded;
use super::{Claim, Result, Store, execute, read};
use domain::call::{CallId, WorkspaceId};
use domain::event;
use domain::moment::Moment;

const MAX_DESTINATION_CHARS: usize = 255;

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct RunRow {
    pub stage: String,
    pub generation: i64,
    pub state: String,
    pub attempts: i64,
    pub crashes: i64,
    pub destination: Option<String>,
    pub error_code: Option<String>,
    pub since: Moment,
    pub not_before: Moment,
    pub started_at: Option<Moment>,
    pub finished_at: Option<Moment>,
}

/// A run that has ended, of this generation or of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct EndedRun {
    pub stage: String,
    pub generation: i64,
    pub state: String,
    pub attempts: i64,
    pub error_code: Option<String>,
    pub since: Moment,
    pub started_at: Option<Moment>,
    pub finished_at: Moment,
}

/// The trace of the operation that gave a run its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTrace {
    pub stage: String,
    pub generation: i64,
    pub trace_id: String,
}

/// How many runs one stage has, over all workspaces, for whoever operates the system.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StageCounts {
    pub stage: String,
    pub waiting_due: i64,
    pub waiting_later: i64,
    pub running: i64,
    pub parked: i64,
    pub dead: i64,
    /// The moment at which the first of all due runs became due.
    pub oldest_due: Option<Moment>,
}

/// A run that a worker has, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct RunningRun {
    pub workspace: WorkspaceId,
    pub call_id: CallId,
    pub stage: String,
    pub started_at: Moment,
    /// A host, a provider, or `memory`. Absent while the run works by itself.
    pub waits_for: Option<String>,
}

impl Store {
    /// The runs that workers have, over all workspaces, the oldest first, for whoever operates the system.
    pub async fn running_runs(&self, limit: i64) -> Result<Vec<RunningRun>> {
        Ok(read!(
            fetch_all,
            RunningRun,
            self,
            "SELECT workspace, call_id, stage, started_at, destination AS waits_for FROM stage_runs
             WHERE state = 'running' AND started_at IS NOT NULL ORDER BY started_at LIMIT $1",
            limit,
        )?)
    }

    /// Shows in the row of a run what the run waits for, as long as `claim` holds it.
    pub async fn show_wait(&self, claim: &Claim, waits_for: Option<&str>) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "UPDATE stage_runs SET destination = $5
             WHERE call_id = $1 AND stage = $2 AND owner = $3 AND fence = $4 AND state = 'running'",
            claim.run.call,
            claim.run.stage,
            claim.owner.0,
            claim.fence,
            waits_for.map(|text| bounded(text, MAX_DESTINATION_CHARS)),
        )?;
        tx.commit().await
    }

    pub async fn runs(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<RunRow>> {
        Ok(read!(
            fetch_all,
            RunRow,
            self,
            "SELECT stage, generation, state, attempts, crashes, destination, error_code, since, not_before,
                started_at, finished_at
             FROM stage_runs WHERE workspace = $1 AND call_id = $2 ORDER BY since, stage",
            workspace,
            call,
        )?)
    }

    pub async fn ended_runs(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<EndedRun>> {
        Ok(read!(
            fetch_all,
            EndedRun,
            self,
            "SELECT stage, generation, state, attempts, error_code, since, started_at, finished_at
             FROM stage_history WHERE workspace = $1 AND call_id = $2 ORDER BY finished_at, stage",
            workspace,
            call,
        )?)
    }

    /// The traces of the runs of a call, in which whoever operates the system finds what each of them did. A run whose input
    /// names no trace is missing, and so are rounds before the last one.
    pub async fn traces(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<RunTrace>> {
        let rows = read!(
            fetch_all,
            (String, i64, String),
            self,
            "SELECT stage, generation, input FROM stage_runs WHERE workspace = $1 AND call_id = $2",
            workspace,
            call,
        )?;
        let traced = |(stage, generation, input): (String, i64, String)| {
            Some(RunTrace { stage, generation, trace_id: event::trace_id(&input)? })
        };
        Ok(rows.into_iter().filter_map(traced).collect())
    }

    pub async fn stage_counts(&self) -> Result<Vec<StageCounts>> {
        let now = self.now();
        Ok(read!(
            fetch_all,
            StageCounts,
            self,
            "SELECT stage,
                COUNT(*) FILTER (WHERE state = 'waiting' AND not_before <= $1) AS waiting_due,
                COUNT(*) FILTER (WHERE state = 'waiting' AND not_before > $1) AS waiting_later,
                COUNT(*) FILTER (WHERE state = 'running') AS running,
                COUNT(*) FILTER (WHERE state = 'parked') AS parked,
                COUNT(*) FILTER (WHERE state = 'dead') AS dead,
                MIN(CASE WHEN state = 'waiting' AND not_before <= $1 THEN not_before END) AS oldest_due
             FROM stage_runs WHERE state <> 'done' GROUP BY stage",
            now,
        )?)
    }
}
