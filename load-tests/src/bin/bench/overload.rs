//! What becomes of three times the load that ingest takes: what is on top is turned away at once, what is
//! accepted is there, and memory stays where it was.

use std::fmt::Write as _;

use clap::Args;

use crate::Bench;
use crate::on_servers::{OnServers, on_servers};
use crate::samples::Samples;
use load_tests::harness::amqp;
use load_tests::harness::load::closed_loop;
use load_tests::harness::mix::Mix;
use load_tests::harness::open_loop::{PATIENCE, Pace, Tally, open_loop};
use load_tests::harness::report::verdict;
use load_tests::harness::servers::{Servers, postgresql_version, put_aside};
use load_tests::harness::webhook::Webhooks;

/// Enough that the processor is the limit.
const AT_ONCE: usize = 64;
/// How long it is looked how much it takes.
const CAPACITY_SECONDS: u64 = 5;
/// As much more memory as bounded queues of its own may take.
const MORE_MB: f64 = 100.0;

#[derive(Args)]
pub(crate) struct Overload {
    /// Times the measured capacity
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    times: u64,
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Connections of the load; more than may be in hand at once
    #[arg(long, default_value_t = 700, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    #[command(flatten)]
    servers: Servers,
}

struct Seen {
    capacity: f64,
    tally: Tally,
    accepted: u64,
    aside: u64,
    /// In the queue, afterwards.
    there: u64,
    /// Before, and while it was overloaded.
    memory_mb: (f64, Samples),
    after: f64,
}

pub(crate) async fn measure(bench: &Bench, how: &Overload) -> anyhow::Result<()> {
    let postgresql = postgresql_version(&how.servers.database).await?;
    let rabbitmq = amqp::version(&how.servers.amqp).await?;
    let seen = on_servers(bench, &how.servers, async |here| offered(how, here).await).await?;
    let args =
        format!("overload --times {} --seconds {} --connections {}", how.times, how.seconds, how.connections);
    let versions = [("RabbitMQ", rabbitmq.as_str()), ("PostgreSQL", postgresql.as_str())];
    bench.report.section("overload", &args, &versions, &text(how, &seen)?)
}

async fn offered(how: &Overload, here: &OnServers<'_>) -> anyhow::Result<Seen> {
    let debrief = here.run(&["ingest"]).await?;
    let capacity = closed_loop(Webhooks::open(debrief.address, AT_ONCE).await?, CAPACITY_SECONDS).await?;
    here.broker.settle_beside(capacity.accepted, put_aside(&here.database).await?).await?;
    let per_second = capacity.times.per_second();
    println!("capacity: {per_second:.0}/s");
    let mix = Mix::new(debrief.address, None, 0, 0);
    let pace = Pace { per_second: rounded(per_second) * how.times, seconds: how.seconds };
    let before = debrief.memory_mb("VmRSS")?;
    let (tally, samples) =
        Samples::during(debrief.id()?, open_loop(mix.askers(how.connections.into()), pace)).await?;
    let tally = tally?;
    print!("{tally}");
    // What was refused, or not answered, can be there too: a confirm may come when it is no longer waited for.
    let (accepted, aside) = (tally.accepted(), put_aside(&here.database).await?);
    let there = here.broker.settle_with(accepted, aside, tally.sent() - accepted).await?;
    let after = closed_loop(Webhooks::open(debrief.address, AT_ONCE).await?, CAPACITY_SECONDS).await?;
    debrief.stop().await?;
    Ok(Seen {
        capacity: per_second,
        tally,
        accepted,
        aside,
        there,
        memory_mb: (before, samples),
        after: after.times.per_second(),
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of requests")]
fn rounded(rate: f64) -> u64 {
    rate.round() as u64
}

fn text(how: &Overload, seen: &Seen) -> anyhow::Result<String> {
    let Seen { capacity, tally, accepted, aside, there, memory_mb: (before, samples), after } = seen;
    let refused: u64 =
        tally.statuses.iter().filter(|(status, _)| **status == 503).map(|(_, count)| count).sum();
    let other: u64 =
        tally.statuses.iter().filter(|(status, _)| ![200, 503].contains(*status)).map(|(_, n)| n).sum();
    let sent_per_second = per(tally.sent(), tally.took.as_secs_f64());
    let mut text = format!(
        "`debrief run --role ingest` on RabbitMQ, PostgreSQL and Redis takes {capacity:.0} webhooks a second at \
         {AT_ONCE} connections. It is offered {} times as many, {} a second, for {} s in an open loop over {} connections: \
         each request has its time, and how long it took counts from that time, also where no connection was free.\n\n\
         | | | p50 ms | p99 ms | p99.9 ms | worst ms |\n|---|---|---|---|---|---|\n",
        how.times,
        rounded(*capacity) * how.times,
        how.seconds,
        how.connections
    );
    let quantiles = |of: &dyn Fn(f64) -> f64| {
        let [p50, p99, p999, worst] = [0.5, 0.99, 0.999, 1.0].map(of);
        format!("{p50:.1} | {p99:.1} | {p999:.1} | {worst:.0}")
    };
    writeln!(
        text,
        "| accepted | {:.0} a second | {} |",
        tally.accepted_per_second(),
        quantiles(&|share| tally.accepted_ms(share))
    )?;
    writeln!(
        text,
        "| answered 503 | {:.0} a second | {} |",
        per(refused, tally.took.as_secs_f64()),
        quantiles(&|share| tally.refused_ms(share))
    )?;
    writeln!(
        text,
        "| sent | {sent_per_second:.0} a second | {} |\n",
        quantiles(&|share| tally.late_ms(share))
    )?;
    writeln!(
        text,
        "The last line is how late the load itself was. {}\n",
        tally
            .shortfall()
            .map_or("It kept the rate.".to_owned(), |shortfall| format!("On this machine {shortfall}."))
    )?;
    let is_heard = tally.beyond_patience == 0 && tally.unanswered == 0;
    writeln!(
        text,
        "Every request that was sent is answered within {} s: {}, with {} beyond, {} never, and {} connections that broke.",
        PATIENCE.as_secs(),
        verdict(is_heard && tally.errors == 0),
        tally.beyond_patience,
        tally.unanswered,
        tally.errors
    )?;
    writeln!(
        text,
        "What is on top is shed with 503 and `Retry-After`: {}, with {refused} requests, {} of them without, and {other} \
         answered otherwise.",
        verdict(refused > 0 && tally.rude == 0 && other == 0),
        tally.rude
    )?;
    writeln!(
        text,
        "Everything that was accepted, {accepted} events, was found afterwards: {there} were in the queue, those included that \
         were refused because their confirm came late, and {aside} in the outbox. It then takes {after:.0} a second again."
    )?;
    let most = samples.most();
    writeln!(
        text,
        "Memory stays bounded: {}, with {before:.0} MB before, {:.0} MB at the median and {most:.0} MB at most (VmRSS, {} samples).",
        verdict(most < before + MORE_MB),
        samples.median(),
        samples.count()
    )?;
    Ok(text)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds.max(f64::EPSILON)
}
