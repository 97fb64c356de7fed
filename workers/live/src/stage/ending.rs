//! The end of a live call is an arrival like every other: its recording and its transcript go into the pipeline, which
//! reuses what was transcribed. Then the listeners are told what the pipeline made of it.

mod recording;

use std::time::Duration;

use bytes::Bytes;
use domain::call::{Call, CallDetails, CallStatus};
use domain::event::{MaterialKind, Nothing};
use domain::note::Note;
use domain::transcript::{Segment, Transcript};
use queue_topology::intake::{Arrival, NewMaterial, NotKept};
use queue_topology::{Cx, Outcome, StageError};
use serde_json::json;
use store::live::{LiveSession, LiveStep, NewLiveEvent};
use store::{PaidSpeech, SpeechAttempt, SpeechOutcome, Write};

use crate::counsel::summary_update;
use crate::order::Gap;
use crate::progress::{Progress, seconds};
use crate::told;

use super::Listen;
use super::transcribing::{self, Words};

/// The soonest and the latest look at what the pipeline does.
const SOONEST_LOOK: Duration = Duration::from_millis(300);
const LATEST_LOOK: Duration = Duration::from_secs(10);
const WAITING_LOOK: Duration = Duration::from_secs(30);

/// Sends the call into the pipeline.
pub(super) async fn deliver(
    listen: &Listen,
    cx: &Cx,
    (session, call): (&LiveSession, &Call),
    progress: &Progress,
    segments: Vec<Segment>,
) -> Result<Outcome<Nothing>, StageError> {
    let name = &session.session_id;
    // No stream says anything more once the call is delivered.
    let turns = cx.store.live_turns(session.workspace, session.call).await?;
    let forgotten = told::left_open(&turns);
    let mut events: Vec<NewLiveEvent> =
        forgotten.map(|turn| told::taken_back(name, turn.number, turn.start_ms, cx.now())).collect();
    let Some(recording) = recording::joined(listen, cx, session, progress).await? else {
        // Nothing was said, so there is nothing for the pipeline.
        let nothing = json!({"total_files_processed": 0});
        events.push(told::call_status(name, "completed", &nothing, cx.now()));
        let step = LiveStep { events, is_delivered: true, is_finished: true, ..LiveStep::default() };
        listen.store_step(cx, session, &step).await?;
        return Ok(Outcome::Done);
    };
    let mut materials = vec![NewMaterial::File(MaterialKind::Recording, recording)];
    if !segments.is_empty() {
        materials.push(transcript(segments));
    }
    let arrival = Arrival {
        source: call.source.clone(),
        external_id: call.external_id.clone(),
        kind: call.kind,
        details: facts(session, call, progress),
        materials,
    };
    platform::failpoint!("live.deliver");
    listen.intake.accept(session.workspace, arrival).await.map_err(|NotKept| {
        StageError::transient(
            "live_call_not_kept",
            anyhow::anyhow!("the call could not be kept at the moment"),
        )
    })?;
    platform::failpoint!("live.delivered");
    let begun = json!({"stage": "starting_transcription", "files_to_process": session.pieces});
    events.push(told::call_status(name, "processing", &begun, cx.now()));
    events.push(told::audio_status(name, "generating_summary", 0.8, cx.now()));
    let step = LiveStep { events, is_delivered: true, ..LiveStep::default() };
    listen.store_step(cx, session, &step).await?;
    Ok(Outcome::Later(SOONEST_LOOK))
}

/// What was transcribed, as the document that `GET /api/calls/{id}/transcript.json` gives.
fn transcript(segments: Vec<Segment>) -> NewMaterial {
    let transcript = Transcript { segments, ..Transcript::default() }.numbered();
    let bytes = Bytes::from(serde_json::to_vec(&transcript).unwrap_or_default());
    NewMaterial::Document { kind: MaterialKind::Transcript, media_type: "application/json", bytes }
}

/// What the session adds to what is known of the call.
fn facts(session: &LiveSession, call: &Call, progress: &Progress) -> CallDetails {
    let mut facts = CallDetails {
        started_at: call.details.started_at.or(Some(session.started_at)),
        ended_at: session.ended_at,
        duration_ms: Some(progress.measures().duration_ms),
        ..CallDetails::default()
    };
    let sequences = |list: &[i64]| list.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    if session.end_reason.as_deref() == Some("silence") {
        let text = "Nobody ended the live session. It ended by itself after a silence.";
        facts.add_note(Note::new("live_ended_by_silence", text));
    }
    if !progress.gaps.is_empty() {
        let gap = |gap: &Gap| {
            if gap.from == gap.to { gap.from.to_string() } else { format!("{} to {}", gap.from, gap.to) }
        };
        let gaps = progress.gaps.iter().map(gap).collect::<Vec<_>>().join(", ");
        let text =
            format!("These pieces of audio did not come in time: {gaps}. What was said in them is missing.");
        facts.add_note(Note::new("live_pieces_missing", text));
    }
    if !progress.late.is_empty() {
        let text = format!(
            "These pieces of audio came too late for their place, and stand where they came: {}.",
            sequences(&progress.late)
        );
        facts.add_note(Note::new("live_pieces_late", text));
    }
    if !progress.unreadable.is_empty() {
        let text = format!(
            "These pieces of audio could not be decoded and are missing: {}.",
            sequences(&progress.unreadable)
        );
        facts.add_note(Note::new("live_pieces_unreadable", text));
    }
    facts
}

/// Waits until the pipeline is done, and tells the listeners what it made.
pub(super) async fn watch(
    listen: &Listen,
    cx: &Cx,
    session: &LiveSession,
    call: &Call,
) -> Result<Outcome<Nothing>, StageError> {
    let since = session.delivered_at.map_or(Duration::ZERO, |delivered| cx.now().since(delivered));
    let look_again = (since / 4).clamp(SOONEST_LOOK, LATEST_LOOK);
    let status = match call.status {
        // Nobody has taken the arrival in yet.
        _ if call.generation == 0 && call.status != CallStatus::Filtered => {
            return Ok(Outcome::Later(look_again));
        }
        CallStatus::Queued | CallStatus::Processing => return Ok(Outcome::Later(look_again)),
        CallStatus::Waiting => return Ok(Outcome::Later(WAITING_LOOK)),
        ended => ended,
    };
    let (name, now) = (&session.session_id, cx.now());
    let progress = Progress::read(&session.progress);
    let mut events = Vec::new();
    if status == CallStatus::Completed
        && let Some(analysis) = cx.store.analysis(session.workspace, session.call).await?
    {
        events.push(summary_update(name, &analysis, true, now));
        let done = json!({
            "total_files_processed": session.pieces,
            "transcript_word_count": analysis.metrics.words,
            "total_duration": seconds(progress.measures().duration_ms),
        });
        events.push(told::audio_status(name, "completed", 1.0, now));
        events.push(told::call_status(name, status.name(), &done, now));
    }
    if events.is_empty() {
        events.push(told::audio_status(name, "error", 0.0, now));
        events.push(told::call_status(name, status.name(), &json!({}), now));
    }
    for attempt in spent(cx, session).await? {
        cx.keep(Write::Transcribed(attempt));
    }
    let step = LiveStep { events, is_finished: true, ..LiveStep::default() };
    listen.store_step(cx, session, &step).await?;
    Ok(Outcome::Done)
}

/// What the words of the session cost, for each provider.
async fn spent(cx: &Cx, session: &LiveSession) -> Result<Vec<SpeechAttempt>, StageError> {
    let turns = cx.store.live_turns(session.workspace, session.call).await?;
    let mut attempts: Vec<SpeechAttempt> = Vec::new();
    for Words { provider, model, audio_ms, cost_usd, .. } in transcribing::paid(&turns) {
        let Some(provider) = provider else { continue };
        let at = attempts.iter().position(|attempt| attempt.provider == provider);
        let at = at.unwrap_or_else(|| {
            attempts.push(SpeechAttempt {
                provider,
                outcome: SpeechOutcome::Transcribed,
                error_code: None,
                duration_ms: 0,
                paid: Some(PaidSpeech::default()),
                model,
            });
            attempts.len() - 1
        });
        if let Some(paid) = &mut attempts[at].paid {
            paid.audio_ms = Some(paid.audio_ms.unwrap_or(0) + audio_ms);
            paid.cost_usd = cost_usd.map(|cost| paid.cost_usd.unwrap_or(0.0) + cost).or(paid.cost_usd);
        }
    }
    Ok(attempts)
}
