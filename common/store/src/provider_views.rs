//! What the store knows of providers: what went wrong with them last, and what they cost.

use super::{Result, Store, read};
use domain::call::WorkspaceId;
use domain::moment::Moment;

/// A run that could not go on because of somebody else, and has not ended well since.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ProviderTrouble {
    pub stage: String,
    /// Whom the run waits for. Absent where the run does not wait for somebody in particular.
    pub destination: Option<String>,
    pub code: String,
    /// What the provider said, as far as it may be kept.
    pub text: String,
    pub state: String,
    /// The first and the last of the runs with this trouble, by the time at which their work came.
    pub first: Moment,
    pub last: Moment,
    pub runs: i64,
}

/// What one provider of speech to text took.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct SpeechSpent {
    pub provider: String,
    pub outcome: String,
    pub attempts: i64,
    pub audio_ms: i64,
    /// What is known of the cost. `None` where nothing is known.
    pub cost_usd: Option<f64>,
    pub last_at: Moment,
    pub error_code: Option<String>,
}

impl Store {
    /// Why runs of this workspace do not go on: those that wait, are parked or are dead, by what was said about them. The
    /// newest comes first.
    pub async fn troubles(&self, workspace: WorkspaceId, limit: i64) -> Result<Vec<ProviderTrouble>> {
        Ok(read!(
            fetch_all,
            ProviderTrouble,
            self,
            "SELECT stage, destination, error_code AS code, COALESCE(MAX(error_text), '') AS text, state,
                MIN(since) AS first, MAX(since) AS last, COUNT(*) AS runs
             FROM stage_runs WHERE workspace = $1 AND state <> 'done' AND state <> 'running' AND error_code IS NOT NULL
             GROUP BY stage, destination, error_code, state ORDER BY last DESC, stage, code LIMIT $2",
            workspace,
            limit,
        )?)
    }

    /// How attempts at providers of speech to text ended since this moment.
    pub async fn speech_spent(&self, workspace: WorkspaceId, since: Moment) -> Result<Vec<SpeechSpent>> {
        Ok(read!(
            fetch_all,
            SpeechSpent,
            self,
            "SELECT provider, outcome, CAST(SUM(tries) AS BIGINT) AS attempts,
                CAST(COALESCE(SUM(audio_ms), 0) AS BIGINT) AS audio_ms, SUM(cost_usd) AS cost_usd,
                MAX(last_at) AS last_at, MAX(error_code) AS error_code
             FROM speech_attempts WHERE workspace = $1 AND last_at >= $2
             GROUP BY provider, outcome ORDER BY provider, outcome",
            workspace,
            since,
        )?)
    }
}
