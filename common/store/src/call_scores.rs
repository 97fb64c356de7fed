//! What calls are worth by files of criteria.

use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::columns::storable;
use super::stage_runs::RunKey;
use super::{Result, Store, Tx, execute, read};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

/// The most scores that are read for the progress of one person. They are the newest ones.
const MAX_SCORES: i64 = 1000;

/// A scorecard that is to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewScore {
    /// The name of the criteria.
    pub name: String,
    pub version: i64,
    /// From 0 to 100.
    pub overall: i64,
    /// The whole scorecard.
    pub card: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CallScoreRow {
    pub name: String,
    pub version: i64,
    pub overall: i64,
    pub card: Value,
    pub created_at: Moment,
}

/// One score of a call, for a row of scores over time.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ScoreInTime {
    pub call_id: CallId,
    /// When the call was.
    pub at: Moment,
    pub agent: Option<String>,
    pub version: i64,
    pub overall: i64,
}

#[derive(sqlx::FromRow)]
struct Columns {
    name: String,
    version: i64,
    overall: i64,
    card: Json<Value>,
    created_at: Moment,
}

/// Stores the scorecards of a run in place of those that the call had. Those of an older generation never replace newer ones.
pub(super) async fn save(tx: &mut Tx, run: &RunKey, scores: &[NewScore], now: Moment) -> Result<()> {
    execute!(
        *tx,
        "DELETE FROM call_scores WHERE call_id = $1 AND generation < $2",
        run.call,
        run.generation
    )?;
    for score in scores {
        execute!(
            *tx,
            "INSERT INTO call_scores (call_id, name, workspace, generation, version, overall, card, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (call_id, name) DO UPDATE SET generation = excluded.generation, version = excluded.version,
                overall = excluded.overall, card = excluded.card, created_at = excluded.created_at
             WHERE call_scores.generation <= excluded.generation",
            run.call,
            score.name.as_str(),
            run.workspace,
            run.generation,
            score.version,
            score.overall,
            storable(&score.card),
            now,
        )?;
    }
    Ok(())
}

macro_rules! in_time {
    ($which:literal) => {
        concat!(
            "SELECT call_scores.call_id, at, agent, version, overall FROM call_scores
             JOIN call_facts ON call_facts.call_id = call_scores.call_id
             WHERE call_scores.workspace = $1 AND call_facts.workspace = $1 AND name = $2 AND ",
            $which,
            " ORDER BY at DESC, call_scores.call_id LIMIT $4"
        )
    };
}

impl Store {
    /// The scorecards of a call, by name.
    pub async fn call_scores(&self, workspace: WorkspaceId, call: CallId) -> Result<Vec<CallScoreRow>> {
        let rows = read!(
            fetch_all,
            Columns,
            self,
            "SELECT name, version, overall, card, created_at FROM call_scores
             WHERE workspace = $1 AND call_id = $2 ORDER BY name",
            workspace,
            call,
        )?;
        Ok(rows
            .into_iter()
            .map(|row| CallScoreRow {
                name: row.name,
                version: row.version,
                overall: row.overall,
                card: row.card.0,
                created_at: row.created_at,
            })
            .collect())
    }

    /// The scores by `criteria` of the calls of `agent` that were no practice, oldest first.
    pub async fn scores_of_agent(
        &self,
        workspace: WorkspaceId,
        criteria: &str,
        agent: &str,
    ) -> Result<Vec<ScoreInTime>> {
        let sql = in_time!("agent = $3 AND kind <> 'practice'");
        let mut rows = read!(fetch_all, ScoreInTime, self, sql, workspace, criteria, agent, MAX_SCORES)?;
        rows.reverse();
        Ok(rows)
    }

    /// The scores by `criteria` of the calls that the meetings of a salesperson became, oldest first.
    pub async fn scores_of_practice(
        &self,
        workspace: WorkspaceId,
        criteria: &str,
        salesperson: Uuid,
    ) -> Result<Vec<ScoreInTime>> {
        let sql = in_time!(
            "call_scores.call_id IN (SELECT practice_meetings.call_id FROM practice_meetings
                WHERE practice_meetings.workspace = $1 AND salesperson = $3 AND practice_meetings.call_id IS NOT NULL)"
        );
        let mut rows =
            read!(fetch_all, ScoreInTime, self, sql, workspace, criteria, salesperson, MAX_SCORES)?;
        rows.reverse();
        Ok(rows)
    }

    /// The agent of the newest call that a meeting of this salesperson became, where the call names one.
    pub async fn agent_of_practice(
        &self,
        workspace: WorkspaceId,
        salesperson: Uuid,
    ) -> Result<Option<String>> {
        let row = read!(
            fetch_optional,
            (Option<String>,),
            self,
            "SELECT agent FROM call_facts WHERE workspace = $1 AND agent IS NOT NULL AND call_id IN
                (SELECT practice_meetings.call_id FROM practice_meetings
                 WHERE practice_meetings.workspace = $1 AND salesperson = $2 AND practice_meetings.call_id IS NOT NULL)
             ORDER BY at DESC LIMIT 1",
            workspace,
            salesperson,
        )?;
        Ok(row.and_then(|(agent,)| agent))
    }
}
