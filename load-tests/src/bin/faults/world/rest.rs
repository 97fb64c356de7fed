//! Whether a world has come to rest, and what it looks like then.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use load_tests::harness::ledger::{Allowed, Seen, Verdict};

use super::World;

const LOOK: Duration = Duration::from_millis(200);
/// What may still come when nothing moves any more has come by then.
const QUIET: Duration = Duration::from_secs(1);
/// Of what is left when the time is up, so much is told.
const TOLD: usize = 10;

impl World {
    /// Waits until nothing moves any more, and says whether every promise holds. What has not come to an end
    /// after `within` is a broken promise.
    pub(crate) async fn settled(&self, within: Duration, allowed: &Allowed) -> anyhow::Result<Verdict> {
        let until = Instant::now() + within;
        let mut seen;
        let mut unsettled;
        loop {
            unsettled = self.moving().await?;
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
            tokio::time::sleep(LOOK).await;
        }
        let mut verdict = self.ledger.check(&seen, allowed);
        if !unsettled.is_empty() && verdict.holds() {
            let all = unsettled.len();
            unsettled.truncate(TOLD);
            verdict.broke(format!("after {within:?} {all} things still move: {}", unsettled.join("; ")));
        }
        Ok(verdict)
    }

    /// Reads all there is. A process that was just started may need a moment.
    async fn seen(&self, until: Instant) -> anyhow::Result<Seen> {
        loop {
            match Seen::read(self.api()?, &self.simulators).await {
                Ok(seen) => return Ok(seen),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// What has not come to rest: messages in queues, and runs that are due, will be, or are in hand.
    async fn moving(&self) -> anyhow::Result<Vec<String>> {
        let Ok(queues) = self.get("/api/queues").await else { return Ok(vec!["the API is away".into()]) };
        let stages = queues["items"].as_array().context("the list of queues has no items")?;
        let mut moving = Vec::new();
        for stage in stages {
            let counts = ["running", "waiting_due", "waiting_later"].map(|name| (name, &stage[name]));
            let lanes = ["live", "bulk"].map(|lane| (lane, &stage["lanes"][lane]["ready"]));
            for (name, count) in counts.into_iter().chain(lanes) {
                if count != 0 {
                    moving.push(format!("{}: {name} {count}", stage["stage"].as_str().unwrap_or_default()));
                }
            }
        }
        if queues["rejected"] != 0 {
            moving.push(format!("rejected {}", queues["rejected"]));
        }
        Ok(moving)
    }
}
