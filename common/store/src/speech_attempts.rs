//! What became of a call's recording at each provider of speech to text.

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::columns::bounded;
use super::stage_runs::RunKey;
use super::{Result, Store, Tx, execute, read};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;

const MAX_MODEL_CHARS: usize = 200;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum SpeechOutcome {
    /// The provider made the transcript.
    Transcribed,
    /// The provider does not take the recording, or what it answered cannot be used.
    Refused,
    /// The provider could not be reached, or does not take our account.
    Unavailable,
    /// The provider has no room for us now.
    Throttled,
    /// The provider failed, and may do better the next time.
    Failed,
}

impl SpeechOutcome {
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
}

/// One attempt to have a recording transcribed.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechAttempt {
    pub provider: String,
    pub outcome: SpeechOutcome,
    pub error_code: Option<String>,
    pub duration_ms: i64,
    /// What was paid for. `None` where nothing was paid this time.
    pub paid: Option<PaidSpeech>,
    /// The model that made the transcript, where it is known.
    pub model: Option<String>,
}

/// What one transcript cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PaidSpeech {
    /// The length of the audio that is paid for.
    pub audio_ms: Option<i64>,
    pub input_tokens: i64,
    pub output_tokens: i64,
    /// `None` where no price is known.
    pub cost_usd: Option<f64>,
}

/// The attempts of one generation of a call at one provider that ended in the same way.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct SpeechAttemptRow {
    pub generation: i64,
    pub provider: String,
    pub outcome: String,
    pub error_code: Option<String>,
    pub model: Option<String>,
    pub audio_ms: Option<i64>,
    pub cost_usd: Option<f64>,
    /// How long the last of them took.
    pub duration_ms: i64,
    pub tries: i64,
    pub first_at: Moment,
    pub last_at: Moment,
}

/// Stores an attempt, and what it cost.
pub(super) async fn save(tx: &mut Tx, run: &RunKey, attempt: &SpeechAttempt, now: Moment) -> Result<()> {
    let paid = attempt.paid.as_ref();
    let model = attempt.model.as_deref().map(|model| bounded(model, MAX_MODEL_CHARS));
    execute!(
        *tx,
        "INSERT INTO speech_attempts (call_id, generation, provider, outcome, workspace, error_code, model, audio_ms,
            cost_usd, duration_ms, tries, first_at, last_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $11)
         ON CONFLICT (call_id, generation, provider, outcome) DO UPDATE SET error_code = excluded.error_code,
            model = COALESCE(excluded.model, speech_attempts.model),
            audio_ms = COALESCE(excluded.audio_ms, speech_attempts.audio_ms),
            cost_usd = COALESCE(excluded.cost_usd, speech_attempts.cost_usd), duration_ms = excluded.duration_ms,
            tries = speech_attempts.tries + 1, last_at = excluded.last_at",
        run.call,
        run.generation,
        &attempt.provider,
        attempt.outcome.name(),
        run.workspace,
        attempt.error_code.as_deref(),
        model.as_deref(),
        paid.and_then(|paid| paid.audio_ms),
        paid.and_then(|paid| paid.cost_usd),
        attempt.duration_ms,
        now,
    )?;
    let Some(paid) = paid else { return Ok(()) };
    let named = match &model {
        Some(model) => format!("{}/{model}", attempt.provider),
        None => attempt.provider.clone(),
    };
    execute!(
        *tx,
        "INSERT INTO usage (workspace, call_id, generation, stage, model, prompt_tokens, completion_tokens, cost_usd,
            duration_ms, audio_ms, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
        run.workspace,
        run.call,
        run.generation,
        run.stage,
        named,
        paid.input_tokens,
        paid.output_tokens,
        paid.cost_usd,
        attempt.duration_ms,
        paid.audio_ms,
        now,
    )?;
    Ok(())
}

impl Store {
    /// Stores an attempt that did not end the run.
    pub async fn record_speech_attempt(&self, run: &RunKey, attempt: &SpeechAttempt) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        save(&mut tx, run, attempt, now).await?;
        tx.commit().await
    }

    /// The attempts of a call, oldest first.
    pub async fn speech_attempts(
        &self,
        workspace: WorkspaceId,
        call: CallId,
    ) -> Result<Vec<SpeechAttemptRow>> {
        Ok(read!(
            fetch_all,
            SpeechAttemptRow,
            self,
            "SELECT generation, provider, outcome, error_code, model, audio_ms, cost_usd, duration_ms, tries, first_at,
                last_at
             FROM speech_attempts WHERE workspace = $1 AND call_id = $2 ORDER BY first_at, provider",
            workspace,
            call,
        )?)
    }

    /// The newest generation of a call of which it is stored what its transcript cost.
    pub async fn last_paid_transcript(&self, workspace: WorkspaceId, call: CallId) -> Result<Option<i64>> {
        let (generation,) = read!(
            fetch_one,
            (Option<i64>,),
            self,
            "SELECT MAX(generation) FROM usage WHERE workspace = $1 AND call_id = $2 AND stage = 'transcription'",
            workspace,
            call,
        )?;
        Ok(generation)
    }
}
