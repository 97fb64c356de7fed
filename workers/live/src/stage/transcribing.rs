//! Transcribes the turns of a session, one after the other. A turn costs money, so its request is an effect in the ledger,
//! and its answer is kept before anything reads it. After a retry or a crash what was paid for is found again.

mod request;
mod words;

use std::time::Duration;

use domain::call::Call;
use domain::fault::Fault;
use domain::transcript::Segment;
use platform::blobs::BlobError;
use providers::speech::{self, Reading, SpeechToText};
use queue_topology::{Cx, StageError};
use store::live::{LiveSession, LiveStep, LiveTurn, NewLiveEvent};

use crate::faults;
use crate::metrics;
use crate::places::MAX_PIECE_BYTES;
use crate::roles::role;
use crate::told::{self, Said};

use super::Listen;

pub(crate) use words::{Part, Words};

/// How far the turns are.
pub(super) enum Transcribed {
    /// All turns that can be transcribed are.
    All,
    /// A provider works on one. Look again after this time.
    Later(Duration),
}

/// Transcribes all turns that were not transcribed yet. `turns` has all of the session.
pub(super) async fn transcribe(
    listen: &Listen,
    cx: &Cx,
    (session, call): (&LiveSession, &Call),
    turns: &mut [LiveTurn],
) -> Result<Transcribed, StageError> {
    if listen.speech.is_empty() {
        return Ok(Transcribed::All);
    }
    // The words of a turn without sound of its own come from a stream.
    for turn in turns.iter_mut().filter(|turn| turn.words.is_none() && !turn.blob.is_empty()) {
        let words = match said(listen, cx, call, turn).await {
            Ok(Outcome::Words(words)) => words,
            Ok(Outcome::Later(wait)) => return Ok(Transcribed::Later(wait)),
            // What cannot be transcribed for good must not hold up the rest of the call.
            Err(error) if error.fault == Fault::Permanent => {
                tracing::warn!(turn = turn.number, code = error.code, %error, "a turn cannot be transcribed");
                Words { problem: Some(error.code.to_owned()), ..Words::default() }
            }
            Err(error) => return Err(error),
        };
        let role = role(turn.speaker.as_deref(), turn.channel, &call.details, &listen.settings.agents);
        let now = cx.now();
        let event = |part: &Part| {
            let said = Said {
                turn: turn.number,
                role: role.filter(|_| part.speaker.is_none()),
                voice: None,
                is_final: true,
                text: &part.text,
                confidence: part.confidence,
                start_ms: part.start_ms,
                end_ms: part.end_ms,
            };
            told::transcript_update(&session.session_id, &said, now)
        };
        let events: Vec<NewLiveEvent> = words.parts.iter().map(event).collect();
        let kept = serde_json::to_value(&words).unwrap_or_default();
        let step = LiveStep { words: vec![(turn.number, kept.clone())], events, ..LiveStep::default() };
        listen.store_step(cx, session, &step).await?;
        metrics::turn(words.problem.is_none());
        turn.words = Some(kept);
    }
    Ok(Transcribed::All)
}

/// What became of one turn.
enum Outcome {
    Words(Words),
    Later(Duration),
}

/// What is said in one turn. The providers are asked in their order, until one takes it.
async fn said(listen: &Listen, cx: &Cx, call: &Call, turn: &LiveTurn) -> Result<Outcome, StageError> {
    let mut failed = None;
    for provider in &listen.speech {
        let asked = match provider {
            SpeechToText::AtOnce(provider) => request::at_once(listen, cx, call, turn, provider).await,
            SpeechToText::Job(provider) => request::job(listen, cx, call, turn, provider).await,
        };
        match asked {
            Ok(Some(reading)) => return Ok(Outcome::Words(read(provider, turn, &reading))),
            Ok(None) => return Ok(Outcome::Later(request::LOOK_AGAIN)),
            // Only a provider that certainly did nothing is passed over.
            Err(error) if matches!(error.fault, Fault::Unavailable | Fault::Permanent) => {
                tracing::debug!(provider = name(provider), %error, "a provider does not take a turn");
                failed.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    let nobody =
        || StageError::permanent("transcription_refused", anyhow::anyhow!("no provider takes the turn"));
    Err(failed.unwrap_or_else(nobody))
}

fn name(provider: &SpeechToText) -> &str {
    &provider.remote().destination
}

/// What a reading says, in the time of the session.
fn read(provider: &SpeechToText, turn: &LiveTurn, reading: &Reading) -> Words {
    let audio_ms = reading.used.paid_ms().unwrap_or(turn.end_ms - turn.start_ms);
    if let Ok(ms) = u64::try_from(audio_ms) {
        speech::transcribed(name(provider), Duration::from_millis(ms));
    }
    #[expect(clippy::cast_precision_loss, reason = "a turn has seconds")]
    let cost_usd = provider.price_per_minute().map(|price| price * audio_ms as f64 / 60_000.0);
    Words {
        parts: words::parts(turn, &reading.transcript.segments),
        language: reading.transcript.language.clone(),
        provider: Some(name(provider).to_owned()),
        model: reading.used.model.clone(),
        audio_ms,
        cost_usd,
        problem: None,
    }
}

/// The answer that was kept for a turn.
async fn kept(listen: &Listen, key: &str) -> Result<Option<bytes::Bytes>, StageError> {
    match listen.blobs.get(key, MAX_PIECE_BYTES).await {
        Ok(answer) => Ok(Some(answer)),
        Err(BlobError::NotFound(_)) => Ok(None),
        Err(error) => Err(faults::of_blobs(error)),
    }
}

/// The segments of all turns, in the order in which they were said, as the transcript of the call has them.
pub(super) fn segments(listen: &Listen, call: &Call, turns: &[LiveTurn]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let channels = turns.iter().map(|turn| turn.channel).collect::<std::collections::BTreeSet<_>>().len();
    for turn in turns {
        let Some(words) = turn.words.as_ref().map(Words::read) else { continue };
        let role = role(turn.speaker.as_deref(), turn.channel, &call.details, &listen.settings.agents);
        for part in words.parts {
            // The letters of a stream hold as long as the stream does.
            let voice = part.speaker.clone().filter(|_| turn.blob.is_empty());
            let label = turn.speaker.clone().or(voice);
            let label = label.or_else(|| (channels > 1).then(|| (turn.channel + 1).to_string()));
            segments.push(Segment {
                id: 0,
                speaker: label,
                role: role.filter(|_| part.speaker.is_none()),
                start_ms: Some(part.start_ms),
                end_ms: Some(part.end_ms),
                text: part.text,
                confidence: part.confidence,
            });
        }
    }
    segments.sort_by_key(|segment| segment.start_ms);
    segments
}

/// How many turns have words.
pub(crate) fn with_words(turns: &[LiveTurn]) -> usize {
    let has_words = |turn: &&LiveTurn| {
        let words = turn.words.as_ref();
        words.is_some_and(|words| words["parts"].as_array().is_some_and(|parts| !parts.is_empty()))
    };
    turns.iter().filter(has_words).count()
}

/// What was paid for all turns together.
pub(super) fn paid(turns: &[LiveTurn]) -> Vec<Words> {
    turns.iter().filter_map(|turn| turn.words.as_ref()).map(Words::read).collect()
}
