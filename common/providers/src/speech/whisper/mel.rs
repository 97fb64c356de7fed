//! Turns sound into the picture that the network was trained on: how much of each band of pitch is heard in each
//! hundredth of a second, on a logarithmic scale.
//!
//! The numbers are those of `whisper/audio.py` of `OpenAI` and of the filters of librosa that it uses (Slaney's scale,
//! each band with the same area).

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};

/// The samples of one spectrum, and from one spectrum to the next.
const SPECTRUM: usize = 400;
pub(super) const HOP: usize = 160;
const BINS: usize = SPECTRUM / 2 + 1;
const HERTZ_PER_BIN: f64 = 40.0;
const HIGHEST_HERTZ: f64 = 8_000.0;

pub(super) struct Mel {
    /// For each band its first bin, and the weights from there on.
    bands: Vec<(usize, Vec<f32>)>,
    window: Vec<f32>,
    fft: Arc<dyn RealToComplex<f32>>,
}

impl Mel {
    pub(super) fn new(bands: usize) -> Self {
        let window = (0..SPECTRUM).map(|at| {
            let turn = std::f64::consts::TAU * float(at) / float(SPECTRUM);
            single(0.5 - 0.5 * turn.cos())
        });
        Self {
            bands: filters(bands),
            window: window.collect(),
            fft: RealFftPlanner::new().plan_fft_forward(SPECTRUM),
        }
    }

    /// The picture of `samples`, which have 16 kHz: the values of the first band for all times, then those of the next.
    pub(super) fn picture(&self, samples: &[f32]) -> Vec<f32> {
        let frames = samples.len() / HOP;
        let mut picture = vec![0.0_f32; self.bands.len() * frames];
        let mut input = vec![0.0_f32; SPECTRUM];
        let mut spectrum = vec![Complex32::default(); BINS];
        let mut power = vec![0.0_f32; BINS];
        let mut scratch = self.fft.make_scratch_vec();
        for frame in 0..frames {
            for (at, (value, weight)) in input.iter_mut().zip(&self.window).enumerate() {
                *value = weight * mirrored(samples, frame * HOP + at);
            }
            // It fails only for buffers of other lengths than its own.
            let done = self.fft.process_with_scratch(&mut input, &mut spectrum, &mut scratch);
            debug_assert!(done.is_ok());
            for (power, value) in power.iter_mut().zip(&spectrum) {
                *power = value.norm_sqr();
            }
            for (band, (from, weights)) in self.bands.iter().enumerate() {
                let heard: f32 =
                    weights.iter().zip(&power[*from..]).map(|(weight, power)| weight * power).sum();
                picture[band * frames + frame] = heard.max(1e-10).log10();
            }
        }
        let loudest = picture.iter().copied().fold(f32::MIN, f32::max);
        for value in &mut picture {
            *value = (value.max(loudest - 8.0) + 4.0) / 4.0;
        }
        picture
    }
}

/// The sample at a place that counts from half a spectrum before the first sample. What lies outside is the mirror image.
fn mirrored(samples: &[f32], place: usize) -> f32 {
    let half = SPECTRUM / 2;
    let last = samples.len().saturating_sub(1);
    let at = place.abs_diff(half);
    let at = if at > last { last.saturating_sub(at - last) } else { at };
    samples.get(at).copied().unwrap_or_default()
}

fn filters(bands: usize) -> Vec<(usize, Vec<f32>)> {
    let highest = mel_of(HIGHEST_HERTZ);
    let edge = |number: usize| hertz_of(highest * float(number) / float(bands + 1));
    (0..bands)
        .map(|band| {
            let (low, middle, high) = (edge(band), edge(band + 1), edge(band + 2));
            let weights: Vec<f32> = (0..BINS)
                .map(|bin| {
                    let hertz = float(bin) * HERTZ_PER_BIN;
                    let share = ((hertz - low) / (middle - low)).min((high - hertz) / (high - middle));
                    single(share.max(0.0) * 2.0 / (high - low))
                })
                .collect();
            let is_heard = |weight: &f32| *weight > 0.0;
            let from = weights.iter().position(is_heard).unwrap_or_default();
            let until = weights.iter().rposition(is_heard).map_or(from, |last| last + 1);
            (from, weights[from..until].to_vec())
        })
        .collect()
}

/// Below 1000 Hz the scale is a straight line, above it grows with the logarithm.
const BREAK_HERTZ: f64 = 1_000.0;
const BREAK_MEL: f64 = 15.0;
const HERTZ_PER_MEL: f64 = 200.0 / 3.0;

fn step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn mel_of(hertz: f64) -> f64 {
    if hertz < BREAK_HERTZ { hertz / HERTZ_PER_MEL } else { BREAK_MEL + (hertz / BREAK_HERTZ).ln() / step() }
}

fn hertz_of(mel: f64) -> f64 {
    if mel < BREAK_MEL { mel * HERTZ_PER_MEL } else { BREAK_HERTZ * ((mel - BREAK_MEL) * step()).exp() }
}

#[expect(clippy::cast_precision_loss, reason = "these are small counts")]
fn float(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, reason = "the network works with single precision")]
fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(bands: &[(usize, Vec<f32>)], band: usize, bin: usize) -> f32 {
        let (from, weights) = &bands[band];
        bin.checked_sub(*from).and_then(|at| weights.get(at)).copied().unwrap_or_default()
    }

    /// The weights in `preprocessor_config.json` of the models that `OpenAI` published.
    #[test]
    fn the_bands_are_those_of_the_published_models() {
        let bands = filters(80);
        for (band, bin, published) in
            [(0, 1, 0.024_862_595), (0, 2, 0.0), (1, 1, 0.001_990_822), (1, 2, 0.022_871_772)]
        {
            let found = weight(&bands, band, bin);
            assert!((found - published).abs() < 1e-7, "band {band}, bin {bin}: {found}");
        }
        assert_eq!(bands.len(), 80);
        assert!(
            filters(128).iter().all(|(_, weights)| weights.len() < 40),
            "no band is much wider than its neighbours"
        );
    }

    #[test]
    fn a_tone_is_brightest_in_its_band_and_silence_is_even() {
        let mel = Mel::new(80);
        #[expect(clippy::cast_precision_loss, reason = "a test signal is short")]
        let tone: Vec<f32> = (0..16_000)
            .map(|at| (std::f32::consts::TAU * 1_000.0 * at as f32 / 16_000.0).sin() * 0.5)
            .collect();
        let picture = mel.picture(&tone);
        assert_eq!(picture.len(), 80 * 100);
        let brightest =
            (0..80).max_by(|one, other| picture[one * 100 + 50].total_cmp(&picture[other * 100 + 50]));
        let bands = filters(80);
        let loudest =
            (0..80).max_by(|one, other| weight(&bands, *one, 25).total_cmp(&weight(&bands, *other, 25)));
        assert_eq!(brightest, loudest);
        let silence = mel.picture(&vec![0.0; 16_000]);
        assert!(silence.iter().all(|value| (value - silence[0]).abs() < f32::EPSILON));
        assert_eq!(mel.picture(&[]), Vec::<f32>::new());
    }
}
