//! Measures a recording in one pass: who speaks when, how loud, and what is odd.

use std::panic::{AssertUnwindSafe, catch_unwind};

use domain::audio::{AudioFacts, ChannelFacts, ChannelLayout, MeasuredAudio, overlap, total_ms, union};
use ebur128::{EbuR128, Mode};

use super::block::Block;
use super::decode::Decoder;
use super::filter::HighPass;
use super::notes::{Seen, notes};
use super::resample::Resampler;
use super::source::AudioError;
use super::voice::{Voice, VoiceDetector};
use super::waveform::Outline;
use super::{MAX_CHANNELS, SPEECH_RATE};

/// A sample at least so high may be cut off, and is when its neighbours are so high too.
const CLIPPED: f32 = 0.985;
const CLIPPED_RUN: u32 = 3;
/// A sample that is lower is part of a pause, and does not count when the share of clipped samples is computed.
const PAUSE: f32 = 0.01;
/// Two channels are the same when what is different in them has less than this share of their energy.
const SAME_SHARE: f64 = 0.01;
/// Channels hold speakers of their own, unless they speak at the same time for more than this share of the speech.
const MIXED_SHARE: f64 = 0.8;
/// A channel with less than this share of the speech has no speaker.
const SPEAKER_SHARE: f64 = 0.02;

/// Measures all of a recording. `None` where it holds no sample at all.
///
/// The loudness and the outline are those of the recording at 16 kHz, as a provider hears it. Clipping is looked for in
/// the samples as they are in the file.
pub fn measure(decoder: Decoder) -> Result<Option<MeasuredAudio>, AudioError> {
    // Decoders catch the panics of other people's code, and the detectors are such code too.
    catch_unwind(AssertUnwindSafe(|| measure_all(decoder)))
        .unwrap_or_else(|_| Err(AudioError::Unsupported("the measurement failed".into())))
}

fn measure_all(mut decoder: Decoder) -> Result<Option<MeasuredAudio>, AudioError> {
    let channels = decoder.probed().channels;
    let mut resampler = Resampler::new(SPEECH_RATE);
    let mut outline = Outline::new(channels);
    let mut ears: Vec<Ear> = std::iter::repeat_with(Ear::new).take(channels).collect::<Result<_, _>>()?;
    let mut difference = Difference::default();
    let mut samples: u64 = 0;
    loop {
        let mut heard = vec![Vec::new(); channels];
        let block = decoder.next_block()?;
        let is_over = block.is_none();
        if let Some(block) = block {
            ears.iter_mut().zip(&block.channels).for_each(|(ear, samples)| ear.clipping.push(samples));
            resampler.push(block, &mut heard)?;
        } else {
            resampler.finish(&mut heard)?;
        }
        samples += heard.first().map_or(0, Vec::len) as u64;
        outline.push(&heard);
        difference.push(&heard);
        for (ear, samples) in ears.iter_mut().zip(&mut heard) {
            ear.push(samples)?;
        }
        if is_over {
            break;
        }
    }
    if samples == 0 {
        return Ok(None);
    }
    let probed = decoder.probed();
    let clipped: Vec<f64> = ears.iter().map(|ear| ear.clipping.share()).collect();
    let (voices, channels): (Vec<Voice>, Vec<ChannelFacts>) = ears.into_iter().map(Ear::finish).unzip();
    let speech = union(voices.iter().map(|voice| voice.speech.as_slice()));
    let duration_ms = i64::try_from(samples * 1_000 / u64::from(SPEECH_RATE)).unwrap_or(i64::MAX);
    let speech_ms = total_ms(&speech).min(duration_ms);
    let is_same = difference.is_same();
    let mut facts = AudioFacts {
        container: probed.container.to_owned(),
        codec: probed.codec.to_owned(),
        sample_rate: probed.sample_rate,
        duration_ms,
        layout: layout(&channels, speech_ms, is_same),
        channels,
        speech_ms,
        silence_ms: duration_ms - speech_ms,
        notes: Vec::new(),
    };
    let is_merged = voices.iter().any(|voice| voice.is_merged);
    facts.notes = notes(&facts, &Seen { ended: decoder.ended(), clipped: &clipped, is_same, is_merged });
    Ok(Some(MeasuredAudio { facts, waveform: outline.finish() }))
}

/// What is measured in one channel.
struct Ear {
    clipping: Clipping,
    high_pass: HighPass,
    voice: VoiceDetector,
    loudness: EbuR128,
    peak: f32,
}

impl Ear {
    fn new() -> Result<Self, AudioError> {
        // The histogram keeps the memory bounded.
        let loudness = EbuR128::new(1, SPEECH_RATE, Mode::I | Mode::HISTOGRAM)
            .map_err(|error| AudioError::Unsupported(format!("loudness: {error}")))?;
        Ok(Self {
            clipping: Clipping::default(),
            high_pass: HighPass::default(),
            voice: VoiceDetector::default(),
            loudness,
            peak: 0.0,
        })
    }

    /// Takes samples of 16 kHz, and changes them.
    fn push(&mut self, samples: &mut [f32]) -> Result<(), AudioError> {
        self.peak = samples.iter().fold(self.peak, |peak, sample| peak.max(sample.abs()));
        self.loudness
            .add_frames_f32(samples)
            .map_err(|error| AudioError::Damaged(format!("failed to measure the loudness: {error}")))?;
        self.high_pass.run(samples);
        self.voice.push(samples);
        Ok(())
    }

    fn finish(self) -> (Voice, ChannelFacts) {
        let loudness_lufs = self.loudness.loudness_global().ok().filter(|loudness| loudness.is_finite());
        let voice = self.voice.finish();
        let facts = ChannelFacts {
            speech: voice.speech.clone(),
            speech_ms: voice.speech_ms(),
            music_ms: voice.music_ms,
            loudness_lufs: loudness_lufs.map(rounded),
            speech_dbfs: voice.speech_dbfs.map(rounded),
            peak: f64::from(self.peak.min(1.0)),
        };
        (voice, facts)
    }
}

/// A tenth of a dB is enough.
fn rounded(db: f64) -> f64 {
    (db * 10.0).round() / 10.0
}

/// Counts samples that were cut off because the recording was too loud.
#[derive(Clone, Copy, Debug, Default)]
struct Clipping {
    run: u32,
    clipped: u64,
    counted: u64,
}

impl Clipping {
    fn push(&mut self, samples: &[f32]) {
        for sample in samples {
            let height = sample.abs();
            self.counted += u64::from(height > PAUSE);
            if height >= CLIPPED {
                self.run += 1;
                match self.run.cmp(&CLIPPED_RUN) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => self.clipped += u64::from(CLIPPED_RUN),
                    std::cmp::Ordering::Greater => self.clipped += 1,
                }
            } else {
                self.run = 0;
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a share needs no exact numbers")]
    fn share(self) -> f64 {
        if self.counted == 0 { 0.0 } else { self.clipped as f64 / self.counted as f64 }
    }
}

/// How different the channels are from the first one.
#[derive(Clone, Copy, Debug, Default)]
struct Difference {
    all: [f64; MAX_CHANNELS],
    different: [f64; MAX_CHANNELS],
    channels: usize,
}

impl Difference {
    fn push(&mut self, channels: &[Vec<f32>]) {
        let Some((first, others)) = channels.split_first() else { return };
        self.channels = channels.len();
        for (at, other) in others.iter().enumerate().take(MAX_CHANNELS) {
            let (mut all, mut different) = (0.0_f32, 0.0_f32);
            for (one, other) in first.iter().zip(other) {
                all += one * one + other * other;
                different += (one - other) * (one - other);
            }
            self.all[at] += f64::from(all);
            self.different[at] += f64::from(different);
        }
    }

    fn is_same(&self) -> bool {
        self.channels > 1
            && (0..self.channels - 1)
                .all(|at| self.all[at] > 0.0 && self.different[at] < self.all[at] * SAME_SHARE)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no exact milliseconds")]
fn layout(channels: &[ChannelFacts], speech_ms: i64, is_same: bool) -> ChannelLayout {
    if channels.len() == 1 {
        return ChannelLayout::Mono;
    }
    let speaks = |channel: &&ChannelFacts| channel.speech_ms as f64 > speech_ms as f64 * SPEAKER_SHARE;
    let speaking: Vec<&ChannelFacts> = channels.iter().filter(speaks).collect();
    let at_once = speaking.iter().enumerate().any(|(at, one)| {
        speaking[at + 1..].iter().any(|other| {
            let both = total_ms(&overlap(&one.speech, &other.speech));
            both as f64 > one.speech_ms.min(other.speech_ms) as f64 * MIXED_SHARE
        })
    });
    if is_same || at_once || speaking.len() < 2 { ChannelLayout::Mixed } else { ChannelLayout::Separate }
}

/// Measures samples that are in memory: for tests and for short sounds.
pub fn measure_block(block: &Block) -> Result<Vec<Voice>, AudioError> {
    let mut heard = vec![Vec::new(); block.channels.len()];
    let mut resampler = Resampler::new(SPEECH_RATE);
    resampler.push(block, &mut heard)?;
    resampler.finish(&mut heard)?;
    let voices = heard.iter_mut().map(|samples| {
        let mut detector = VoiceDetector::default();
        HighPass::default().run(samples);
        detector.push(samples);
        detector.finish()
    });
    Ok(voices.collect())
}
