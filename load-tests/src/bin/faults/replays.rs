//! Dead letters that are sent on again, by somebody who is cut off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use load_tests::harness::ledger::{Allowed, Verdict};
use rand::RngExt as _;
use simulators::{self, Faults};
use tokio::task::JoinSet;

use crate::catalog::{Fault, Pace};
use crate::inputs::Call;
use crate::run::{Kind, Run};
use crate::shown;
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "replay-killed-midway",
        about: "The replay of 2,000 dead letters is killed again and again and run once more",
        kinds: &[Kind::Embedded],
        pace: Pace::Long,
        play: |run| Box::pin(replay(run, 2_000)),
    },
    Fault {
        name: "replay-on-servers-killed-midway",
        about: "The replay of 2,000 dead letters is killed again and again and run once more",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| Box::pin(replay(run, 2_000)),
    },
    Fault {
        name: "replay-of-50000-killed-midway",
        about: "The replay of 50,000 dead letters is killed again and again and run once more",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| Box::pin(replay(run, 50_000)),
    },
];

/// Senders at the same time.
const SENDERS: usize = 16;
/// Without one dead letter more for so long, no more are coming.
const STALLED: Duration = Duration::from_secs(30);
/// So often it is killed when it has come somewhere.
const KILLS: usize = 5;

async fn replay(run: Run, calls: usize) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    // Nobody dies here: on a busy machine a short lease would only be lost.
    let settings = vec![("SLACK_RATE", "1000/s".to_owned()), ("DEBRIEF_LEASE", "1m".to_owned())];
    let world = Arc::new(World::start(&run, Plan { settings, ..Plan::default() }).await?);
    // Slack will say the same to each of them every time.
    let body = Some(r#"{"ok": false, "error": "invalid_blocks"}"#.to_owned());
    let refusal = simulators::Fault { body, ..simulators::Fault::default() };
    world.simulators.slack.set_faults(Faults::always(refusal));
    let mut batches: Vec<Vec<Call>> = (0..SENDERS).map(|_| Vec::new()).collect();
    for nth in 0..calls {
        batches[nth % SENDERS].push(Call::meeting(&mut dice));
    }
    let mut sending = JoinSet::new();
    for batch in batches {
        let world = world.clone();
        sending.spawn(async move {
            for call in &batch {
                while !matches!(world.send(call).await, Some(200..300)) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        });
    }
    while let Some(sent) = sending.join_next().await {
        sent.context("a sender panicked")?;
    }
    let all = u64::try_from(calls).unwrap_or(u64::MAX);
    until_dead(&world, all).await?;
    world.simulators.slack.set_faults(Faults::default());

    // How long it takes to get somewhere is not known beforehand: from killed at once to done.
    let mut patience = Duration::from_millis(50);
    let (mut kills, mut left) = (0, all);
    let mut cut_off = Vec::new();
    while cut_off.len() < KILLS && left > 0 {
        let stopped = patience + Duration::from_millis(dice.random_range(0..200));
        // It is killed where it stands when it is dropped.
        if tokio::time::timeout(stopped, world.command(&["dead", "replay", "--stage", "slack"])).await.is_ok()
        {
            break;
        }
        kills += 1;
        let now = dead_letters(&world).await?;
        if now < left && now > 0 {
            cut_off.push(now);
        }
        (left, patience) = (now, patience * 5 / 4);
    }
    let within = STALLED + Duration::from_millis(all.saturating_mul(50));
    let (code, said) = world.command_within(within, &["dead", "replay", "--stage", "slack"]).await?;
    ensure!(code == Some(0), "debrief dead replay: {code:?}\n{said}");
    println!(
        "{kills} kills; letters left after each that came somewhere: {cut_off:?}; at last: {}",
        said.trim()
    );

    let mut verdict = world.settled(within, &Allowed::nothing()).await?;
    verdict.demand(!cut_off.is_empty(), "the replay was never cut off midway: it shows nothing");
    verdict.demand(dead_letters(&world).await? == 0, "dead letters are left");
    // Dead at the first generation, done at the second: each was replayed once.
    for call in world.ledger.accepted_ids() {
        let timeline = shown::timeline(&world, &call).await?;
        let generation = timeline["generation"].as_i64().context("a call has no generation")?;
        verdict.demand(
            generation == 2,
            format!("{call} is at generation {generation}: it was not replayed once"),
        );
    }
    let world = Arc::into_inner(world).context("a sender has not ended")?;
    world.finish().await?;
    Ok(verdict)
}

async fn dead_letters(world: &World) -> anyhow::Result<u64> {
    let shown = world.get("/api/dead-letters?limit=1").await?;
    shown["total"].as_u64().context("the list of dead letters has no total")
}

/// Waits until there are so many.
async fn until_dead(world: &World, all: u64) -> anyhow::Result<()> {
    let (mut counted, mut since) = (0, Instant::now());
    while counted < all {
        let now = dead_letters(world).await?;
        if now > counted {
            (counted, since) = (now, Instant::now());
        }
        ensure!(since.elapsed() < STALLED, "{counted} of {all} calls are dead");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
