//! Load in an open loop: so many a second, whether or not those before were answered.
//!
//! Senders out in the world do not wait for each other, so neither do these: each request has its time,
//! and how long it took counts from that time. In a closed loop a server that stands still is asked
//! nothing while it does, and a minute's silence is one slow request among thousands.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What comes later is as good as no answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Senders who wait no longer: what a provider allows a webhook.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// A longer time counts as this one.
const LONGEST_MICROS: u64 = 3_600_000_000;
/// A generator that is this late, one time in a hundred, did not make the load that was asked for.
const LATE: Duration = Duration::from_millis(20);

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub per_second: u64,
    pub seconds: u64,
}

impl Pace {
    fn total(self) -> u64 {
        self.per_second.saturating_mul(self.seconds)
    }

    /// When request number `nth` is to be sent, from the start.
    fn time_of(self, nth: u64) -> Duration {
        let nanos = u128::from(nth) * 1_000_000_000 / u128::from(self.per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// It says when to come back.
    pub has_retry_after: bool,
}

/// One connection's worth of load.
pub trait Asker: Send + 'static {
    /// Sends request number `nth` and waits for its answer. After an `Err` the next one starts on a new
    /// connection.
    fn ask(&mut self, nth: u64) -> impl Future<Output = anyhow::Result<Answered>> + Send;
}

/// What came of it.
#[derive(Debug)]
pub struct Tally {
    pace: Pace,
    /// From the time each was to be sent to its answer, in microseconds; by what kind of answer.
    accepted: Histogram<u64>,
    refused: Histogram<u64>,
    /// From the time each was to be sent until it was, in microseconds.
    late: Histogram<u64>,
    /// By status, how many.
    pub statuses: BTreeMap<u16, u64>,
    /// 503 without a `Retry-After`.
    pub rude: u64,
    /// Connections that broke, or could not be made.
    pub errors: u64,
    /// Sent, and not answered within [`ANSWER_WITHIN`].
    pub unanswered: u64,
    /// Sent, and answered after more than [`PATIENCE`], or not at all.
    pub beyond_patience: u64,
    /// Not sent: every connection was busy until the end.
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
            rude: 0,
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
                self.rude += u64::from(answer.status == 503 && !answer.has_retry_after);
            }
            Ok(None) => self.unanswered += 1,
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }

    /// Answered with 2xx.
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

    /// The time within which this share of what was accepted was answered, from when it was to be sent.
    pub fn accepted_ms(&self, share: f64) -> f64 {
        ms(&self.accepted, share)
    }

    /// The same of what was answered otherwise.
    pub fn refused_ms(&self, share: f64) -> f64 {
        ms(&self.refused, share)
    }

    /// How late requests were sent.
    pub fn late_ms(&self, share: f64) -> f64 {
        ms(&self.late, share)
    }

    /// What the load lacked of what was asked for; `None` where it was all there, in time.
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
            writeln!(f, "the first that broke: {error}")?;
        }
        writeln!(f, "accepted {:.0}/s", self.accepted_per_second())?;
        for (what, of) in
            [("accepted", &self.accepted), ("refused", &self.refused), ("sent late", &self.late)]
        {
            if !of.is_empty() {
                let [p50, p90, p99, p999, worst] = [0.5, 0.9, 0.99, 0.999, 1.0].map(|share| ms(of, share));
                writeln!(
                    f,
                    "{what:<9} p50 {p50:.1}  p90 {p90:.1}  p99 {p99:.1}  p99.9 {p999:.1}  max {worst:.0} ms, from the time it was to be sent"
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

/// Sends at this pace over these connections. A request whose time has come while all of them are busy
/// goes out as soon as one is free, and its time still counts from when it was to be sent.
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

    /// Stands still once, and answers at once otherwise.
    struct Stands {
        still_at: u64,
        still_for: Duration,
    }

    impl Asker for Stands {
        async fn ask(&mut self, nth: u64) -> anyhow::Result<Answered> {
            if nth == self.still_at {
                tokio::time::sleep(self.still_for).await;
            }
            Ok(Answered { status: if nth % 10 == 3 { 503 } else { 200 }, has_retry_after: nth != 3 })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_nothing_is_answered_is_late_by_its_own_time() {
        let asker = Stands { still_at: 0, still_for: Duration::from_secs(1) };
        let tally = open_loop(vec![asker], Pace { per_second: 100, seconds: 2 }).await.unwrap();
        assert_eq!((tally.sent(), tally.unsent), (200, 0));
        // Half of them came in the second of silence, and waited half of it at the median.
        let [median, p90] = [0.5, 0.9].map(|share| tally.accepted_ms(share));
        assert!(median < 20.0 && (700.0..900.0).contains(&p90), "{median} {p90}");
        assert!(tally.shortfall().is_some());
        assert_eq!(tally.statuses, [(200, 180), (503, 20)].into());
        assert_eq!(tally.rude, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn more_connections_keep_the_rate_where_one_stands_still() {
        let askers = (0..20).map(|_| Stands { still_at: 0, still_for: Duration::from_secs(5) }).collect();
        let tally = open_loop(askers, Pace { per_second: 100, seconds: 2 }).await.unwrap();
        assert_eq!(tally.shortfall(), None, "{tally}");
        assert_eq!((tally.sent(), tally.beyond_patience), (200, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_sent_by_the_end_is_said() {
        let asker = Stands { still_at: 0, still_for: Duration::from_secs(20) };
        let tally = open_loop(vec![asker], Pace { per_second: 10, seconds: 1 }).await.unwrap();
        assert_eq!((tally.sent(), tally.unsent), (1, 9));
        assert!(tally.to_string().contains("9 of 10 were not sent"), "{tally}");
    }
}
