//! Processes that are killed at any moment, under load. (At every boundary: see `failpoints.rs`.)

use std::time::Duration;

use futures::FutureExt as _;
use load_tests::harness::ledger::{Allowed, Verdict};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use crate::catalog::{Fault, Pace};
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::world::{Plan, World};

/// An effect that was under way is settled when nothing of its request can be on its way any more.
const ENDS_WITHIN: Duration = Duration::from_mins(5);
/// Between two kills, in milliseconds.
const APART_MS: std::ops::Range<u64> = 50..900;
/// How long a process stays dead, in milliseconds.
const DEAD_MS: std::ops::Range<u64> = 0..600;

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "random-kills",
        about: "Fifteen kills, of any process at any moment, under load",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| killed(run, 15).boxed_local(),
    },
    Fault {
        name: "many-random-kills",
        about: "Two hundred kills, of any process at any moment, under load",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| killed(run, 200).boxed_local(),
    },
];

async fn killed(run: Run, times: u64) -> anyhow::Result<Verdict> {
    let mut world = World::start(&run, Plan::default()).await?;
    let mut dice = run.dice();
    let senders = world.load(Load { per_second: 3.0, ..Load::default() });
    let names = world.names();
    let mut kills_of_transcription = 0;
    for _ in 0..times {
        tokio::time::sleep(Duration::from_millis(dice.random_range(APART_MS))).await;
        let Some(name) = names.choose(&mut dice) else { break };
        world.kill(name).await?;
        kills_of_transcription += u64::from(*name == world.process("transcription"));
        tokio::time::sleep(Duration::from_millis(dice.random_range(DEAD_MS))).await;
        world.start_process(name).await?;
    }
    senders.stop().await?;
    // Of a call that was on its way to the call-data API, nobody can be asked. Up to four recordings are in the hands
    // of one worker when it dies, and their jobs are submitted again. A run that was in hand at three kills, at the
    // last one alone, counts as what killed its process: it is dead, and seen.
    let allowed = Allowed::nothing().unknown().dead().resubmitted(4 * kills_of_transcription);
    let verdict = world.settled(ENDS_WITHIN, &allowed).await?;
    world.finish().await?;
    Ok(verdict)
}
