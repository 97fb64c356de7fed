//! Sample calls: finished calls to try the console out with, in a workspace that has no call yet.
//!
//! No stage works on them, so nothing of them reaches a model, a CRM or a chat. They are marked, and nothing else is removed
//! together with them.

use domain::analysis::Analysis;
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::moment::Moment;
use domain::transcript::Transcript;

use super::audit::{self, OperatorRequest};
use super::call_index;
use super::columns::{bounded, storable};
use super::{Result, Store, Tx, execute, query, read};

/// The source of every sample call.
const SOURCE: &str = "sample";
/// The generation of a sample call, which is never done again.
const GENERATION: i64 = 1;

/// A sample call, with what the stages would make of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleCall {
    pub external_id: String,
    pub kind: CallKind,
    pub details: CallDetails,
    pub transcript: Transcript,
    pub analysis: Analysis,
}

/// What became of sample calls that somebody wants to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplesLoaded {
    Loaded,
    /// The workspace has calls already, so samples would stand among real calls.
    NotEmpty,
}

impl Store {
    /// Puts sample calls into a workspace that has no call.
    pub async fn load_samples(
        &self,
        request: &OperatorRequest<'_>,
        samples: &[SampleCall],
    ) -> Result<SamplesLoaded> {
        let now = self.now();
        let workspace = request.workspace;
        let mut tx = self.begin_tx().await?;
        let any = query!(
            fetch_optional,
            (CallId,),
            tx,
            "SELECT id FROM calls WHERE workspace = $1 LIMIT 1",
            workspace
        )?;
        let mut loaded = 0;
        for sample in samples.iter().filter(|_| any.is_none()) {
            let call = CallId::derive(workspace, SOURCE, &sample.external_id);
            if put(&mut tx, workspace, call, sample, now).await? {
                call_index::refresh(&mut tx, &self.facts, call, now).await?;
                loaded += 1;
            }
        }
        // Where somebody else did the same at the same time, her samples are there.
        if loaded == 0 {
            tx.roll_back().await?;
            return Ok(SamplesLoaded::NotEmpty);
        }
        audit::note_many(&mut tx, request, loaded, now).await?;
        tx.commit().await?;
        Ok(SamplesLoaded::Loaded)
    }

    /// The sample calls that the workspace has.
    pub async fn samples(&self, workspace: WorkspaceId) -> Result<Vec<CallId>> {
        let rows = read!(
            fetch_all,
            (CallId,),
            self,
            "SELECT call_id FROM sample_calls WHERE workspace = $1 ORDER BY call_id",
            workspace,
        )?;
        Ok(rows.into_iter().map(|(call,)| call).collect())
    }

    /// Removes the sample calls of the workspace. Returns the keys of the blobs that belonged to them.
    pub async fn remove_samples(&self, request: &OperatorRequest<'_>) -> Result<Vec<String>> {
        let samples = self.samples(request.workspace).await?;
        if samples.is_empty() {
            return Ok(Vec::new());
        }
        let audit = self.begin_audit(request, self.now()).await?;
        let mut blobs = Vec::new();
        for call in samples {
            blobs.extend(self.delete_call(&audit, request.workspace, call).await?.unwrap_or_default());
        }
        self.end_audit(&audit).await?;
        Ok(blobs)
    }
}

/// Stores a sample call with its results and its mark. Returns false where the call is there already.
async fn put(
    tx: &mut Tx,
    workspace: WorkspaceId,
    call: CallId,
    sample: &SampleCall,
    now: Moment,
) -> Result<bool> {
    let is_new = execute!(
        *tx,
        "INSERT INTO calls (id, workspace, source, external_id, kind, status, generation, details, agent, received_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'completed', $6, $7, $8, $9, $9) ON CONFLICT DO NOTHING",
        call,
        workspace,
        SOURCE,
        &sample.external_id,
        sample.kind.name(),
        GENERATION,
        storable(&sample.details),
        sample.details.agent_name.as_deref().map(|name| bounded(name, 200)),
        now,
    )?;
    if is_new == 0 {
        return Ok(false);
    }
    execute!(
        *tx,
        "INSERT INTO transcripts (call_id, workspace, generation, transcript, created_at) VALUES ($1, $2, $3, $4, $5)",
        call,
        workspace,
        GENERATION,
        storable(&sample.transcript),
        now,
    )?;
    execute!(
        *tx,
        "INSERT INTO analyses (call_id, workspace, generation, analysis, created_at) VALUES ($1, $2, $3, $4, $5)",
        call,
        workspace,
        GENERATION,
        storable(&sample.analysis),
        now,
    )?;
    execute!(*tx, "INSERT INTO sample_calls (call_id, workspace) VALUES ($1, $2)", call, workspace)?;
    Ok(true)
}
