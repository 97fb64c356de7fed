//! What a channel of a session had before a stream begins, or goes on: how much audio there is, and what of it a stream
//! should have transcribed and did not, because its process ended. That audio is transcribed now.

use anyhow::Context as _;
use media::audio::SPEECH_RATE;
use providers::speech::streaming::KnownVoice;
use store::live::{LivePiece, LiveSession, LiveTurn};

use super::samples::pcm;
use crate::progress::{Progress, ms, samples};
use crate::service::Live;
use crate::sound;
use crate::stage::held::covered_ms;
use crate::stage::transcribing::Words;
use crate::told;

/// How many pieces that nobody has heard are looked at.
const PIECES: i64 = 100_000;
/// How much that was transcribed is read again, where voices have to be recognized.
const CONTEXT: u64 = 8 * SPEECH_RATE as u64;
/// How often the session is read, until nobody works on it at the same time.
const TRIES: usize = 20;

/// What a channel had before. Places are samples from its start.
#[derive(Debug, Default)]
pub(super) struct SoFar {
    /// The place of the first sample of `audio`.
    pub(super) starts_at: u64,
    pub(super) audio: Vec<i16>,
    /// The place up to which everything is transcribed, or will be without the stream.
    pub(super) covered: u64,
    pub(super) known: Vec<KnownVoice>,
    /// The turns that an earlier stream has told while they were spoken, and will not end. This stream hears them again.
    pub(super) left_open: Vec<i64>,
}

impl SoFar {
    pub(super) fn covered_ms(&self) -> i64 {
        ms(self.covered)
    }
}

pub(super) async fn read(
    live: &Live,
    session: &LiveSession,
    channel: i64,
    voices: bool,
) -> anyhow::Result<SoFar> {
    let (workspace, id) = (session.workspace, session.call);
    let turns = live.store.live_turns(workspace, id).await?;
    let covered = samples(covered_ms(&turns, channel));
    let (heard, unheard) = pieces(live, session).await?;
    let of_channel = |piece: &&LivePiece| piece.channel.is_none_or(|own| own == channel);
    let mut end = heard.tracks.get(&channel).map_or(0, |track| track.samples);
    let mut newest: Vec<(LivePiece, Vec<f32>)> = Vec::new();
    for piece in unheard.iter().filter(of_channel) {
        let sound = sound::of_channel(&live.blobs, piece, channel).await.context("read a piece")?;
        end += sound.len() as u64;
        newest.push((piece.clone(), sound));
    }
    // From the last piece back, as far as a stream should have said the words and did not.
    let floor = covered.saturating_sub(if voices { CONTEXT } else { 0 });
    let (mut starts_at, mut audio, mut fresh_from) = (end, Vec::new(), end);
    let older = until(live.store.heard_live_pieces(workspace, id).await?, &heard);
    let mut older = older.filter(|piece| piece.channel.is_none_or(|own| own == channel));
    while starts_at > floor {
        let (piece, sound) = match newest.pop() {
            Some(newest) => newest,
            None => match older.next() {
                Some(piece) => {
                    let sound =
                        sound::of_channel(&live.blobs, &piece, channel).await.context("read a piece")?;
                    (piece, sound)
                }
                None => break,
            },
        };
        if !piece.is_streamed {
            break;
        }
        starts_at = starts_at.saturating_sub(sound.len() as u64);
        fresh_from = starts_at;
        audio.push(pcm(&sound));
    }
    audio.reverse();
    let known = if voices { known(&turns, channel) } else { Vec::new() };
    let of_channel = told::left_open(&turns).filter(|turn| turn.channel == channel);
    let left_open = of_channel.map(|turn| turn.number).collect();
    Ok(SoFar { starts_at, audio: audio.concat(), covered: covered.max(fresh_from), known, left_open })
}

/// The pieces that were heard when the run was so far. Those that it has heard since are among the others already.
fn until(pieces: Vec<LivePiece>, progress: &Progress) -> impl Iterator<Item = LivePiece> + use<> {
    let heard = progress.heard;
    pieces.into_iter().filter(move |piece| piece.position.is_some_and(|position| position < heard))
}

/// How far the run of the session is, and the pieces that it has not heard. Both are of the same moment.
async fn pieces(live: &Live, session: &LiveSession) -> anyhow::Result<(Progress, Vec<LivePiece>)> {
    let (workspace, id) = (session.workspace, session.call);
    for _ in 0..TRIES {
        let before = live.store.live_session_of(workspace, id).await?.context("find the session")?;
        let unheard = live.store.unheard_live_pieces(workspace, id, PIECES).await?;
        let after = live.store.live_session_of(workspace, id).await?.context("find the session")?;
        let progress = Progress::read(&after.progress);
        if Progress::read(&before.progress).heard == progress.heard {
            return Ok((progress, unheard));
        }
    }
    anyhow::bail!("the session is worked on all the time")
}

/// Who spoke in the channel, by the names that the listeners know.
fn known(turns: &[LiveTurn], channel: i64) -> Vec<KnownVoice> {
    let of_stream = turns.iter().filter(|turn| turn.channel == channel && turn.blob.is_empty());
    let words = of_stream.filter_map(|turn| turn.words.as_ref()).map(Words::read);
    let voice = |part: &crate::stage::transcribing::Part| {
        let name = part.speaker.clone()?;
        Some(KnownVoice { name, start_ms: part.start_ms, end_ms: part.end_ms })
    };
    words.flat_map(|words| words.parts.iter().filter_map(voice).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use domain::moment::Moment;

    use super::*;

    #[test]
    fn a_piece_that_is_heard_meanwhile_is_not_taken_twice() {
        let piece = |position: i64| LivePiece {
            sequence: position,
            blob: String::new(),
            bytes: 0,
            media_type: None,
            channel: None,
            speaker: None,
            position: Some(position),
            received_at: Moment::from_micros(0),
            is_streamed: true,
        };
        // When the run was looked at, it had heard two pieces, and the third one was among those that it had not heard.
        let progress = Progress { heard: 2, ..Progress::default() };
        let positions: Vec<_> =
            until(vec![piece(2), piece(1), piece(0)], &progress).filter_map(|piece| piece.position).collect();
        assert_eq!(positions, [1, 0]);
    }
}
