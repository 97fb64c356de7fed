//! The results of stages: transcripts, what was measured in recordings, analyses, and what the analyses cost.

use sqlx::types::Json;

use super::columns::storable;
use super::speech_attempts::{self, SpeechAttempt};
use super::stage_runs::RunKey;
use super::taking_in;
use super::{Db, Result, Store, Tx, execute, read};
use domain::analysis::{Analysis, Usage};
use domain::audio::MeasuredAudio;
use domain::call::{CallDetails, CallId, WorkspaceId};
use domain::moment::Moment;
use domain::note::Note;
use domain::speakers::{self, Correction};
use domain::transcript::Transcript;

/// A result of a run, stored in the transaction that ends it.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    Transcript(Transcript),
    /// What was measured in the recording.
    Audio(Box<MeasuredAudio>),
    Analysis(Box<Analysis>),
    /// What the run cost at a model. An analysis that is made again does not replace the cost of the one before.
    Usage(Usage),
    /// What a stage found out about the call, such as who took part. It is merged into what the sources said.
    Details(Box<CallDetails>),
    /// How a provider of speech to text made the transcript, and what that cost.
    Transcribed(SpeechAttempt),
    /// The recording that was announced never came, so the run ends and nothing was made. The note says why.
    NoRecording(Note),
}

impl Write {
    /// Whether the call is found or counted in another way with this result.
    pub(super) fn is_indexed(&self) -> bool {
        matches!(self, Self::Transcript(_) | Self::Analysis(_) | Self::Details(_))
    }
}

/// Stores a result of `run`. The result of an older generation never replaces the result of a newer one.
pub(super) async fn save(tx: &mut Tx, run: &RunKey, write: &Write, now: Moment) -> Result<()> {
    match write {
        Write::Transcript(transcript) => execute!(
            *tx,
            "INSERT INTO transcripts (call_id, workspace, generation, transcript, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (call_id) DO UPDATE SET generation = excluded.generation, transcript = excluded.transcript,
                created_at = excluded.created_at
             WHERE transcripts.generation <= excluded.generation",
            run.call,
            run.workspace,
            run.generation,
            storable(transcript),
            now,
        )?,
        Write::Audio(measured) => execute!(
            *tx,
            "INSERT INTO audio (call_id, workspace, generation, facts, waveform, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (call_id) DO UPDATE SET generation = excluded.generation, facts = excluded.facts,
                waveform = excluded.waveform, created_at = excluded.created_at
             WHERE audio.generation <= excluded.generation",
            run.call,
            run.workspace,
            run.generation,
            storable(&measured.facts),
            storable(&measured.waveform),
            now,
        )?,
        Write::Analysis(analysis) => execute!(
            *tx,
            "INSERT INTO analyses (call_id, workspace, generation, analysis, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (call_id) DO UPDATE SET generation = excluded.generation, analysis = excluded.analysis,
                created_at = excluded.created_at
             WHERE analyses.generation <= excluded.generation",
            run.call,
            run.workspace,
            run.generation,
            storable(analysis),
            now,
        )?,
        Write::Transcribed(attempt) => return speech_attempts::save(tx, run, attempt, now).await,
        Write::Usage(usage) => execute!(
            *tx,
            "INSERT INTO usage (workspace, call_id, generation, stage, model, prompt_tokens, completion_tokens,
                cost_usd, duration_ms, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
            run.workspace,
            run.call,
            run.generation,
            run.stage,
            &usage.model,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cost_usd,
            usage.duration_ms,
            now,
        )?,
        Write::Details(found) => {
            taking_in::merge_facts(tx, run.workspace, run.call, found, now).await?;
            0
        }
        Write::NoRecording(note) => {
            let facts = CallDetails { notes: vec![note.clone()], ..CallDetails::default() };
            taking_in::merge_facts(tx, run.workspace, run.call, &facts, now).await?;
            execute!(
                *tx,
                "UPDATE calls SET nothing_made = 'no_recording' WHERE workspace = $1 AND id = $2 AND generation = $3",
                run.workspace,
                run.call,
                run.generation,
            )?
        }
    };
    Ok(())
}

/// A transcript, if it is not too long.
#[derive(Clone, Debug, PartialEq)]
pub enum StoredTranscript {
    Read(Transcript),
    /// It is longer than asked for. `bytes` is about its length as JSON.
    Longer {
        bytes: u64,
    },
}

/// The transcript with what people said about its speakers.
pub(super) fn corrected(transcript: Transcript, corrections: Option<Json<Vec<Correction>>>) -> Transcript {
    match corrections {
        Some(Json(corrections)) => speakers::correct(transcript, &corrections),
        None => transcript,
    }
}

impl Store {
    /// Reads the transcript of a call, unless it has more than `max_bytes` as JSON.
    pub async fn transcript_up_to(
        &self,
        workspace: WorkspaceId,
        call: CallId,
        max_bytes: u64,
    ) -> Result<Option<StoredTranscript>> {
        // PostgreSQL keeps a long text compressed, mostly to a quarter, and knows the length of that without reading it.
        let sql = match &self.db {
            Db::Postgres(_) => {
                "SELECT size, CASE WHEN size <= $3 THEN transcript END, corrections FROM
                    (SELECT transcript, CAST(pg_column_size(transcript) AS BIGINT) * 4 AS size, corrections
                     FROM transcripts LEFT JOIN speaker_corrections USING (call_id)
                     WHERE transcripts.workspace = $1 AND call_id = $2) AS sized"
            }
            Db::Sqlite { .. } => {
                "SELECT size, CASE WHEN size <= $3 THEN transcript END, corrections FROM
                    (SELECT transcript, octet_length(transcript) AS size, corrections
                     FROM transcripts LEFT JOIN speaker_corrections USING (call_id)
                     WHERE transcripts.workspace = $1 AND call_id = $2) AS sized"
            }
        };
        let max_bytes = i64::try_from(max_bytes).unwrap_or(i64::MAX);
        let row = read!(
            fetch_optional,
            (i64, Option<Json<Transcript>>, Option<Json<Vec<Correction>>>),
            self,
            sql,
            workspace,
            call,
            max_bytes,
        )?;
        Ok(row.map(|(size, transcript, corrections)| match transcript {
            Some(Json(transcript)) => StoredTranscript::Read(corrected(transcript, corrections)),
            None => StoredTranscript::Longer { bytes: u64::try_from(size).unwrap_or_default() },
        }))
    }

    pub async fn transcript(&self, workspace: WorkspaceId, call: CallId) -> Result<Option<Transcript>> {
        let row = read!(
            fetch_optional,
            (Json<Transcript>, Option<Json<Vec<Correction>>>),
            self,
            "SELECT transcript, corrections FROM transcripts LEFT JOIN speaker_corrections USING (call_id)
             WHERE transcripts.workspace = $1 AND call_id = $2",
            workspace,
            call,
        )?;
        Ok(row.map(|(Json(transcript), corrections)| corrected(transcript, corrections)))
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
