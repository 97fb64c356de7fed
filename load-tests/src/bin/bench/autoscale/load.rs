//! The load: it rises, stays, bursts, goes on at half the rate, stops, and comes once more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::pipeline::feed::{Feeder, Kind, feeders};
use load_tests::harness::load::{Sender as _, send_all};

const TICK: Duration = Duration::from_millis(100);
const CONNECTIONS: usize = 4;
/// After this time without a request a connection is not used again.
const IDLE: Duration = Duration::from_secs(5);

/// One part of the load.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) length: Duration,
    /// The calls in a second at the begin and at the end.
    from: f64,
    to: f64,
    /// Calls that come in at once at the begin.
    pub(super) at_once: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Phases(pub(super) Vec<Phase>);

impl Phases {
    /// `quiet` is long enough for the last process to go.
    #[expect(clippy::cast_precision_loss, reason = "rates are small numbers")]
    pub(super) fn of(rate: u64, burst: u64, quiet: Duration) -> Self {
        let full = rate as f64;
        let phase = |name, seconds, from: f64, to: f64, at_once| Phase {
            name,
            length: Duration::from_secs(seconds),
            from,
            to,
            at_once,
        };
        Self(vec![
            phase("rises", 60, 0.0, full, 0),
            phase("stays", 20, full, full, 0),
            phase("burst", 60, full / 2.0, full / 2.0, burst),
            Phase { length: quiet, ..phase("stops", 0, 0.0, 0.0, 0) },
            phase("again", 20, full / 2.0, full / 2.0, 0),
        ])
    }

    pub(super) fn end(&self) -> Duration {
        self.0.iter().map(|phase| phase.length).sum()
    }

    /// The begin of each phase.
    pub(super) fn begins(&self) -> impl Iterator<Item = (Duration, &Phase)> {
        self.0.iter().scan(Duration::ZERO, |begin, phase| {
            let this = *begin;
            *begin += phase.length;
            Some((this, phase))
        })
    }

    /// How many calls are due at this time, those of bursts left out.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number of calls")]
    fn due(&self, at: Duration) -> u64 {
        let calls: f64 = self
            .begins()
            .map(|(begin, phase)| {
                let into = at.saturating_sub(begin).min(phase.length).as_secs_f64();
                let length = phase.length.as_secs_f64().max(f64::MIN_POSITIVE);
                let rate_now = phase.from + (phase.to - phase.from) * into / length;
                f64::midpoint(phase.from, rate_now) * into
            })
            .sum();
        calls as u64
    }
}

/// The calls as they come in.
pub(super) struct Arrivals {
    sending: JoinHandle<anyhow::Result<()>>,
    accepted: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Arrivals {
    pub(super) fn start(address: SocketAddr, phases: &Phases) -> Self {
        let (accepted, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, is_over, phases) = (Arc::clone(&accepted), Arc::clone(&over), phases.clone());
        let sending = tokio::spawn(async move {
            let sent = send(address, &phases, &count).await;
            is_over.store(true, Ordering::Release);
            sent
        });
        Self { sending, accepted, over }
    }

    /// How many calls were accepted so far.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }

    pub(super) fn are_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Returns how many calls were accepted, or why the load ended before its time.
    pub(super) async fn end(self) -> anyhow::Result<u64> {
        self.sending.await.context("wait for the load")??;
        Ok(self.accepted.load(Ordering::Acquire))
    }
}

async fn send(address: SocketAddr, phases: &Phases, accepted: &AtomicU64) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut feeder = one(address).await?;
    let mut sent_at = start;
    let mut bursts: Vec<(Duration, u64)> = phases
        .begins()
        .filter(|(_, phase)| phase.at_once > 0)
        .map(|(at, phase)| (at, phase.at_once))
        .collect();
    let mut paced = 0;
    while start.elapsed() < phases.end() {
        let now = start.elapsed();
        if bursts.first().is_some_and(|(at, _)| *at <= now) {
            let (_, calls) = bursts.remove(0);
            send_all(feeders(address, CONNECTIONS, Kind::Sessions, "").await?, calls).await?;
            accepted.fetch_add(calls, Ordering::AcqRel);
        }
        while paced < phases.due(start.elapsed()) {
            // Debrief closes a connection on which nothing comes.
            if sent_at.elapsed() > IDLE {
                feeder = one(address).await?;
            }
            feeder.send().await?;
            sent_at = Instant::now();
            accepted.fetch_add(1, Ordering::AcqRel);
            paced += 1;
        }
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}

async fn one(address: SocketAddr) -> anyhow::Result<Feeder> {
    feeders(address, 1, Kind::Sessions, "").await?.pop().context("open a connection")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_due_as_the_phases_say() {
        let phases = Phases::of(10, 200, Duration::from_mins(1));
        let due = |seconds| phases.due(Duration::from_secs(seconds));
        // It rises for a minute, stays for 20 seconds, and then comes at half the rate for a minute.
        assert_eq!([due(0), due(30), due(60), due(80), due(140)], [0, 75, 300, 500, 800]);
        assert_eq!([due(200), due(220), due(999)], [800, 900, 900]);
        assert_eq!(phases.end(), Duration::from_secs(220));
    }
}
