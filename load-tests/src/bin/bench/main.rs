//! Measures Debrief as a process, from the outside, and writes what was found to `RESULTS.md`.
//!
//! It measures whatever machine it runs on, and the load comes from that same machine: figures compare with
//! figures of the same run, which is why the bare AMQP client is measured beside Debrief.

mod drain;
mod found;
mod idle;
mod ingest;
mod large;
mod load;
mod on_servers;
mod overload;
mod pipeline;
mod samples;
mod scale;
mod start;
mod stop;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};

use load_tests::harness::process::Program;
use load_tests::harness::report::Report;
use load_tests::harness::servers::Servers;
use stop::Stop;

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
    /// Sends webhooks at a fixed rate to a Debrief that runs, and looks whether everything accepted is there
    Load(load::Load),
    /// How fast webhooks are taken in, beside a bare AMQP client, and embedded
    Ingest(Ingest),
    /// What becomes of three times the load that ingest takes
    Overload(overload::Overload),
    /// Calls a second from webhook to Slack, and where the processor's time goes
    Pipeline(pipeline::Pipeline),
    /// Whether a backlog drains at a steady rate, with flat memory
    Drain(drain::Drain),
    /// What more workers bring where a provider is waited for
    Scale(scale::Scale),
    /// What the transcription of a 2 GB recording needs
    Large(large::Large),
    /// What an all-in-one process that has nothing to do needs
    Idle,
    /// How long from the start of the process until it is ready
    Start,
    /// All of them, each as it is without options; a backlog of 100,000
    All {
        #[command(flatten)]
        servers: Servers,
    },
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

/// What every measurement works with.
struct Bench {
    program: Program,
    report: Report,
    stop: Stop,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli { what, debrief, results } = Cli::parse();
    let stop = Stop::listen()?;
    if let What::Load(load) = what {
        return stop.unless(load::send(&load)).await;
    }
    let report = Report::new(results, debrief.is_some());
    let program = Program::at(match debrief {
        Some(path) => path,
        None => std::env::current_exe().context("find this program")?.with_file_name("debrief"),
    })?;
    let bench = Bench { program, report, stop: stop.clone() };
    tokio::select! {
        measured = measure(&bench, what) => measured?,
        () = stop.removed() => bail!("interrupted; what was made on the servers is removed"),
    }
    if cfg!(debug_assertions) {
        bail!("this is a debug build: its figures mean nothing and were not written down");
    }
    Ok(())
}

async fn measure(bench: &Bench, what: What) -> anyhow::Result<()> {
    match what {
        // It measures nothing of ours, and was done before.
        What::Load(_) => Ok(()),
        What::Ingest(how) => ingest::measure(bench, &how).await.context("measure ingest"),
        What::Overload(how) => overload::measure(bench, &how).await.context("measure overload"),
        What::Pipeline(how) => pipeline::measure(bench, &how).await.context("measure the pipeline"),
        What::Drain(how) => drain::measure(bench, &how).await.context("measure a backlog"),
        What::Scale(how) => scale::measure(bench, &how).await.context("measure more workers"),
        What::Large(how) => large::measure(bench, &how).await.context("measure a large recording"),
        What::Idle => idle::measure(bench).await.context("measure idle"),
        What::Start => start::measure(bench).await.context("measure the start"),
        What::All { servers } => all(bench, &servers).await,
    }
}

/// What wants a quiet machine first.
async fn all(bench: &Bench, servers: &Servers) -> anyhow::Result<()> {
    let some = |command: &str| {
        let args = ["bench", command].map(str::to_owned).into_iter().chain(servers.args());
        let args = args.chain((command == "drain").then(|| "--messages=100000".to_owned()));
        Cli::try_parse_from(args).map(|cli| cli.what).with_context(|| format!("measure {command}"))
    };
    for what in [What::Start, What::Idle] {
        Box::pin(measure(bench, what)).await?;
    }
    for command in ["ingest", "overload", "pipeline", "drain", "scale", "large"] {
        Box::pin(measure(bench, some(command)?)).await?;
    }
    Ok(())
}
