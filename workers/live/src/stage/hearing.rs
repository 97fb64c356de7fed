//! Hears the pieces of a session that came in: puts them in their order, adds their sound to its channel, and cuts turns
//! out of it.

use std::time::Duration;

use domain::audio::Interval;
use domain::call::Call;
use media::audio::wav;
use platform::blobs::Blobs;
use queue_topology::{Cx, StageError};
use store::live::{LivePiece, LiveSession, LiveState, LiveStep, LiveTurn};

use crate::faults;
use crate::order::{self, Waiting};
use crate::progress::{Progress, Track, ms, samples};
use crate::roles::role;
use crate::settings::Settings;
use crate::sound;
use crate::told;
use crate::windows;

use super::Listen;
use super::cuts::NewCut;
use super::held::{self, covered_ms};
use super::tails::Tail;

/// How many pieces one step hears.
const PIECES: i64 = 25;
/// When no piece comes for so long, what was said last is a turn, though nobody paused. Senders of longer pieces are waited
/// for longer.
const QUIET_AFTER: Duration = Duration::from_millis(1_500);
const QUIET_AT_MOST: Duration = Duration::from_secs(30);

/// What a step of hearing left to do.
pub(super) struct Heard {
    /// How long the next piece is waited for.
    pub(super) gap: Option<Duration>,
    /// How long until what was said last is a turn, though nobody paused.
    pub(super) quiet_in: Option<Duration>,
}

/// Hears all that came in. Each step is stored before the next.
pub(super) async fn hear(
    listen: &Listen,
    cx: &Cx,
    (session, call): (&LiveSession, &Call),
    progress: &mut Progress,
) -> Result<Heard, StageError> {
    let (workspace, id) = (session.workspace, session.call);
    let tail = match listen.tails.take(id, progress) {
        Some(tail) => tail,
        None => rebuilt(listen, cx, session, progress).await?,
    };
    let turns = cx.store.live_turns(workspace, id).await?;
    let mut ears = Ears { listen, session, call, progress, tail, cuts: Vec::new(), turns };
    let gap = loop {
        let unheard = cx.store.unheard_live_pieces(workspace, id, PIECES).await?;
        let waiting: Vec<Waiting> = unheard
            .iter()
            .map(|piece| Waiting { sequence: piece.sequence, received_at: piece.received_at })
            .collect();
        let ready = order::ready(&waiting, ears.progress.next_sequence, cx.now(), listen.settings.gap_for);
        let is_all = unheard.len() < usize::try_from(PIECES).unwrap_or(usize::MAX);
        let mut step = LiveStep::default();
        for piece in &unheard[..ready.pieces] {
            if piece.sequence < ears.progress.next_sequence {
                ears.progress.late.push(piece.sequence);
            }
            step.positions.push((piece.sequence, ears.progress.heard));
            ears.progress.heard += 1;
            ears.hear(piece).await?;
        }
        ears.progress.next_sequence = ready.next;
        ears.progress.gaps.extend(&ready.gaps);
        if ready.pieces > 0 {
            ears.cut_all(false).await;
            ears.store(cx, step).await?;
        }
        if ready.pieces == 0 || is_all {
            break ready.wait;
        }
    };
    // Where a piece is missing, what is said in it may go on what was said before.
    let quiet_in = if gap.is_none() { ears.quiet_in(cx) } else { None };
    if quiet_in == Some(Duration::ZERO) {
        ears.cut_all(true).await;
        ears.store(cx, LiveStep::default()).await?;
    }
    let quiet_in = quiet_in.filter(|quiet_in| !quiet_in.is_zero());
    if session.state == LiveState::Active {
        listen.tails.keep(id, ears.progress, ears.tail);
    }
    Ok(Heard { gap, quiet_in })
}

struct Ears<'a> {
    listen: &'a Listen,
    session: &'a LiveSession,
    call: &'a Call,
    progress: &'a mut Progress,
    tail: Tail,
    cuts: Vec<NewCut>,
    /// The turns so far, which tell what streams have said.
    turns: Vec<LiveTurn>,
}

impl Ears<'_> {
    async fn hear(&mut self, piece: &LivePiece) -> Result<(), StageError> {
        let Some(channels) = sound_of(&self.listen.blobs, piece).await? else {
            self.progress.unreadable.push(piece.sequence);
            return Ok(());
        };
        let length = channels.iter().map(|(_, samples)| samples.len()).max().unwrap_or(0);
        self.progress.last_piece_ms = ms(length as u64);
        for (channel, samples) in channels {
            let track = self.progress.tracks.entry(channel).or_default();
            // Where a stream says nothing more, what it has not said goes on into what comes now.
            let begins_stream = piece.is_streamed && !track.is_streamed;
            if track.speaker != piece.speaker || begins_stream {
                let has_tail = self.tail.get(&channel).is_some_and(|tail| !tail.is_empty());
                if has_tail {
                    // Somebody else speaks now, or a stream says the words. So what was before is a turn of its own.
                    self.cut(channel, true).await;
                }
                let track = self.progress.tracks.entry(channel).or_default();
                track.speaker.clone_from(&piece.speaker);
            }
            let track = self.progress.tracks.entry(channel).or_default();
            track.is_streamed = piece.is_streamed;
            track.samples += samples.len() as u64;
            self.tail.entry(channel).or_default().extend(samples);
        }
        Ok(())
    }

    async fn cut_all(&mut self, is_over: bool) {
        let channels: Vec<i64> = self.tail.keys().copied().collect();
        for channel in channels {
            self.cut(channel, is_over).await;
        }
    }

    /// Cuts the turns out of a channel that are over.
    async fn cut(&mut self, channel: i64, is_over: bool) {
        let Some(tail) = self.tail.remove(&channel) else { return };
        // The detector takes milliseconds for each second of sound.
        let looking = tokio::task::spawn_blocking(move || (sound::speech(&tail), tail)).await;
        let Ok((speech, mut tail)) = looking else {
            tracing::error!("the detector of speech failed");
            return;
        };
        let cut = windows::cut(&speech, ms(tail.len() as u64), is_over);
        let Settings { agents, .. } = &self.listen.settings;
        let track: &mut Track = self.progress.tracks.entry(channel).or_default();
        let (begins_ms, covered_ms) = (ms(track.cut), covered_ms(&self.turns, channel));
        let shifted = |part: &Interval| Interval {
            start_ms: part.start_ms + begins_ms,
            end_ms: part.end_ms + begins_ms,
        };
        let role = role(track.speaker.as_deref(), channel, &self.call.details, agents);
        for turn in &cut.turns {
            if track.is_streamed {
                track.held.push(shifted(turn));
                continue;
            }
            let mut turn = *turn;
            if covered_ms > 0 {
                // A stream may have said the beginning of it, or all of it.
                let Some(left) = held::left(&[shifted(&turn)], covered_ms).pop() else { continue };
                turn.start_ms = left.start_ms - begins_ms;
            }
            let sound = slice(&tail, &turn).iter().map(|sample| wav::pcm(*sample)).collect();
            self.cuts.push(NewCut { channel, speaker: track.speaker.clone(), at: shifted(&turn), sound });
        }
        for spoken in &cut.speech {
            track.add_speech(shifted(spoken), role);
        }
        let is_all = cut.until_ms >= ms(tail.len() as u64);
        let done = if is_all { tail.len() } else { index(cut.until_ms).min(tail.len()) };
        track.cut += done as u64;
        tail.drain(..done);
        self.tail.insert(channel, tail);
    }

    /// Stores the sound of the turns, and then the step.
    async fn store(&mut self, cx: &Cx, mut step: LiveStep) -> Result<(), StageError> {
        let mut cuts = std::mem::take(&mut self.cuts);
        cuts.sort_by_key(|cut| (cut.at.start_ms, cut.channel));
        for cut in cuts {
            step.turns.push(cut.stored(self.listen, self.session).await?);
        }
        step.progress = Some(self.progress.kept());
        if !step.turns.is_empty() {
            step.events.push(told::audio_status(&self.session.session_id, "transcribing", 0.0, cx.now()));
        }
        self.listen.store_step(cx, self.session, &step).await
    }

    /// How long until what was said last is a turn. `None` where nothing waits to be cut.
    fn quiet_in(&self, cx: &Cx) -> Option<Duration> {
        if self.tail.values().all(Vec::is_empty) {
            return None;
        }
        if self.session.state == LiveState::Ended {
            return Some(Duration::ZERO);
        }
        let piece = Duration::from_millis(u64::try_from(self.progress.last_piece_ms).unwrap_or_default());
        let wait = (piece * 2 + QUIET_AFTER).min(QUIET_AT_MOST);
        Some(wait.saturating_sub(cx.now().since(self.session.heard_at)))
    }
}

/// The sound of a piece, by its channel. `None` where it cannot be decoded.
pub(super) async fn sound_of(
    blobs: &Blobs,
    piece: &LivePiece,
) -> Result<Option<Vec<(i64, Vec<f32>)>>, StageError> {
    sound::of_piece(blobs, piece).await.map_err(faults::of_blobs)
}

/// Makes the audio again that is not cut yet, from the last pieces.
async fn rebuilt(
    listen: &Listen,
    cx: &Cx,
    session: &LiveSession,
    progress: &Progress,
) -> Result<Tail, StageError> {
    let mut tail = Tail::new();
    let missing = |tail: &Tail| {
        progress.tracks.iter().any(|(channel, track)| {
            (tail.get(channel).map_or(0, Vec::len) as u64) < track.samples - track.cut
        })
    };
    if !missing(&tail) {
        return Ok(tail);
    }
    for piece in cx.store.heard_live_pieces(session.workspace, session.call).await? {
        for (channel, mut samples) in sound_of(&listen.blobs, &piece).await?.unwrap_or_default() {
            let behind = tail.entry(channel).or_default();
            samples.append(behind);
            *behind = samples;
        }
        if !missing(&tail) {
            break;
        }
    }
    for (channel, track) in &progress.tracks {
        let wanted = usize::try_from(track.samples - track.cut).unwrap_or(usize::MAX);
        let tail = tail.entry(*channel).or_default();
        tail.drain(..tail.len().saturating_sub(wanted));
    }
    Ok(tail)
}

fn index(at_ms: i64) -> usize {
    usize::try_from(samples(at_ms)).unwrap_or(usize::MAX)
}

fn slice<'s>(samples: &'s [f32], at: &Interval) -> &'s [f32] {
    let end = index(at.end_ms).min(samples.len());
    &samples[index(at.start_ms).min(end)..end]
}
