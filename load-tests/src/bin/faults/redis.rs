//! Redis is flushed, down, silent or slow. It makes a decision faster, but never makes the decision itself.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use load_tests::harness::ledger::{Allowed, Verdict};
use load_tests::harness::wire::Wire;
use rand::RngExt as _;
use tokio::time::sleep;

use crate::fault::Fault;
use crate::inputs::Call;
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::servers::Server;
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault::long(
        "redis-flushed",
        "Redis forgets everything, again and again, while every call is sent twice",
        Kind::SERVERS,
        |run| Box::pin(broken(run, Breakage::Flushed)),
    ),
    Fault::long(
        "redis-down",
        "Redis goes down for seconds, while every call is sent twice",
        Kind::SERVERS,
        |run| Box::pin(broken(run, Breakage::Down)),
    ),
    Fault::long(
        "redis-held-up",
        "Redis answers nothing for five seconds and keeps its connections, while every call is sent twice",
        Kind::SERVERS,
        |run| Box::pin(broken(run, Breakage::Silent)),
    ),
    Fault::long(
        "redis-slow",
        "Every answer of Redis takes five seconds, while every call is sent twice",
        Kind::SERVERS,
        |run| Box::pin(broken(run, Breakage::Slow)),
    ),
    Fault::long(
        "duplicate-after-the-cache-forgot",
        "Every call is sent again when it is done and the cache has forgotten it",
        Kind::BOTH,
        |run| Box::pin(duplicates(run)),
    ),
];

const SETTLED_WITHIN: Duration = Duration::from_mins(3);
/// The time for which Redis is broken.
const BROKEN_FOR: Duration = Duration::from_secs(5);
/// The delay of each answer of a slow Redis.
const SLOW_BY: Duration = Duration::from_secs(5);
/// The time within which nine answers in ten have to come. When Redis does not answer, ingest waits a tenth of a second
/// for it, and then does not ask it for a second. The rest is for a busy machine, and so is the slowest tenth.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Breakage {
    Flushed,
    Down,
    Silent,
    Slow,
}

async fn broken(run: Run, how: Breakage) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let redis = run.servers.start().await?.redis;
    let wire = Wire::to(redis.trim_start_matches("redis://").trim_end_matches('/')).await?;
    let settings = vec![("REDIS_URL", format!("redis://{}", wire.address))];
    let world = World::start(&run, Plan { settings, ..Plan::default() }).await?;
    let load = world.load(Load::default());
    sleep(Duration::from_millis(dice.random_range(1000..2000))).await;
    match how {
        Breakage::Flushed => flush(&redis).await?,
        Breakage::Down => world.servers().kill(Server::Redis).await?,
        Breakage::Silent => world.servers().freeze(Server::Redis).await?,
        Breakage::Slow => wire.slow(SLOW_BY),
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
                wrong.push(format!("call {} was answered {status:?}", call.id));
            }
        }
        if how == Breakage::Flushed {
            flush(&redis).await?;
        }
        sleep(Duration::from_millis(dice.random_range(50..200))).await;
    }
    match how {
        Breakage::Flushed => {}
        Breakage::Down => drop(world.servers().start().await?),
        Breakage::Silent => world.servers().thaw(Server::Redis).await?,
        Breakage::Slow => wire.mend(),
    }
    sleep(Duration::from_secs(1)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.broken.extend(wrong);
    took.sort_unstable();
    let slow = took.get(took.len() * 9 / 10).copied().unwrap_or_default();
    verdict
        .demand(slow < ANSWERED_WITHIN, format!("a tenth of {} answers took {slow:?} or more", took.len()));
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
                wrong.push(format!("call {} was answered {status:?} in round {round}", call.id));
            }
        }
        let verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
        wrong.extend(verdict.broken);
        match world.kind() {
            // The cache is in the memory of the process.
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
