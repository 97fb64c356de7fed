//! What more workers bring on a stage that waits for its provider: analysis, with a model that takes its time.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use serde_json::json;

use crate::Bench;
use crate::on_servers::{OnServers, on_servers};
use crate::pipeline::feed::{Kind, feeders};
use load_tests::harness::amqp;
use load_tests::harness::load::send_all;
use load_tests::harness::process::Settings;
use load_tests::harness::providers::Providers;
use load_tests::harness::report::verdict;
use load_tests::harness::servers::{Servers, postgresql_version};
use load_tests::harness::webhook;

const WORKERS: [u64; 3] = [1, 2, 4];
const TARGET: f64 = 3.5;
const FEEDERS: usize = 8;
/// The prefetch of analysis: how many calls one process has in hand.
const IN_HAND: u64 = 20;
const STALLED: Duration = Duration::from_mins(1);

#[derive(Args)]
pub(crate) struct Scale {
    /// How long the model takes for each answer
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(100..))]
    latency_ms: u64,
    /// How long each of them would work if nothing but the model took time
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
        providers.set_faults("openai", &json!({ "latency_ms": how.latency_ms })).await?;
        let model = ["OPENAI_API_KEY", "OPENAI_BASE_URL"];
        let settings: Settings =
            providers.settings()?.into_iter().filter(|(name, _)| model.contains(name)).collect();
        let calls = IN_HAND * workers * how.seconds * 1000 / how.latency_ms;
        let rate =
            on_servers(bench, &how.servers, async |here| analysed(here, &settings, workers, calls).await);
        let rate = rate.await?;
        println!("{workers}: {rate:.1}/s");
        rates.push((workers, calls, rate));
    }
    let args = format!("scale --latency-ms {} --seconds {}", how.latency_ms, how.seconds);
    let versions = [("RabbitMQ", rabbitmq.as_str()), ("PostgreSQL", postgresql.as_str())];
    bench.report.section("scale", &args, &versions, &text(how, &rates)?)
}

/// Lets the calls come as far as analysis, then starts the workers. Returns how many calls a second were completed.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
async fn analysed(
    here: &OnServers<'_>,
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
        ensure!(since.elapsed() < STALLED, "{ready} of {calls} calls came to analysis");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut running = Vec::new();
    for _ in 0..workers {
        running.push(here.run_with(&["analysis"], settings).await?);
    }
    // The first workers have begun by now: from here on all of them work.
    let (start, begun) = (Instant::now(), webhook::calls(others.address, Some("completed")).await?);
    let (mut done, mut changed) = (begun, Instant::now());
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
    Ok((calls - begun) as f64 / took.as_secs_f64())
}

fn text(how: &Scale, rates: &[(u64, u64, f64)]) -> anyhow::Result<String> {
    let mut text = format!(
        "Processes with the role `analysis`, each with up to {IN_HAND} calls in hand, and a simulated model that takes {} ms for an \
         answer. The calls wait in the queue when the processes start; the other stages share one process.\n\n\
         | processes | calls | a second | times one |\n|---|---|---|---|\n",
        how.latency_ms
    );
    let one = rates.first().map_or(1.0, |(_, _, rate)| *rate);
    for (workers, calls, rate) in rates {
        writeln!(text, "| {workers} | {calls} | {rate:.1} | {:.2} |", rate / one)?;
    }
    let (most, _, rate) = rates.last().copied().unwrap_or((1, 0, one));
    writeln!(
        text,
        "\n1 → {most} give at least {TARGET} ×: {}, with {:.2} ×.",
        verdict(rate / one >= TARGET),
        rate / one
    )?;
    Ok(text)
}
