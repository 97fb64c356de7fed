//! Measures Debrief as a process, from the outside, and writes what was found to `RESULTS.md`.
//!
//! It measures whatever machine it runs on, and the load comes from that same machine: figures compare with
//! figures of the same run, which is why the bare AMQP client is measured beside Debrief.

mod idle;
mod ingest;
mod start;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};

use load_tests::harness::process::Program;
use load_tests::harness::report::Report;
use load_tests::harness::servers::Servers;

#[derive(Parser)]
#[command(name = "bench", about = "Measures Debrief and writes load-tests/RESULTS.md")]
struct Cli {
    #[command(subcommand)]
    what: What,
    /// The debrief binary; the one beside this program where none is named
    #[arg(long, global = true, value_name = "PATH")]
    debrief: Option<PathBuf>,
    /// Where the results go
    #[arg(long, global = true, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md"))]
    results: PathBuf,
}

#[derive(Subcommand)]
enum What {
    /// How fast webhooks are taken in, beside a bare AMQP client, and embedded
    Ingest(Ingest),
    /// What an all-in-one process that has nothing to do needs
    Idle,
    /// How long from the start of the process until it is ready
    Start,
    /// All of them
    All(Ingest),
}

#[derive(Args)]
struct Ingest {
    /// Each is measured so many times, in turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long one measurement takes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    #[command(flatten)]
    servers: Servers,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli { what, debrief, results } = Cli::parse();
    let report = Report::new(results, debrief.is_some());
    let program = Program::at(match debrief {
        Some(path) => path,
        None => std::env::current_exe().context("find this program")?.with_file_name("debrief"),
    })?;
    match what {
        What::Ingest(ingest) => measure_ingest(&program, &ingest, &report).await?,
        What::Idle => idle::measure(&program, &report).await?,
        What::Start => start::measure(&program, &report).await?,
        What::All(ingest) => {
            // What wants a quiet machine first.
            start::measure(&program, &report).await?;
            idle::measure(&program, &report).await?;
            measure_ingest(&program, &ingest, &report).await?;
        }
    }
    if cfg!(debug_assertions) {
        bail!("this is a debug build: its figures mean nothing and were not written down");
    }
    Ok(())
}

async fn measure_ingest(program: &Program, ingest: &Ingest, report: &Report) -> anyhow::Result<()> {
    ingest::measure(program, ingest, report).await.context("measure ingest")
}
