//! Writes WAV files with 16 bits a sample, and reads the headers that were written here.

use super::{MAX_CHANNELS, SPEECH_RATE};

/// The length of the header of a WAV file.
pub const HEADER_BYTES: usize = 44;
const BYTES_PER_SAMPLE: u64 = 2;
/// No header with a higher rate is written, in Hz.
const HIGHEST_RATE: u32 = 192_000;

/// The header of a WAV file with so many frames, at the rate at which speech is detected. A frame is one sample of each
/// channel.
pub fn header(frames: u64, channels: u16) -> [u8; HEADER_BYTES] {
    header_at(SPEECH_RATE, frames, channels)
}

/// The header of a WAV file with so many frames at this rate.
pub fn header_at(rate: u32, frames: u64, channels: u16) -> [u8; HEADER_BYTES] {
    let frame = channels * 2;
    let data = u32::try_from(frames * BYTES_PER_SAMPLE * u64::from(channels)).unwrap_or(u32::MAX);
    let mut header = [0; HEADER_BYTES];
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &data.saturating_add(36).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &(rate * u32::from(frame)).to_le_bytes(),
        &frame.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &data.to_le_bytes(),
    ];
    let mut at = 0;
    for field in fields {
        header[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    header
}

/// What a header says that was written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub rate: u32,
    pub channels: u16,
    pub frames: u64,
}

/// Reads a header that was written here. `None` where the bytes are something else.
pub fn written(file: &[u8]) -> Option<Written> {
    let head = file.get(..HEADER_BYTES)?;
    let number = |at: usize| head[at..at + 4].try_into().map(u32::from_le_bytes).ok();
    let (rate, data) = (number(24)?, number(40)?);
    let channels = u16::from_le_bytes([head[22], head[23]]);
    if rate > HIGHEST_RATE || !(1..=MAX_CHANNELS).contains(&usize::from(channels)) {
        return None;
    }
    let frames = u64::from(data) / (u64::from(channels) * BYTES_PER_SAMPLE);
    (header_at(rate, frames, channels) == head).then_some(Written { rate, channels, frames })
}

/// A sample from -1 to 1 as it stands in the file. A sample that was decoded from 16 bits becomes what it was.
#[expect(clippy::cast_possible_truncation, reason = "the value is in the range of 16 bits")]
pub fn pcm(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

/// A whole file with one channel.
pub fn file(samples: &[i16]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER_BYTES + samples.len() * 2);
    file.extend_from_slice(&header(samples.len() as u64, 1));
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::Decoder;
    use super::*;

    #[test]
    fn samples_that_are_read_and_written_again_are_the_same() {
        let samples = [i16::MIN, -20_001, -1, 0, 1, 777, i16::MAX];
        let mut decoder = Decoder::open(Cursor::new(file(&samples))).unwrap();
        let block = decoder.next_block().unwrap().unwrap();
        assert_eq!(block.channels[0].iter().map(|sample| pcm(*sample)).collect::<Vec<_>>(), samples);
    }

    #[test]
    fn a_header_that_was_written_here_is_read_and_no_other() {
        for (rate, frames, channels) in [(24_000, 7, 1), (SPEECH_RATE, 0, 2), (8_000, 1_000_000, 1)] {
            let header = header_at(rate, frames, channels);
            assert_eq!(written(&header), Some(Written { rate, channels, frames }));
            assert_eq!(written(&header[..HEADER_BYTES - 1]), None);
            for at in 0..HEADER_BYTES {
                let mut other = header;
                other[at] ^= 0x80;
                assert_eq!(written(&other), None, "{at}");
            }
        }
    }

    #[test]
    fn a_file_that_was_written_is_read_back_with_its_channels() {
        let decoder = Decoder::open(Cursor::new(file(&[0, 1_000, -1_000]))).unwrap();
        let probed = decoder.probed();
        assert_eq!((probed.container, probed.channels, probed.sample_rate), ("wav", 1, SPEECH_RATE));
        let mut two = header(2, 2).to_vec();
        two.extend([0; 8]);
        assert_eq!(Decoder::open(Cursor::new(two)).unwrap().probed().channels, 2);
    }
}
