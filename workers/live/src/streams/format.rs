//! How the samples of a stream are written.

use bytes::Bytes;
use media::audio::raw::{a_law, mu_law};
use media::audio::{ogg, wav};
use serde::Deserialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Encoding {
    #[serde(rename = "pcm_s16le")]
    Pcm,
    #[serde(rename = "mulaw")]
    MuLaw,
    #[serde(rename = "alaw")]
    ALaw,
    /// Each message holds one packet.
    #[serde(rename = "opus")]
    Opus,
}

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) encoding: Encoding,
    pub(super) sample_rate: u32,
    pub(super) channels: u16,
}

impl Format {
    /// The telephone line of North America.
    pub(super) const TELEPHONE: Self = Self { encoding: Encoding::MuLaw, sample_rate: 8_000, channels: 1 };

    pub(super) fn checked(self) -> Result<Self, String> {
        if !(4_000..=96_000).contains(&self.sample_rate) {
            return Err("sample_rate must be from 4000 to 96000".into());
        }
        if !(1..=2).contains(&self.channels) {
            return Err("channels must be 1 or 2".into());
        }
        Ok(self)
    }

    /// How many bytes a frame has: one sample of each channel.
    pub(super) fn frame(self) -> usize {
        let sample = if self.encoding == Encoding::Pcm { 2 } else { 1 };
        sample * usize::from(self.channels)
    }

    /// How many bytes a second has.
    pub(super) fn second(self) -> usize {
        self.frame() * usize::try_from(self.sample_rate).unwrap_or(usize::MAX)
    }

    /// An Ogg file with these packets.
    pub(super) fn file_of_packets(self, packets: &[Bytes]) -> Vec<u8> {
        let channels = u8::try_from(self.channels).unwrap_or(1);
        ogg::opus_file(packets.iter().map(|packet| &packet[..]), channels, self.sample_rate)
    }

    /// A WAV file with these bytes, which are whole frames.
    pub(super) fn file(self, bytes: &[u8]) -> Vec<u8> {
        let samples: Vec<u8> = match self.encoding {
            Encoding::Pcm | Encoding::Opus => bytes.to_vec(),
            Encoding::MuLaw => bytes.iter().flat_map(|byte| mu_law(*byte).to_le_bytes()).collect(),
            Encoding::ALaw => bytes.iter().flat_map(|byte| a_law(*byte).to_le_bytes()).collect(),
        };
        let frames = (bytes.len() / self.frame()) as u64;
        let mut file = wav::header_at(self.sample_rate, frames, self.channels).to_vec();
        file.extend(samples);
        file
    }
}

/// The names of the pieces of a stream hold how many bytes came before each piece and with it.
pub(super) fn name(stream: &str, from: u64, to: u64) -> String {
    format!("{stream}-{from}-{to}.wav")
}

/// How many bytes came with the piece of this name and before it.
pub(super) fn bytes_until(name: &str) -> Option<u64> {
    name.strip_suffix(".wav")?.rsplit('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use media::audio::Decoder;

    use super::*;

    #[test]
    fn a_piece_of_each_encoding_is_a_file_that_can_be_read() {
        for (encoding, bytes) in [(Encoding::Pcm, 4), (Encoding::MuLaw, 2), (Encoding::ALaw, 2)] {
            let format = Format { encoding, sample_rate: 8_000, channels: 2 };
            assert_eq!(format.frame(), bytes);
            let file = format.file(&vec![0x55; bytes * 100]);
            let mut decoder = Decoder::open(Cursor::new(file)).unwrap();
            assert_eq!((decoder.probed().channels, decoder.probed().sample_rate), (2, 8_000));
            assert_eq!(decoder.next_block().unwrap().unwrap().frames(), 100);
        }
    }

    #[test]
    fn the_name_of_a_piece_tells_how_much_is_on_disk() {
        assert_eq!(bytes_until(&name("stream", 0, 32_000)), Some(32_000));
        assert_eq!(bytes_until("piece.wav"), None);
    }
}
