//! Whether everything in a world has ended, and what has become of it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use load_tests::harness::ledger::{Allowed, Verdict};
use load_tests::harness::seen::Seen;

use super::World;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The time for which nothing may change before everything is taken to have ended.
const QUIET: Duration = Duration::from_secs(1);
/// The number of open things that are listed when the time is up.
const LISTED: usize = 10;

impl World {
    /// Waits until everything has ended, and says whether every promise was kept. What has not ended after `within` is a
    /// broken promise.
    pub(crate) async fn settled(&self, within: Duration, allowed: &Allowed) -> anyhow::Result<Verdict> {
        let until = Instant::now() + within;
        let mut seen;
        let mut unsettled;
        loop {
            unsettled = self.open_work().await?;
            seen = self.seen(until).await?;
            if unsettled.is_empty() {
                unsettled = self.ledger.unfinished(&seen, allowed);
            }
            if unsettled.is_empty() {
                tokio::time::sleep(QUIET).await;
                let later = self.seen(until).await?;
                if later == seen {
                    break;
                }
            }
            if Instant::now() > until {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let mut verdict = self.ledger.check(&seen, allowed);
        if !unsettled.is_empty() && verdict.holds() {
            let all = unsettled.len();
            unsettled.truncate(LISTED);
            verdict.add_broken(format!(
                "after {within:?} {all} things have not ended: {}",
                unsettled.join("; ")
            ));
        }
        Ok(verdict)
    }

    /// Reads what the API and the simulators show. A process that was just started may need a moment.
    async fn seen(&self, until: Instant) -> anyhow::Result<Seen> {
        loop {
            match Seen::read(self.api()?, &self.simulators).await {
                Ok(seen) => return Ok(seen),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Returns a text for each kind of work that is left: messages in queues, and runs that are due, will be due later, or
    /// are running.
    async fn open_work(&self) -> anyhow::Result<Vec<String>> {
        let Ok(queues) = self.get("/api/queues").await else {
            return Ok(vec!["the API does not answer".into()]);
        };
        let stages = queues["items"].as_array().context("read the items in the list of queues")?;
        let mut open = Vec::new();
        for stage in stages {
            let counts = ["running", "waiting_due", "waiting_later"].map(|name| (name, &stage[name]));
            let lanes = ["live", "bulk"].map(|lane| (lane, &stage["lanes"][lane]["ready"]));
            for (name, count) in counts.into_iter().chain(lanes) {
                if count != 0 {
                    open.push(format!("{}: {name} {count}", stage["stage"].as_str().unwrap_or_default()));
                }
            }
        }
        if queues["rejected"] != 0 {
            open.push(format!("rejected {}", queues["rejected"]));
        }
        Ok(open)
    }
}
