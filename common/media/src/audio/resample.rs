//! Changes the sample rate of blocks. The output is as long as the input, to the sample, and is not delayed.

use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Fft, FixedSync, Indexing, Resampler as _, WindowFunction};

use super::block::Block;
use super::source::AudioError;

/// About how many frames are resampled at a time.
const CHUNK: usize = 1_024;

/// Brings blocks to one sample rate.
pub struct Resampler {
    to: u32,
    run: Option<Run>,
}

/// The resampling of a stretch in which the rate and the number of channels stay the same.
struct Run {
    from: u32,
    /// `None` where the rate is the wanted one already.
    fft: Option<Box<Fft<f32>>>,
    pending: Vec<Vec<f32>>,
    resampled: Vec<Vec<f32>>,
    taken: u64,
    given: u64,
    /// How many frames at the start of the output are still to be thrown away.
    delay: usize,
}

impl Resampler {
    pub fn new(to: u32) -> Self {
        Self { to, run: None }
    }

    /// Resamples `block` and adds the result to `into`, which has a list for each channel.
    pub fn push(&mut self, block: &Block, into: &mut [Vec<f32>]) -> Result<(), AudioError> {
        if self.run.as_ref().is_some_and(|run| run.from != block.sample_rate) {
            self.finish(into)?;
        }
        let run = match &mut self.run {
            Some(run) => run,
            none => none.insert(Run::new(block.sample_rate, self.to, block.channels.len())?),
        };
        run.push(&block.channels, into)
    }

    /// Adds what is still on its way to `into`.
    pub fn finish(&mut self, into: &mut [Vec<f32>]) -> Result<(), AudioError> {
        match self.run.take() {
            Some(mut run) => run.finish(self.to, into),
            None => Ok(()),
        }
    }
}

impl Run {
    fn new(from: u32, to: u32, channels: usize) -> Result<Self, AudioError> {
        let mut run = Self {
            from,
            fft: None,
            pending: vec![Vec::new(); channels],
            resampled: Vec::new(),
            taken: 0,
            given: 0,
            delay: 0,
        };
        if from != to {
            let (wide, narrow) = (from as usize, to as usize);
            let window = WindowFunction::BlackmanHarris2;
            let fft = Fft::new_custom(wide, narrow, CHUNK, 1, channels, window, FixedSync::Both)
                .map_err(|error| AudioError::Unsupported(format!("a sample rate of {from} Hz ({error})")))?;
            run.delay = fft.output_delay();
            run.resampled = vec![vec![0.0; fft.output_frames_max()]; channels];
            run.fft = Some(Box::new(fft));
        }
        Ok(run)
    }

    fn push(&mut self, channels: &[Vec<f32>], into: &mut [Vec<f32>]) -> Result<(), AudioError> {
        self.taken += channels.first().map_or(0, Vec::len) as u64;
        let Some(fft) = &mut self.fft else {
            for (all, new) in into.iter_mut().zip(channels) {
                all.extend_from_slice(new);
            }
            return Ok(());
        };
        for (pending, new) in self.pending.iter_mut().zip(channels) {
            pending.extend_from_slice(new);
        }
        let wanted = fft.input_frames_next();
        let mut at = 0;
        while self.pending.first().is_some_and(|pending| pending.len() - at >= wanted) {
            let made = resample(fft, &self.pending, at, &mut self.resampled)?;
            at += wanted;
            let from = self.delay.min(made);
            self.delay -= from;
            self.given += (made - from) as u64;
            for (all, new) in into.iter_mut().zip(&self.resampled) {
                all.extend_from_slice(&new[from..made]);
            }
        }
        self.pending.iter_mut().for_each(|pending| drop(pending.drain(..at)));
        Ok(())
    }

    /// Pushes silence until everything that was taken has come out, and cuts off what the silence became.
    fn finish(&mut self, to: u32, into: &mut [Vec<f32>]) -> Result<(), AudioError> {
        let Some(fft) = &self.fft else { return Ok(()) };
        let wanted = (self.taken * u64::from(to)).div_ceil(u64::from(self.from));
        let silence = vec![vec![0.0; fft.input_frames_next()]; self.pending.len()];
        let taken = self.taken;
        while self.given < wanted {
            let before = self.given;
            self.push(&silence, into)?;
            let is_stuck =
                self.given == before && self.delay == 0 && self.taken > taken + 4 * u64::from(self.from);
            if is_stuck {
                break;
            }
        }
        let surplus = usize::try_from(self.given.saturating_sub(wanted)).unwrap_or_default();
        for channel in into {
            channel.truncate(channel.len().saturating_sub(surplus));
        }
        Ok(())
    }
}

fn resample(
    fft: &mut Fft<f32>,
    from: &[Vec<f32>],
    at: usize,
    into: &mut [Vec<f32>],
) -> Result<usize, AudioError> {
    let failed = |error: &dyn std::fmt::Display| AudioError::Damaged(format!("failed to resample: {error}"));
    let channels = from.len();
    let input = SequentialSliceOfVecs::new(from, channels, from.first().map_or(0, Vec::len))
        .map_err(|error| failed(&error))?;
    let room = into.first().map_or(0, Vec::len);
    let mut output = SequentialSliceOfVecs::new_mut(into, channels, room).map_err(|error| failed(&error))?;
    let indexing = Indexing::new().input_offset(at);
    let (_taken, made) =
        fft.process_into_buffer(&input, &mut output, Some(&indexing)).map_err(|error| failed(&error))?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    #[expect(clippy::cast_precision_loss, reason = "a test signal is short")]
    fn tone(rate: u32, hertz: f32, frames: usize) -> Vec<f32> {
        (0..frames).map(|at| (TAU * hertz * at as f32 / rate as f32).sin() * 0.5).collect()
    }

    fn resampled(rate: u32, samples: &[f32], block: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(16_000);
        let mut into = vec![Vec::new()];
        for samples in samples.chunks(block) {
            let block = Block { sample_rate: rate, channels: vec![samples.to_vec()] };
            resampler.push(&block, &mut into).unwrap();
        }
        resampler.finish(&mut into).unwrap();
        into.remove(0)
    }

    #[test]
    fn a_tone_stays_where_it_is_in_time_whatever_the_rate_and_the_blocks() {
        for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000] {
            for block in [160, 1_024, 5_000] {
                let found = resampled(rate, &tone(rate, 300.0, rate as usize), block);
                assert_eq!(found.len(), 16_000, "{rate} Hz");
                let wanted = tone(16_000, 300.0, 16_000);
                let worst = found[800..15_200]
                    .iter()
                    .zip(&wanted[800..15_200])
                    .map(|(found, wanted)| (found - wanted).abs())
                    .fold(0.0, f32::max);
                // The delay of the filter is a whole number of frames, so a tone can be half a frame early or late.
                assert!(worst < 0.05, "{rate} Hz in blocks of {block}: off by {worst}");
            }
        }
    }

    #[test]
    fn a_recording_whose_rate_changes_goes_on() {
        let mut resampler = Resampler::new(16_000);
        let mut into = vec![Vec::new()];
        for rate in [8_000, 44_100] {
            let block = Block { sample_rate: rate, channels: vec![tone(rate, 300.0, rate as usize)] };
            resampler.push(&block, &mut into).unwrap();
        }
        resampler.finish(&mut into).unwrap();
        assert_eq!(into[0].len(), 32_000);
    }
}
