//! The audio that no final turn has answered. It is kept until then, so that a new connection gets it again.

use std::collections::VecDeque;

/// The most audio that is kept, in samples: 90 seconds.
const MOST: usize = 90 * super::RATE as usize;

/// Audio of one channel. Places are samples from the start of the channel.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    kept: VecDeque<i16>,
    /// The place of the first sample that is kept.
    first: u64,
    /// The place of the sample that is sent next.
    sent: u64,
}

impl Backlog {
    pub(super) fn starting(first: u64, audio: Vec<i16>) -> Self {
        Self { kept: audio.into(), first, sent: first }
    }

    pub(super) fn push(&mut self, samples: &[i16]) {
        self.kept.extend(samples);
    }

    /// The place behind the last sample.
    pub(super) fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn unsent(&self) -> u64 {
        self.end() - self.sent
    }

    /// Whether there is more than can be kept, because nobody takes it.
    pub(super) fn is_full(&self) -> bool {
        self.kept.len() > MOST
    }

    /// The next samples, at most `count`.
    pub(super) fn take(&mut self, count: u64) -> Vec<i16> {
        let from = usize::try_from(self.sent - self.first).unwrap_or(usize::MAX);
        let count = usize::try_from(count.min(self.unsent())).unwrap_or(usize::MAX);
        let taken: Vec<i16> = self.kept.range(from..from + count).copied().collect();
        self.sent += taken.len() as u64;
        taken
    }

    /// Goes back, so that what was sent since is sent again. Returns the place from which on it is still there.
    pub(super) fn rewind(&mut self, to: u64) -> u64 {
        self.sent = to.clamp(self.first, self.end());
        self.sent
    }

    /// Forgets what was sent before this place.
    pub(super) fn forget(&mut self, before: u64) {
        let before = before.clamp(self.first, self.sent);
        self.kept.drain(..usize::try_from(before - self.first).unwrap_or(usize::MAX));
        self.first = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_answered_is_sent_again_and_what_is_answered_is_forgotten() {
        let mut backlog = Backlog::starting(100, vec![1, 2, 3]);
        backlog.push(&[4, 5]);
        assert_eq!(backlog.take(3), [1, 2, 3]);
        backlog.forget(102);
        assert_eq!(backlog.rewind(0), 102);
        assert_eq!(backlog.take(9), [3, 4, 5]);
        backlog.forget(999);
        assert_eq!((backlog.rewind(0), backlog.end(), backlog.unsent()), (105, 105, 0));
    }
}
