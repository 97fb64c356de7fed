//! Tells tones and music from speech by how long the same frequencies last.
//!
//! A voice glides: its harmonics are hardly ever in the same place a third of a second later. A tone stays, and so do
//! the notes of music. So the peaks of the spectrum are noted each 32 ms, and for one second it is counted how often
//! each frequency was a peak. This follows "Automatic music detection in television productions" (Seyerlehner and
//! others, 2007), which calls the measure continuous frequency activation.

use std::collections::VecDeque;
use std::f32::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// The spectrum of 64 ms: a bin is 15.6 Hz wide.
const FFT: usize = 1_024;
/// How many samples lie between two spectra: 32 ms.
pub(super) const HOP: usize = 512;
/// The bins that are looked at, from 100 Hz to 4 kHz. A telephone carries no more.
const LOWEST: usize = 7;
const BINS: usize = 256;
/// How many spectra are counted together: a second.
const SPECTRA: usize = 32;
/// A peak is higher than its neighbourhood on both sides by this factor.
const AROUND: usize = 10;
const ABOVE_AROUND: f32 = 6.0;
/// A spectrum that is so much quieter than the loudest of its second counts for nothing, in dB.
const QUIETER_DB: f32 = 25.0;
const SILENT_DB: f32 = -65.0;
/// How many frequencies of a second are added up, and how far they must be apart, in bins.
const STRONGEST: usize = 5;
const APART: usize = 3;
/// A tone keeps its frequency for so many spectra, and so much of the energy is in its two peaks.
const TONE_SPECTRA: usize = 6;
const TONE_SHARE: f32 = 0.95;
/// How far the strongest bin may move: of two tones that are close together, now one and now the other is stronger.
const TONE_WOBBLE: usize = 3;

/// What a second of sound is like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tonal {
    /// How steady its frequencies are: about 1 for speech, and up to 5 for a held chord.
    pub(super) steadiness: f32,
    /// Whether the last fifth of a second is one tone, or two at a time, and nothing else.
    pub(super) is_tone: bool,
}

struct Spectrum {
    peaks: [bool; BINS],
    level_db: f32,
    strongest: usize,
    share_of_strongest: f32,
}

pub(super) struct Tonality {
    fft: Arc<dyn RealToComplex<f32>>,
    shape: Vec<f32>,
    samples: VecDeque<f32>,
    fresh: usize,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    past: VecDeque<Spectrum>,
}

impl Default for Tonality {
    fn default() -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(FFT);
        #[expect(clippy::cast_precision_loss, reason = "the window is short")]
        let shape = (0..FFT).map(|at| 0.5 - 0.5 * (TAU * at as f32 / FFT as f32).cos()).collect();
        Self {
            shape,
            samples: VecDeque::from(vec![0.0; FFT]),
            fresh: 0,
            input: fft.make_input_vec(),
            output: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            past: VecDeque::with_capacity(SPECTRA),
            fft,
        }
    }
}

impl Tonality {
    /// Takes samples of 16 kHz. After each [`HOP`] of them it says what the last second was like.
    pub(super) fn push(&mut self, samples: &[f32]) -> Option<Tonal> {
        self.samples.drain(..samples.len().min(FFT));
        self.samples.extend(samples);
        self.fresh += samples.len();
        if self.fresh < HOP {
            return None;
        }
        self.fresh = 0;
        let (one, other) = self.samples.as_slices();
        for ((input, sample), shape) in self.input.iter_mut().zip(one.iter().chain(other)).zip(&self.shape) {
            *input = sample * shape;
        }
        // It fails only where the buffers have another length than the one that they were made with.
        if self.fft.process_with_scratch(&mut self.input, &mut self.output, &mut self.scratch).is_err() {
            return None;
        }
        if self.past.len() == SPECTRA {
            self.past.pop_front();
        }
        let power: Vec<f32> = self.output.iter().take(BINS + AROUND + 1).map(Complex::norm_sqr).collect();
        self.past.push_back(Spectrum::of(&power));
        Some(Tonal { steadiness: self.steadiness(), is_tone: self.is_tone() })
    }

    fn steadiness(&self) -> f32 {
        let loudest = self.past.iter().map(|spectrum| spectrum.level_db).fold(SILENT_DB, f32::max);
        let mut counts = [0_u8; BINS];
        let mut counted = 0_u8;
        for spectrum in self.past.iter().filter(|spectrum| spectrum.level_db > loudest - QUIETER_DB) {
            counted += 1;
            for (count, is_peak) in counts.iter_mut().zip(&spectrum.peaks) {
                *count += u8::from(*is_peak);
            }
        }
        if usize::from(counted) < SPECTRA / 2 {
            return 0.0;
        }
        let mut sum = 0.0;
        for _ in 0..STRONGEST {
            let (at, count) =
                counts.iter().copied().enumerate().max_by_key(|(_, count)| *count).unwrap_or_default();
            sum += f32::from(count) / f32::from(counted);
            counts[at.saturating_sub(APART)..(at + APART + 1).min(BINS)].fill(0);
        }
        sum
    }

    fn is_tone(&self) -> bool {
        let mut last = self.past.iter().rev().take(TONE_SPECTRA);
        let Some(newest) = last.next() else { return false };
        let is_pure =
            |spectrum: &Spectrum| spectrum.level_db > SILENT_DB && spectrum.share_of_strongest > TONE_SHARE;
        self.past.len() >= TONE_SPECTRA
            && is_pure(newest)
            && last.all(|spectrum| {
                is_pure(spectrum) && spectrum.strongest.abs_diff(newest.strongest) <= TONE_WOBBLE
            })
    }
}

impl Spectrum {
    fn of(power: &[f32]) -> Self {
        let total: f32 = power[LOWEST..BINS].iter().sum::<f32>().max(1e-12);
        let mut peaks = [false; BINS];
        // The sum of a neighbourhood is moved along, so that it is not added up anew for each bin.
        let mut around: f32 = power[..=2 * AROUND].iter().sum();
        for at in AROUND..BINS {
            if at > AROUND {
                around += power[at + AROUND] - power[at - AROUND - 1];
            }
            let here = power[at];
            #[expect(clippy::cast_precision_loss, reason = "a neighbourhood is small")]
            let mean = (around - here - power[at - 1] - power[at + 1]).max(0.0) / (2 * AROUND - 2) as f32;
            peaks[at] = here >= power[at - 1]
                && here > power[at + 1]
                && here > mean * ABOVE_AROUND
                && here > total * 1e-4;
        }
        let strongest = strongest(power, None);
        let second = strongest_peak_beside(power, strongest);
        Self {
            peaks,
            // The scale of a Hann window over 1,024 samples: a full tone has 0 dB.
            level_db: 10.0 * (total / (1.5 * 65_536.0)).log10(),
            strongest,
            share_of_strongest: (lobe(power, strongest) + second.map_or(0.0, |at| lobe(power, at))) / total,
        }
    }
}

fn strongest(power: &[f32], without: Option<usize>) -> usize {
    (LOWEST..BINS)
        .filter(|at| without.is_none_or(|other| at.abs_diff(other) > 2 * APART))
        .max_by(|one, other| power[*one].total_cmp(&power[*other]))
        .unwrap_or(LOWEST)
}

fn strongest_peak_beside(power: &[f32], first: usize) -> Option<usize> {
    let second = strongest(power, Some(first));
    (power[second] > power[first] * 0.05).then_some(second)
}

/// The energy of a peak with its flanks.
fn lobe(power: &[f32], at: usize) -> f32 {
    power[at.saturating_sub(4).max(LOWEST)..(at + 5).min(BINS)].iter().sum()
}
