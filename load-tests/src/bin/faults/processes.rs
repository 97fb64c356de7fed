//! Processes are restarted, or stopped past their lease.

use std::time::Duration;

use load_tests::harness::ledger::{Allowed, Verdict};
use rand::seq::IndexedRandom as _;

use crate::fault::Fault;
use crate::inputs::Call;
use crate::inspection::demand_one_attempt;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::world::{Plan, World};

const ENDS_WITHIN: Duration = Duration::from_mins(2);
/// The time for which a process is stopped. It is longer than the lease of three seconds, and gives another process time
/// to take over.
const PAST_THE_LEASE: Duration = Duration::from_secs(8);

pub(crate) const FAULTS: &[Fault] = &[
    Fault::long(
        "rolling-restart",
        "Every process is asked to stop and started again, twice, under load",
        Kind::BOTH,
        |run| Box::pin(restarted(run, 2)),
    ),
    Fault::long(
        "twenty-rolling-restarts",
        "Every process is asked to stop and started again, twenty times, under load",
        Kind::BOTH,
        |run| Box::pin(restarted(run, 20)),
    ),
    Fault::long(
        "stopped-with-a-run-in-hand",
        "A worker that has taken a run is stopped past its lease, and goes on after another worker \
         has done the run",
        Kind::SERVERS,
        |run| Box::pin(stopped_at(run, "slack", "begun:slack")),
    ),
    Fault::long(
        "stopped-with-results-in-hand",
        "A worker whose results are not stored yet is stopped past its lease, and is refused when it \
         goes on",
        Kind::SERVERS,
        |run| Box::pin(stopped_at(run, "analysis", "handled:analysis")),
    ),
    Fault::long(
        "stopped-before-a-request",
        "A worker is stopped past its lease between an intent and its request, and goes on after \
         another worker has asked Slack",
        Kind::SERVERS,
        |run| Box::pin(stopped_at(run, "slack", "send:slack")),
    ),
    Fault::long(
        "stopped-after-an-answer",
        "A worker is stopped past its lease between an answer and its record, and goes on after \
         another worker has asked Slack",
        Kind::SERVERS,
        |run| Box::pin(stopped_at(run, "slack", "sent:slack")),
    ),
    Fault::long(
        "stopped-at-random",
        "Ten times a worker is stopped past its lease and continued, under load",
        Kind::SERVERS,
        |run| Box::pin(stopped_at_random(run, 10)),
    ),
];

// ---------------------------------------------------------------- restarted

async fn restarted(run: Run, times: u32) -> anyhow::Result<Verdict> {
    // No process dies here. With a long lease a busy machine does not make it look as if one had.
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
    demand_one_attempt(&world, &mut verdict).await?;
    world.finish().await?;
    Ok(verdict)
}

// ---------------------------------------------------------------- stopped past the lease

/// The first of two workers stops itself at `point`. It is continued when everything has ended without it.
async fn stopped_at(run: Run, role: &'static str, point: &str) -> anyhow::Result<Verdict> {
    let mut world = World::start(&run, Plan { processes: vec![(role, 2)], ..Plan::default() }).await?;
    let mut dice = run.dice();
    let (name, other) = (world.process(role), format!("{role}-2"));
    // Only the first worker runs, so that it takes the run.
    world.terminate(&other).await?;
    world.terminate(&name).await?;
    // It stops itself only once: another run that comes to the point later would stop it again.
    world.start_process_with(&name, &[("FAILPOINTS", &format!("{point}=1*return(stop)"))]).await?;
    for _ in 0..3 {
        world.send_until_accepted(&Call::phone(&mut dice, &world.simulators)).await?;
        world.send_until_accepted(&Call::meeting(&mut dice)).await?;
    }
    world.until_logged(&name, &format!("failpoint {point}: stop"), Duration::from_secs(30)).await?;
    world.start_process(&other).await?;
    let before = world.settled(Duration::from_mins(3), &Allowed::nothing()).await?;
    world.thaw(&name).await?;
    // It notices that its lease is over, and gives up what it had taken.
    world.until_logged(&name, "the lease was not renewed in time", Duration::from_secs(30)).await?;
    world.send_until_accepted(&Call::phone(&mut dice, &world.simulators)).await?;
    let mut verdict = world.settled(ENDS_WITHIN, &Allowed::nothing()).await?;
    for broken in before.broken {
        verdict.add_broken(format!("while it was stopped: {broken}"));
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
    // A request that was under way when its process stopped may have arrived or not. When the provider cannot be asked,
    // the effect is shown as unknown.
    let allowed = Allowed::nothing().unknown().resubmitted(4 * u64::from(times));
    let verdict = world.settled(Duration::from_mins(3), &allowed).await?;
    world.finish().await?;
    Ok(verdict)
}
