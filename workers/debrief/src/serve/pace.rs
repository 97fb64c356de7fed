//! How long a client may let us wait while it sends a body or takes an answer.
//!
//! A client may pause, and it may be slow, but not both without an end. It has a stock of waiting time. Waiting uses
//! the stock up, and each byte that moves fills it again. So a pause is never longer than the full stock, the average
//! rate over every longer time is at least [`BYTES_PER_SECOND`], and the whole time grows with the number of bytes.

use std::time::Duration;

/// The full stock, which is also the stock at the beginning.
const STOCK: Duration = Duration::from_secs(30);
/// The rate below which the stock becomes smaller. The slowest lines that people still use for files are faster.
const BYTES_PER_SECOND: u32 = 4096;

/// The stock of one client, for one direction.
#[derive(Debug)]
pub(super) struct Pace {
    left: Duration,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { left: STOCK }
    }

    /// How long the client may let us wait now.
    pub(super) fn left(&self) -> Duration {
        self.left
    }

    /// The client let us wait for this time, and then so many bytes moved.
    pub(super) fn moved(&mut self, waited: Duration, bytes: usize) {
        let earned = Duration::from_secs(bytes as u64) / BYTES_PER_SECOND;
        self.left = self.left.saturating_sub(waited).saturating_add(earned).min(STOCK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a client keeps us that moves `bytes` after each `pause`, until it is given up or has moved `all`.
    fn kept(pause: Duration, bytes: usize, all: usize) -> Result<Duration, Duration> {
        let (mut pace, mut kept, mut moved) = (Pace::new(), Duration::ZERO, 0);
        while moved < all {
            if pace.left() < pause {
                return Err(kept + pace.left());
            }
            pace.moved(pause, bytes);
            kept += pause;
            moved += bytes;
        }
        Ok(kept)
    }

    #[test]
    fn who_trickles_is_given_up_after_little_more_than_the_stock() {
        let second = Duration::from_secs(1);
        for (pause, bytes, at_most) in
            [(second, 1, 31), (second * 29, 1, 59), (second * 60, 1000, 30), (second, 2048, 60)]
        {
            let given_up = kept(pause, bytes, usize::MAX / 2).unwrap_err();
            assert!(given_up <= second * at_most, "{pause:?} {bytes}: {given_up:?}");
        }
    }

    #[test]
    fn a_large_file_on_a_slow_line_comes_to_its_end() {
        let second = Duration::from_secs(1);
        let megabytes = 200_000_000;
        for (pause, bytes) in [(second, 8000), (second / 10, 410), (second * 29, 29 * 4096)] {
            assert!(kept(pause, bytes, megabytes).is_ok(), "{pause:?} {bytes}");
        }
    }

    #[test]
    fn what_came_fast_buys_no_longer_pause() {
        let mut pace = Pace::new();
        pace.moved(Duration::ZERO, usize::MAX);
        assert_eq!(pace.left(), STOCK);
    }
}
