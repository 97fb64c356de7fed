//! Redis: flushed, down, held up, or slow. It speeds a decision up and never makes one.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use load_tests::harness::ledger::{Allowed, Verdict};
use load_tests::harness::wire::Wire;
use rand::RngExt as _;
use tokio::time::sleep;

use crate::catalog::{Fault, Pace};
use crate::inputs::Call;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::servers::Server;
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "redis-flushed",
        about: "Redis forgets everything, again and again, while every call is sent twice",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| Box::pin(broken(run, Break::Flushed)),
    },
    Fault {
        name: "redis-down",
        about: "Redis goes away for seconds, while every call is sent twice",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| Box::pin(broken(run, Break::Down)),
    },
    Fault {
        name: "redis-held-up",
        about: "Redis is there and answers nothing for five seconds, while every call is sent twice",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| Box::pin(broken(run, Break::HeldUp)),
    },
    Fault {
        name: "redis-slow",
        about: "Every answer of Redis takes five seconds, while every call is sent twice",
        kinds: &[Kind::Servers],
        pace: Pace::Long,
        play: |run| Box::pin(broken(run, Break::Slow)),
    },
    Fault {
        name: "duplicate-after-the-cache-forgot",
        about: "Every call is sent again when it is done and no cache knows it any more",
        kinds: Kind::BOTH,
        pace: Pace::Long,
        play: |run| Box::pin(duplicates(run)),
    },
];

const SETTLED_WITHIN: Duration = Duration::from_mins(3);
/// For how long Redis is broken.
const BROKEN_FOR: Duration = Duration::from_secs(5);
/// How much later a slow Redis answers.
const SLOW_BY: Duration = Duration::from_secs(5);
/// Without Redis ingest waits a tenth of a second for it, and then asks it no more for a second. The rest is
/// for a busy machine, and so are the slowest tenth of the answers.
const QUICK: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Break {
    Flushed,
    Down,
    HeldUp,
    Slow,
}

async fn broken(run: Run, how: Break) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let redis = run.servers.start().await?.redis;
    let wire = Wire::to(redis.trim_start_matches("redis://").trim_end_matches('/')).await?;
    let settings = vec![("REDIS_URL", format!("redis://{}", wire.address))];
    let world = World::start(&run, Plan { settings, ..Plan::default() }).await?;
    let load = world.load(Load::default());
    sleep(Duration::from_millis(dice.random_range(1000..2000))).await;
    match how {
        Break::Flushed => flush(&redis).await?,
        Break::Down => world.servers().kill(Server::Redis).await?,
        Break::HeldUp => world.servers().freeze(Server::Redis).await?,
        Break::Slow => wire.slow(SLOW_BY),
    }
    let until = Instant::now() + BROKEN_FOR;
    let (mut wrong, mut took) = (Vec::new(), Vec::new());
    while Instant::now() < until {
        let call = Call::phone(&mut dice, &world.simulators);
        for _ in 0..2 {
            let asked = Instant::now();
            let status = world.send(&call).await;
            took.push(asked.elapsed());
            if status != Some(200) {
                wrong.push(format!("{} was answered {status:?}", call.id));
            }
        }
        if how == Break::Flushed {
            flush(&redis).await?;
        }
        sleep(Duration::from_millis(dice.random_range(50..200))).await;
    }
    match how {
        Break::Flushed => {}
        Break::Down => drop(world.servers().start().await?),
        Break::HeldUp => world.servers().thaw(Server::Redis).await?,
        Break::Slow => wire.mend(),
    }
    sleep(Duration::from_secs(1)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.broken.extend(wrong);
    took.sort_unstable();
    let slow = took.get(took.len() * 9 / 10).copied().unwrap_or_default();
    verdict.demand(slow < QUICK, format!("a tenth of {} answers took {slow:?} or more", took.len()));
    world.finish().await?;
    Ok(verdict)
}

async fn duplicates(run: Run) -> anyhow::Result<Verdict> {
    const CALLS: usize = 20;
    let mut dice = run.dice();
    let mut world = World::start(&run, Plan::default()).await?;
    let calls: Vec<Call> = (0..CALLS)
        .map(|nth| match nth % 4 {
            0 => Call::meeting(&mut dice),
            _ => Call::phone(&mut dice, &world.simulators),
        })
        .collect();
    let mut wrong = Vec::new();
    for round in 0..3 {
        for call in &calls {
            let status = world.send(call).await;
            if !matches!(status, Some(200..300)) {
                wrong.push(format!("{} was answered {status:?} in round {round}", call.id));
            }
        }
        let verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
        wrong.extend(verdict.broken);
        match world.kind() {
            // It remembers in memory.
            Kind::Embedded => world.restart("all").await?,
            Kind::Servers => flush(&world.servers().start().await?.redis).await?,
        }
    }
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.broken.extend(wrong);
    world.finish().await?;
    Ok(verdict)
}

async fn flush(address: &str) -> anyhow::Result<()> {
    let client = ::redis::Client::open(address).context("read the address of Redis")?;
    let mut redis = client.get_multiplexed_async_connection().await.context("connect to Redis")?;
    ::redis::cmd("FLUSHALL").exec_async(&mut redis).await.context("flush Redis")
}
