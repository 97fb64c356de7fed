//! Reads the samples of a stream byte by byte, and brings them to the rate of the transcribers.

use media::audio::raw::{a_law, mu_law};
use media::audio::resample::Resampler;
use media::audio::{Block, SPEECH_RATE, wav};

use super::super::format::{Encoding, Format};

pub(super) struct Samples {
    format: Format,
    /// The bytes of a frame that is not whole.
    rest: Vec<u8>,
    resampler: Resampler,
}

impl Samples {
    pub(super) fn of(format: Format) -> Self {
        Self { format, rest: Vec::new(), resampler: Resampler::new(SPEECH_RATE) }
    }

    /// The samples of each channel that these bytes complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Vec<i16>> {
        self.rest.extend_from_slice(bytes);
        let channels = usize::from(self.format.channels);
        let whole = self.rest.len() - self.rest.len() % self.format.frame();
        let mut split = vec![Vec::with_capacity(whole / self.format.frame()); channels];
        let width = self.format.frame() / channels;
        for (nth, sample) in self.rest[..whole].chunks_exact(width).enumerate() {
            let value = match (self.format.encoding, sample) {
                (Encoding::MuLaw, [byte]) => mu_law(*byte),
                (Encoding::ALaw, [byte]) => a_law(*byte),
                (_, [low, high]) => i16::from_le_bytes([*low, *high]),
                _ => 0,
            };
            split[nth % channels].push(f32::from(value) / 32_768.0);
        }
        self.rest.drain(..whole);
        let mut resampled = vec![Vec::new(); channels];
        let block = Block { sample_rate: self.format.sample_rate, channels: split };
        if let Err(error) = self.resampler.push(&block, &mut resampled) {
            tracing::debug!(%error, "failed to resample a stream");
        }
        resampled.iter().map(|channel| pcm(channel)).collect()
    }

    /// What is still on its way.
    pub(super) fn finish(&mut self) -> Vec<Vec<i16>> {
        let mut resampled = vec![Vec::new(); usize::from(self.format.channels)];
        if let Err(error) = self.resampler.finish(&mut resampled) {
            tracing::debug!(%error, "failed to resample the end of a stream");
        }
        resampled.iter().map(|channel| pcm(channel)).collect()
    }
}

/// Samples of 16 bits.
pub(super) fn pcm(channel: &[f32]) -> Vec<i16> {
    channel.iter().map(|sample| wav::pcm(*sample)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_channels_are_split_wherever_the_messages_are_cut() {
        let format = Format { encoding: Encoding::Pcm, sample_rate: SPEECH_RATE, channels: 2 };
        let bytes: Vec<u8> =
            [100_i16, -200, 300, -400].iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut samples = Samples::of(format);
        let mut split = vec![Vec::new(), Vec::new()];
        for part in bytes.chunks(3) {
            for (channel, samples) in split.iter_mut().zip(samples.push(part)) {
                channel.extend(samples);
            }
        }
        assert_eq!(split, [vec![100, 300], vec![-200, -400]]);
    }

    #[test]
    fn telephone_audio_has_twice_as_many_samples_at_the_rate_of_speech() {
        let mut samples = Samples::of(Format::TELEPHONE);
        let mut count = samples.push(&[0xff; 8_000])[0].len();
        count += samples.finish()[0].len();
        assert_eq!(count, 16_000);
    }
}
