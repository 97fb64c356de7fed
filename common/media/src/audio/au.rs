//! The header of Sun's `.au` files. What follows it are bare samples.

use super::MAX_CHANNELS;
use super::raw::{Encoding, Raw};

/// Reads the header at the start of `head`: what the samples are, and where they begin.
pub(super) fn header(head: &[u8]) -> Option<(Raw, u64)> {
    let number = |at: usize| {
        let bytes = head.get(at..at + 4)?;
        Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    if !head.starts_with(b".snd") {
        return None;
    }
    let encoding = match number(12)? {
        1 => Encoding::MuLaw,
        3 => Encoding::Pcm16BigEndian,
        27 => Encoding::ALaw,
        _ => return None,
    };
    let channels =
        usize::try_from(number(20)?).ok().filter(|channels| (1..=MAX_CHANNELS).contains(channels))?;
    Some((Raw { encoding, sample_rate: number(16)?, channels }, u64::from(number(4)?)))
}
