//! How fast webhooks are taken in: on RabbitMQ beside a bare AMQP client, and embedded.
//!
//! The client publishes the same event that Debrief makes from a webhook, through the same exchange into the same queue.
//! It asks for the same guarantees: durable, mandatory, confirmed. A third side asks the same process for its health,
//! which shows what HTTP alone costs. The three take turns, so that other work on the machine disturbs all of them. Each
//! time everything that was accepted has to be there afterwards.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::bench::Bench;
use crate::deployment::{Deployment, deployed};
use load_tests::harness::amqp;
use load_tests::harness::http::Connection;
use load_tests::harness::load::{Sender, Times, closed_loop};
use load_tests::harness::process::Program;
use load_tests::harness::report::verdict;
use load_tests::harness::servers::{Servers, empty_outbox, postgresql_version};
use load_tests::harness::webhook::{self, Webhooks};

/// The number of connections for which the targets are set.
const CONNECTIONS: usize = 16;
const MORE_CONNECTIONS: usize = 64;
/// The target for the p99 of Debrief, as a multiple of that of the bare client.
const MAX_TIMES_BARE: f64 = 2.0;
/// The target for the rate of Debrief, as a share of that of the bare client.
const MIN_OF_BARE: f64 = 0.7;
const MIN_PER_SECOND: f64 = 10_000.0;
/// The target for the p99 with more connections.
const MAX_MORE_MS: f64 = 50.0;
const MAX_EMBEDDED_MS: f64 = 20.0;

#[derive(Args)]
pub(crate) struct Ingest {
    /// The number of rounds. In each round every side is measured once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The time of one measurement
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    #[command(flatten)]
    servers: Servers,
}

/// A line of the table.
struct Line {
    what: String,
    /// The number of requests that are under way at the same time.
    at_once: usize,
    times: Times,
    rounds_p99_ms: Vec<f64>,
}

impl Line {
    fn new(what: &str, at_once: usize) -> Self {
        Self { what: what.to_owned(), at_once, times: Times::default(), rounds_p99_ms: Vec::new() }
    }

    fn add(&mut self, round: Times) {
        let p99 = round.quantile_ms(0.99);
        let (what, at_once) = (&self.what, self.at_once);
        println!("{what}, {at_once}: {:.0}/s, p99 {p99:.1} ms", round.per_second());
        self.rounds_p99_ms.push(p99);
        self.times.add(round);
    }

    fn p99_ms(&self) -> f64 {
        self.times.quantile_ms(0.99)
    }
}

pub(crate) async fn measure(bench: &Bench, how: &Ingest) -> anyhow::Result<()> {
    let postgresql = postgresql_version(&how.servers.database).await?;
    let rabbitmq = amqp::version(&how.servers.amqp).await?;
    let measured = deployed(bench, &how.servers, async |here| in_turn(how, here).await).await;
    let (event_bytes, mut lines) = measured?;
    lines.extend(embedded(&bench.program, how).await?);
    let args = format!("ingest --rounds {} --seconds {}", how.rounds, how.seconds);
    let versions = [("RabbitMQ", rabbitmq.as_str()), ("PostgreSQL", postgresql.as_str())];
    bench.report.section("ingest", &args, &versions, &text(&lines, how, event_bytes)?)
}

/// Measures the bare client and `debrief run --role ingest` in turn. Also returns the length of an event.
async fn in_turn(how: &Ingest, here: &Deployment<'_>) -> anyhow::Result<(usize, Vec<Line>)> {
    let broker = &here.broker;
    let debrief = here.run(&["ingest"]).await?;
    for webhook in &mut Webhooks::open(debrief.address, 1).await? {
        webhook.send().await?;
    }
    let event = broker.take_one().await?;
    let mut lines = Vec::new();
    for at_once in [CONNECTIONS, MORE_CONNECTIONS] {
        let mut bare = Line::new("bare AMQP client", at_once);
        let mut ours = Line::new("`debrief run --role ingest` on RabbitMQ, PostgreSQL and Redis", at_once);
        let mut http = Line::new("`GET /health` of the same process", at_once);
        for _ in 0..how.rounds {
            let sent = closed_loop(broker.publishers(&event, at_once), how.seconds).await?;
            broker.settle(sent.accepted).await?;
            bare.add(sent.times);
            let sent = closed_loop(Webhooks::open(debrief.address, at_once).await?, how.seconds).await?;
            let in_outbox = empty_outbox(&here.database).await?;
            if in_outbox > 0 {
                println!("{in_outbox} events went to the outbox");
            }
            broker.settle_beside(sent.accepted, in_outbox).await?;
            ours.add(sent.times);
            http.add(
                closed_loop(HealthRequests::open(debrief.address, at_once).await?, how.seconds).await?.times,
            );
        }
        lines.extend([bare, ours, http]);
    }
    debrief.stop().await?;
    Ok((event.len(), lines))
}

/// Asks for the health, which Debrief answers without doing anything.
struct HealthRequests(Connection);

impl HealthRequests {
    async fn open(address: SocketAddr, connections: usize) -> anyhow::Result<Vec<Self>> {
        Ok(Connection::open_all(address, connections).await?.into_iter().map(Self).collect())
    }
}

impl Sender for HealthRequests {
    async fn send(&mut self) -> anyhow::Result<()> {
        let answer = self.0.get("/health").await?;
        ensure!(answer.status == 200, "/health answered {}", answer.status);
        Ok(())
    }
}

/// Measures an embedded process: with all roles at work, and for comparison with ingest alone.
async fn embedded(program: &Program, how: &Ingest) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for at_once in [CONNECTIONS, MORE_CONNECTIONS] {
        let mut all = Line::new("`debrief run`, embedded", at_once);
        let mut alone = Line::new("`debrief run --role ingest`, embedded", at_once);
        for _ in 0..how.rounds {
            all.add(embedded_once(program, &[], at_once, how.seconds).await?);
            alone.add(embedded_once(program, &["--role", "ingest"], at_once, how.seconds).await?);
        }
        lines.extend([all, alone]);
    }
    Ok(lines)
}

async fn embedded_once(
    program: &Program,
    roles: &[&str],
    at_once: usize,
    seconds: u64,
) -> anyhow::Result<Times> {
    let folder = tempfile::tempdir().context("make a data folder")?;
    let debrief = program.run(roles, &vec![], folder.path()).await?;
    let sent = closed_loop(Webhooks::open(debrief.address, at_once).await?, seconds).await?;
    debrief.stop().await?;
    // The process that counts must take nothing from the queue.
    let reader = program.run(&["--role", "api"], &vec![], folder.path()).await?;
    let (calls, queued) =
        (webhook::calls(reader.address, None).await?, webhook::queued(reader.address).await?);
    reader.stop().await?;
    ensure!(
        calls + queued == sent.accepted,
        "{} webhooks were accepted; Debrief knows {calls} calls, and {queued} webhooks are queued",
        sent.accepted
    );
    Ok(sent.times)
}

fn text(lines: &[Line], how: &Ingest, event_bytes: usize) -> anyhow::Result<String> {
    let mut text = format!(
        "In each of {} rounds every side is measured for {} s, in turn and after a second of warm-up. Distinct Zapier \
         webhooks come on keep-alive connections in a closed loop. An event has {event_bytes} bytes and goes to a quorum \
         queue, durable, mandatory and confirmed. Every request was answered 200, and everything that was accepted was \
         found afterwards.\n\n\
         | | requests at the same time | in a second | p50 ms | p99 ms | worst ms | p99 of each round |\n|---|---|---|---|---|---|---|\n",
        how.rounds, how.seconds
    );
    for line in lines {
        let Line { what, at_once, times, rounds_p99_ms } = line;
        let [p50, p99, worst] = [0.5, 0.99, 1.0].map(|share| times.quantile_ms(share));
        let rounds: Vec<String> = rounds_p99_ms.iter().map(|ms| format!("{ms:.1}")).collect();
        let (rate, rounds) = (times.per_second(), rounds.join(", "));
        writeln!(text, "| {what} | {at_once} | {rate:.0} | {p50:.1} | {p99:.1} | {worst:.0} | {rounds} |")?;
    }
    let [bare, ours, _, bare_more, ours_more, http_more, embedded, ..] = lines else { return Ok(text) };
    let of_bare = |ours: &Line, bare: &Line| ours.times.per_second() / bare.times.per_second();
    let (share, share_more) = (of_bare(ours, bare), of_bare(ours_more, bare_more));
    let per_second = ours_more.times.per_second();
    // The processor limits both sides there, so that the costs of one event are added.
    let at_best = 1.0 / (1.0 + of_bare(bare_more, http_more));
    let times = ours.p99_ms() / bare.p99_ms();
    writeln!(
        text,
        "\nWith {MORE_CONNECTIONS} connections Debrief takes at least {MIN_PER_SECOND:.0} webhooks in a second, with a p99 \
         under {MAX_MORE_MS:.0} ms: {}, with {per_second:.0} and {:.1} ms.\n\
         Debrief takes at least {:.0} % of what the bare client publishes: with {CONNECTIONS} connections {}, with {:.0} %; \
         with {MORE_CONNECTIONS} connections {}, with {:.0} %. On these processors a bare publish and an HTTP request that \
         does nothing, one after the other, would come to {:.0} % there.\n\
         With {CONNECTIONS} connections the p99 is at most {MAX_TIMES_BARE:.0} × that of the bare client: {}, with \
         {times:.2} × (with {MORE_CONNECTIONS} connections {:.2} ×).\n\
         Embedded, with all roles at work and {CONNECTIONS} connections, the p99 is under {MAX_EMBEDDED_MS:.0} ms: {}, with \
         {:.1} ms.",
        verdict(per_second >= MIN_PER_SECOND && ours_more.p99_ms() < MAX_MORE_MS),
        ours_more.p99_ms(),
        MIN_OF_BARE * 100.0,
        verdict(share >= MIN_OF_BARE),
        share * 100.0,
        verdict(share_more >= MIN_OF_BARE),
        share_more * 100.0,
        at_best * 100.0,
        verdict(times <= MAX_TIMES_BARE),
        ours_more.p99_ms() / bare_more.p99_ms(),
        verdict(embedded.p99_ms() < MAX_EMBEDDED_MS),
        embedded.p99_ms()
    )?;
    Ok(text)
}
