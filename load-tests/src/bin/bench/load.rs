//! `bench load`: sends webhooks in an open loop to any Debrief that runs, and then looks what became of them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use url::Url;

use crate::history::{in_words, statuses_once_ended};
use load_tests::harness::mix::Mix;
use load_tests::harness::open_loop::{Pace, open_loop};
use load_tests::harness::providers::effects_at;
use simulators::PROVIDERS;

#[derive(Args)]
pub(crate) struct Load {
    /// The address of Debrief: http://, a host and a port
    #[arg(long)]
    url: Url,
    /// The key of Debrief, if it has one
    #[arg(long, env = "DEBRIEF_API_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The number of webhooks in a second, whether or not the earlier ones were answered
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// The time for which webhooks are sent
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// The number of connections: more than the rate times the longest answer in seconds, or the generator falls behind
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// The number of webhooks in a hundred that repeat another one
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..100))]
    duplicates: u64,
    /// The length to which bodies are filled up, in bytes
    #[arg(long, default_value_t = 0)]
    bytes: usize,
    /// The address of the API, when another process serves it
    #[arg(long, value_name = "URL")]
    api: Option<Url>,
    /// The address of a simulator, to count what was made there; can be repeated
    #[arg(long, value_name = "URL")]
    simulator: Vec<Url>,
    /// The number of seconds after which calls that have not changed are taken to stand still
    #[arg(long, default_value_t = 30)]
    settle: u64,
    /// Send the webhooks, and do not look what became of them
    #[arg(long)]
    no_check: bool,
}

/// Sends the webhooks. Fails when an accepted call is lost or has not ended, or when something was made twice.
pub(crate) async fn send(load: &Load) -> anyhow::Result<()> {
    let address = resolved(&load.url).await?;
    let since = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mix = Mix::new(address, load.key.clone(), load.duplicates, load.bytes);
    let pace = Pace { per_second: load.rate, seconds: load.seconds };
    let tally = open_loop(mix.askers(load.connections.into()), pace).await?;
    print!("{tally}");
    if load.no_check {
        return Ok(());
    }
    let accepted = mix.accepted();
    let api = match &load.api {
        Some(api) => resolved(api).await?,
        None => address,
    };
    let counts =
        statuses_once_ended(api, load.key.as_deref(), &accepted, &since, Duration::from_secs(load.settle))
            .await?;
    println!("{} calls were accepted: {}", accepted.len(), in_words(&counts));
    let made_once: Vec<&str> = PROVIDERS.iter().flat_map(|provider| provider.made_once).copied().collect();
    let mut twice = 0;
    for simulator in &load.simulator {
        for (kind, made) in effects_at(resolved(simulator).await?).await? {
            let repeated = made.values().filter(|count| **count > 1).count();
            println!("{kind}: {} things were made, {repeated} of them more than once", made.len());
            twice += if made_once.contains(&kind.as_str()) { repeated } else { 0 };
        }
    }
    ensure!(twice == 0, "{twice} things were made more than once");
    let lost = ["missing", "queued", "processing"].map(|status| counts.get(status).copied().unwrap_or(0));
    match lost {
        [0, 0, 0] => Ok(()),
        [missing, queued, processing] => {
            bail!("{missing} of the accepted calls are missing, and {} have not ended", queued + processing)
        }
    }
}

async fn resolved(url: &Url) -> anyhow::Result<SocketAddr> {
    ensure!(url.scheme() == "http", "{url}: the load goes over plain HTTP");
    let host = url.host_str().with_context(|| format!("read the host in {url}"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().with_context(|| format!("read the port in {url}"))?;
    let mut found = tokio::net::lookup_host((host, port)).await.with_context(|| format!("find {host}"))?;
    found.next().with_context(|| format!("find an address of {host}"))
}
