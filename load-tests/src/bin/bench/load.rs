//! `bench load`: webhooks in an open loop to any Debrief that runs, and the look at the ledger afterwards.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use url::Url;

use crate::found::{found, in_words};
use load_tests::harness::mix::Mix;
use load_tests::harness::open_loop::{Pace, open_loop};
use load_tests::harness::providers::effects_at;

/// What a call makes at a provider, by the simulators' names; the rest may well be made again.
const ONCE: [&str; 4] = ["post", "call_data", "contact", "transcript"];

#[derive(Args)]
pub(crate) struct Load {
    /// Where Debrief listens: http:// and a host and a port
    #[arg(long)]
    url: Url,
    /// Its key, where it has one
    #[arg(long, env = "DEBRIEF_API_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Webhooks a second, whether or not those before were answered
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// More than the rate times the longest answer in seconds, or the generator falls behind
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Of a hundred webhooks, so many repeat another one
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..100))]
    duplicates: u64,
    /// Bodies are filled up to so many bytes
    #[arg(long, default_value_t = 0)]
    bytes: usize,
    /// Where calls are read, when that is another process
    #[arg(long, value_name = "URL")]
    api: Option<Url>,
    /// A simulator, to count what was made there; can be repeated
    #[arg(long, value_name = "URL")]
    simulator: Vec<Url>,
    /// Calls that have not changed for so many seconds do not go on
    #[arg(long, default_value_t = 30)]
    settle: u64,
    /// Send only; do not look what became of it
    #[arg(long)]
    no_check: bool,
}

/// Fails when something that was accepted is lost or still open, or when something was made twice.
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
    let counts = found(api, load.key.as_deref(), &accepted, &since, Duration::from_secs(load.settle)).await?;
    println!("{} calls were accepted: {}", accepted.len(), in_words(&counts));
    let mut twice = 0;
    for simulator in &load.simulator {
        for (kind, made) in effects_at(resolved(simulator).await?).await? {
            let repeated = made.values().filter(|count| **count > 1).count();
            println!("{kind}: {} things were made, {repeated} of them more than once", made.len());
            twice += if ONCE.contains(&kind.as_str()) { repeated } else { 0 };
        }
    }
    ensure!(twice == 0, "{twice} things were made more than once");
    let lost = ["missing", "queued", "processing"].map(|status| counts.get(status).copied().unwrap_or(0));
    match lost {
        [0, 0, 0] => Ok(()),
        [missing, queued, processing] => {
            bail!(
                "of what was accepted {missing} calls are missing, and {} are not done",
                queued + processing
            )
        }
    }
}

async fn resolved(url: &Url) -> anyhow::Result<SocketAddr> {
    ensure!(url.scheme() == "http", "{url}: the load goes over plain HTTP");
    let host = url.host_str().with_context(|| format!("{url} has no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().with_context(|| format!("{url} has no port"))?;
    let mut found = tokio::net::lookup_host((host, port)).await.with_context(|| format!("find {host}"))?;
    found.next().with_context(|| format!("{host} has no address"))
}
