//! Processes that are restarted, or stopped past their lease.

use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use load_tests::harness::ledger::{Allowed, Verdict};
use rand::seq::IndexedRandom as _;
use serde_json::Value;

use crate::catalog::{Fault, Pace};
use crate::failpoints::accepted;
use crate::inputs::Call;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::world::{Plan, World};

const ENDS_WITHIN: Duration = Duration::from_mins(2);
/// Longer than the lease of three seconds, and than whoever takes over needs to notice.
const PAST_THE_LEASE: Duration = Duration::from_secs(8);

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "rolling-restart",
        about: "Every process is asked to stop and started again, twice, under load",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| restarted(run, 2).boxed_local(),
    },
    Fault {
        name: "twenty-rolling-restarts",
        about: "Every process is asked to stop and started again, twenty times, under load",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| restarted(run, 20).boxed_local(),
    },
    Fault {
        name: "stopped-with-a-run-in-hand",
        about: "A worker is stopped when it has taken a run, past its lease, and goes on when another has done it",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| stopped_at(run, "slack", "begun:slack").boxed_local(),
    },
    Fault {
        name: "stopped-with-results-in-hand",
        about: "A worker is stopped with its results not stored, past its lease, and is refused when it goes on",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| stopped_at(run, "analysis", "handled:analysis").boxed_local(),
    },
    Fault {
        name: "stopped-before-a-request",
        about: "A worker is stopped between an intent and its request, past its lease, and goes on when another has asked",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| stopped_at(run, "slack", "send:slack").boxed_local(),
    },
    Fault {
        name: "stopped-after-an-answer",
        about: "A worker is stopped between an answer and its record, past its lease, and goes on when another has asked",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| stopped_at(run, "slack", "sent:slack").boxed_local(),
    },
    Fault {
        name: "stopped-at-random",
        about: "Ten times some worker is stopped past its lease and continued, under load",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| stopped_at_random(run, 10).boxed_local(),
    },
];

// ---------------------------------------------------------------- asked to stop

async fn restarted(run: Run, times: u32) -> anyhow::Result<Verdict> {
    // Nobody dies here, and a busy machine shall not make it look so.
    let plan = Plan { settings: vec![("DEBRIEF_LEASE", "15s".to_owned())], ..Plan::default() };
    let mut world = World::start(&run, plan).await?;
    let senders = world.load(Load { per_second: 3.0, ..Load::default() });
    for _ in 0..times {
        for name in world.names() {
            world.restart(&name).await?;
        }
    }
    senders.stop().await?;
    let mut verdict = world.settled(ENDS_WITHIN, &Allowed::nothing()).await?;
    nothing_spent(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

/// Demands that every run of every accepted call took one attempt. One that was taken over took more.
pub(crate) async fn nothing_spent(world: &World, verdict: &mut Verdict) -> anyhow::Result<()> {
    for id in world.ledger.accepted_ids() {
        for stage in stages(world, &id).await? {
            let (name, attempts) = (&stage["stage"], &stage["attempts"]);
            verdict.demand(*attempts == 1, format!("call {id}: {name} took {attempts} attempts"));
        }
    }
    Ok(())
}

/// The present run of each stage, as the API shows it.
pub(crate) async fn stages(world: &World, call: &str) -> anyhow::Result<Vec<Value>> {
    let id =
        world.get(&format!("/call/{call}")).await?["id"].as_str().context("a call has no id")?.to_owned();
    let timeline = world.get(&format!("/api/calls/{id}/timeline")).await?;
    timeline["stages"].as_array().cloned().context("a timeline has no stages")
}

// ---------------------------------------------------------------- stopped past the lease

/// The first of two workers stops itself at `point`, and is continued once everything has ended without it.
async fn stopped_at(run: Run, role: &'static str, point: &str) -> anyhow::Result<Verdict> {
    let mut world = World::start(&run, Plan { processes: vec![(role, 2)], ..Plan::default() }).await?;
    let mut dice = run.dice();
    let (name, other) = (world.process(role), format!("{role}-2"));
    // So that the first one gets the run.
    world.terminate(&other).await?;
    world.terminate(&name).await?;
    // Once: another run that gets there when it goes on would stop it again.
    world.start_process_with(&name, &[("FAILPOINTS", &format!("{point}=1*return(stop)"))]).await?;
    for _ in 0..3 {
        accepted(&world, &Call::phone(&mut dice, &world.simulators)).await?;
        accepted(&world, &Call::meeting(&mut dice)).await?;
    }
    world.until_logged(&name, &format!("failpoint {point}: stop"), Duration::from_secs(30)).await?;
    world.start_process(&other).await?;
    let before = world.settled(Duration::from_mins(3), &Allowed::nothing()).await?;
    world.thaw(&name).await?;
    // It finds that its lease is over, and lets go of what it had.
    world.until_logged(&name, "the lease was not renewed in time", Duration::from_secs(30)).await?;
    accepted(&world, &Call::phone(&mut dice, &world.simulators)).await?;
    let mut verdict = world.settled(ENDS_WITHIN, &Allowed::nothing()).await?;
    for broken in before.broken {
        verdict.broke(format!("while it was stopped: {broken}"));
    }
    world.finish().await?;
    Ok(verdict)
}

async fn stopped_at_random(run: Run, times: u32) -> anyhow::Result<Verdict> {
    const WORKERS: [&str; 5] = ["dedup", "transcription", "analysis", "crm", "slack"];
    let plan = Plan { processes: WORKERS.map(|role| (role, 2)).to_vec(), ..Plan::default() };
    let mut world = World::start(&run, plan).await?;
    let mut dice = run.dice();
    let senders = world.load(Load { per_second: 5.0, ..Load::default() });
    for _ in 0..times {
        let name = world.process(WORKERS.choose(&mut dice).copied().unwrap_or("slack"));
        world.freeze(&name).await?;
        tokio::time::sleep(PAST_THE_LEASE).await;
        world.thaw(&name).await?;
        world.until_ready(&name, true).await?;
    }
    senders.stop().await?;
    // A request that was under way when its process stopped can end either way; where nobody can be asked it is shown.
    let allowed = Allowed::nothing().unknown().resubmitted(4 * u64::from(times));
    let verdict = world.settled(Duration::from_mins(3), &allowed).await?;
    world.finish().await?;
    Ok(verdict)
}
