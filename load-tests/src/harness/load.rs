//! Load in a closed loop: each sender sends its next request as soon as the last one was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;

/// Requests in this time are sent but not measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// One of the senders that work at the same time.
pub trait Sender: Send + 'static {
    /// Sends one request and waits for its answer. Fails unless the request was accepted.
    fn send(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// How long the requests took.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// The times of all requests in microseconds, sorted.
    micros: Vec<u64>,
    measured_for: Duration,
}

impl Times {
    pub fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.micros.sort_unstable();
        self.measured_for += other.measured_for;
    }

    /// Returns the time in milliseconds within which this share of the requests was answered, by nearest rank.
    #[expect(clippy::cast_precision_loss, reason = "times and counts are far below 2^52")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank within the list")]
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let rank = (share * self.micros.len() as f64).ceil() as usize;
        let micros = self.micros.get(rank.max(1) - 1).copied().unwrap_or_default();
        micros as f64 / 1000.0
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn per_second(&self) -> f64 {
        self.micros.len() as f64 / self.measured_for.as_secs_f64()
    }
}

/// What the senders have done.
pub struct Sent {
    pub times: Times,
    /// The number of accepted requests, those of the warm-up included.
    pub accepted: u64,
}

/// Lets all senders work for `seconds` after a warm-up. The first request that is not accepted ends the run.
pub async fn closed_loop<S: Sender>(senders: Vec<S>, seconds: u64) -> anyhow::Result<Sent> {
    let measured_for = Duration::from_secs(seconds);
    let from = Instant::now() + WARM_UP;
    let until = from + measured_for;
    let mut running = JoinSet::new();
    for mut sender in senders {
        running.spawn(async move {
            let (mut micros, mut accepted) = (Vec::new(), 0_u64);
            loop {
                let start = Instant::now();
                if start >= until {
                    return Ok::<_, anyhow::Error>((micros, accepted));
                }
                sender.send().await?;
                accepted += 1;
                if start >= from {
                    micros.push(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
                }
            }
        });
    }
    let mut all = Sent { times: Times { micros: Vec::new(), measured_for }, accepted: 0 };
    while let Some(ended) = running.join_next().await {
        let (micros, accepted) = ended.context("a sender panicked")??;
        all.times.micros.extend(micros);
        all.accepted += accepted;
    }
    all.times.micros.sort_unstable();
    Ok(all)
}

/// Lets all senders work until `count` requests were accepted. The first request that is not accepted ends the run.
pub async fn send_all<S: Sender>(senders: Vec<S>, count: u64) -> anyhow::Result<()> {
    let left = Arc::new(AtomicU64::new(count));
    let mut running = JoinSet::new();
    for mut sender in senders {
        let left = Arc::clone(&left);
        running.spawn(async move {
            let take = |left: u64| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                sender.send().await?;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.context("a sender panicked")??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_taken_by_nearest_rank() {
        let times =
            Times { micros: (1..=200).map(|n| n * 1000).collect(), measured_for: Duration::from_secs(2) };
        let shown = [0.5, 0.99, 1.0].map(|share| times.quantile_ms(share).to_string());
        assert_eq!(shown, ["100", "198", "200"]);
        assert_eq!(times.per_second().to_string(), "100");
    }

    #[test]
    fn the_times_of_several_rounds_are_put_together() {
        let round = |ms: u64| Times { micros: vec![ms * 1000], measured_for: Duration::from_secs(1) };
        let mut both = round(9);
        both.add(round(1));
        assert_eq!([both.quantile_ms(0.5), both.quantile_ms(1.0)].map(|ms| ms.to_string()), ["1", "9"]);
        assert_eq!(both.per_second().to_string(), "1");
    }
}
