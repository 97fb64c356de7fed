//! Sound in which somebody speaks at known times. It is no language, but it is speech to whoever looks for speech.

use simulators::{Utterance, recording_with};

/// Samples in a second.
pub const RATE: u32 = 8_000;

/// Samples of 16 bits, `length_ms` of them. Somebody speaks in each stretch `said`, in milliseconds, and nobody else does.
pub fn samples(said: &[(u64, u64)], length_ms: u64) -> Vec<i16> {
    let utterance = |(start, end): &(u64, u64)| Utterance {
        speaker: "somebody".to_owned(),
        start: *start,
        end: *end,
        text: "Something is said.".to_owned(),
    };
    let file = recording_with(&said.iter().map(utterance).collect::<Vec<_>>());
    // The sound stands at the end of the file, and its length is even: samples of 8 bits, at the same rate.
    let end_ms = said.iter().map(|(_, end)| *end).max().unwrap_or_default();
    let sound = usize::try_from(end_ms * u64::from(RATE) / 1_000).unwrap_or(usize::MAX).min(file.len());
    let sample = |byte: &u8| (i16::from(*byte) - 128) * 256;
    let mut samples: Vec<i16> = file[file.len() - sound..].iter().map(sample).collect();
    samples.resize(usize::try_from(length_ms * u64::from(RATE) / 1_000).unwrap_or(usize::MAX), 0);
    samples
}

/// The samples as bytes, the low byte first.
pub fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A WAV file with one channel.
pub fn wav(samples: &[i16]) -> Vec<u8> {
    let sound = bytes(samples);
    let length = u32::try_from(sound.len()).unwrap_or(u32::MAX);
    let mut file = b"RIFF".to_vec();
    file.extend(length.saturating_add(36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    // Plain samples, one channel.
    file.extend([1_u16, 1].into_iter().flat_map(u16::to_le_bytes));
    file.extend([RATE, RATE * 2].into_iter().flat_map(u32::to_le_bytes));
    file.extend([2_u16, 16].into_iter().flat_map(u16::to_le_bytes));
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(sound);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_speaks_when_it_was_said_and_is_silent_otherwise() {
        let samples = samples(&[(500, 1_500)], 2_000);
        assert_eq!(samples.len(), 16_000);
        let is_loud =
            |from: usize, to: usize| samples[from * 8..to * 8].iter().any(|sample| sample.abs() > 2_000);
        assert_eq!([is_loud(0, 500), is_loud(600, 1_400), is_loud(1_500, 2_000)], [false, true, false]);
        assert_eq!(wav(&samples).len(), 44 + 32_000);
    }
}
