//! Measures Debrief as a process from the outside, and writes the figures to `RESULTS.md`.
//!
//! The figures depend on the machine, and the load comes from the same machine. So figures can be compared only with
//! figures of the same run, and a bare AMQP client is measured beside Debrief.

mod audio;
mod autoscale;
mod bench;
mod client;
mod console;
mod deployment;
mod drain;
mod history;
mod idle;
mod ingest;
mod large;
mod live;
mod load;
mod memory;
mod model;
mod overload;
mod pipeline;
mod practice;
mod samples;
mod scale;
mod start;
mod stop;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};

use load_tests::harness::process::Program;
use load_tests::harness::report::Report;
use load_tests::harness::servers::Servers;

use crate::bench::Bench;
use crate::stop::Stop;

#[derive(Parser)]
#[command(name = "bench", about = "Measures Debrief and writes load-tests/RESULTS.md")]
struct Cli {
    #[command(subcommand)]
    what: What,
    /// The debrief binary. Without it, the one beside this program
    #[arg(long, global = true, value_name = "PATH")]
    debrief: Option<PathBuf>,
    /// The file to which the results are written
    #[arg(long, global = true, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md"))]
    results: PathBuf,
}

#[derive(Subcommand)]
enum What {
    /// Send webhooks at a fixed rate to a Debrief that runs, and look whether every accepted call is there
    Load(load::Load),
    /// Measure how fast webhooks are taken in: on servers beside a bare AMQP client, and embedded
    Ingest(ingest::Ingest),
    /// Measure what happens when ingest gets three times the load that it can take
    Overload(overload::Overload),
    /// Measure how many calls go from the webhook to Slack in a second, and who uses the processor
    Pipeline(pipeline::Pipeline),
    /// Measure whether a backlog is worked off at a steady rate, and with steady memory
    Drain(drain::Drain),
    /// Measure how much faster several workers are when they wait for a provider
    Scale(scale::Scale),
    /// Show how the number of processes follows the load, with the formula of KEDA, and that nothing is lost
    Autoscale(autoscale::Autoscale),
    /// Predict what a number of calls in a day needs, from what was measured
    Model(model::Prediction),
    /// Measure the memory that the transcription of a 2 GB recording needs
    Large(large::Large),
    /// Measure the memory that a process takes for each megabyte of a transcript
    Memory(memory::Memory),
    /// Measure how soon a listener of a live call has the words and the advice, and what idle listeners need
    Live(live::Live),
    /// Measure how fast lists, searches and the dashboard are when there are many calls
    Console(console::Console),
    /// Measure the memory and the time that a two-hour recording needs, beside ffmpeg
    Audio(audio::Audio),
    /// Measure the time to the first sound of a practice meeting, and many meetings at once
    Practice(practice::Practice),
    /// Measure what one process with all roles needs when it has nothing to do
    Idle,
    /// Measure the time from the start of the process until it is ready
    Start,
    /// Measure all of these without options, with a backlog of 100,000 webhooks
    All {
        #[command(flatten)]
        servers: Servers,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli { what, debrief, results } = Cli::parse();
    let stop = Stop::listen()?;
    if let What::Model(how) = what {
        return model::predict(&how, &results);
    }
    if let What::Load(load) = what {
        return stop.unless(load::send(&load)).await;
    }
    let any_build = matches!(what, What::Autoscale(_));
    let report = Report::new(results, debrief.is_some());
    let program = Program::at(match debrief {
        Some(path) => path,
        None => std::env::current_exe().context("find this program")?.with_file_name("debrief"),
    })?;
    let bench = Bench { program, report, stop: stop.clone() };
    tokio::select! {
        measured = measure(&bench, what) => measured?,
        () = stop.removed() => bail!("the measurement was interrupted; what it made on the servers is removed"),
    }
    if cfg!(debug_assertions) && !any_build {
        bail!("this is a debug build: its figures mean nothing and were not written to the results");
    }
    Ok(())
}

async fn measure(bench: &Bench, what: What) -> anyhow::Result<()> {
    match what {
        // These commands measure nothing, and were handled before.
        What::Load(_) | What::Model(_) => Ok(()),
        What::Ingest(how) => ingest::measure(bench, &how).await.context("measure ingest"),
        What::Overload(how) => overload::measure(bench, &how).await.context("measure overload"),
        What::Pipeline(how) => pipeline::measure(bench, &how).await.context("measure the pipeline"),
        What::Drain(how) => drain::measure(bench, &how).await.context("measure a backlog"),
        What::Scale(how) => scale::measure(bench, &how).await.context("measure more workers"),
        What::Autoscale(how) => autoscale::measure(bench, &how).await.context("scale with the load"),
        What::Large(how) => large::measure(bench, &how).await.context("measure a large recording"),
        What::Memory(how) => memory::measure(bench, &how).await.context("measure the memory of transcripts"),
        What::Audio(how) => audio::measure(bench, &how).await.context("measure a long recording"),
        What::Live(how) => live::measure(bench, &how).await.context("measure live calls"),
        What::Console(how) => console::measure(bench, &how).await.context("measure the console"),
        What::Practice(how) => practice::measure(bench, &how).await.context("measure practice meetings"),
        What::Idle => idle::measure(bench).await.context("measure idle"),
        What::Start => start::measure(bench).await.context("measure the start"),
        What::All { servers } => all(bench, &servers).await,
    }
}

/// A measurement that needs no servers, without options.
fn alone(command: &str) -> anyhow::Result<What> {
    let parsed = Cli::try_parse_from(["bench", command]).map(|cli| cli.what);
    parsed.with_context(|| format!("measure {command}"))
}

/// Measures everything. The measurements that need a quiet machine come first.
async fn all(bench: &Bench, servers: &Servers) -> anyhow::Result<()> {
    let with_defaults = |command: &str| {
        let args = ["bench", command].map(str::to_owned).into_iter().chain(servers.args());
        let args = args.chain((command == "drain").then(|| "--messages=100000".to_owned()));
        Cli::try_parse_from(args).map(|cli| cli.what).with_context(|| format!("measure {command}"))
    };
    for what in [What::Start, What::Idle] {
        Box::pin(measure(bench, what)).await?;
    }
    for command in ["practice", "memory"] {
        Box::pin(measure(bench, alone(command)?)).await?;
    }
    for command in ["ingest", "overload", "pipeline", "drain", "scale", "autoscale", "large", "live"] {
        Box::pin(measure(bench, with_defaults(command)?)).await?;
    }
    Ok(())
}
