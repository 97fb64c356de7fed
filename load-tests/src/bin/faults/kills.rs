//! Processes are killed at any moment, under load. In `failpoints.rs` they are killed between two given steps.

use std::time::Duration;

use load_tests::harness::ledger::{Allowed, Verdict};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;

use crate::fault::Fault;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::world::{Plan, World};

/// Debrief settles an effect that was under way only when its request can no longer arrive.
const ENDS_WITHIN: Duration = Duration::from_mins(5);
/// The time between two kills, in milliseconds.
const BETWEEN_KILLS_MS: std::ops::Range<u64> = 50..900;
/// The time that a process stays dead, in milliseconds.
const DEAD_MS: std::ops::Range<u64> = 0..600;

pub(crate) const FAULTS: &[Fault] = &[
    Fault::long(
        "random-kills",
        "Fifteen times a process is killed at any moment, under load",
        Kind::BOTH,
        |run| Box::pin(killed(run, 15)),
    ),
    Fault::long(
        "many-random-kills",
        "Two hundred times a process is killed at any moment, under load",
        Kind::BOTH,
        |run| Box::pin(killed(run, 200)),
    ),
];

async fn killed(run: Run, times: u64) -> anyhow::Result<Verdict> {
    let mut world = World::start(&run, Plan::default()).await?;
    let mut dice = run.dice();
    let senders = world.load(Load { per_second: 3.0, ..Load::default() });
    let names = world.names();
    let mut kills_of_transcription = 0;
    for _ in 0..times {
        tokio::time::sleep(Duration::from_millis(dice.random_range(BETWEEN_KILLS_MS))).await;
        let Some(name) = names.choose(&mut dice) else { break };
        world.kill(name).await?;
        kills_of_transcription += u64::from(*name == world.process("transcription"));
        tokio::time::sleep(Duration::from_millis(dice.random_range(DEAD_MS))).await;
        world.start_process(name).await?;
    }
    senders.stop().await?;
    // Nobody can ask the call-data API about a call that was on its way to it. A worker works on up to four recordings
    // when it dies, and their jobs are submitted again. A run that was under way at three kills, at the last of them
    // alone, counts as the one that killed its process: it is dead, with a dead letter.
    let allowed = Allowed::nothing().unknown().dead().resubmitted(4 * kills_of_transcription);
    let verdict = world.settled(ENDS_WITHIN, &allowed).await?;
    world.finish().await?;
    Ok(verdict)
}
