//! Joins the pieces of a session to one recording: a WAV file with a channel for each channel of the session. Only a little
//! of it is in memory.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use futures::{Stream, stream};
use media::audio::{MAX_CHANNELS, wav};
use platform::blobs::Blobs;
use platform::blobs::Upload;
use queue_topology::{Cx, StageError};
use store::live::{LivePiece, LiveSession};

use crate::faults;
use crate::progress::Progress;

use crate::stage::Listen;
use crate::stage::hearing::sound_of;

/// How many frames are written at a time: a second.
const FRAMES: usize = 16_000;

/// The recording of the session. `None` where no sound came.
pub(super) async fn joined(
    listen: &Listen,
    cx: &Cx,
    session: &LiveSession,
    progress: &Progress,
) -> Result<Option<Upload>, StageError> {
    let frames = progress.tracks.values().map(|track| track.samples).max().unwrap_or(0);
    if frames == 0 {
        return Ok(None);
    }
    let mut pieces = cx.store.heard_live_pieces(session.workspace, session.call).await?;
    pieces.reverse();
    let content = content(listen.blobs.clone(), &pieces, progress, frames);
    // What was acknowledged is kept, however long it became.
    let upload = Upload::store(&listen.blobs, content, u64::MAX, Some("audio/wav".into())).await;
    upload.map(Some).map_err(faults::of_blobs)
}

/// One channel of the recording.
struct Track {
    channel: i64,
    /// The pieces of the channel that were not read yet.
    pieces: VecDeque<LivePiece>,
    ready: VecDeque<i16>,
}

impl Track {
    /// Reads pieces until so many samples are ready, or the channel is over.
    async fn fill(&mut self, blobs: &Blobs, samples: usize) -> Result<(), StageError> {
        while self.ready.len() < samples {
            let Some(piece) = self.pieces.pop_front() else { return Ok(()) };
            let channels: BTreeMap<i64, Vec<f32>> =
                sound_of(blobs, &piece).await?.unwrap_or_default().into_iter().collect();
            if let Some(sound) = channels.get(&self.channel) {
                self.ready.extend(sound.iter().map(|sample| wav::pcm(*sample)));
            }
        }
        Ok(())
    }
}

fn content(
    blobs: Blobs,
    pieces: &[LivePiece],
    progress: &Progress,
    frames: u64,
) -> impl Stream<Item = Result<Bytes, StageError>> + Send + use<> {
    let of = |channel: i64| Track {
        channel,
        pieces: pieces
            .iter()
            .filter(|piece| piece.channel.is_none_or(|own| own == channel))
            .cloned()
            .collect(),
        ready: VecDeque::new(),
    };
    let tracks: Vec<Track> = progress.tracks.keys().take(MAX_CHANNELS).map(|channel| of(*channel)).collect();
    let channels = u16::try_from(tracks.len()).unwrap_or(1);
    let head = Bytes::copy_from_slice(&wav::header(frames, channels));
    let body = stream::try_unfold((blobs, tracks, frames), async |(blobs, mut tracks, left)| {
        if left == 0 {
            return Ok(None);
        }
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(FRAMES);
        let mut block = Vec::with_capacity(now * tracks.len() * 2);
        for track in &mut tracks {
            track.fill(&blobs, now).await?;
        }
        for _ in 0..now {
            for track in &mut tracks {
                // A channel that is shorter than another one is silent at its end.
                block.extend(track.ready.pop_front().unwrap_or(0).to_le_bytes());
            }
        }
        Ok(Some((Bytes::from(block), (blobs, tracks, left - now as u64))))
    });
    stream::StreamExt::chain(stream::iter([Ok(head)]), body)
}
