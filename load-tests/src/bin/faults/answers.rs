//! What senders are answered while something is broken.

use std::time::{Duration, Instant};

use load_tests::harness::ledger::Verdict;
use rand::rngs::StdRng;
use tokio::time::sleep;

use crate::inputs::Call;
use crate::world::World;

/// The time within which a sender has to have its answer, whatever is broken.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);

/// The answers to the calls that were sent while something was broken.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) accepted: u64,
    pub(crate) answered_503: u64,
    /// A text for each answer that breaks a promise.
    pub(crate) wrong: Vec<String>,
}

impl Answers {
    /// Sends one call and counts its answer.
    pub(crate) async fn send(&mut self, world: &World, call: &Call) {
        let sent = Instant::now();
        let status = world.send(call).await;
        let took = sent.elapsed();
        match status {
            Some(200..300) => self.accepted += 1,
            Some(503) => self.answered_503 += 1,
            other => self.wrong.push(format!("call {} was answered {other:?}", call.id)),
        }
        if took > ANSWERED_WITHIN {
            self.wrong.push(format!("call {} was answered after {took:?}", call.id));
        }
    }

    /// Sends meetings and phone calls in turn until this time.
    pub(crate) async fn send_until(&mut self, world: &World, dice: &mut StdRng, until: Instant) {
        while Instant::now() < until {
            self.send(world, &Call::meeting(dice)).await;
            self.send(world, &Call::phone(dice, &world.simulators)).await;
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Demands that every call was accepted.
    pub(crate) fn demand_all_accepted(self, verdict: &mut Verdict) {
        verdict.demand(self.accepted > 0, "no call was sent while something was broken");
        verdict.demand(self.answered_503 == 0, format!("{} webhooks were answered 503", self.answered_503));
        verdict.broken.extend(self.wrong);
    }
}

/// Returns how often ingest wrote an event to the outbox because the broker did not take it.
pub(crate) fn outbox_writes(world: &World) -> usize {
    world.log("ingest").matches("kept in the outbox").count()
}

/// Demands that ingest has noticed that something was broken.
pub(crate) fn demand_outbox_used(world: &World, verdict: &mut Verdict) {
    verdict.demand(outbox_writes(world) > 0, "no event went to the outbox: was anything broken?");
}
