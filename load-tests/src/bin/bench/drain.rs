//! A backlog of webhooks, drained by one process: at the same rate at its end as at its beginning, with flat
//! memory.
//!
//! Ingest takes the webhooks in while nobody works; then one process with the role `dedup` is started. Each event
//! costs it a transaction that makes a call, and, where the webhook brings a recording, the waiting row of
//! transcription and a message for it. Nobody transcribes meanwhile, so these messages stay where they are; the keeper
//! in the same process wakes rows that have waited for a minute, which is work too. That is why webhooks without a
//! recording are what is drained unless recordings are asked for.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::Bench;
use crate::on_servers::{OnServers, on_servers};
use crate::samples::Samples;
use load_tests::harness::amqp;
use load_tests::harness::load::send_all;
use load_tests::harness::report::verdict;
use load_tests::harness::servers::{Servers, postgresql_version};
use load_tests::harness::webhook::{self, Webhooks};

const FEEDERS: usize = 64;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Without one less for so long, it does not go on.
const STALLED: Duration = Duration::from_secs(30);
/// As much slower may the end be.
const SLOWER: f64 = 0.15;
/// As much more memory may there be at the end than early on.
const MORE_MB: f64 = 10.0;

#[derive(Args)]
pub(crate) struct Drain {
    /// The first queue holds no more than a million
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    messages: u64,
    /// Webhooks that bring a recording
    #[arg(long)]
    recordings: bool,
    #[command(flatten)]
    servers: Servers,
}

struct Drained {
    /// How long ingest took.
    fed: Duration,
    took: Duration,
    /// A second, of each tenth.
    rates: Vec<f64>,
    samples: Samples,
    processor_s: f64,
}

pub(crate) async fn measure(bench: &Bench, how: &Drain) -> anyhow::Result<()> {
    let postgresql = postgresql_version(&how.servers.database).await?;
    let rabbitmq = amqp::version(&how.servers.amqp).await?;
    let drained = on_servers(bench, &how.servers, async |here| drain(how, here).await).await?;
    let recordings = if how.recordings { " --recordings" } else { "" };
    let args = format!("drain --messages {}{recordings}", how.messages);
    let versions = [("RabbitMQ", rabbitmq.as_str()), ("PostgreSQL", postgresql.as_str())];
    bench.report.section("drain", &args, &versions, &text(how, &drained)?)
}

async fn drain(how: &Drain, here: &OnServers<'_>) -> anyhow::Result<Drained> {
    let ingest = here.run(&["ingest"]).await?;
    let mut feeders = Webhooks::open(ingest.address, FEEDERS).await?;
    if !how.recordings {
        feeders = feeders.into_iter().map(Webhooks::without_recording).collect();
    }
    let start = Instant::now();
    send_all(feeders, how.messages).await?;
    let fed = start.elapsed();
    ingest.stop().await?;
    println!("{} webhooks taken in in {:.0} s", how.messages, fed.as_secs_f64());
    let worker = here.run(&["dedup"]).await?;
    let (id, start) = (worker.id()?, Instant::now());
    let (seen, samples) = Samples::during(id, emptied(here, start)).await?;
    let seen = seen?;
    let processor_s = worker.processor_s()?;
    worker.stop().await?;
    let reader = here.run(&["api"]).await?;
    let calls = webhook::calls(reader.address, None).await?;
    reader.stop().await?;
    ensure!(calls == how.messages, "{} webhooks were accepted, and {calls} calls are known", how.messages);
    let took = seen.last().context("nothing was seen")?.0;
    Ok(Drained { fed, took, rates: rates(&seen), samples, processor_s })
}

/// How deep the queue was, and when, until it was empty and stayed so: what is put back shows late.
async fn emptied(here: &OnServers<'_>, start: Instant) -> anyhow::Result<Vec<(Duration, u64)>> {
    let mut seen: Vec<(Duration, u64)> = Vec::new();
    let mut changed = Instant::now();
    loop {
        let depth = here.broker.depth().await?;
        if seen.last().is_none_or(|(_, before)| *before != depth) {
            changed = Instant::now();
            seen.push((start.elapsed(), depth));
        }
        if depth == 0 && changed.elapsed() > LOOK_EVERY * 3 {
            return Ok(seen);
        }
        ensure!(changed.elapsed() < STALLED, "{depth} messages are left, and none of them is taken");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Of each tenth of the messages, how many a second were taken.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn rates(seen: &[(Duration, u64)]) -> Vec<f64> {
    let Some((_, all)) = seen.first() else { return Vec::new() };
    let all = *all as f64;
    // When no more than this were left, between two looks.
    let time_at = |left: f64| {
        let after = seen.iter().position(|(_, depth)| *depth as f64 <= left).unwrap_or(seen.len() - 1);
        let (t1, d1) = seen[after];
        let (t0, d0) = seen[after.saturating_sub(1)];
        let share = if d0 == d1 { 1.0 } else { (d0 as f64 - left) / (d0 as f64 - d1 as f64) };
        t0.as_secs_f64() + share * (t1.as_secs_f64() - t0.as_secs_f64())
    };
    let times: Vec<f64> = (0..=10).map(|tenth| time_at(all * f64::from(10 - tenth) / 10.0)).collect();
    times.windows(2).map(|ends| all / 10.0 / (ends[1] - ends[0]).max(f64::EPSILON)).collect()
}

fn text(how: &Drain, drained: &Drained) -> anyhow::Result<String> {
    let Drained { fed, took, rates, samples, processor_s } = drained;
    let (what, beside) = if how.recordings {
        (
            "with a recording",
            "; it makes the waiting row of transcription, where nobody works, and the message for it, too",
        )
    } else {
        ("whose recording is still to come", "")
    };
    let mut text = format!(
        "{} webhooks {what} were taken in while nobody worked (in {:.0} s). Then one process with the role `dedup`, on RabbitMQ and \
         PostgreSQL, takes them: each is an event of its own and a new call, in one transaction{beside}. All of \
         them were known afterwards.\n\n",
        how.messages,
        fed.as_secs_f64()
    );
    let tenths: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
    writeln!(
        text,
        "It took {:.0} s and {processor_s:.0} s of the process's processor time. Messages a second, of each tenth: {}.\n",
        took.as_secs_f64(),
        tenths.join(", ")
    )?;
    let (first, last) =
        (rates.first().copied().unwrap_or_default(), rates.last().copied().unwrap_or_default());
    writeln!(
        text,
        "First and last tenth within {:.0} %: {}, with {first:.0} and {last:.0} a second ({:+.0} %).",
        SLOWER * 100.0,
        verdict((last / first - 1.0).abs() <= SLOWER),
        (last / first - 1.0) * 100.0
    )?;
    let (early, late) = samples.early_and_late();
    writeln!(
        text,
        "Memory is flat: {}, with {early:.1} MB in the second tenth of the time, {late:.1} MB in the last, {:.1} MB at most (VmRSS, {} samples).",
        verdict(late < early + MORE_MB),
        samples.most(),
        samples.count()
    )?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenth_has_its_own_rate() {
        // 100 a second to the middle, 50 from there on; looked at once a second.
        let fast = (0..=5).map(|s| (Duration::from_secs(s), 1000 - s * 100));
        let slow = (1..=10).map(|s| (Duration::from_secs(5 + s), 500 - s * 50));
        let rates = rates(&fast.chain(slow).collect::<Vec<_>>());
        let rounded: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
        assert_eq!(rounded, ["100", "100", "100", "100", "100", "50", "50", "50", "50", "50"]);
    }
}
