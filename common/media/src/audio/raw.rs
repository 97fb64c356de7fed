//! Samples without a header, as telephone systems and live streams send them. The caller has to say what they are.

use std::io::Read as _;

use super::block::Block;
use super::source::{AudioError, Source};

/// How many frames a block has.
const FRAMES: usize = 4_096;

/// How a sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// G.711 of North America and Japan.
    MuLaw,
    /// G.711 of the rest of the world.
    ALaw,
    /// 16 bits, the low byte first.
    Pcm16,
    /// 16 bits, the high byte first.
    Pcm16BigEndian,
}

/// What the samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw {
    pub encoding: Encoding,
    pub sample_rate: u32,
    pub channels: usize,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::MuLaw => "mulaw",
            Self::ALaw => "alaw",
            Self::Pcm16 | Self::Pcm16BigEndian => "pcm_16",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::MuLaw | Self::ALaw => 1,
            Self::Pcm16 | Self::Pcm16BigEndian => 2,
        }
    }

    fn sample(self, bytes: &[u8]) -> f32 {
        let value = match (self, bytes) {
            (Self::MuLaw, [byte, ..]) => mu_law(*byte),
            (Self::ALaw, [byte, ..]) => a_law(*byte),
            (Self::Pcm16, [low, high, ..]) => i16::from_le_bytes([*low, *high]),
            (Self::Pcm16BigEndian, [high, low, ..]) => i16::from_be_bytes([*high, *low]),
            _ => 0,
        };
        f32::from(value) / 32_768.0
    }
}

/// The value of a byte of mu-law (ITU-T G.711).
pub fn mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let exponent = (byte >> 4) & 0x07;
    let magnitude = (((i16::from(byte & 0x0f) << 3) + 0x84) << exponent) - 0x84;
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

/// The value of a byte of A-law (ITU-T G.711).
pub fn a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let exponent = (byte >> 4) & 0x07;
    let mantissa = i16::from(byte & 0x0f) << 4;
    let magnitude = match exponent {
        0 => mantissa + 8,
        exponent => (mantissa + 0x108) << (exponent - 1),
    };
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

/// Reads the samples of a source, block by block.
pub(super) struct RawReader {
    source: Box<dyn Source>,
    raw: Raw,
    bytes: Vec<u8>,
}

impl RawReader {
    pub(super) fn new(source: Box<dyn Source>, raw: Raw) -> Self {
        Self { source, raw, bytes: Vec::new() }
    }

    /// Fills `block`. Returns whether the last frame was whole, or `None` at the end.
    pub(super) fn next(&mut self, block: &mut Block) -> Result<Option<bool>, AudioError> {
        let sample = self.raw.encoding.bytes();
        let frame = sample * self.raw.channels;
        self.bytes.clear();
        let wanted = (FRAMES * frame) as u64;
        (&mut self.source).take(wanted).read_to_end(&mut self.bytes).map_err(AudioError::Source)?;
        if self.bytes.is_empty() {
            return Ok(None);
        }
        block.start(self.raw.sample_rate, self.raw.channels);
        for frame in self.bytes.chunks_exact(frame) {
            for (bytes, channel) in frame.chunks_exact(sample).zip(&mut block.channels) {
                channel.push(self.raw.encoding.sample(bytes));
            }
        }
        Ok(Some(self.bytes.len().is_multiple_of(frame)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_g711_are_those_of_the_standard() {
        assert_eq!([0xff, 0x7f, 0x80, 0x00, 0xce].map(mu_law), [0, 0, 32_124, -32_124, 988]);
        assert_eq!([0xd5, 0x55, 0xaa, 0x2a, 0x80].map(a_law), [8, -8, 32_256, -32_256, 5_504]);
    }
}
