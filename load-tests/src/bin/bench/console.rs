//! How fast the list of calls, the search and the dashboard answer when there are many calls.
//!
//! The calls are written straight into the tables of the store, because their way through the pipeline is measured
//! elsewhere. Debrief adds their facts up to sums of days by itself, and the measurement waits for that.

mod calls;
mod embedded;
mod plans;
mod postgres;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use hdrhistogram::Histogram;

use crate::bench::Bench;
use load_tests::harness::http::Connection;
use load_tests::harness::process::Running;
use load_tests::harness::report::verdict;
use load_tests::harness::servers::{Place, Servers};

const TARGET_MS: f64 = 100.0;
/// How many requests of a kind come before those that are measured.
const WARM_UP: usize = 20;

#[derive(Args)]
pub(crate) struct Console {
    #[command(flatten)]
    servers: Servers,
    /// How many calls there are
    #[arg(long, default_value_t = 1_000_000)]
    calls: u64,
    /// Fill an embedded store and not PostgreSQL
    #[arg(long)]
    embedded: bool,
    /// How often each page is asked for
    #[arg(long, default_value_t = 300)]
    requests: usize,
    /// The file to which the plans of the queries are written
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/console-queries.md"))]
    plans: PathBuf,
}

/// What is asked for. `{}` is another value each time.
const ASKED: [(&str, &str, &[&str]); 7] = [
    ("the first page of the list", "/api/calls/history?limit=50", &[""]),
    ("the list of one agent", "/api/calls/history?limit=50&agent={}", &calls::AGENTS),
    ("the list of one source", "/api/calls/history?limit=50&source={}", &calls::SOURCES),
    ("a search for a frequent word", "/api/calls/search?q={}", &["invoice", "refund", "thank", "delivery"]),
    (
        "a search for rare words",
        "/api/calls/search?q={}",
        &["headset+invoice+cancel", "%22broken+headset%22", "Dana+refund+router"],
    ),
    ("the dashboard of 30 days", "/api/analytics/dashboard?direction={}", &["", "incoming", "outgoing"]),
    (
        "the dashboard of a year",
        "/api/analytics/dashboard?from=2024-12-01&to=2026-11-30&agent={}",
        &["", "Dana+Ortiz"],
    ),
];

pub(crate) async fn measure(bench: &Bench, how: &Console) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("make a data folder")?;
    let place = if how.embedded { None } else { Some(Place::make(&how.servers).await?) };
    let measured = in_place(bench, how, place.as_ref(), folder.path()).await;
    if let Some(place) = place {
        place.remove().await?;
    }
    measured
}

async fn in_place(
    bench: &Bench,
    how: &Console,
    place: Option<&Place>,
    folder: &std::path::Path,
) -> anyhow::Result<()> {
    let settings = place.map(Place::settings).transpose()?.unwrap_or_default();
    bench.program.output(&["migrate"], &settings, folder).await.context("make the tables")?;
    let begun = Instant::now();
    match place {
        Some(place) => postgres::fill(&place.database_url()?, how.calls).await.context("fill PostgreSQL")?,
        None => embedded::fill(&folder.join("debrief.db"), how.calls).await.context("fill the store")?,
    }
    let filled = begun.elapsed();
    println!("{} calls were written in {:.0} s", how.calls, filled.as_secs_f64());
    let roles: &[&str] = if place.is_some() { &["--role", "api", "--role", "keeper"] } else { &[] };
    let debrief = bench.program.run(roles, &settings, folder).await?;
    let begun = Instant::now();
    match place {
        Some(place) => postgres::until_added_up(&place.database_url()?).await?,
        None => embedded::until_added_up(&folder.join("debrief.db")).await?,
    }
    let added_up = begun.elapsed();
    let mut table = String::from("| page | requests | p50 | p99 | longest |\n|---|---|---|---|---|\n");
    let mut worst: f64 = 0.0;
    for (name, path, values) in ASKED {
        let times =
            ask(&debrief, path, values, how.requests).await.with_context(|| format!("ask for {name}"))?;
        let ms =
            |quantile: f64| Duration::from_micros(times.value_at_quantile(quantile)).as_secs_f64() * 1000.0;
        let line = format!(
            "| {name} | {} | {:.1} ms | {:.1} ms | {:.1} ms |\n",
            how.requests,
            ms(0.5),
            ms(0.99),
            ms(1.0)
        );
        print!("{line}");
        table += &line;
        worst = worst.max(ms(0.99));
    }
    if let Some(place) = place {
        plans::write(&place.database_url()?, how.calls, &how.plans).await.context("write the plans")?;
    }
    debrief.stop().await?;
    let text = format!(
        "{} calls in {}. They were written in {:.0} s, and their facts were added up in {:.0} s.\n\n{table}\n\
         Each page has a p99 under {TARGET_MS:.0} ms: {}, with {worst:.1} ms at most.\n",
        how.calls,
        if how.embedded { "an embedded store" } else { "PostgreSQL" },
        filled.as_secs_f64(),
        added_up.as_secs_f64(),
        verdict(worst < TARGET_MS),
    );
    let (name, args) =
        if how.embedded { ("console-embedded", "console --embedded") } else { ("console", "console") };
    bench.report.section(name, &format!("{args} --calls {}", how.calls), &[], &text)
}

/// Asks for one page again and again. Returns the times in microseconds.
async fn ask(
    debrief: &Running,
    path: &str,
    values: &[&str],
    requests: usize,
) -> anyhow::Result<Histogram<u64>> {
    let mut connection = Connection::open(debrief.address).await.context("connect to Debrief")?;
    let mut times = Histogram::new(3).context("make a histogram")?;
    for number in 0..WARM_UP + requests {
        let path = path.replace("{}", values[number % values.len()]);
        let path = if path.ends_with('=') {
            path.rsplit_once(['?', '&']).map_or(path.clone(), |(before, _)| before.to_owned())
        } else {
            path
        };
        let sent = Instant::now();
        let answer = connection.get(&path).await?;
        let took = sent.elapsed();
        let body = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 200, "{path} was answered with {}: {body}", answer.status);
        if number >= WARM_UP {
            times.record(micros(took)).context("note a time")?;
        }
    }
    Ok(times)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}
