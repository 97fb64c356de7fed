//! Queues, bindings and the exchange that are taken away, or are others than they should be.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use load_tests::harness::ledger::{Allowed, Verdict};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::Value;
use tokio::time::sleep;

use crate::answers::{Answers, was_put_aside};
use crate::broker::{LOAD, SERVERS, SETTLED_WITHIN, plan, some};
use crate::catalog::{Fault, Pace};
use crate::run::Run;
use crate::senders::Senders;
use crate::world::World;

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "queue-deleted",
        about: "The queue of every stage that has rows is deleted under its consumer, under load",
        kinds: SERVERS,
        pace: Pace::Long,
        play: |run| Box::pin(queues_deleted(run)),
    },
    Fault {
        name: "queue-purged",
        about: "The queue of every stage that has rows is filled while nobody consumes, and purged",
        kinds: SERVERS,
        pace: Pace::Long,
        play: |run| Box::pin(purged(run)),
    },
    Fault {
        name: "binding-missing",
        about: "No queue is bound any more; webhooks are answered with 2xx, and go on once the topology is applied",
        kinds: SERVERS,
        pace: Pace::Long,
        play: |run| Box::pin(unbound(run)),
    },
    Fault {
        name: "exchange-deleted",
        about: "The exchange is deleted (channel error 404); webhooks are answered with 2xx, and go on once it is back",
        kinds: SERVERS,
        pace: Pace::Long,
        play: |run| Box::pin(exchange_deleted(run)),
    },
    Fault {
        name: "queue-of-another-kind",
        about: "A queue is replaced by one that nobody can declare (channel error 406), until an operator removes it",
        kinds: SERVERS,
        pace: Pace::Long,
        play: |run| Box::pin(another_kind(run)),
    },
];

/// The stages whose messages have rows behind them. What is lost from the first queue is lost.
const WITH_ROWS: [&str; 4] = ["transcription", "analysis", "crm", "slack"];

/// A channel of an operator's own. RabbitMQ closes it over whatever it refuses.
async fn operator(world: &World) -> anyhow::Result<(Connection, Channel)> {
    let address = &world.addresses()?.amqp;
    let properties = ConnectionProperties::default().with_connection_name("operator".into());
    let connection = Connection::connect(address, properties).await.context("connect to RabbitMQ")?;
    let channel = connection.create_channel().await.context("open a channel")?;
    Ok((connection, channel))
}

async fn queues_deleted(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    let (_connection, channel) = operator(&world).await?;
    let mut stages = WITH_ROWS;
    stages.shuffle(&mut dice);
    for stage in stages {
        sleep(some(&mut dice, 500, 1500)).await;
        let queue = format!("{}.{stage}", world.prefix()?);
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.context("delete a queue")?;
    }
    sleep(Duration::from_secs(1)).await;
    load.stop().await?;
    let verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    world.finish().await?;
    Ok(verdict)
}

async fn purged(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let mut world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    let (_connection, channel) = operator(&world).await?;
    let mut stages = WITH_ROWS;
    stages.shuffle(&mut dice);
    let mut lost = Vec::new();
    for stage in stages {
        // A process that holds messages is not robbed of them by a purge.
        world.terminate(stage).await?;
        let queue = format!("{}.{stage}", world.prefix()?);
        let until = Instant::now() + Duration::from_secs(20);
        let purged = loop {
            sleep(some(&mut dice, 500, 1000)).await;
            let purged = channel.queue_purge(queue.as_str().into(), QueuePurgeOptions::default()).await;
            let purged = purged.context("purge a queue")?;
            if purged > 0 || Instant::now() > until {
                break purged;
            }
        };
        lost.push((stage, purged));
        world.start_process(stage).await?;
    }
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    for (stage, purged) in lost {
        verdict.demand(purged > 0, format!("there was nothing to purge from the queue of {stage}"));
    }
    world.finish().await?;
    Ok(verdict)
}

async fn unbound(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    sleep(some(&mut dice, 500, 1500)).await;
    let (code, exported) = world.command(&["topology", "export"]).await?;
    ensure!(code == Some(0), "debrief topology export: {code:?}\n{exported}");
    let exported: Value = serde_json::from_str(&exported).context("read the exported topology")?;
    let (_connection, channel) = operator(&world).await?;
    for binding in exported["bindings"].as_array().context("the topology has no bindings")? {
        let text = |name: &str| binding[name].as_str().with_context(|| format!("a binding has no {name}"));
        // The dead queue keeps its own.
        if text("routing_key")? == "#" {
            continue;
        }
        let (queue, exchange, key) = (text("destination")?, text("source")?, text("routing_key")?);
        channel
            .queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default())
            .await
            .context("take a binding away")?;
    }
    until_applied(world, load, dice).await
}

/// Asks for a while, and applies the topology.
async fn until_applied(world: World, load: Senders, mut dice: StdRng) -> anyhow::Result<Verdict> {
    let mut answers = Answers::default();
    answers.ask_until(&world, &mut dice, Instant::now() + Duration::from_secs(4)).await;
    let (code, said) = world.command(&["topology", "apply"]).await?;
    ensure!(code == Some(0), "debrief topology apply: {code:?}\n{said}");
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    answers.all_kept(&mut verdict);
    was_put_aside(&world, &mut verdict);
    world.finish().await?;
    Ok(verdict)
}

async fn exchange_deleted(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    sleep(some(&mut dice, 500, 1500)).await;
    let (_connection, channel) = operator(&world).await?;
    let exchange = format!("{}.events", world.prefix()?);
    let deleted = channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await;
    deleted.context("delete the exchange")?;
    until_applied(world, load, dice).await
}

async fn another_kind(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    sleep(some(&mut dice, 500, 1500)).await;
    let queue = format!("{}.analysis", world.prefix()?);
    let (_connection, channel) = operator(&world).await?;
    // Debrief makes its own again as soon as it misses it.
    let until = Instant::now() + Duration::from_secs(30);
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    loop {
        let (_connection, channel) = operator(&world).await?;
        let deleted = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await;
        deleted.context("delete a queue")?;
        if channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await.is_ok() {
            break;
        }
        ensure!(Instant::now() < until, "Debrief was always faster to make the queue again");
    }
    let mut answers = Answers::default();
    answers.ask_until(&world, &mut dice, Instant::now() + Duration::from_secs(3)).await;
    let (code, said) = world.command(&["topology", "check"]).await?;
    let deleted = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await;
    deleted.context("delete the queue that is another")?;
    let (applied, problem) = world.command(&["topology", "apply"]).await?;
    ensure!(applied == Some(0), "debrief topology apply: {applied:?}\n{problem}");
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    answers.all_kept(&mut verdict);
    verdict.demand(
        code == Some(1) && said.contains(&queue),
        format!("`debrief topology check` did not tell of the queue: {code:?} {said}"),
    );
    world.finish().await?;
    Ok(verdict)
}
