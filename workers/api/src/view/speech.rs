//! The JSON of speech to text: which provider made a call's transcript, what the others said, and what all of it cost.

use domain::moment::Moment;
use serde::Serialize;
use store::{SpeechAttemptRow, SpeechOutcome, UsageBy, UsageRow};
use utoipa::ToSchema;
use utoipa::openapi::Object;

use super::one_of;

/// How the transcript of a call was made.
#[derive(Serialize, ToSchema)]
#[schema(as = Transcription)]
pub struct TranscriptionView {
    /// The provider that made the transcript: `assemblyai`, `deepgram`, `openai`, `elevenlabs` or `local`.
    pub provider: String,
    pub model: Option<String>,
    /// The length of the audio that was paid for. It is null when the provider did not say it.
    pub audio_ms: Option<i64>,
    /// What the transcripts of this call cost in US dollars. It is null when no price is set.
    pub cost_usd: Option<f64>,
    #[schema(value_type = String, format = DateTime)]
    pub transcribed_at: Moment,
}

/// The attempts at one provider that ended in the same way.
#[derive(Serialize, ToSchema)]
#[schema(as = SpeechAttempt)]
pub struct SpeechAttemptView {
    pub generation: i64,
    pub provider: String,
    /// `refused` is a recording that the provider does not take, `unavailable` a provider that is away or does not
    /// take our account, `throttled` a provider without room, `failed` a failure that may pass.
    #[schema(schema_with = outcome)]
    pub outcome: String,
    /// Null for a transcript that was made.
    pub error_code: Option<String>,
    /// How often it ended so.
    pub tries: i64,
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Moment,
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Moment,
    /// How long the last of these attempts took.
    pub duration_ms: i64,
}

/// What was used for one day, by one model or for one call.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageSum)]
pub struct UsageSumView {
    /// The day in UTC, the name of the model, or our id of the call.
    pub name: String,
    #[serde(flatten)]
    pub used: UsedView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Used)]
pub struct UsedView {
    /// How many analyses and transcripts were paid for.
    pub uses: i64,
    /// How many calls they belong to.
    pub calls: i64,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    /// The length of the audio that was transcribed for money.
    pub audio_ms: i64,
    /// The cost in US dollars, as far as prices are set. It is null when no cost is known.
    pub cost_usd: Option<f64>,
    /// How many of the uses have no known cost.
    pub unpriced: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageSums)]
pub struct UsageView {
    #[schema(schema_with = by)]
    pub by: String,
    pub items: Vec<UsageSumView>,
    /// The sum of all pages.
    pub sum: UsedView,
    /// The number of this page, from 1.
    pub page: i64,
    pub limit: i64,
    /// How many items there are, on all pages together.
    pub total: i64,
}

/// Who made the transcript. The newest transcript counts, and the cost is that of all transcripts of the call.
pub(super) fn transcription(attempts: &[SpeechAttemptRow]) -> Option<TranscriptionView> {
    let made = attempts.iter().filter(|row| row.outcome == SpeechOutcome::Transcribed.name());
    let newest = made.max_by_key(|row| (row.generation, row.last_at))?;
    let costs: Vec<f64> = attempts.iter().filter_map(|row| row.cost_usd).collect();
    let lengths = attempts.iter().filter(|row| row.provider == newest.provider);
    Some(TranscriptionView {
        provider: newest.provider.clone(),
        model: newest.model.clone(),
        audio_ms: newest.audio_ms.or_else(|| lengths.filter_map(|row| row.audio_ms).next_back()),
        cost_usd: (!costs.is_empty()).then(|| costs.iter().sum()),
        transcribed_at: newest.last_at,
    })
}

pub(super) fn attempt(of: &SpeechAttemptRow) -> SpeechAttemptView {
    SpeechAttemptView {
        generation: of.generation,
        provider: of.provider.clone(),
        outcome: of.outcome.clone(),
        error_code: of.error_code.clone(),
        tries: of.tries,
        first_at: of.first_at,
        last_at: of.last_at,
        duration_ms: of.duration_ms,
    }
}

pub fn usage_sum(of: &UsageRow) -> UsageSumView {
    UsageSumView { name: of.name.clone(), used: used(of) }
}

pub fn used(of: &UsageRow) -> UsedView {
    UsedView {
        uses: of.uses,
        calls: of.calls,
        prompt_tokens: of.prompt_tokens,
        completion_tokens: of.completion_tokens,
        audio_ms: of.audio_ms,
        cost_usd: of.cost_usd,
        unpriced: of.unpriced,
    }
}

fn outcome() -> Object {
    one_of(SpeechOutcome::NAMES)
}

fn by() -> Object {
    one_of(UsageBy::NAMES)
}
