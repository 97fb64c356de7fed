//! Every fault there is, in one table.

use std::time::Duration;

use futures::future::LocalBoxFuture;
use load_tests::harness::ledger::Verdict;

use crate::run::{Kind, Run};
use crate::{
    broker, clocks, databases, failpoints, kills, poison, processes, providers, redis, replays, topology,
    unanswered,
};

/// Whether it runs in CI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// In CI: some seconds in a debug build on two busy cores.
    Fast,
    Long,
}

impl Pace {
    /// A run that takes longer hangs.
    pub(crate) fn limit(self) -> Duration {
        match self {
            Self::Fast => Duration::from_mins(5),
            Self::Long => Duration::from_hours(2),
        }
    }
}

/// One way to break things, and what has to hold nevertheless.
pub(crate) struct Fault {
    /// As it is called on the command line: lower case, with hyphens.
    pub(crate) name: &'static str,
    /// One sentence, without its full stop.
    pub(crate) about: &'static str,
    /// The deployments that it makes sense for; each is a run of its own.
    pub(crate) kinds: &'static [Kind],
    pub(crate) pace: Pace,
    /// Breaks things and says what became of everything. `Err` is what kept it from finding out.
    pub(crate) play: fn(Run) -> LocalBoxFuture<'static, anyhow::Result<Verdict>>,
}

/// In the order in which they run.
pub(crate) fn all() -> impl Iterator<Item = &'static Fault> {
    [
        broker::FAULTS,
        topology::FAULTS,
        kills::FAULTS,
        failpoints::FAULTS,
        processes::FAULTS,
        clocks::FAULTS,
        poison::FAULTS,
        databases::FAULTS,
        redis::FAULTS,
        providers::FAULTS,
        unanswered::FAULTS,
        replays::FAULTS,
    ]
    .into_iter()
    .flatten()
}
