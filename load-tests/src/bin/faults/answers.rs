//! What senders are told while something is broken.

use std::time::{Duration, Instant};

use load_tests::harness::ledger::Verdict;
use rand::rngs::StdRng;
use tokio::time::sleep;

use crate::inputs::Call;
use crate::world::World;

/// Whatever is away, a sender has its answer by then.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);

/// What a sender was told while something was away.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) kept: u64,
    turned_away: u64,
    pub(crate) wrong: Vec<String>,
}

impl Answers {
    /// Sends one call, and looks how it is answered.
    async fn ask(&mut self, world: &World, call: &Call) {
        let asked = Instant::now();
        let status = world.send(call).await;
        let took = asked.elapsed();
        match status {
            Some(200..300) => self.kept += 1,
            Some(503) => self.turned_away += 1,
            other => self.wrong.push(format!("{} was answered {other:?}", call.id)),
        }
        if took > ANSWERED_WITHIN {
            self.wrong.push(format!("{} was answered after {took:?}", call.id));
        }
    }

    /// Meetings and phone calls in turn, until then.
    pub(crate) async fn ask_until(&mut self, world: &World, dice: &mut StdRng, until: Instant) {
        while Instant::now() < until {
            self.ask(world, &Call::meeting(dice)).await;
            self.ask(world, &Call::phone(dice, &world.simulators)).await;
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Nobody was sent away.
    pub(crate) fn all_kept(self, verdict: &mut Verdict) {
        verdict.demand(self.kept > 0, "nothing was sent while it was away");
        verdict.demand(self.turned_away == 0, format!("{} webhooks were answered 503", self.turned_away));
        verdict.broken.extend(self.wrong);
    }
}

/// How often ingest put an event aside because the broker did not take it.
pub(crate) fn put_aside(world: &World) -> usize {
    world.log("ingest").matches("kept in the outbox").count()
}

/// Whatever was broken, ingest has noticed.
pub(crate) fn was_put_aside(world: &World, verdict: &mut Verdict) {
    verdict.demand(put_aside(world) > 0, "nothing went to the outbox: was anything broken?");
}
