//! Joins the sound of a meeting to one recording, in the order of the turns.
//!
//! The transcript and the recording have the same times. A turn without sound has its time all the same, and is silent in it. So
//! whoever listens sees the words that were written when they were said. A long pause is shortened, because a meeting can wait for
//! hours between two turns.

use std::collections::VecDeque;
use std::iter::repeat_n;

use anyhow::Context as _;
use bytes::{Buf as _, Bytes, BytesMut};
use domain::moment::Moment;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use media::audio::resample::Resampler;
use media::audio::{Block, SPEECH_RATE, wav};
use platform::blobs::{BlobError, Blobs, Upload};
use store::TurnRow;

use crate::talk::SALESPERSON;

/// The longest pause between two turns in a meeting with sound.
const LONGEST_PAUSE_MS: i64 = 2_000;
/// How many sounds are looked at together.
const TOGETHER: usize = 8;
/// How much silence is written at a time, in frames: a second.
const SILENCE: u64 = SPEECH_RATE as u64;
const FRAMES_PER_MS: i64 = SPEECH_RATE as i64 / 1000;
const MEDIA_TYPE: &str = "audio/wav";

/// The sound of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TurnSound {
    key: String,
    rate: u32,
    length_ms: i64,
}

/// When a turn was said, counted from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
}

/// The sound of each turn, where it has one.
pub(crate) async fn sounds_of(blobs: &Blobs, turns: &[TurnRow]) -> Result<Vec<Option<TurnSound>>, BlobError> {
    let looks: Vec<_> = turns.iter().map(|turn| sound_of(blobs, turn)).collect();
    stream::iter(looks).buffered(TOGETHER).try_collect().await
}

async fn sound_of(blobs: &Blobs, turn: &TurnRow) -> Result<Option<TurnSound>, BlobError> {
    let Some(key) = &turn.audio else { return Ok(None) };
    let header = match blobs.get_range(key, 0..wav::HEADER_BYTES as u64).await {
        Ok(header) => header,
        Err(BlobError::NotFound(_)) => {
            tracing::warn!(turn = turn.number, "the sound of a turn is gone");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let Some(written) = wav::written(&header).filter(|written| written.channels == 1) else {
        tracing::warn!(turn = turn.number, "the sound of a turn is no file of ours");
        return Ok(None);
    };
    let length_ms = i64::try_from(written.frames * 1000 / u64::from(written.rate)).unwrap_or(i64::MAX);
    Ok(Some(TurnSound { key: key.clone(), rate: written.rate, length_ms }))
}

/// When each turn was said. A turn begins when it was taken, and never before the one before it has ended. Pauses are shortened
/// where there is sound.
pub(crate) fn spans(turns: &[TurnRow], sounds: &[Option<TurnSound>], started: Moment) -> Vec<Span> {
    let longest_pause = if sounds.iter().any(Option::is_some) { LONGEST_PAUSE_MS } else { i64::MAX };
    // Until when somebody spoke, in the meeting and in the recording.
    let (mut spoke_until, mut free_at) = (0_i64, 0_i64);
    let span = |(turn, sound): (&TurnRow, &Option<TurnSound>)| {
        let length = sound.as_ref().map_or(turn.duration_ms, |sound| sound.length_ms);
        let said_at = i64::try_from(turn.created_at.since(started).as_millis()).unwrap_or(i64::MAX);
        let pause = said_at.saturating_sub(spoke_until).max(0);
        spoke_until = spoke_until.saturating_add(pause).saturating_add(length);
        let start_ms = free_at.saturating_add(pause.min(longest_pause));
        free_at = start_ms.saturating_add(length);
        Span { start_ms, end_ms: free_at }
    };
    turns.iter().zip(sounds).map(span).collect()
}

/// The recording of a meeting. Where both sides have sound, the trainee is on the left and the representatives are on the right.
/// `None` where nobody has.
pub(crate) async fn joined(
    blobs: &Blobs,
    turns: &[TurnRow],
    sounds: Vec<Option<TurnSound>>,
    spans: &[Span],
) -> Result<Option<Upload>, BlobError> {
    let is_ours = |turn: &TurnRow| turn.speaker == SALESPERSON;
    let has_sound =
        |ours: bool| turns.iter().zip(&sounds).any(|(turn, sound)| sound.is_some() && is_ours(turn) == ours);
    let channels = match (has_sound(true), has_sound(false)) {
        (false, false) => return Ok(None),
        (true, true) => 2,
        _ => 1,
    };
    let mut parts = VecDeque::new();
    let mut written_ms = 0;
    for ((turn, sound), span) in turns.iter().zip(sounds).zip(spans) {
        parts.push_back(Part::Silence { frames: frames(span.start_ms - written_ms) });
        let frames = frames(span.end_ms - span.start_ms);
        parts.push_back(match sound {
            Some(sound) => {
                Part::Sound { sound, channel: usize::from(channels == 2 && !is_ours(turn)), frames }
            }
            None => Part::Silence { frames },
        });
        written_ms = span.end_ms;
    }
    let head = Bytes::copy_from_slice(&wav::header(frames(written_ms), channels));
    let writing = Writing { blobs: blobs.clone(), parts, channels: usize::from(channels) };
    let content = stream::once(async { Ok(head) }).chain(writing.content());
    // What was said is kept, however long it became.
    Upload::store(blobs, content, u64::MAX, Some(MEDIA_TYPE.to_owned())).await.map(Some)
}

fn frames(ms: i64) -> u64 {
    u64::try_from(ms.saturating_mul(FRAMES_PER_MS)).unwrap_or(0)
}

/// A part of the recording. Each has as many frames as it says.
enum Part {
    Silence {
        frames: u64,
    },
    Sound {
        sound: TurnSound,
        channel: usize,
        frames: u64,
    },
    /// The rest of a sound that is being read.
    Open {
        open: Box<Open>,
        channel: usize,
        frames: u64,
    },
}

/// A sound that is being read.
struct Open {
    bytes: stream::Fuse<BoxStream<'static, Result<Bytes, BlobError>>>,
    /// What was read and not used yet. The header is taken away before the samples are read.
    pending: BytesMut,
    header: usize,
    rate: u32,
    resampler: Resampler,
}

struct Writing {
    blobs: Blobs,
    parts: VecDeque<Part>,
    channels: usize,
}

impl Writing {
    fn content(self) -> impl Stream<Item = anyhow::Result<Bytes>> + Send {
        stream::try_unfold(self, async |mut writing| Ok(writing.next().await?.map(|block| (block, writing))))
    }

    /// The next bytes of the recording.
    async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        loop {
            match self.parts.pop_front() {
                None => return Ok(None),
                Some(Part::Silence { frames: 0 }) => {}
                Some(Part::Silence { frames }) => {
                    let now = frames.min(SILENCE);
                    self.parts.push_front(Part::Silence { frames: frames - now });
                    let bytes = usize::try_from(now)? * self.channels * 2;
                    return Ok(Some(repeat_n(0, bytes).collect()));
                }
                Some(Part::Sound { sound, channel, frames }) => {
                    let open = Box::new(Open::new(&self.blobs, &sound).await?);
                    self.parts.push_front(Part::Open { open, channel, frames });
                }
                Some(Part::Open { mut open, channel, frames }) => {
                    let Some(mut samples) = open.next().await? else {
                        // A sound that is shorter than its header says is silent at its end.
                        self.parts.push_front(Part::Silence { frames });
                        continue;
                    };
                    samples.truncate(usize::try_from(frames).unwrap_or(usize::MAX));
                    let frames = frames - samples.len() as u64;
                    self.parts.push_front(Part::Open { open, channel, frames });
                    if !samples.is_empty() {
                        return Ok(Some(self.block(&samples, channel)));
                    }
                }
            }
        }
    }

    /// The samples in their channel. The other one is silent.
    fn block(&self, samples: &[f32], channel: usize) -> Bytes {
        let mut block = BytesMut::zeroed(samples.len() * self.channels * 2);
        for (frame, sample) in block.chunks_exact_mut(self.channels * 2).zip(samples) {
            frame[channel * 2..channel * 2 + 2].copy_from_slice(&wav::pcm(*sample).to_le_bytes());
        }
        block.freeze()
    }
}

impl Open {
    async fn new(blobs: &Blobs, sound: &TurnSound) -> anyhow::Result<Self> {
        let (_, bytes) = blobs.get_stream(&sound.key).await.context("read the sound of a turn")?;
        Ok(Self {
            bytes: bytes.fuse(),
            pending: BytesMut::new(),
            header: wav::HEADER_BYTES,
            rate: sound.rate,
            resampler: Resampler::new(SPEECH_RATE),
        })
    }

    /// The next samples, at the rate of the recording. There may be none of them yet. `None` at the end.
    async fn next(&mut self) -> anyhow::Result<Option<Vec<f32>>> {
        let mut channels = vec![Vec::new()];
        match self.bytes.next().await {
            Some(bytes) => {
                self.pending.extend_from_slice(&bytes.context("read the sound of a turn")?);
                let head = self.header.min(self.pending.len());
                self.pending.advance(head);
                self.header -= head;
                let whole = self.pending.len() / 2 * 2;
                let samples = self.pending.split_to(whole);
                let samples = samples.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                let samples = samples.map(|sample| f32::from(sample) / 32_768.0).collect();
                let block = Block { sample_rate: self.rate, channels: vec![samples] };
                self.resampler.push(&block, &mut channels).context("read the sound of a turn")?;
            }
            None => {
                self.resampler.finish(&mut channels).context("read the sound of a turn")?;
                if channels[0].is_empty() {
                    return Ok(None);
                }
            }
        }
        Ok(channels.pop())
    }
}

#[cfg(test)]
mod tests;
