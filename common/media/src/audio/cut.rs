//! Cuts a recording into pieces for a provider with a limit: each piece is a WAV file (16 kHz, one channel, 16 bits).
//!
//! A piece ends at the quietest moment of its last half minute, so that no word is cut in two. The next piece begins
//! with the very next sample, so nothing is lost and nothing is heard twice. A caller that adds `start_ms` to the times
//! of a piece has the times of the recording.

use std::collections::VecDeque;
use std::io::{self, Seek, SeekFrom, Write};

use super::decode::Decoder;
use super::filter::{Denoiser, HighPass};
use super::resample::Resampler;
use super::source::AudioError;
use super::wav::{HEADER_BYTES, header, pcm};
use super::{SPEECH_RATE, mix};

/// The length of the header of a WAV file.
pub const WAV_HEADER_BYTES: u64 = HEADER_BYTES as u64;
const BYTES_PER_SAMPLE: u64 = 2;
/// In how much of the end of a piece the quietest moment is looked for: half a minute, and not more than half the piece.
const WINDOW_SAMPLES: u64 = 30 * SPEECH_RATE as u64;
/// How long a moment is, and in what steps moments are compared: a pause between sentences, and a fiftieth of a second.
const MOMENT_SAMPLES: usize = SPEECH_RATE as usize * 3 / 10;
const STEP_SAMPLES: usize = SPEECH_RATE as usize / 50;
/// The shortest piece that a caller can ask for.
const SHORTEST_SAMPLES: u64 = 2 * SPEECH_RATE as u64;

/// How long and how large a piece may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_ms: i64,
    pub max_bytes: u64,
}

/// What is done to the sound on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Treatment {
    /// The channel to cut, counted from 0. `None` mixes all channels.
    pub channel: Option<usize>,
    /// Whether what lies below 80 Hz is filtered out.
    pub high_pass: bool,
    /// Whether steady noise is removed.
    pub denoise: bool,
    /// By how many dB the sound is made louder. See [`gain_to`].
    pub gain_db: f32,
}

/// The loudness that speech has unless somebody wants another one, in LUFS. Speech of this loudness has its highest samples
/// well below the limit.
pub const TARGET_LUFS: f64 = -20.0;
/// More than this would only make noise louder, in dB.
const MAX_GAIN_DB: f64 = 24.0;

/// The gain that brings a sound of this loudness and this highest sample (from 0 to 1) to `target_lufs`. Nothing is
/// made so loud that it clips.
pub fn gain_to(target_lufs: f64, loudness_lufs: f64, peak: f64) -> f32 {
    if !loudness_lufs.is_finite() {
        return 0.0;
    }
    let room = if peak > 0.0 { -20.0 * peak.log10() } else { MAX_GAIN_DB };
    let gain = (target_lufs - loudness_lufs).clamp(-MAX_GAIN_DB, MAX_GAIN_DB).min(room.max(0.0));
    #[expect(clippy::cast_possible_truncation, reason = "a gain needs no more digits")]
    let gain = gain as f32;
    gain
}

/// One piece. Each piece begins where the one before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub start_ms: i64,
    pub end_ms: i64,
    /// The length of the WAV file, its header included.
    pub bytes: u64,
}

/// Why no piece could be made.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    #[error(transparent)]
    Audio(#[from] AudioError),
    #[error("failed to write a piece of the recording: {0}")]
    Write(#[from] io::Error),
}

/// Makes the pieces of one recording, one after the other. At most half a minute of sound is in memory.
pub struct Cutter {
    decoder: Decoder,
    treatment: Treatment,
    resampler: Resampler,
    high_pass: HighPass,
    denoiser: Option<Denoiser>,
    gain: f32,
    /// How many samples a piece may have, and from which of them on it may end.
    max_samples: u64,
    window: u64,
    /// Samples that are decoded and belong to no piece yet.
    ready: VecDeque<f32>,
    is_over: bool,
    /// How many samples all pieces so far have.
    written: u64,
}

impl Cutter {
    /// Limits that are too narrow for any provider are taken as two seconds.
    pub fn new(decoder: Decoder, limits: Limits, treatment: Treatment) -> Self {
        let by_time = u64::try_from(limits.max_ms).unwrap_or_default() * u64::from(SPEECH_RATE) / 1_000;
        let by_size = limits.max_bytes.saturating_sub(WAV_HEADER_BYTES) / BYTES_PER_SAMPLE;
        // The header of a WAV file counts bytes with 32 bits.
        let longest = (u64::from(u32::MAX) - WAV_HEADER_BYTES) / BYTES_PER_SAMPLE;
        let max_samples = by_time.min(by_size).clamp(SHORTEST_SAMPLES, longest);
        Self {
            decoder,
            treatment,
            resampler: Resampler::new(SPEECH_RATE),
            high_pass: HighPass::default(),
            denoiser: treatment.denoise.then(Denoiser::default),
            gain: 10_f32.powf(treatment.gain_db / 20.0),
            max_samples,
            window: WINDOW_SAMPLES.min(max_samples / 2),
            ready: VecDeque::new(),
            is_over: false,
            written: 0,
        }
    }

    /// The recording that is cut.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Writes the next piece to `out`, from its present place on. `None` where the recording is over, and then nothing
    /// is written.
    pub fn next_piece<W: Write + Seek>(&mut self, out: &mut W) -> Result<Option<Piece>, CutError> {
        self.decode_until(1)?;
        if self.ready.is_empty() {
            return Ok(None);
        }
        let start = out.stream_position()?;
        out.write_all(&header(0, 1))?;
        let begins = self.written;
        let surely = self.max_samples - self.window;
        let mut samples = 0;
        while samples < surely {
            self.decode_until(STEP_SAMPLES)?;
            let now = self.ready.len().min(usize::try_from(surely - samples).unwrap_or(usize::MAX));
            if now == 0 {
                break;
            }
            samples += self.write(out, now)?;
        }
        let window = usize::try_from(self.window).unwrap_or(usize::MAX);
        // One sample more shows whether the recording ends within the limit.
        self.decode_until(window + 1)?;
        let last = if self.ready.len() > window {
            let (one, other) = self.ready.as_slices();
            let ready: Vec<f32> = one.iter().chain(other).take(window).copied().collect();
            quietest(&ready)
        } else {
            self.ready.len()
        };
        samples += self.write(out, last)?;
        let end = out.stream_position()?;
        out.seek(SeekFrom::Start(start))?;
        out.write_all(&header(samples, 1))?;
        out.seek(SeekFrom::Start(end))?;
        self.written += samples;
        Ok(Some(Piece { start_ms: ms(begins), end_ms: ms(self.written), bytes: end - start }))
    }

    /// Decodes until `samples` are ready, or the recording is over.
    fn decode_until(&mut self, samples: usize) -> Result<(), AudioError> {
        while !self.is_over && self.ready.len() < samples {
            let channels = self.decoder.probed().channels;
            let mut resampled = vec![Vec::new(); channels];
            if let Some(block) = self.decoder.next_block()? {
                self.resampler.push(block, &mut resampled)?;
            } else {
                self.resampler.finish(&mut resampled)?;
                self.is_over = true;
            }
            let mut sound = match self.treatment.channel {
                Some(channel) => resampled.get(channel).cloned().unwrap_or_default(),
                None => mix(&resampled),
            };
            if self.treatment.high_pass {
                self.high_pass.run(&mut sound);
            }
            if let Some(denoiser) = &mut self.denoiser {
                let mut clean = Vec::new();
                denoiser.push(&sound, &mut clean)?;
                if self.is_over {
                    denoiser.finish(&mut clean)?;
                }
                sound = clean;
            }
            self.ready.extend(sound.iter().map(|sample| sample * self.gain));
        }
        Ok(())
    }

    /// Writes the next `samples`, and returns how many these were.
    fn write(&mut self, out: &mut impl Write, samples: usize) -> io::Result<u64> {
        let bytes: Vec<u8> =
            self.ready.drain(..samples).flat_map(|sample| pcm(sample).to_le_bytes()).collect();
        out.write_all(&bytes)?;
        Ok(samples as u64)
    }
}

fn ms(samples: u64) -> i64 {
    i64::try_from(samples * 1_000 / u64::from(SPEECH_RATE)).unwrap_or(i64::MAX)
}

/// The middle of the quietest moment. Of moments that are as quiet the last one counts, so that pieces are long.
fn quietest(samples: &[f32]) -> usize {
    let steps: Vec<f32> =
        samples.chunks(STEP_SAMPLES).map(|step| step.iter().map(|sample| sample * sample).sum()).collect();
    let moment = (MOMENT_SAMPLES / STEP_SAMPLES).min(steps.len().max(1));
    let mut best = (f32::INFINITY, samples.len());
    for (at, steps) in steps.windows(moment).enumerate() {
        let energy: f32 = steps.iter().sum();
        if energy <= best.0 {
            best = (energy, (at + moment / 2) * STEP_SAMPLES);
        }
    }
    best.1.clamp(1, samples.len())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::super::raw::{Encoding, Raw};
    use super::*;

    /// Samples that count up, so that each can be told from its neighbours, with pauses of half a second.
    fn counting(seconds: usize, pauses: &[usize]) -> Vec<i16> {
        (0..seconds * 16_000)
            .map(|at| {
                let in_pause =
                    pauses.iter().any(|pause| (pause * 8_000..pause * 8_000 + 8_000).contains(&at));
                let value = i16::try_from(at % 20_000).unwrap_or_default() - 10_000;
                if in_pause { value % 3 } else { value }
            })
            .collect()
    }

    fn pieces(samples: &[i16], limits: Limits) -> Vec<(Piece, Vec<i16>)> {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let raw = Raw { encoding: Encoding::Pcm16, sample_rate: SPEECH_RATE, channels: 1 };
        let decoder = Decoder::raw(Cursor::new(bytes), raw).unwrap();
        let mut cutter = Cutter::new(decoder, limits, Treatment::default());
        let mut pieces = Vec::new();
        loop {
            let mut out = Cursor::new(Vec::new());
            let Some(piece) = cutter.next_piece(&mut out).unwrap() else { break };
            let wav = out.into_inner();
            assert_eq!(wav.len() as u64, piece.bytes);
            let length = u32::from_le_bytes([wav[40], wav[41], wav[42], wav[43]]) as usize;
            assert_eq!(length, wav.len() - 44, "the header says how long the piece is");
            let samples = wav[44..].chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
            pieces.push((piece, samples));
        }
        pieces
    }

    fn is_the_same(one: i16, other: i16) -> bool {
        (i32::from(one) - i32::from(other)).abs() <= 1
    }

    #[test]
    fn a_piece_ends_in_the_last_pause_before_the_limit() {
        let limits = Limits { max_ms: 10_000, max_bytes: u64::MAX };
        let cut = pieces(&counting(25, &[12, 17, 34]), limits);
        let ends: Vec<i64> = cut.iter().map(|(piece, _)| piece.end_ms).collect();
        assert!((8_500..9_000).contains(&ends[0]), "{ends:?}");
        assert!((17_000..17_500).contains(&ends[1]), "{ends:?}");
        assert_eq!(ends.last(), Some(&25_000));
    }

    #[test]
    fn a_recording_within_the_limit_is_one_piece_and_an_empty_one_is_none() {
        let limits = Limits { max_ms: i64::MAX / 100_000, max_bytes: 25 * 1024 * 1024 };
        let cut = pieces(&counting(3, &[]), limits);
        assert_eq!(
            cut.iter().map(|(piece, _)| (piece.start_ms, piece.end_ms)).collect::<Vec<_>>(),
            [(0, 3_000)]
        );
        assert!(pieces(&[], limits).is_empty());
    }

    #[test]
    fn speech_is_brought_to_the_target_and_never_made_to_clip() {
        assert!((gain_to(-20.0, -30.0, 0.1) - 10.0).abs() < 0.01);
        assert!((gain_to(-20.0, -30.0, 0.5) - 6.02).abs() < 0.01);
        assert!((gain_to(-20.0, -10.0, 1.0) + 10.0).abs() < 0.01);
        assert!(gain_to(-20.0, f64::NEG_INFINITY, 0.0).abs() < f32::EPSILON);
        assert!(gain_to(-20.0, f64::NAN, 0.0).abs() < f32::EPSILON);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn no_sample_is_lost_doubled_or_moved(
            half_seconds in 1_usize..60,
            pauses in prop::collection::vec(0_usize..60, 0..6),
            max_ms in 2_000_i64..15_000,
        ) {
            let mut samples = counting(half_seconds.div_ceil(2), &pauses);
            samples.truncate(half_seconds * 8_000);
            let max_bytes = 400_000;
            let cut = pieces(&samples, Limits { max_ms, max_bytes });
            let joined: Vec<i16> = cut.iter().flat_map(|(_, samples)| samples.iter().copied()).collect();
            prop_assert_eq!(joined.len(), samples.len());
            prop_assert!(joined.iter().zip(&samples).all(|(one, other)| is_the_same(*one, *other)));
            let mut until = 0;
            for (piece, _) in &cut {
                prop_assert_eq!(piece.start_ms, until);
                prop_assert!(piece.end_ms - piece.start_ms <= max_ms);
                prop_assert!(piece.bytes <= max_bytes);
                until = piece.end_ms;
            }
        }
    }
}
