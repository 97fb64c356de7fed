//! What happens when ingest gets three times the load that it can take. It must refuse the surplus at once, keep
//! everything that it has accepted, and use no more memory.

use std::fmt::Write as _;

use clap::Args;

use crate::bench::Bench;
use crate::deployment::{Deployment, deployed};
use crate::samples::Samples;
use load_tests::harness::amqp;
use load_tests::harness::load::closed_loop;
use load_tests::harness::mix::Mix;
use load_tests::harness::open_loop::{PATIENCE, Pace, Tally, open_loop};
use load_tests::harness::report::verdict;
use load_tests::harness::servers::{Servers, empty_outbox, postgresql_version};
use load_tests::harness::webhook::Webhooks;

/// The number of connections with which the processor is the limit.
const CONNECTIONS: usize = 64;
/// The time for which the capacity is measured.
const CAPACITY_SECONDS: u64 = 5;
/// The memory that the bounded queues of the process may take.
const MAX_MORE_MB: f64 = 100.0;

#[derive(Args)]
pub(crate) struct Overload {
    /// The load as a multiple of the measured capacity
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    times: u64,
    /// The time for which the load lasts
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// The number of connections of the load: more than ingest answers at the same time
    #[arg(long, default_value_t = 700, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    #[command(flatten)]
    servers: Servers,
}

struct Measured {
    /// The number of webhooks that ingest takes in a second.
    capacity: f64,
    tally: Tally,
    accepted: u64,
    in_outbox: u64,
    in_queue: u64,
    /// The memory before the load, and during it.
    memory_mb: (f64, Samples),
    /// The number of webhooks that ingest takes in a second after the load.
    after: f64,
}

pub(crate) async fn measure(bench: &Bench, how: &Overload) -> anyhow::Result<()> {
    let postgresql = postgresql_version(&how.servers.database).await?;
    let rabbitmq = amqp::version(&how.servers.amqp).await?;
    let measured = deployed(bench, &how.servers, async |here| overloaded(how, here).await).await?;
    let args =
        format!("overload --times {} --seconds {} --connections {}", how.times, how.seconds, how.connections);
    let versions = [("RabbitMQ", rabbitmq.as_str()), ("PostgreSQL", postgresql.as_str())];
    bench.report.section("overload", &args, &versions, &text(how, &measured)?)
}

async fn overloaded(how: &Overload, here: &Deployment<'_>) -> anyhow::Result<Measured> {
    let debrief = here.run(&["ingest"]).await?;
    let capacity = closed_loop(Webhooks::open(debrief.address, CONNECTIONS).await?, CAPACITY_SECONDS).await?;
    here.broker.settle_beside(capacity.accepted, empty_outbox(&here.database).await?).await?;
    let per_second = capacity.times.per_second();
    println!("capacity: {per_second:.0}/s");
    let mix = Mix::new(debrief.address, None, 0, 0);
    let pace = Pace { per_second: rounded(per_second) * how.times, seconds: how.seconds };
    let before = debrief.memory_mb("VmRSS")?;
    let (tally, samples) =
        Samples::during(debrief.id()?, open_loop(mix.askers(how.connections.into()), pace)).await?;
    let tally = tally?;
    print!("{tally}");
    // A webhook that was refused or not answered may be in the queue too, when its confirm came too late.
    let (accepted, in_outbox) = (tally.accepted(), empty_outbox(&here.database).await?);
    let in_queue = here.broker.settle_with(accepted, in_outbox, tally.sent() - accepted).await?;
    let after = closed_loop(Webhooks::open(debrief.address, CONNECTIONS).await?, CAPACITY_SECONDS).await?;
    debrief.stop().await?;
    Ok(Measured {
        capacity: per_second,
        tally,
        accepted,
        in_outbox,
        in_queue,
        memory_mb: (before, samples),
        after: after.times.per_second(),
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of requests")]
fn rounded(rate: f64) -> u64 {
    rate.round() as u64
}

fn text(how: &Overload, measured: &Measured) -> anyhow::Result<String> {
    let Measured { capacity, tally, accepted, in_outbox, in_queue, memory_mb: (before, samples), after } =
        measured;
    let refused: u64 =
        tally.statuses.iter().filter(|(status, _)| **status == 503).map(|(_, count)| count).sum();
    let other: u64 =
        tally.statuses.iter().filter(|(status, _)| ![200, 503].contains(*status)).map(|(_, n)| n).sum();
    let sent_per_second = per(tally.sent(), tally.took.as_secs_f64());
    let mut text = format!(
        "`debrief run --role ingest` on RabbitMQ, PostgreSQL and Redis takes {capacity:.0} webhooks in a second over \
         {CONNECTIONS} connections. It gets {} times as many, {} in a second, for {} s in an open loop over {} connections. \
         Each request is due at a time of its own, and the time that it took counts from then, even when no connection was \
         free.\n\n\
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
        "| accepted | {:.0} in a second | {} |",
        tally.accepted_per_second(),
        quantiles(&|share| tally.accepted_ms(share))
    )?;
    writeln!(
        text,
        "| answered 503 | {:.0} in a second | {} |",
        per(refused, tally.took.as_secs_f64()),
        quantiles(&|share| tally.refused_ms(share))
    )?;
    writeln!(
        text,
        "| sent | {sent_per_second:.0} in a second | {} |\n",
        quantiles(&|share| tally.late_ms(share))
    )?;
    writeln!(
        text,
        "The last line shows how late the load itself was. {}\n",
        tally.shortfall().map_or("The generator kept the rate.".to_owned(), |shortfall| format!(
            "On this machine {shortfall}."
        ))
    )?;
    let is_answered = tally.beyond_patience == 0 && tally.unanswered == 0;
    writeln!(
        text,
        "Every request that was sent is answered within {} s: {}, with {} answered later, {} never answered, and {} connections that broke.",
        PATIENCE.as_secs(),
        verdict(is_answered && tally.errors == 0),
        tally.beyond_patience,
        tally.unanswered,
        tally.errors
    )?;
    writeln!(
        text,
        "The surplus is refused with 503 and `Retry-After`: {}, with {refused} requests, {} of them without the header, and \
         {other} answered otherwise.",
        verdict(refused > 0 && tally.without_retry_after == 0 && other == 0),
        tally.without_retry_after
    )?;
    writeln!(
        text,
        "Everything that was accepted, {accepted} events, was found afterwards: {in_queue} were in the queue, and {in_outbox} in \
         the outbox. Those in the queue include events that were refused because their confirm came late. Then ingest takes \
         {after:.0} webhooks in a second again."
    )?;
    let most = samples.most();
    writeln!(
        text,
        "The memory stays bounded: {}, with {before:.0} MB before, {:.0} MB at the median and {most:.0} MB at most (VmRSS, {} samples).",
        verdict(most < before + MAX_MORE_MB),
        samples.median(),
        samples.count()
    )?;
    Ok(text)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds.max(f64::EPSILON)
}
