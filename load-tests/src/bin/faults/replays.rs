//! Dead letters are replayed, and the replay is killed again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use load_tests::harness::ledger::{Allowed, Verdict};
use rand::RngExt as _;
use simulators::{Faults, slack};
use tokio::task::JoinSet;

use crate::fault::Fault;
use crate::inputs::Call;
use crate::inspection::timeline;
use crate::run::{Kind, Run};
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault::long(
        "replay-killed-midway",
        "The replay of 2,000 dead letters is killed again and again, and then run to its end",
        Kind::EMBEDDED,
        |run| Box::pin(replay(run, 2_000)),
    ),
    Fault::long(
        "replay-on-servers-killed-midway",
        "The replay of 2,000 dead letters is killed again and again, and then run to its end",
        Kind::SERVERS,
        |run| Box::pin(replay(run, 2_000)),
    ),
    Fault::long(
        "replay-of-50000-killed-midway",
        "The replay of 50,000 dead letters is killed again and again, and then run to its end",
        Kind::BOTH,
        |run| Box::pin(replay(run, 50_000)),
    ),
];

/// The number of senders that work at the same time.
const SENDERS: usize = 16;
/// When no dead letter was added for so long, no more are coming.
const STALLED: Duration = Duration::from_secs(30);
/// The number of kills after which some letters, but not all, have been replayed.
const KILLS: usize = 5;

async fn replay(run: Run, calls: usize) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    // The processes of the deployment do not die here, and a busy machine would only lose a short lease.
    let settings = vec![("SLACK_RATE", "1000/s".to_owned()), ("DEBRIEF_LEASE", "1m".to_owned())];
    let world = Arc::new(World::start(&run, Plan { settings, ..Plan::default() }).await?);
    // Slack refuses every message for good.
    let body = Some(r#"{"ok": false, "error": "invalid_blocks"}"#.to_owned());
    let refusal = simulators::Fault { body, ..simulators::Fault::default() };
    world.simulators.of(&slack::PROVIDER).set_faults(Faults::always(refusal));
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
    world.simulators.of(&slack::PROVIDER).set_faults(Faults::default());

    // Nobody knows beforehand how long the replay takes. So it is killed at once, and then later each time.
    let mut patience = Duration::from_millis(50);
    let (mut kills, mut left) = (0, all);
    // The number of letters that were left after each kill that came midway.
    let mut left_midway = Vec::new();
    while left_midway.len() < KILLS && left > 0 {
        let killed_after = patience + Duration::from_millis(dice.random_range(0..200));
        // The command is killed when it is dropped.
        if tokio::time::timeout(killed_after, world.command(&["dead", "replay", "--stage", "slack"]))
            .await
            .is_ok()
        {
            break;
        }
        kills += 1;
        let now = dead_letters(&world).await?;
        if now < left && now > 0 {
            left_midway.push(now);
        }
        (left, patience) = (now, patience * 5 / 4);
    }
    let within = STALLED + Duration::from_millis(all.saturating_mul(50));
    let (code, output) = world.command_within(within, &["dead", "replay", "--stage", "slack"]).await?;
    ensure!(code == Some(0), "debrief dead replay: {code:?}\n{output}");
    println!(
        "{kills} kills; letters that were left after each kill midway: {left_midway:?}; at the end: {}",
        output.trim()
    );

    let mut verdict = world.settled(within, &Allowed::nothing()).await?;
    verdict
        .demand(!left_midway.is_empty(), "the replay was never killed midway, and so the run shows nothing");
    verdict.demand(dead_letters(&world).await? == 0, "dead letters are left");
    // A call that was dead at the first generation and is done at the second was replayed once.
    for call in world.ledger.accepted_ids() {
        let timeline = timeline(&world, &call).await?;
        let generation = timeline["generation"].as_i64().context("read the generation of a call")?;
        verdict.demand(
            generation == 2,
            format!("call {call} is at generation {generation}: it was not replayed once"),
        );
    }
    let world = Arc::into_inner(world).context("end the senders")?;
    world.finish().await?;
    Ok(verdict)
}

async fn dead_letters(world: &World) -> anyhow::Result<u64> {
    let shown = world.get("/api/dead-letters?limit=1").await?;
    shown["total"].as_u64().context("read the total of the dead letters")
}

/// Waits until there are so many dead letters.
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
