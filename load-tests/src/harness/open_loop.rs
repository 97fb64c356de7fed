//! Load in an open loop: the same number of requests each second, whether or not the earlier ones were answered.
//!
//! Senders in the real world do not wait for each other, and neither do these. Each request is due at a time of its own,
//! and the time that it took counts from then. In a closed loop nobody asks a server that stands still, so that a
//! silence of a minute is one slow request among thousands.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// An answer that takes longer counts as no answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The time that a provider waits for the answer to a webhook.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// The longest time that is recorded. A longer one counts as this one.
const LONGEST_MICROS: u64 = 3_600_000_000;
/// A generator that sends one request in a hundred later than this did not make the load that it should make.
const LATE: Duration = Duration::from_millis(20);

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub per_second: u64,
    pub seconds: u64,
}

impl Pace {
    fn total(self) -> u64 {
        self.per_second.saturating_mul(self.seconds)
    }

    /// Returns the time at which request number `nth` is due, counted from the start.
    fn time_of(self, nth: u64) -> Duration {
        let nanos = u128::from(nth) * 1_000_000_000 / u128::from(self.per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// The answer says when to come back.
    pub has_retry_after: bool,
}

/// One connection of the load.
pub trait Asker: Send + 'static {
    /// Sends request number `nth` and waits for its answer. After an error the next request opens a new connection.
    fn ask(&mut self, nth: u64) -> impl Future<Output = anyhow::Result<Answered>> + Send;
}

/// What became of the requests.
#[derive(Debug)]
pub struct Tally {
    pace: Pace,
    /// The times from when an accepted request was due to its answer, in microseconds.
    accepted: Histogram<u64>,
    /// The same times of the requests that were answered otherwise.
    refused: Histogram<u64>,
    /// The times from when a request was due until it was sent, in microseconds.
    late: Histogram<u64>,
    /// The number of answers by their status.
    pub statuses: BTreeMap<u16, u64>,
    /// The number of answers with status 503 and without a `Retry-After`.
    pub without_retry_after: u64,
    /// The number of connections that broke or could not be made.
    pub errors: u64,
    /// The number of requests that were not answered within [`ANSWER_WITHIN`].
    pub unanswered: u64,
    /// The number of requests that were answered after more than [`PATIENCE`], or not at all.
    pub beyond_patience: u64,
    /// The number of requests that were not sent, because every connection was busy until the end.
    pub unsent: u64,
    pub took: Duration,
    first_error: Option<String>,
}

impl Tally {
    fn new(pace: Pace) -> anyhow::Result<Self> {
        let empty = || Histogram::new_with_bounds(1, LONGEST_MICROS, 3).context("make a histogram");
        Ok(Self {
            pace,
            accepted: empty()?,
            refused: empty()?,
            late: empty()?,
            statuses: BTreeMap::new(),
            without_retry_after: 0,
            errors: 0,
            unanswered: 0,
            beyond_patience: 0,
            unsent: 0,
            took: Duration::ZERO,
            first_error: None,
        })
    }

    fn note(&mut self, late: Duration, waited: Duration, outcome: anyhow::Result<Option<Answered>>) {
        record(&mut self.late, late);
        if waited > PATIENCE {
            self.beyond_patience += 1;
        }
        match outcome {
            Ok(Some(answer)) => {
                *self.statuses.entry(answer.status).or_default() += 1;
                let is_accepted = (200..300).contains(&answer.status);
                record(if is_accepted { &mut self.accepted } else { &mut self.refused }, late + waited);
                self.without_retry_after += u64::from(answer.status == 503 && !answer.has_retry_after);
            }
            Ok(None) => self.unanswered += 1,
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }

    /// Returns the number of requests that were answered with 2xx.
    pub fn accepted(&self) -> u64 {
        self.accepted.len()
    }

    pub fn sent(&self) -> u64 {
        self.late.len()
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn accepted_per_second(&self) -> f64 {
        self.accepted.len() as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }

    /// Returns the time within which this share of the accepted requests was answered, counted from when each was due.
    pub fn accepted_ms(&self, share: f64) -> f64 {
        ms(&self.accepted, share)
    }

    /// Returns the same time of the requests that were answered otherwise.
    pub fn refused_ms(&self, share: f64) -> f64 {
        ms(&self.refused, share)
    }

    /// Returns how late this share of the requests was sent at most.
    pub fn late_ms(&self, share: f64) -> f64 {
        ms(&self.late, share)
    }

    /// Says by how much the load fell short. `None` means that every request was sent in time.
    pub fn shortfall(&self) -> Option<String> {
        let late = self.late_ms(0.99);
        let is_late = late > LATE.as_secs_f64() * 1000.0;
        (self.unsent > 0 || is_late).then(|| {
            format!(
                "the generator fell behind: one request in a hundred was sent {late:.0} ms late or more (at worst \
                 {:.0} ms), and {} of {} were not sent",
                self.late_ms(1.0),
                self.unsent,
                self.pace.total()
            )
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pace { per_second, seconds } = self.pace;
        writeln!(
            f,
            "{per_second}/s for {seconds} s: {} sent in {:.1} s",
            self.sent(),
            self.took.as_secs_f64()
        )?;
        let statuses: Vec<String> =
            self.statuses.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        writeln!(
            f,
            "answered {}; {} connections broke; {} were not answered",
            if statuses.is_empty() { "nothing".to_owned() } else { statuses.join(", ") },
            self.errors,
            self.unanswered
        )?;
        if let Some(error) = &self.first_error {
            writeln!(f, "the first connection that broke: {error}")?;
        }
        writeln!(f, "accepted {:.0}/s", self.accepted_per_second())?;
        for (what, of) in
            [("accepted", &self.accepted), ("refused", &self.refused), ("sent late", &self.late)]
        {
            if !of.is_empty() {
                let [p50, p90, p99, p999, worst] = [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| ms(of, share));
                writeln!(
                    f,
                    "{what:<9} p50 {p50:.1}  p90 {p90:.1}  p99 {p99:.1}  p99.9 {p999:.1}  max {worst:.0} ms, counted from when the request was due"
                )?;
            }
        }
        match self.shortfall() {
            Some(shortfall) => writeln!(f, "{shortfall}"),
            None => writeln!(f, "the generator kept the rate"),
        }
    }
}

fn record(into: &mut Histogram<u64>, time: Duration) {
    into.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^52")]
fn ms(of: &Histogram<u64>, share: f64) -> f64 {
    of.value_at_quantile(share) as f64 / 1000.0
}

/// Sends at this pace over these connections. A request that is due while all connections are busy is sent as soon as
/// one is free, and its time still counts from when it was due.
pub async fn open_loop<A: Asker>(askers: Vec<A>, pace: Pace) -> anyhow::Result<Tally> {
    let tally = Arc::new(Mutex::new(Tally::new(pace)?));
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let end = start + Duration::from_secs(pace.seconds) + PATIENCE;
    let mut running = JoinSet::new();
    for mut asker in askers {
        let (tally, next) = (Arc::clone(&tally), Arc::clone(&next));
        running.spawn(async move {
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= pace.total() {
                    return;
                }
                let due = start + pace.time_of(nth);
                tokio::time::sleep_until(due).await;
                let sent = Instant::now();
                if sent > end {
                    tally.lock().unwrap_or_else(PoisonError::into_inner).unsent += 1;
                    continue;
                }
                let outcome = tokio::time::timeout(ANSWER_WITHIN, asker.ask(nth)).await.ok().transpose();
                let (late, waited) = (sent - due, sent.elapsed());
                tally.lock().unwrap_or_else(PoisonError::into_inner).note(late, waited, outcome);
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.context("a sender panicked")?;
    }
    let tally = Arc::into_inner(tally).context("a sender goes on")?;
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.took = start.elapsed();
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that stands still once, and otherwise answers at once.
    struct StandingStill {
        at: u64,
        lasting: Duration,
    }

    impl Asker for StandingStill {
        async fn ask(&mut self, nth: u64) -> anyhow::Result<Answered> {
            if nth == self.at {
                tokio::time::sleep(self.lasting).await;
            }
            Ok(Answered { status: if nth % 10 == 3 { 503 } else { 200 }, has_retry_after: nth != 3 })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_due_during_a_silence_counts_from_when_it_was_due() {
        let asker = StandingStill { at: 0, lasting: Duration::from_secs(1) };
        let tally = open_loop(vec![asker], Pace { per_second: 100, seconds: 2 }).await.unwrap();
        assert_eq!((tally.sent(), tally.unsent), (200, 0));
        // Half of the requests were due in the second of silence. At the median they waited half of it.
        let [median, p90] = [0.5, 0.9].map(|share| tally.accepted_ms(share));
        assert!(median < 20.0 && (700.0..900.0).contains(&p90), "{median} {p90}");
        assert!(tally.shortfall().is_some());
        assert_eq!(tally.statuses, [(200, 180), (503, 20)].into());
        assert_eq!(tally.without_retry_after, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn more_connections_keep_the_rate_while_one_stands_still() {
        let askers = (0..20).map(|_| StandingStill { at: 0, lasting: Duration::from_secs(5) }).collect();
        let tally = open_loop(askers, Pace { per_second: 100, seconds: 2 }).await.unwrap();
        assert_eq!(tally.shortfall(), None, "{tally}");
        assert_eq!((tally.sent(), tally.beyond_patience), (200, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_could_not_be_sent_are_counted_and_shown() {
        let asker = StandingStill { at: 0, lasting: Duration::from_secs(20) };
        let tally = open_loop(vec![asker], Pace { per_second: 10, seconds: 1 }).await.unwrap();
        assert_eq!((tally.sent(), tally.unsent), (1, 9));
        assert!(tally.to_string().contains("9 of 10 were not sent"), "{tally}");
    }
}
