//! How long something took, many times.

use std::time::Duration;

/// Times in microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<u64>);

impl Times {
    pub(super) fn note(&mut self, time: Duration) {
        self.0.push(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the time in milliseconds within which this share of them lies, by nearest rank.
    #[expect(clippy::cast_precision_loss, reason = "times and counts are far below 2^52")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank within the list")]
    pub(super) fn ms(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        let micros = sorted.get(rank.max(1) - 1).copied().unwrap_or_default();
        micros as f64 / 1_000.0
    }

    /// Three cells of a table: the median, the 99th percentile, and the longest.
    pub(super) fn cells(&self) -> String {
        format!("{:.1} ms | {:.1} ms | {:.1} ms", self.ms(0.5), self.ms(0.99), self.ms(1.0))
    }

    pub(super) fn line(&self, what: &str) -> String {
        let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|share| self.ms(share));
        format!("{what}: {} times, p50 {p50:.1} ms, p99 {p99:.1} ms, longest {longest:.1} ms", self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_taken_by_nearest_rank() {
        let mut times = Times::default();
        (1..=200).rev().for_each(|ms| times.note(Duration::from_millis(ms)));
        assert_eq!(times.cells(), "100.0 ms | 198.0 ms | 200.0 ms");
        assert_eq!(Times::default().cells(), "0.0 ms | 0.0 ms | 0.0 ms");
    }
}
