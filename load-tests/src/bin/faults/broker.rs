//! RabbitMQ that is killed, away, short of memory, full, or robbed of its queues.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use load_tests::harness::http;
use load_tests::harness::ledger::{Allowed, Verdict};
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::catalog::{Fault, Pace};
use crate::inputs::{Body, Call};
use crate::run::{Kind, Run};
use crate::senders::Load;
use crate::servers::{MEMORY, Server};
use crate::world::{Plan, World};

const SERVERS: &[Kind] = &[Kind::Servers];

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "broker-killed",
        about: "RabbitMQ is killed and started again under load",
        kinds: SERVERS,
        pace: Pace::Fast,
        play: |run| Box::pin(killed(run, 1)),
    },
    Fault {
        name: "broker-killed-again-and-again",
        about: "RabbitMQ is killed and started again ten times under load",
        kinds: SERVERS,
        pace: Pace::Long,
        play: |run| Box::pin(killed(run, 10)),
    },
    Fault {
        name: "broker-down",
        about: "RabbitMQ is away for five seconds, and every webhook is answered with 2xx meanwhile",
        kinds: SERVERS,
        pace: Pace::Long,
        play: |run| Box::pin(down(run, Duration::from_secs(5))),
    },
    Fault {
        name: "broker-down-for-two-minutes",
        about: "RabbitMQ is away for two minutes, and every webhook is answered with 2xx meanwhile",
        kinds: SERVERS,
        pace: Pace::Long,
        play: |run| Box::pin(down(run, Duration::from_mins(2))),
    },
    Fault {
        name: "broker-hangs",
        about: "RabbitMQ is stopped for eight seconds and keeps its connections, and every webhook is answered with 2xx",
        kinds: SERVERS,
        pace: Pace::Long,
        play: |run| Box::pin(hung(run)),
    },
    Fault {
        name: "memory-alarm",
        about: "RabbitMQ is short of memory: webhooks are answered with 2xx, and consumers go on acknowledging",
        kinds: SERVERS,
        pace: Pace::Fast,
        play: |run| Box::pin(memory_alarm(run)),
    },
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
    Fault {
        name: "queue-full",
        about: "Every queue is full at two messages; webhooks are answered with 2xx or 503, and nothing is lost",
        kinds: SERVERS,
        pace: Pace::Fast,
        play: |run| Box::pin(full(run)),
    },
    Fault {
        name: "ten-thousand-identical-webhooks",
        about: "One webhook 10,000 times over 50 connections to two ingest processes is one call",
        kinds: SERVERS,
        pace: Pace::Fast,
        play: |run| Box::pin(identical(run)),
    },
];

const SETTLED_WITHIN: Duration = Duration::from_mins(2);
/// Whatever is away, a sender has its answer by then.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// The stages whose messages have rows behind them. What is lost from the first queue is lost.
const WITH_ROWS: [&str; 4] = ["transcription", "analysis", "crm", "slack"];
const LOAD: Load = Load { per_second: 4.0, connections: 4, meeting_each: 3 };

/// Leases that a busy machine does not lose: here only the broker fails.
fn plan() -> Plan {
    Plan { settings: vec![("DEBRIEF_LEASE", "30s".to_owned())], ..Plan::default() }
}

fn some(dice: &mut StdRng, from_ms: u64, to_ms: u64) -> Duration {
    Duration::from_millis(dice.random_range(from_ms..to_ms))
}

/// What a sender was told while something was away.
#[derive(Default)]
struct Answers {
    kept: u64,
    turned_away: u64,
    wrong: Vec<String>,
}

impl Answers {
    /// Sends one call, and looks how it is answered.
    async fn ask(&mut self, world: &World, call: &Call) {
        let asked = Instant::now();
        let status = world.send(call).await;
        let took = asked.elapsed();
        match status {
            Some(200..300) => self.kept += 1,
            Some(503) => self.turned_away += 1,
            other => self.wrong.push(format!("{} was answered {other:?}", call.id)),
        }
        if took > ANSWERED_WITHIN {
            self.wrong.push(format!("{} was answered after {took:?}", call.id));
        }
    }

    /// Meetings and phone calls in turn, until then.
    async fn ask_until(&mut self, world: &World, dice: &mut StdRng, until: Instant) {
        while Instant::now() < until {
            self.ask(world, &Call::meeting(dice)).await;
            self.ask(world, &Call::phone(dice, &world.simulators)).await;
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Nobody was sent away.
    fn all_kept(self, verdict: &mut Verdict) {
        verdict.demand(self.kept > 0, "nothing was sent while it was away");
        verdict.demand(self.turned_away == 0, format!("{} webhooks were answered 503", self.turned_away));
        verdict.broken.extend(self.wrong);
    }
}

/// How often ingest put an event aside because the broker did not take it.
fn put_aside(world: &World) -> usize {
    world.log("ingest").matches("kept in the outbox").count()
}

/// Whatever was broken, ingest has noticed.
fn was_put_aside(world: &World, verdict: &mut Verdict) {
    verdict.demand(put_aside(world) > 0, "nothing went to the outbox: was anything broken?");
}

// ---------------------------------------------------------------- away

async fn killed(run: Run, times: u32) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    for _ in 0..times {
        sleep(some(&mut dice, 1000, 3000)).await;
        world.servers().kill(Server::Rabbitmq).await?;
        sleep(some(&mut dice, 0, 1000)).await;
        world.servers().start().await?;
    }
    sleep(Duration::from_secs(2)).await;
    load.stop().await?;
    let verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    world.finish().await?;
    Ok(verdict)
}

async fn down(run: Run, away: Duration) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    sleep(some(&mut dice, 500, 1500)).await;
    world.servers().kill(Server::Rabbitmq).await?;
    let mut answers = Answers::default();
    answers.ask_until(&world, &mut dice, Instant::now() + away).await;
    world.servers().start().await?;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    answers.all_kept(&mut verdict);
    was_put_aside(&world, &mut verdict);
    world.finish().await?;
    Ok(verdict)
}

async fn hung(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    sleep(some(&mut dice, 500, 1500)).await;
    world.servers().freeze(Server::Rabbitmq).await?;
    let mut answers = Answers::default();
    answers.ask_until(&world, &mut dice, Instant::now() + Duration::from_secs(8)).await;
    world.servers().thaw(Server::Rabbitmq).await?;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    answers.all_kept(&mut verdict);
    was_put_aside(&world, &mut verdict);
    world.finish().await?;
    Ok(verdict)
}

async fn memory_alarm(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    // Messages in hand, so that there is something to acknowledge.
    sleep(some(&mut dice, 1500, 2500)).await;
    world.servers().rabbitmqctl(&["set_vm_memory_high_watermark", "0.00001"]).await?;
    let mut answers = Answers::default();
    answers.ask_until(&world, &mut dice, Instant::now() + Duration::from_secs(3)).await;
    // Nothing comes in, so what was there is gone once consumers have acknowledged it.
    let acknowledged = async {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let left = unacknowledged(&world).await?;
            if left == 0 || Instant::now() > until {
                return anyhow::Ok(left);
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let left = acknowledged.await?;
    let is_on =
        world.servers().rabbitmqctl(&["eval", "rabbit_alarm:get_alarms()."]).await?.contains("memory");
    world.servers().rabbitmqctl(&["set_vm_memory_high_watermark", MEMORY]).await?;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    answers.all_kept(&mut verdict);
    was_put_aside(&world, &mut verdict);
    verdict.demand(is_on, "there was no alarm");
    verdict.demand(left == 0, format!("{left} messages were not acknowledged under the alarm"));
    world.finish().await?;
    Ok(verdict)
}

/// Messages of this deployment that wait, or are in somebody's hand.
async fn unacknowledged(world: &World) -> anyhow::Result<u64> {
    let listed = world
        .servers()
        .rabbitmqctl(&["list_queues", "--silent", "--no-table-headers", "name", "messages"])
        .await?;
    let prefix = world.prefix()?;
    let mut all = 0;
    for line in listed.lines().filter(|line| line.starts_with(prefix)) {
        let count = line.split_whitespace().nth(1).and_then(|count| count.parse::<u64>().ok());
        all += count.with_context(|| format!("no number of messages in `{line}`"))?;
    }
    Ok(all)
}

// ---------------------------------------------------------------- robbed

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

// ---------------------------------------------------------------- full

async fn full(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let mut world = World::start(&run, plan()).await?;
    let prefix = world.prefix()?.to_owned();
    let (name, pattern) = (format!("{prefix}-full"), format!("^{prefix}\\."));
    let limits = r#"{"max-length": 2, "overflow": "reject-publish"}"#;
    let policy = ["set_policy", &name, &pattern, limits, "--priority", "9", "--apply-to", "queues"];
    world.servers().rabbitmqctl(&policy).await?;
    // The first queue fills only while nobody takes from it.
    world.terminate("dedup").await?;
    let mut answers = Answers::default();
    answers.ask_until(&world, &mut dice, Instant::now() + Duration::from_secs(3)).await;
    let aside = put_aside(&world);
    world.start_process("dedup").await?;
    let load = world.load(LOAD);
    sleep(Duration::from_secs(3)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    world.servers().rabbitmqctl(&["clear_policy", &name]).await?;
    verdict.demand(aside > 0, "no queue was full");
    verdict.demand(answers.kept > 0, "nothing was accepted while the queue was full");
    verdict.broken.extend(answers.wrong);
    world.finish().await?;
    Ok(verdict)
}

// ---------------------------------------------------------------- many at once

const TIMES: usize = 10_000;
const CONNECTIONS: usize = 50;

async fn identical(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, Plan { processes: vec![("ingest", 2)], ..plan() }).await?;
    let call = Call::phone(&mut dice, &world.simulators);
    let Body::Webhook(body) = &call.body else { unreachable!("a phone call is a webhook") };
    let body = body.to_string();
    world.ledger.sending(&call.id, &call.makes);
    let doors = world.doors();
    ensure!(doors.len() == 2, "there are {} ingest processes", doors.len());
    let mut sending = JoinSet::new();
    for number in 0..CONNECTIONS {
        sending.spawn(repeat(doors[number % doors.len()], body.clone(), TIMES / CONNECTIONS));
    }
    let mut accepted = 0;
    while let Some(sent) = sending.join_next().await {
        accepted += sent.context("a sender panicked")??;
    }
    world.ledger.accepted(&call.id);
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.demand(accepted == TIMES, format!("{accepted} of {TIMES} webhooks were answered with 200"));
    let known = world.get("/api/calls/history?limit=1").await?["total"].clone();
    verdict.demand(known == 1, format!("one call was sent, and {known} are known"));
    world.finish().await?;
    Ok(verdict)
}

/// Posts the same webhook again and again over one connection; how often it was answered with 200.
async fn repeat(door: SocketAddr, body: String, times: usize) -> anyhow::Result<usize> {
    let mut connection = http::Connection::open(door).await.context("connect to ingest")?;
    let mut accepted = 0;
    for _ in 0..times {
        let answer = connection.post_json("/webhook/zapier", &body).await?;
        accepted += usize::from(answer.status == 200);
    }
    Ok(accepted)
}
