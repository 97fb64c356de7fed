//! Queues, bindings and the exchange are deleted, or are not what they should be.

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

use crate::answers::{Answers, demand_outbox_used};
use crate::broker::{LOAD, SETTLED_WITHIN, plan};
use crate::fault::Fault;
use crate::run::{Kind, Run, random_time};
use crate::senders::Senders;
use crate::world::World;

pub(crate) const FAULTS: &[Fault] = &[
    Fault::long(
        "queue-deleted",
        "The queue of every stage that has rows is deleted while it is consumed, under load",
        Kind::SERVERS,
        |run| Box::pin(queues_deleted(run)),
    ),
    Fault::long(
        "queue-purged",
        "The queue of every stage that has rows fills while nobody consumes, and is purged",
        Kind::SERVERS,
        |run| Box::pin(queues_purged(run)),
    ),
    Fault::long(
        "binding-missing",
        "No queue is bound any more: every webhook is answered with 2xx, and calls go on once the \
         topology is applied",
        Kind::SERVERS,
        |run| Box::pin(bindings_missing(run)),
    ),
    Fault::long(
        "exchange-deleted",
        "The exchange is deleted (channel error 404): every webhook is answered with 2xx, and calls \
         go on once it is back",
        Kind::SERVERS,
        |run| Box::pin(exchange_deleted(run)),
    ),
    Fault::long(
        "queue-of-another-kind",
        "A queue is replaced by one that Debrief cannot declare (channel error 406), until an \
         operator deletes it",
        Kind::SERVERS,
        |run| Box::pin(queue_of_another_kind(run)),
    ),
];

/// The stages whose messages have rows. A message that is lost from the first queue is lost for good.
const STAGES_WITH_ROWS: [&str; 4] = ["transcription", "analysis", "crm", "slack"];

/// Opens a channel as an operator does. RabbitMQ closes it when it refuses something.
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
    let mut stages = STAGES_WITH_ROWS;
    stages.shuffle(&mut dice);
    for stage in stages {
        sleep(random_time(&mut dice, 500, 1500)).await;
        let queue = format!("{}.{stage}", world.prefix()?);
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.context("delete a queue")?;
    }
    sleep(Duration::from_secs(1)).await;
    load.stop().await?;
    let verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    world.finish().await?;
    Ok(verdict)
}

async fn queues_purged(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let mut world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    let (_connection, channel) = operator(&world).await?;
    let mut stages = STAGES_WITH_ROWS;
    stages.shuffle(&mut dice);
    let mut lost = Vec::new();
    for stage in stages {
        // A purge does not take the messages that a process holds.
        world.terminate(stage).await?;
        let queue = format!("{}.{stage}", world.prefix()?);
        let until = Instant::now() + Duration::from_secs(20);
        let purged = loop {
            sleep(random_time(&mut dice, 500, 1000)).await;
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
        verdict.demand(purged > 0, format!("the queue of {stage} had no message to purge"));
    }
    world.finish().await?;
    Ok(verdict)
}

async fn bindings_missing(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    sleep(random_time(&mut dice, 500, 1500)).await;
    let (code, exported) = world.command(&["topology", "export"]).await?;
    ensure!(code == Some(0), "debrief topology export: {code:?}\n{exported}");
    let exported: Value = serde_json::from_str(&exported).context("read the exported topology")?;
    let (_connection, channel) = operator(&world).await?;
    for binding in exported["bindings"].as_array().context("read the bindings of the topology")? {
        let text =
            |name: &str| binding[name].as_str().with_context(|| format!("read the {name} of a binding"));
        // The dead queue keeps its binding.
        if text("routing_key")? == "#" {
            continue;
        }
        let (queue, exchange, key) = (text("destination")?, text("source")?, text("routing_key")?);
        channel
            .queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default())
            .await
            .context("remove a binding")?;
    }
    apply_after_a_while(world, load, dice).await
}

/// Sends calls for a while, and then applies the topology.
async fn apply_after_a_while(world: World, load: Senders, mut dice: StdRng) -> anyhow::Result<Verdict> {
    let mut answers = Answers::default();
    answers.send_until(&world, &mut dice, Instant::now() + Duration::from_secs(4)).await;
    let (code, output) = world.command(&["topology", "apply"]).await?;
    ensure!(code == Some(0), "debrief topology apply: {code:?}\n{output}");
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    answers.demand_all_accepted(&mut verdict);
    demand_outbox_used(&world, &mut verdict);
    world.finish().await?;
    Ok(verdict)
}

async fn exchange_deleted(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    sleep(random_time(&mut dice, 500, 1500)).await;
    let (_connection, channel) = operator(&world).await?;
    let exchange = format!("{}.events", world.prefix()?);
    let deleted = channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await;
    deleted.context("delete the exchange")?;
    apply_after_a_while(world, load, dice).await
}

async fn queue_of_another_kind(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    sleep(random_time(&mut dice, 500, 1500)).await;
    let queue = format!("{}.analysis", world.prefix()?);
    let (_connection, channel) = operator(&world).await?;
    // Debrief declares its queue again as soon as it notices that the queue is gone.
    let until = Instant::now() + Duration::from_secs(30);
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    loop {
        let (_connection, channel) = operator(&world).await?;
        let deleted = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await;
        deleted.context("delete a queue")?;
        if channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await.is_ok() {
            break;
        }
        ensure!(Instant::now() < until, "Debrief always declared the queue first");
    }
    let mut answers = Answers::default();
    answers.send_until(&world, &mut dice, Instant::now() + Duration::from_secs(3)).await;
    let (code, output) = world.command(&["topology", "check"]).await?;
    let deleted = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await;
    deleted.context("delete the queue of another kind")?;
    let (applied, problem) = world.command(&["topology", "apply"]).await?;
    ensure!(applied == Some(0), "debrief topology apply: {applied:?}\n{problem}");
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    answers.demand_all_accepted(&mut verdict);
    verdict.demand(
        code == Some(1) && output.contains(&queue),
        format!("`debrief topology check` did not name the queue: {code:?} {output}"),
    );
    world.finish().await?;
    Ok(verdict)
}
