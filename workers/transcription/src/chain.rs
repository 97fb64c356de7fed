//! Asks the providers in their order until one has made the transcript.
//!
//! What was paid for comes first: an answer that is kept, a job that was submitted, a request that may have been
//! answered. So a provider that was paid is waited for, and a second one is asked only where the first is away, does not
//! take the recording, or has no room for long ([`crate::verdict`]). Each attempt stands on the call's timeline.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use domain::call::WorkspaceId;
use domain::fault::Fault;
use domain::moment::Moment;
use providers::speech::{self, SpeechToText, Used};
use queue_topology::{Cx, StageError};
use store::{EffectRow, EffectState, PaidSpeech, SpeechAttempt, SpeechAttemptRow, SpeechOutcome, Write};

use crate::recording::{Heard, Made, Recording};
use crate::verdict::{Before, asks_next, is_of_provider, mildest, outcome};
use crate::{answer, doubts, job, kept, material};

/// What was paid for is of no use any more after these failures.
const OF_NO_USE: [&str; 5] = [
    "transcription_failed",
    "transcription_lost",
    "transcription_refused",
    "transcription_timed_out",
    "transcription_unreadable",
];

pub(crate) struct Chain {
    providers: Vec<SpeechToText>,
    /// How long a provider that is away is asked after the others.
    away_for: Duration,
    /// Until when the providers that are away are asked last, by workspace and provider.
    away: Mutex<HashMap<(WorkspaceId, &'static str), Moment>>,
}

impl Chain {
    pub(crate) fn new(providers: Vec<SpeechToText>, away_for: Duration) -> Self {
        Self { providers, away_for, away: Mutex::default() }
    }

    /// Whether no provider is configured.
    pub(crate) fn is_empty(&self) -> bool {
        self.providers.is_empty()
    }

    /// Returns the transcript of a recording, or how long to wait for it.
    pub(crate) async fn heard(&self, recording: &Recording<'_>) -> Result<Heard, StageError> {
        let known = Known::read(recording, self.providers.len() > 1).await?;
        if let Some(made) = self.of_a_provider_that_is_off(recording, &known).await? {
            return Ok(Heard::Transcript(made));
        }
        if self.providers.is_empty() {
            return Err(StageError::unavailable(
                speech::NOBODY,
                "speech_to_text_not_configured",
                anyhow!("no speech-to-text provider is configured: set {}", speech::keys()),
            ));
        }
        let cx = recording.cx;
        let mut failures = Vec::new();
        for provider in self.in_order(cx, &known) {
            let began = cx.now();
            let error = match ask(recording, provider).await {
                Ok(Heard::Transcript(made)) => {
                    self.is_back(cx, provider);
                    return self.finished(recording, provider, made, began).await;
                }
                Ok(later) => return Ok(later),
                Err(error) if !is_of_provider(&error) => return Err(error),
                Err(error) => error,
            };
            self.note(cx, provider, &error, began).await?;
            if known.is_worth_waiting(cx, provider, &error) {
                return Err(error);
            }
            if error.fault == Fault::Unavailable {
                self.is_away(cx, provider);
            }
            if !asks_next(&error, known.before(cx, provider)) {
                return Err(error);
            }
            failures.push(error);
        }
        let open = failures.iter().filter(|error| error.fault != Fault::Permanent).count();
        let nobody =
            || StageError::permanent("transcription_refused", anyhow!("no provider takes the recording"));
        let error = mildest(failures, cx.now().since(cx.run.since)).unwrap_or_else(nobody);
        Err(if error.fault == Fault::Unavailable && open > 1 {
            // Whichever of them is back first, the run goes on.
            error.waiting_for(speech::NOBODY)
        } else {
            error
        })
    }

    /// The providers in the order in which this run asks them.
    fn in_order(&self, cx: &Cx, known: &Known) -> Vec<&SpeechToText> {
        let now = cx.now();
        let away = self.away();
        let is_away =
            |name: &'static str| away.get(&(cx.run.workspace, name)).is_some_and(|until| *until > now);
        let mut order: Vec<_> = self
            .providers
            .iter()
            .filter(|provider| !known.was_refused(name_of(provider)))
            .map(|provider| {
                let name = name_of(provider);
                let place = match known.of(name).map(|row| row.state.as_str()) {
                    Some(state) if state == EffectState::Confirmed.name() => 0,
                    Some(state) if state != EffectState::NotSent.name() => 1,
                    _ if is_away(name) => 3,
                    _ => 2,
                };
                (place, provider)
            })
            .collect();
        // The sort keeps the order of the setting where the places are equal.
        order.sort_by_key(|(place, _)| *place);
        order.into_iter().map(|(_, provider)| provider).collect()
    }

    /// The transcript in an answer that was paid for at a provider that is turned off now.
    async fn of_a_provider_that_is_off(
        &self,
        recording: &Recording<'_>,
        known: &Known,
    ) -> Result<Option<Made>, StageError> {
        let is_on = |name: &str| self.providers.iter().any(|provider| name_of(provider) == name);
        for row in known.paid.iter().filter(|row| !is_on(&row.target)) {
            let (Some(reader), true) =
                (speech::reader(&row.target), row.state == EffectState::Confirmed.name())
            else {
                continue;
            };
            let Some(answer) = kept::answer(recording, &recording.kept_at(&row.target)).await? else {
                continue;
            };
            let Ok(reading) = kept::read(recording, answer, reader).await else { continue };
            let mut transcript = reading.transcript;
            let expected = recording.wanted.language.as_deref();
            doubts::note(&mut transcript, &row.target, reading.used.audio_ms, expected);
            recording.cx.keep(Write::Transcribed(SpeechAttempt {
                provider: row.target.clone(),
                outcome: SpeechOutcome::Transcribed,
                error_code: None,
                duration_ms: 0,
                paid: None,
                model: reading.used.model.clone(),
            }));
            return Ok(Some(Made { transcript, used: reading.used }));
        }
        Ok(None)
    }

    /// Keeps who made the transcript, and what it cost.
    async fn finished(
        &self,
        recording: &Recording<'_>,
        provider: &SpeechToText,
        made: Made,
        began: Moment,
    ) -> Result<Heard, StageError> {
        let Made { mut transcript, used } = made;
        let (cx, name) = (recording.cx, name_of(provider));
        let expected = recording.wanted.language.as_deref();
        doubts::note(&mut transcript, provider.remote().title, used.audio_ms, expected);
        let rows = paid_rows(recording).await?;
        let confirmed: Vec<_> = rows
            .iter()
            .filter(|row| row.target == name && row.state == EffectState::Confirmed.name())
            .collect();
        let since = confirmed.iter().map(|row| row.updated_at).min().unwrap_or(began).min(began);
        let last_paid = cx.store.last_paid_transcript(cx.run.workspace, cx.run.call).await?;
        let paid_in = confirmed.iter().map(|row| row.generation).max();
        let is_new = paid_in.is_some_and(|paid_in| last_paid.is_none_or(|last| last < paid_in));
        if is_new && let Some(ms) = used.audio_ms.and_then(|ms| u64::try_from(ms).ok()) {
            speech::transcribed(name, Duration::from_millis(ms));
        }
        cx.keep(Write::Transcribed(SpeechAttempt {
            provider: name.to_owned(),
            outcome: SpeechOutcome::Transcribed,
            error_code: None,
            duration_ms: millis(cx.now().since(since)),
            paid: is_new.then(|| paid(&used, provider.price_per_minute())),
            model: used.model.clone(),
        }));
        Ok(Heard::Transcript(Made { transcript, used }))
    }

    /// Puts a failed attempt on the call's timeline. Where there is only one provider, a wait for its room is no event.
    async fn note(
        &self,
        cx: &Cx,
        provider: &SpeechToText,
        error: &StageError,
        began: Moment,
    ) -> Result<(), StageError> {
        let outcome = outcome(error);
        if outcome == SpeechOutcome::Throttled && self.providers.len() == 1 {
            return Ok(());
        }
        let attempt = SpeechAttempt {
            provider: name_of(provider).to_owned(),
            outcome,
            error_code: Some(error.code.to_owned()),
            duration_ms: millis(cx.now().since(began)),
            paid: None,
            model: None,
        };
        Ok(cx.store.record_speech_attempt(&cx.run.key(), &attempt).await?)
    }

    fn is_away(&self, cx: &Cx, provider: &SpeechToText) {
        let until = cx.now().plus(self.away_for);
        self.away().insert((cx.run.workspace, name_of(provider)), until);
    }

    fn is_back(&self, cx: &Cx, provider: &SpeechToText) {
        self.away().remove(&(cx.run.workspace, name_of(provider)));
    }

    fn away(&self) -> MutexGuard<'_, HashMap<(WorkspaceId, &'static str), Moment>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(recording: &Recording<'_>, provider: &SpeechToText) -> Result<Heard, StageError> {
    match provider {
        SpeechToText::Job(provider) => job::heard(recording, provider).await,
        SpeechToText::AtOnce(provider) => answer::heard(recording, provider).await,
    }
}

fn name_of(provider: &SpeechToText) -> &'static str {
    let destination: &'static domain::refusal::Destination = &provider.remote().destination;
    destination
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of audio are far below 2^52")]
fn paid(used: &Used, price_per_minute: Option<f64>) -> PaidSpeech {
    let audio_ms = used.paid_ms();
    PaidSpeech {
        audio_ms,
        input_tokens: used.input_tokens,
        output_tokens: used.output_tokens,
        cost_usd: price_per_minute.zip(audio_ms).map(|(price, ms)| price * ms as f64 / 60_000.0),
    }
}

/// The paid requests for this recording, and for pieces of it, at all providers.
async fn paid_rows(recording: &Recording<'_>) -> Result<Vec<EffectRow>, StageError> {
    let cx = recording.cx;
    let mut rows = cx.store.effects_of(cx.run.workspace, cx.run.call).await?;
    rows.retain(|row| material::is_ledger_object(recording.material, &row.object));
    Ok(rows)
}

/// What is known of this recording before anybody is asked.
struct Known {
    paid: Vec<EffectRow>,
    /// The attempts of this generation.
    attempts: Vec<SpeechAttemptRow>,
}

impl Known {
    async fn read(recording: &Recording<'_>, has_a_choice: bool) -> Result<Self, StageError> {
        let cx = recording.cx;
        let paid = paid_rows(recording).await?;
        let mut attempts = Vec::new();
        if has_a_choice {
            attempts = cx.store.speech_attempts(cx.run.workspace, cx.run.call).await?;
            attempts.retain(|row| row.generation == cx.run.generation);
        }
        Ok(Self { paid, attempts })
    }

    /// The row of the ledger at this provider. Of several pieces, one that was paid counts.
    fn of(&self, provider: &str) -> Option<&EffectRow> {
        let rows = || self.paid.iter().filter(move |row| row.target == provider);
        rows().find(|row| row.state == EffectState::Confirmed.name()).or_else(|| rows().next())
    }

    fn attempt(&self, provider: &str, outcome: SpeechOutcome) -> Option<&SpeechAttemptRow> {
        self.attempts.iter().find(|row| row.provider == provider && row.outcome == outcome.name())
    }

    /// Whether the provider refused the recording in this generation. It would refuse it again.
    fn was_refused(&self, provider: &str) -> bool {
        self.attempt(provider, SpeechOutcome::Refused).is_some()
    }

    fn before(&self, cx: &Cx, provider: &SpeechToText) -> Before {
        let name = name_of(provider);
        Before {
            failures: self.attempt(name, SpeechOutcome::Failed).map_or(0, |row| row.tries),
            throttled_for: self
                .attempt(name, SpeechOutcome::Throttled)
                .map(|row| cx.now().since(row.first_at)),
        }
    }

    /// Whether the provider was paid before this run and may still give what was paid for. A job is waited for until its
    /// deadline.
    fn is_worth_waiting(&self, cx: &Cx, provider: &SpeechToText, error: &StageError) -> bool {
        let Some(row) = self.of(name_of(provider)) else { return false };
        let deadline = match provider {
            SpeechToText::Job(provider) => provider.deadline(),
            SpeechToText::AtOnce(_) => return false,
        };
        row.state == EffectState::Confirmed.name()
            && error.fault != Fault::Permanent
            && !OF_NO_USE.contains(&error.code)
            && cx.now().since(row.updated_at) < deadline
    }
}
