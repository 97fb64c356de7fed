//! Opus, as the containers carry it (RFC 7845). It is decoded at once at the rate of speech: the codec can do that, and
//! a resampler would only throw away what it made.

use opus_pure::{MAX_PACKET_SAMPLES, OpusDecoder, OpusMSDecoder};

use super::source::AudioError;
use super::{MAX_CHANNELS, SPEECH_RATE};

/// The rate in which containers count the samples of Opus.
const TICKS: u32 = 48_000;
const HEAD: &[u8] = b"OpusHead";

/// The header of a stream: what a decoder must know before the first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    channels: usize,
    /// How many samples at the start the encoder added, in ticks.
    pre_skip: u32,
    gain_q8: i16,
    family: u8,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(HEAD)?;
        let [_version, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, family, ..] = *rest
        else {
            return None;
        };
        Some(Self {
            channels: usize::from(channels),
            pre_skip: u32::from(u16::from_le_bytes([skip_low, skip_high])),
            gain_q8: i16::from_le_bytes([gain_low, gain_high]),
            family,
        })
    }
}

enum Streams {
    One(Box<OpusDecoder>),
    Several(OpusMSDecoder),
}

/// The decoder of one track.
pub(super) struct Opus {
    streams: Streams,
    channels: usize,
    gain: f32,
    /// How many samples of a channel are still to be thrown away.
    skip: usize,
    samples: Vec<f32>,
}

impl Opus {
    /// A decoder for a track with the header `head`. Where a container has none, `channels` says how many there are.
    pub(super) fn new(head: Option<&[u8]>, channels: Option<usize>) -> Result<Self, AudioError> {
        let head = head.and_then(Head::read).unwrap_or(Head {
            channels: channels.unwrap_or(1),
            pre_skip: 0,
            gain_q8: 0,
            family: 0,
        });
        let rate = i32::try_from(SPEECH_RATE).unwrap_or(i32::MAX);
        let unsupported = |error: opus_pure::Error| AudioError::Unsupported(format!("Opus: {error}"));
        let streams = match head.channels {
            1 | 2 => Streams::One(Box::new(OpusDecoder::new(rate, head.channels).map_err(unsupported)?)),
            3..=MAX_CHANNELS => {
                Streams::Several(OpusMSDecoder::new(rate, head.channels, head.family).map_err(unsupported)?)
            }
            other => return Err(AudioError::Unsupported(format!("Opus with {other} channels"))),
        };
        Ok(Self {
            streams,
            channels: head.channels,
            gain: 10_f32.powf(f32::from(head.gain_q8) / (20.0 * 256.0)),
            skip: (head.pre_skip * SPEECH_RATE / TICKS) as usize,
            samples: vec![0.0; MAX_PACKET_SAMPLES * head.channels],
        })
    }

    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// Decodes a packet into `into`, one list for each channel. `trim_end` is how many samples at the end of the packet
    /// are only padding.
    pub(super) fn decode(
        &mut self,
        packet: &[u8],
        trim_end: usize,
        into: &mut [Vec<f32>],
    ) -> Result<(), opus_pure::Error> {
        let frames = match &mut self.streams {
            Streams::One(decoder) => decoder.decode(packet, MAX_PACKET_SAMPLES, &mut self.samples)?,
            Streams::Several(decoder) => decoder.decode(packet, MAX_PACKET_SAMPLES, &mut self.samples)?,
        };
        let skipped = self.skip.min(frames);
        self.skip -= skipped;
        let until = frames.saturating_sub(trim_end).max(skipped);
        let kept = &self.samples[skipped * self.channels..until * self.channels];
        for frame in kept.chunks_exact(self.channels) {
            for (sample, channel) in frame.iter().zip(&mut *into) {
                channel.push(sample * self.gain);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_is_to_be_skipped_and_a_short_one_is_none() {
        let head = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\x01\0";
        assert_eq!(Head::read(head), Some(Head { channels: 2, pre_skip: 312, gain_q8: 256, family: 0 }));
        assert_eq!(Head::read(&head[..12]), None);
        assert_eq!(Head::read(b"nothing"), None);
    }

    #[test]
    fn a_packet_of_nonsense_is_an_error_or_sound_and_never_a_panic() {
        let mut opus = Opus::new(None, Some(2)).unwrap();
        let mut channels = vec![Vec::new(), Vec::new()];
        for length in 1..200_usize {
            let packet: Vec<u8> = (0..length)
                .map(|at| u8::try_from((at * 73 + length * 31) % 256).unwrap_or_default())
                .collect();
            let _heard = opus.decode(&packet, 0, &mut channels);
        }
        assert_eq!(channels[0].len(), channels[1].len());
    }
}
