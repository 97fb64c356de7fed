//! One process works off a backlog of webhooks. At the end it must be as fast as at the beginning, and use as much memory.
//!
//! Ingest takes the webhooks in while no other process works. Then one process with the role `dedup` is started. Each
//! event costs it a transaction that makes a call. When the webhook brings a recording, the transaction also makes the
//! waiting row of transcription and a message for it. No process transcribes meanwhile, so these messages stay where they
//! are, and the keeper in the same process wakes rows that have waited for a minute, which is more work. So the webhooks
//! bring no recordings unless the caller asks for them.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::bench::Bench;
use crate::deployment::{Deployment, deployed};
use crate::samples::Samples;
use load_tests::harness::amqp;
use load_tests::harness::load::send_all;
use load_tests::harness::report::verdict;
use load_tests::harness::servers::{Servers, postgresql_version};
use load_tests::harness::webhook::{self, Webhooks};

const FEEDERS: usize = 64;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// When no message was taken for so long, the process does not go on.
const STALLED: Duration = Duration::from_secs(30);
/// The share by which the end may be slower than the beginning.
const MAX_SLOWER: f64 = 0.15;
/// The memory by which the end may exceed the beginning.
const MAX_MORE_MB: f64 = 10.0;

#[derive(Args)]
pub(crate) struct Drain {
    /// The number of webhooks. The first queue holds no more than a million
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    messages: u64,
    /// Send webhooks that bring a recording
    #[arg(long)]
    recordings: bool,
    #[command(flatten)]
    servers: Servers,
}

struct Drained {
    /// The time in which ingest took the webhooks in.
    taken_in: Duration,
    /// The time in which they were worked off.
    took: Duration,
    /// The number of messages in a second, for each tenth of the messages.
    rates: Vec<f64>,
    samples: Samples,
    processor_s: f64,
}

pub(crate) async fn measure(bench: &Bench, how: &Drain) -> anyhow::Result<()> {
    let postgresql = postgresql_version(&how.servers.database).await?;
    let rabbitmq = amqp::version(&how.servers.amqp).await?;
    let drained = deployed(bench, &how.servers, async |here| drain(how, here).await).await?;
    let recordings = if how.recordings { " --recordings" } else { "" };
    let args = format!("drain --messages {}{recordings}", how.messages);
    let versions = [("RabbitMQ", rabbitmq.as_str()), ("PostgreSQL", postgresql.as_str())];
    bench.report.section("drain", &args, &versions, &text(how, &drained)?)
}

async fn drain(how: &Drain, here: &Deployment<'_>) -> anyhow::Result<Drained> {
    let ingest = here.run(&["ingest"]).await?;
    let mut feeders = Webhooks::open(ingest.address, FEEDERS).await?;
    if !how.recordings {
        feeders = feeders.into_iter().map(Webhooks::without_recording).collect();
    }
    let start = Instant::now();
    send_all(feeders, how.messages).await?;
    let taken_in = start.elapsed();
    ingest.stop().await?;
    println!("{} webhooks were taken in within {:.0} s", how.messages, taken_in.as_secs_f64());
    let worker = here.run(&["dedup"]).await?;
    let (id, start) = (worker.id()?, Instant::now());
    let (seen, samples) = Samples::during(id, depths_until_empty(here, start)).await?;
    let seen = seen?;
    let processor_s = worker.processor_s()?;
    worker.stop().await?;
    let reader = here.run(&["api"]).await?;
    let calls = webhook::calls(reader.address, None).await?;
    reader.stop().await?;
    ensure!(
        calls == how.messages,
        "{} webhooks were accepted, and Debrief knows {calls} calls",
        how.messages
    );
    let took = seen.last().context("look at the queue")?.0;
    Ok(Drained { taken_in, took, rates: rates(&seen), samples, processor_s })
}

/// Returns the depth of the queue at each time when it changed, until the queue stays empty. A message that is put back
/// is seen late.
async fn depths_until_empty(here: &Deployment<'_>, start: Instant) -> anyhow::Result<Vec<(Duration, u64)>> {
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
        ensure!(changed.elapsed() < STALLED, "{depth} messages are left, and nobody takes them");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Returns the number of messages that were taken in a second, for each tenth of the messages.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn rates(seen: &[(Duration, u64)]) -> Vec<f64> {
    let Some((_, all)) = seen.first() else { return Vec::new() };
    let all = *all as f64;
    // The queue is looked at only now and then, so the time at which it had this depth is interpolated.
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
    let Drained { taken_in, took, rates, samples, processor_s } = drained;
    let (what, beside) = if how.recordings {
        (
            "with a recording",
            "; it also makes the waiting row of transcription and the message for it, which nobody takes",
        )
    } else {
        ("whose recording is still to come", "")
    };
    let mut text = format!(
        "{} webhooks {what} were taken in while no other process worked (in {:.0} s). Then one process with the role `dedup` \
         took them, on RabbitMQ and PostgreSQL. Each is an event of its own and a new call, in one transaction{beside}. \
         Debrief knew all of the calls afterwards.\n\n",
        how.messages,
        taken_in.as_secs_f64()
    );
    let tenths: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
    writeln!(
        text,
        "This took {:.0} s, and {processor_s:.0} s of processor time of the process. Messages in a second, for each tenth of them: {}.\n",
        took.as_secs_f64(),
        tenths.join(", ")
    )?;
    let (first, last) =
        (rates.first().copied().unwrap_or_default(), rates.last().copied().unwrap_or_default());
    writeln!(
        text,
        "The first and the last tenth differ by at most {:.0} %: {}, with {first:.0} and {last:.0} in a second ({:+.0} %).",
        MAX_SLOWER * 100.0,
        verdict((last / first - 1.0).abs() <= MAX_SLOWER),
        (last / first - 1.0) * 100.0
    )?;
    let (early, late) = samples.early_and_late();
    writeln!(
        text,
        "The memory stays the same: {}, with {early:.1} MB in the second tenth of the time, {late:.1} MB in the last, and {:.1} MB at most (VmRSS, {} samples).",
        verdict(late < early + MAX_MORE_MB),
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
        // The rate is 100 in a second up to the middle, and 50 after it. The queue is looked at once in a second.
        let fast = (0..=5).map(|s| (Duration::from_secs(s), 1000 - s * 100));
        let slow = (1..=10).map(|s| (Duration::from_secs(5 + s), 500 - s * 50));
        let rates = rates(&fast.chain(slow).collect::<Vec<_>>());
        let rounded: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
        assert_eq!(rounded, ["100", "100", "100", "100", "100", "50", "50", "50", "50", "50"]);
    }
}
