//! RabbitMQ is killed, down, short of memory or full, and one webhook is sent ten thousand times.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use load_tests::harness::http;
use load_tests::harness::ledger::{Allowed, Verdict};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::answers::{Answers, demand_outbox_used, outbox_writes};
use crate::fault::Fault;
use crate::inputs::{Body, Call};
use crate::run::{Kind, Run, random_time};
use crate::senders::Load;
use crate::servers::{MEMORY, Server};
use crate::world::{Plan, World};

pub(crate) const FAULTS: &[Fault] = &[
    Fault::fast("broker-killed", "RabbitMQ is killed and started again under load", Kind::SERVERS, |run| {
        Box::pin(killed(run, 1))
    }),
    Fault::long(
        "broker-killed-again-and-again",
        "RabbitMQ is killed and started again ten times under load",
        Kind::SERVERS,
        |run| Box::pin(killed(run, 10)),
    ),
    Fault::long(
        "broker-down",
        "RabbitMQ is down for five seconds, and meanwhile every webhook is answered with 2xx",
        Kind::SERVERS,
        |run| Box::pin(down(run, Duration::from_secs(5))),
    ),
    Fault::long(
        "broker-down-for-two-minutes",
        "RabbitMQ is down for two minutes, and meanwhile every webhook is answered with 2xx",
        Kind::SERVERS,
        |run| Box::pin(down(run, Duration::from_mins(2))),
    ),
    Fault::long(
        "broker-hangs",
        "RabbitMQ answers nothing for eight seconds and keeps its connections; every webhook is \
         answered with 2xx",
        Kind::SERVERS,
        |run| Box::pin(hung(run)),
    ),
    Fault::fast(
        "memory-alarm",
        "RabbitMQ is short of memory: every webhook is answered with 2xx, and consumers go on \
         acknowledging",
        Kind::SERVERS,
        |run| Box::pin(memory_alarm(run)),
    ),
    Fault::fast(
        "queue-full",
        "Every queue is full at two messages: webhooks are answered with 2xx or 503, and nothing is lost",
        Kind::SERVERS,
        |run| Box::pin(full(run)),
    ),
    Fault::fast(
        "ten-thousand-identical-webhooks",
        "One webhook is sent 10,000 times over 50 connections to two ingest processes, and makes one call",
        Kind::SERVERS,
        |run| Box::pin(identical(run)),
    ),
];

pub(crate) const SETTLED_WITHIN: Duration = Duration::from_mins(2);
pub(crate) const LOAD: Load = Load { per_second: 4.0, connections: 4, meeting_each: 3 };

/// Makes leases so long that a busy machine does not lose them, because only the broker fails here.
pub(crate) fn plan() -> Plan {
    Plan { settings: vec![("DEBRIEF_LEASE", "30s".to_owned())], ..Plan::default() }
}

// ---------------------------------------------------------------- down

async fn killed(run: Run, times: u32) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    for _ in 0..times {
        sleep(random_time(&mut dice, 1000, 3000)).await;
        world.servers().kill(Server::Rabbitmq).await?;
        sleep(random_time(&mut dice, 0, 1000)).await;
        world.servers().start().await?;
    }
    sleep(Duration::from_secs(2)).await;
    load.stop().await?;
    let verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    world.finish().await?;
    Ok(verdict)
}

async fn down(run: Run, time: Duration) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    sleep(random_time(&mut dice, 500, 1500)).await;
    world.servers().kill(Server::Rabbitmq).await?;
    let mut answers = Answers::default();
    answers.send_until(&world, &mut dice, Instant::now() + time).await;
    world.servers().start().await?;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    answers.demand_all_accepted(&mut verdict);
    demand_outbox_used(&world, &mut verdict);
    world.finish().await?;
    Ok(verdict)
}

async fn hung(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    sleep(random_time(&mut dice, 500, 1500)).await;
    world.servers().freeze(Server::Rabbitmq).await?;
    let mut answers = Answers::default();
    answers.send_until(&world, &mut dice, Instant::now() + Duration::from_secs(8)).await;
    world.servers().thaw(Server::Rabbitmq).await?;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    answers.demand_all_accepted(&mut verdict);
    demand_outbox_used(&world, &mut verdict);
    world.finish().await?;
    Ok(verdict)
}

async fn memory_alarm(run: Run) -> anyhow::Result<Verdict> {
    let mut dice = run.dice();
    let world = World::start(&run, plan()).await?;
    let load = world.load(LOAD);
    // Consumers have to hold messages, so that there is something to acknowledge.
    sleep(random_time(&mut dice, 1500, 2500)).await;
    world.servers().rabbitmqctl(&["set_vm_memory_high_watermark", "0.00001"]).await?;
    let mut answers = Answers::default();
    answers.send_until(&world, &mut dice, Instant::now() + Duration::from_secs(3)).await;
    // No message comes in, so the queues are empty once consumers have acknowledged what was there.
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
    answers.demand_all_accepted(&mut verdict);
    demand_outbox_used(&world, &mut verdict);
    verdict.demand(is_on, "there was no alarm");
    verdict.demand(left == 0, format!("{left} messages were not acknowledged under the alarm"));
    world.finish().await?;
    Ok(verdict)
}

/// Returns the number of messages of this deployment that wait in a queue or are held by a consumer.
async fn unacknowledged(world: &World) -> anyhow::Result<u64> {
    let listed = world
        .servers()
        .rabbitmqctl(&["list_queues", "--silent", "--no-table-headers", "name", "messages"])
        .await?;
    let prefix = world.prefix()?;
    let mut all = 0;
    for line in listed.lines().filter(|line| line.starts_with(prefix)) {
        let count = line.split_whitespace().nth(1).and_then(|count| count.parse::<u64>().ok());
        all += count.with_context(|| format!("read the number of messages in `{line}`"))?;
    }
    Ok(all)
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
    // The first queue fills only while nobody consumes.
    world.terminate("dedup").await?;
    let mut answers = Answers::default();
    answers.send_until(&world, &mut dice, Instant::now() + Duration::from_secs(3)).await;
    let kept = outbox_writes(&world);
    world.start_process("dedup").await?;
    let load = world.load(LOAD);
    sleep(Duration::from_secs(3)).await;
    load.stop().await?;
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    world.servers().rabbitmqctl(&["clear_policy", &name]).await?;
    verdict.demand(kept > 0, "no queue was full");
    verdict.demand(answers.accepted > 0, "no call was accepted while the queue was full");
    verdict.broken.extend(answers.wrong);
    world.finish().await?;
    Ok(verdict)
}

// ---------------------------------------------------------------- many webhooks at once

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
        sending.spawn(send_again_and_again(doors[number % doors.len()], body.clone(), TIMES / CONNECTIONS));
    }
    let mut accepted = 0;
    while let Some(sent) = sending.join_next().await {
        accepted += sent.context("a sender panicked")??;
    }
    world.ledger.accepted(&call.id);
    let mut verdict = world.settled(SETTLED_WITHIN, &Allowed::nothing()).await?;
    verdict.demand(accepted == TIMES, format!("{accepted} of {TIMES} webhooks were answered with 200"));
    let known = world.get("/api/calls/history?limit=1").await?["total"].clone();
    verdict.demand(known == 1, format!("one call was sent, and Debrief knows {known}"));
    world.finish().await?;
    Ok(verdict)
}

/// Sends the same webhook again and again over one connection. Returns how often it was answered with 200.
async fn send_again_and_again(door: SocketAddr, body: String, times: usize) -> anyhow::Result<usize> {
    let mut connection = http::Connection::open(door).await.context("connect to ingest")?;
    let mut accepted = 0;
    for _ in 0..times {
        let answer = connection.post_json("/webhook/zapier", &body).await?;
        accepted += usize::from(answer.status == 200);
    }
    Ok(accepted)
}
