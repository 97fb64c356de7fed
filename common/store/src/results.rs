//! What stages found out: transcripts, analyses and what they cost.

use sqlx::types::Json;

use super::columns::storable;
use super::{Result, Store, Tx, execute, read};
use domain::analysis::{Analysis, Usage};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;
use domain::transcript::Transcript;

/// A result of a run, stored in the transaction that ends it.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    Transcript(Transcript),
    Analysis(Box<Analysis>),
    /// What the run cost at a model; kept when the analysis is made anew.
    Usage(Usage),
}

/// Whose result it is.
pub(super) struct Of<'a> {
    pub(super) workspace: WorkspaceId,
    pub(super) call: CallId,
    pub(super) stage: &'a str,
    pub(super) generation: i64,
    pub(super) now: Moment,
}

/// Stores `write`. A result of an older generation never replaces a newer one's.
pub(super) async fn save(tx: &mut Tx, of: &Of<'_>, write: &Write) -> Result<()> {
    match write {
        Write::Transcript(transcript) => execute!(
            *tx,
            "INSERT INTO transcripts (call_id, workspace, generation, transcript, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (call_id) DO UPDATE SET generation = excluded.generation, transcript = excluded.transcript,
                created_at = excluded.created_at
             WHERE transcripts.generation <= excluded.generation",
            of.call,
            of.workspace,
            of.generation,
            storable(transcript),
            of.now,
        )?,
        Write::Analysis(analysis) => execute!(
            *tx,
            "INSERT INTO analyses (call_id, workspace, generation, analysis, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (call_id) DO UPDATE SET generation = excluded.generation, analysis = excluded.analysis,
                created_at = excluded.created_at
             WHERE analyses.generation <= excluded.generation",
            of.call,
            of.workspace,
            of.generation,
            storable(analysis),
            of.now,
        )?,
        Write::Usage(usage) => execute!(
            *tx,
            "INSERT INTO usage (workspace, call_id, generation, stage, model, prompt_tokens, completion_tokens,
                cost_usd, duration_ms, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
            of.workspace,
            of.call,
            of.generation,
            of.stage,
            &usage.model,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cost_usd,
            usage.duration_ms,
            of.now,
        )?,
    };
    Ok(())
}

impl Store {
    pub async fn transcript(&self, workspace: WorkspaceId, call: CallId) -> Result<Option<Transcript>> {
        let row = read!(
            fetch_optional,
            (Json<Transcript>,),
            self,
            "SELECT transcript FROM transcripts WHERE workspace = $1 AND call_id = $2",
            workspace,
            call,
        )?;
        Ok(row.map(|(Json(transcript),)| transcript))
    }

    pub async fn analysis(&self, workspace: WorkspaceId, call: CallId) -> Result<Option<Analysis>> {
        let row = read!(
            fetch_optional,
            (Json<Analysis>,),
            self,
            "SELECT analysis FROM analyses WHERE workspace = $1 AND call_id = $2",
            workspace,
            call,
        )?;
        Ok(row.map(|(Json(analysis),)| analysis))
    }
}
