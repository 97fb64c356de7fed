//! How much faster several workers are on a stage that waits for its provider: analysis with a slow model.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use serde_json::json;

use crate::bench::Bench;
use crate::deployment::{Deployment, deployed};
use crate::pipeline::feed::{Kind, feeders};
use load_tests::harness::amqp;
use load_tests::harness::load::send_all;
use load_tests::harness::process::Settings;
use load_tests::harness::providers::Providers;
use load_tests::harness::report::verdict;
use load_tests::harness::servers::{Servers, postgresql_version};
use load_tests::harness::webhook;
use simulators::openai;

const WORKERS: [u64; 3] = [1, 2, 4];
const TARGET: f64 = 3.5;
const FEEDERS: usize = 8;
/// The prefetch of analysis: the number of calls on which one process works at the same time.
const AT_ONCE: u64 = 20;
const STALLED: Duration = Duration::from_mins(1);

#[derive(Args)]
pub(crate) struct Scale {
    /// The time that the model takes for each answer
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(100..))]
    latency_ms: u64,
    /// The time for which the workers would work if only the model took time
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..))]
    seconds: u64,
    #[command(flatten)]
    servers: Servers,
}

pub(crate) async fn measure(bench: &Bench, how: &Scale) -> anyhow::Result<()> {
    let postgresql = postgresql_version(&how.servers.database).await?;
    let rabbitmq = amqp::version(&how.servers.amqp).await?;
    let mut rates = Vec::new();
    for workers in WORKERS {
        let providers = Providers::start(Duration::ZERO).await?;
        providers.set_faults(&openai::PROVIDER, &json!({ "latency_ms": how.latency_ms })).await?;
        let settings = providers.settings_of(&openai::PROVIDER)?;
        let calls = AT_ONCE * workers * how.seconds * 1000 / how.latency_ms;
        let rate =
            deployed(bench, &how.servers, async |here| analysed(here, &settings, workers, calls).await);
        let rate = rate.await?;
        println!("{workers} workers: {rate:.1}/s");
        rates.push((workers, calls, rate));
    }
    let args = format!("scale --latency-ms {} --seconds {}", how.latency_ms, how.seconds);
    let versions = [("RabbitMQ", rabbitmq.as_str()), ("PostgreSQL", postgresql.as_str())];
    bench.report.section("scale", &args, &versions, &text(how, &rates)?)
}

/// Lets the calls come as far as analysis, and then starts the workers. Returns how many calls were completed in a second.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
async fn analysed(
    here: &Deployment<'_>,
    settings: &Settings,
    workers: u64,
    calls: u64,
) -> anyhow::Result<f64> {
    let others = here.run(&["ingest", "dedup", "transcription", "crm", "slack", "api"]).await?;
    send_all(feeders(others.address, FEEDERS, Kind::Sessions, "").await?, calls).await?;
    let mut since = Instant::now();
    let mut ready = 0;
    while ready < calls {
        let now = here.broker.depth_of_stage("analysis").await?;
        if now > ready {
            (ready, since) = (now, Instant::now());
        }
        ensure!(since.elapsed() < STALLED, "{ready} of {calls} calls have come to analysis");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut running = Vec::new();
    for _ in 0..workers {
        running.push(here.run_with(&["analysis"], settings).await?);
    }
    // The first workers have completed calls by now. From here on all of them work.
    let (start, before) = (Instant::now(), webhook::calls(others.address, Some("completed")).await?);
    let (mut done, mut changed) = (before, Instant::now());
    while done < calls {
        let now = webhook::calls(others.address, Some("completed")).await?;
        if now > done {
            (done, changed) = (now, Instant::now());
        }
        ensure!(changed.elapsed() < STALLED, "{done} of {calls} calls are completed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = start.elapsed();
    for worker in running {
        worker.stop().await?;
    }
    others.stop().await?;
    Ok((calls - before) as f64 / took.as_secs_f64())
}

fn text(how: &Scale, rates: &[(u64, u64, f64)]) -> anyhow::Result<String> {
    let mut text = format!(
        "Each process with the role `analysis` works on up to {AT_ONCE} calls at the same time, and a simulated model takes {} ms \
         for an answer. The calls wait in the queue when the processes start. The other stages share one process.\n\n\
         | processes | calls | in a second | as a multiple of one process |\n|---|---|---|---|\n",
        how.latency_ms
    );
    let one = rates.first().map_or(1.0, |(_, _, rate)| *rate);
    for (workers, calls, rate) in rates {
        writeln!(text, "| {workers} | {calls} | {rate:.1} | {:.2} |", rate / one)?;
    }
    let (most, _, rate) = rates.last().copied().unwrap_or((1, 0, one));
    writeln!(
        text,
        "\n{most} processes are at least {TARGET} × as fast as one: {}, with {:.2} ×.",
        verdict(rate / one >= TARGET),
        rate / one
    )?;
    Ok(text)
}
