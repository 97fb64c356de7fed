//! What is spoken in the call.

use load_tests::harness::spoken;
use rand::RngExt as _;
use rand::rngs::StdRng;

/// The rate at which the audio is sent. The recording has the same one.
pub(super) const RATE: u32 = 16_000;
const BYTES_IN_MS: usize = 32;
/// Each stretch of speech is as long as this, and so is the pause behind it, in milliseconds.
const SPEECH_MS: std::ops::Range<u64> = 900..2_500;
const PAUSE_MS: std::ops::Range<u64> = 900..1_800;
const AT_LEAST_MS: u64 = 20_000;

pub(super) struct Sound {
    /// The samples, the low byte first.
    pub(super) bytes: Vec<u8>,
    /// When somebody speaks, in milliseconds.
    pub(super) said: Vec<(u64, u64)>,
}

/// Audio in which somebody speaks again and again. There is some more of it than is `planned_ms`.
pub(super) fn speech(dice: &mut StdRng, planned_ms: u64) -> Sound {
    let wanted_ms = planned_ms + AT_LEAST_MS;
    let (mut at, mut said) = (500, Vec::new());
    while at < wanted_ms {
        let end = at + dice.random_range(SPEECH_MS);
        said.push((at, end));
        at = end + dice.random_range(PAUSE_MS);
    }
    let samples = spoken::samples(&said, at);
    // Each sample stands twice, which doubles the rate.
    let bytes = samples.iter().flat_map(|sample| [*sample, *sample]).flat_map(i16::to_le_bytes).collect();
    Sound { bytes, said }
}

pub(super) fn bytes_in(ms: u64) -> usize {
    usize::try_from(ms).unwrap_or(usize::MAX).saturating_mul(BYTES_IN_MS)
}

pub(super) fn ms(bytes: usize) -> u64 {
    (bytes / BYTES_IN_MS) as u64
}
