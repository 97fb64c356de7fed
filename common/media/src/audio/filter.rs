//! Filters that make speech easier to understand: a high-pass against hum and wind, and a remover of steady noise.

use std::f32::consts::{FRAC_1_SQRT_2, TAU};

use nnnoiseless::DenoiseState;

use super::SPEECH_RATE;
use super::block::Block;
use super::resample::Resampler;
use super::source::AudioError;

/// What lies below this frequency, in Hz, is no speech.
const HIGH_PASS_HERTZ: f32 = 80.0;
/// The rate at which the remover of noise works, in Hz.
const DENOISE_RATE: u32 = 48_000;
/// The scale of its samples.
const FULL_SCALE: f32 = 32_767.0;

/// A high-pass of the second order (Butterworth) for samples of 16 kHz.
#[derive(Clone, Debug)]
pub struct HighPass {
    input: [f32; 3],
    feedback: [f32; 2],
    past: [f32; 2],
}

impl Default for HighPass {
    /// The coefficients are those of the Audio EQ Cookbook by R. Bristow-Johnson.
    fn default() -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate is small")]
        let omega = TAU * HIGH_PASS_HERTZ / SPEECH_RATE as f32;
        let (sin, cos) = omega.sin_cos();
        let alpha = sin * FRAC_1_SQRT_2;
        let scale = 1.0 / (1.0 + alpha);
        let side = f32::midpoint(1.0, cos) * scale;
        Self {
            input: [side, -(1.0 + cos) * scale, side],
            feedback: [-2.0 * cos * scale, (1.0 - alpha) * scale],
            past: [0.0; 2],
        }
    }
}

impl HighPass {
    pub fn run(&mut self, samples: &mut [f32]) {
        for sample in samples {
            let out = self.input[0] * *sample + self.past[0];
            self.past[0] = self.input[1] * *sample - self.feedback[0] * out + self.past[1];
            self.past[1] = self.input[2] * *sample - self.feedback[1] * out;
            *sample = out;
        }
    }
}

/// Removes steady noise from samples of 16 kHz of one channel. It delays them by some milliseconds and gives back as
/// many as it took when it is finished.
pub struct Denoiser {
    state: Box<DenoiseState<'static>>,
    up: Resampler,
    down: Resampler,
    pending: Vec<f32>,
    taken: usize,
    given: usize,
    /// The first frame that comes out is made of nothing, so it is thrown away.
    is_first: bool,
}

impl Default for Denoiser {
    fn default() -> Self {
        Self {
            state: DenoiseState::new(),
            up: Resampler::new(DENOISE_RATE),
            down: Resampler::new(SPEECH_RATE),
            pending: Vec::new(),
            taken: 0,
            given: 0,
            is_first: true,
        }
    }
}

impl Denoiser {
    /// Takes `samples` and adds what is clean by now to `into`.
    pub fn push(&mut self, samples: &[f32], into: &mut Vec<f32>) -> Result<(), AudioError> {
        self.taken += samples.len();
        let before = into.len();
        let block = Block { sample_rate: SPEECH_RATE, channels: vec![samples.to_vec()] };
        let mut raised = [Vec::new()];
        self.up.push(&block, &mut raised)?;
        self.clean(&raised[0], into)?;
        self.given += into.len() - before;
        Ok(())
    }

    /// Adds what is still on its way to `into`.
    pub fn finish(&mut self, into: &mut Vec<f32>) -> Result<(), AudioError> {
        let (taken, start) = (self.taken, into.len());
        // A tenth of a second of silence pushes out what the frames and the resamplers hold.
        while self.given < taken {
            self.push(&[0.0; SPEECH_RATE as usize / 10], into)?;
        }
        into.truncate(start + into.len() - start - (self.given - taken));
        Ok(())
    }

    fn clean(&mut self, samples: &[f32], into: &mut Vec<f32>) -> Result<(), AudioError> {
        self.pending.extend(samples.iter().map(|sample| sample * FULL_SCALE));
        let mut clean = Vec::with_capacity(self.pending.len());
        let mut frame = [0.0; DenoiseState::FRAME_SIZE];
        let mut at = 0;
        while self.pending.len() - at >= DenoiseState::FRAME_SIZE {
            self.state.process_frame(&mut frame, &self.pending[at..at + DenoiseState::FRAME_SIZE]);
            at += DenoiseState::FRAME_SIZE;
            if !std::mem::take(&mut self.is_first) {
                clean.extend(frame.iter().map(|sample| sample / FULL_SCALE));
            }
        }
        self.pending.drain(..at);
        if clean.is_empty() {
            return Ok(());
        }
        let mut lowered = [Vec::new()];
        self.down.push(&Block { sample_rate: DENOISE_RATE, channels: vec![clean] }, &mut lowered)?;
        into.append(&mut lowered[0]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::cast_precision_loss, reason = "a test signal is short")]
    fn tone(hertz: f32) -> Vec<f32> {
        (0..16_000).map(|at| (TAU * hertz * at as f32 / 16_000.0).sin() * 0.5).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "a test signal is short")]
    fn level(samples: &[f32]) -> f32 {
        (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).sqrt()
    }

    #[test]
    fn hum_is_filtered_out_and_a_voice_is_not() {
        let passed = |hertz| {
            let mut samples = tone(hertz);
            HighPass::default().run(&mut samples);
            level(&samples[4_000..]) / level(&tone(hertz))
        };
        assert!(passed(20.0) < 0.1, "{}", passed(20.0));
        assert!(passed(300.0) > 0.97, "{}", passed(300.0));
    }

    #[test]
    fn steady_noise_becomes_quieter_and_as_many_samples_come_out_as_went_in() {
        let mut seed = 7_u32;
        let noise: Vec<f32> = (0..32_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (f32::from(u16::try_from(seed >> 16).unwrap_or_default()) / 32_768.0 - 1.0) * 0.05
            })
            .collect();
        let (mut denoiser, mut clean) = (Denoiser::default(), Vec::new());
        for block in noise.chunks(700) {
            denoiser.push(block, &mut clean).unwrap();
        }
        denoiser.finish(&mut clean).unwrap();
        assert_eq!(clean.len(), noise.len());
        assert!(level(&clean[16_000..]) < level(&noise) / 3.0, "{}", level(&clean[16_000..]));
    }
}
