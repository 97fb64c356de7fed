//! The results of stages: transcripts, what was measured in recordings, analyses, and what the analyses cost.

use sqlx::types::Json;

use super::call_scores::{self, NewScore};
use super::columns::storable;
use super::kept_corrections::{KeptCorrections, corrections_columns};
use super::speech_attempts::{self, SpeechAttempt};
use super::stage_runs::RunKey;
use super::taking_in;
use super::{Db, Result, Store, Tx, execute, read};
use domain::analysis::{Analysis, Usage};
use domain::audio::MeasuredAudio;
use domain::call::{CallDetails, CallId, WorkspaceId};
use domain::moment::Moment;
use domain::note::Note;
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
    /// What the call is worth, by each file of criteria that was asked for.
    Scores(Vec<NewScore>),
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
        Write::Scores(scores) => return call_scores::save(tx, run, scores, now).await,
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

macro_rules! sized {
    ($size:literal) => {
        concat!(
            "SELECT size, CASE WHEN size <= $3 THEN transcript END AS transcript, ",
            corrections_columns!(),
            " FROM (SELECT transcript, ",
            $size,
            " AS size, ",
            corrections_columns!(),
            " FROM transcripts LEFT JOIN speaker_corrections USING (call_id)
                 WHERE transcripts.workspace = $1 AND call_id = $2) AS sized"
        )
    };
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
            Db::Postgres(_) => sized!("CAST(pg_column_size(transcript) AS BIGINT) * 4"),
            Db::Sqlite { .. } => sized!("octet_length(transcript)"),
        };
        let max_bytes = i64::try_from(max_bytes).unwrap_or(i64::MAX);
        let row = read!(fetch_optional, SizedRow, self, sql, workspace, call, max_bytes)?;
        Ok(row.map(|row| match row.transcript {
            Some(Json(transcript)) => StoredTranscript::Read(row.kept.all().of_transcript(transcript)),
            None => StoredTranscript::Longer { bytes: u64::try_from(row.size).unwrap_or_default() },
        }))
    }

    /// The transcript of a call as people corrected it.
    pub async fn transcript(&self, workspace: WorkspaceId, call: CallId) -> Result<Option<Transcript>> {
        let row = read!(
            fetch_optional,
            TranscriptRow,
            self,
            concat!(
                "SELECT transcript, ",
                corrections_columns!(),
                " FROM transcripts LEFT JOIN speaker_corrections USING (call_id)
                 WHERE transcripts.workspace = $1 AND call_id = $2"
            ),
            workspace,
            call,
        )?;
        Ok(row.map(|row| row.kept.all().of_transcript(row.transcript.0)))
    }

    /// The analysis of a call as people corrected it.
    pub async fn analysis(&self, workspace: WorkspaceId, call: CallId) -> Result<Option<Analysis>> {
        let row = read!(
            fetch_optional,
            AnalysisRow,
            self,
            concat!(
                "SELECT analysis, ",
                corrections_columns!(),
                " FROM analyses LEFT JOIN speaker_corrections USING (call_id)
                 WHERE analyses.workspace = $1 AND call_id = $2"
            ),
            workspace,
            call,
        )?;
        Ok(row.map(|row| row.kept.all().of_analysis(row.analysis.0)))
    }
}

#[derive(sqlx::FromRow)]
struct SizedRow {
    size: i64,
    transcript: Option<Json<Transcript>>,
    #[sqlx(flatten)]
    kept: KeptCorrections,
}

#[derive(sqlx::FromRow)]
struct TranscriptRow {
    transcript: Json<Transcript>,
    #[sqlx(flatten)]
    kept: KeptCorrections,
}

#[derive(sqlx::FromRow)]
struct AnalysisRow {
    analysis: Json<Analysis>,
    #[sqlx(flatten)]
    kept: KeptCorrections,
}
