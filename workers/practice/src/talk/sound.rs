//! Plain samples of a voice: how long they are, and how they become a file.

use bytes::{Buf as _, Bytes, BytesMut};
use media::audio::wav;
use providers::voices::SAMPLE_RATE;

/// The bytes of a millisecond.
const BYTES_PER_MS: i64 = SAMPLE_RATE as i64 * 2 / 1000;
pub(crate) const MEDIA_TYPE: &str = "audio/wav";

/// How long so many bytes of samples are.
pub(crate) fn ms_of(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX) / BYTES_PER_MS
}

/// The first `ms` of the samples.
pub(crate) fn first(samples: &[u8], ms: i64) -> &[u8] {
    let bytes = usize::try_from(ms.max(0).saturating_mul(BYTES_PER_MS)).unwrap_or(usize::MAX);
    &samples[..bytes.min(samples.len() / 2 * 2)]
}

/// A file with these samples, which every browser plays.
pub(crate) fn file(samples: &[u8]) -> Vec<u8> {
    let mut file = wav::header_at(SAMPLE_RATE, samples.len() as u64 / 2, 1).to_vec();
    file.extend_from_slice(samples);
    file
}

/// Joins pieces, which may end in the middle of a sample, to longer ones that do not.
#[derive(Debug, Default)]
pub(super) struct Joiner(BytesMut);

impl Joiner {
    /// Adds a piece. There is a longer one when `at_least_ms` are there.
    pub(super) fn add(&mut self, piece: &Bytes, at_least_ms: i64) -> Option<Bytes> {
        self.0.extend_from_slice(piece);
        (ms_of(self.0.len()) >= at_least_ms).then(|| self.take()).flatten()
    }

    /// What is there. Half a sample at the end is left.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let whole = self.0.remaining() / 2 * 2;
        (whole > 0).then(|| self.0.split_to(whole).freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_cut_a_sample_in_two_are_joined_without_losing_a_byte() {
        let all: Vec<u8> = (0..=255).cycle().take(9_600).collect();
        for length in [1, 3, 47, 480, 4_001] {
            let (mut joiner, mut joined) = (Joiner::default(), Vec::new());
            for piece in all.chunks(length) {
                if let Some(longer) = joiner.add(&Bytes::copy_from_slice(piece), 20) {
                    assert!(longer.len() % 2 == 0 && ms_of(longer.len()) >= 20, "{length}");
                    joined.extend_from_slice(&longer);
                }
            }
            joined.extend(joiner.take().unwrap_or_default());
            assert!(joined == all, "{length}");
        }
    }

    #[test]
    fn the_first_part_of_a_sound_is_whole_samples_and_never_longer_than_the_sound() {
        let samples = vec![7; 4_801];
        assert_eq!(
            (first(&samples, 50).len(), first(&samples, 9_000).len(), first(&samples, -1).len()),
            (2_400, 4_800, 0)
        );
        assert_eq!((ms_of(48_000), file(&samples[..4_800]).len()), (1_000, 4_844));
    }
}
