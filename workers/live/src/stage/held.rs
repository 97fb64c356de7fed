//! The speech whose words a stream should say. Where the stream does not say them, because its provider or its process is
//! gone, the speech is cut into turns after all, and each is transcribed by itself.

use std::time::Duration;

use domain::audio::Interval;
use media::audio::wav;
use queue_topology::{Cx, StageError};
use store::live::{LiveSession, LiveState, LiveStep, LiveTurn};

use super::Listen;
use super::cuts::NewCut;
use crate::progress::{Progress, Track, ms, samples};
use crate::{faults, sound, told};

/// How long the words are waited for after the last audio, and after the end of the session. A stream that is closed says its
/// last words within some seconds.
const AFTER_AUDIO: Duration = Duration::from_secs(30);
const AFTER_END: Duration = Duration::from_secs(10);
/// A word can end a little before the sound of it.
const AROUND_MS: i64 = 400;
/// What is shorter holds no word.
const SHORTEST_MS: i64 = 200;

/// The problem of a turn with which a stream says that it says nothing more.
pub(crate) const GIVEN_UP: &str = "stream_given_up";

/// What became of the speech that was held.
pub(super) struct Released {
    /// Whether there are new turns.
    pub(super) any: bool,
    /// How long the words of a stream are still waited for.
    pub(super) wait: Option<Duration>,
}

/// Forgets the speech whose words are known, and cuts turns out of the speech whose words nobody will say.
pub(super) async fn release(
    listen: &Listen,
    cx: &Cx,
    session: &LiveSession,
    progress: &mut Progress,
    turns: &[LiveTurn],
) -> Result<Released, StageError> {
    let mut wait: Option<Duration> = None;
    let mut cuts = Vec::new();
    for (channel, track) in &mut progress.tracks {
        track.held = left(&track.held, covered_ms(turns, *channel));
        if track.held.is_empty() {
            continue;
        }
        let patience =
            if is_given_up(turns, *channel) { Duration::ZERO } else { patience(cx, session, track) };
        if !patience.is_zero() {
            wait = Some(wait.map_or(patience, |known| known.min(patience)));
            continue;
        }
        let sounds = sounds(listen, cx, session, *channel, track).await?;
        for (at, sound) in track.held.drain(..).zip(sounds) {
            cuts.push(NewCut { channel: *channel, speaker: track.speaker.clone(), at, sound });
        }
    }
    if cuts.is_empty() {
        return Ok(Released { any: false, wait });
    }
    tracing::info!(call = %session.call, turns = cuts.len(), "what a stream did not say is transcribed by itself");
    let mut step = LiveStep::default();
    for cut in cuts {
        step.turns.push(cut.stored(listen, session).await?);
    }
    step.progress = Some(progress.kept());
    step.events.push(told::audio_status(&session.session_id, "transcribing", 0.0, cx.now()));
    listen.store_step(cx, session, &step).await?;
    Ok(Released { any: true, wait })
}

/// How long the words of this channel are still waited for.
fn patience(cx: &Cx, session: &LiveSession, track: &Track) -> Duration {
    if !track.is_streamed {
        return Duration::ZERO;
    }
    match (session.state, session.ended_at) {
        (LiveState::Ended, Some(ended_at)) => AFTER_END.saturating_sub(cx.now().since(ended_at)),
        _ => AFTER_AUDIO.saturating_sub(cx.now().since(session.heard_at)),
    }
}

/// Whether the last stream of a channel has said that it says nothing more.
fn is_given_up(turns: &[LiveTurn], channel: i64) -> bool {
    let of_streams = turns.iter().filter(|turn| turn.channel == channel && turn.blob.is_empty());
    let last = of_streams.max_by_key(|turn| turn.number);
    let words = last.and_then(|turn| turn.words.as_ref());
    words.is_some_and(|words| words["problem"] == GIVEN_UP)
}

/// Up to where a stream has said all words of a channel.
pub(crate) fn covered_ms(turns: &[LiveTurn], channel: i64) -> i64 {
    let said = turns.iter().filter(|turn| turn.blob.is_empty() && turn.words.is_some());
    said.filter(|turn| turn.channel == channel).map(|turn| turn.end_ms).max().unwrap_or(0)
}

/// The speech behind what is covered.
pub(super) fn left(held: &[Interval], covered_ms: i64) -> Vec<Interval> {
    held.iter()
        .filter(|stretch| stretch.end_ms > covered_ms + AROUND_MS)
        .map(|stretch| Interval { start_ms: stretch.start_ms.max(covered_ms), ..*stretch })
        .filter(|stretch| stretch.length_ms() >= SHORTEST_MS)
        .collect()
}

/// The sound of the held stretches of a channel, read from the last pieces back.
async fn sounds(
    listen: &Listen,
    cx: &Cx,
    session: &LiveSession,
    channel: i64,
    track: &Track,
) -> Result<Vec<Vec<i16>>, StageError> {
    let first = track.held.first().map_or(0, |stretch| samples(stretch.start_ms));
    let (mut from, mut all) = (track.samples, Vec::new());
    for piece in cx.store.heard_live_pieces(session.workspace, session.call).await? {
        if from <= first {
            break;
        }
        let mut sound = sound::of_channel(&listen.blobs, &piece, channel).await.map_err(faults::of_blobs)?;
        from = from.saturating_sub(sound.len() as u64);
        sound.append(&mut all);
        all = sound;
    }
    let index = |at_ms: i64| {
        let at = samples(at_ms).saturating_sub(from);
        usize::try_from(at).unwrap_or(usize::MAX).min(all.len())
    };
    let of = |stretch: &Interval| {
        let part = &all[index(stretch.start_ms)..index(stretch.end_ms)];
        part.iter().map(|sample| wav::pcm(*sample)).collect()
    };
    debug_assert!(ms(from) <= ms(first), "the pieces hold all that was heard");
    Ok(track.held.iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_whose_words_are_known_is_not_held_any_more() {
        let held = [[0, 2_000], [2_500, 4_000], [5_000, 6_000]].map(Interval::from);
        assert_eq!(left(&held, 1_800), held[1..], "a word ends a little before its sound");
        assert_eq!(left(&held, 3_000), [Interval::from([3_000, 4_000]), held[2]]);
        assert!(left(&held, 6_000).is_empty());
    }
}
