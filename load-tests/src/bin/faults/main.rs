//! Breaks a deployment of Debrief in every way that the catalogue lists, and looks whether it kept its promises.
//!
//! A call whose webhook was answered with 2xx must end done or dead, where a person can see it. Each thing that it makes
//! at a provider must be made once, or be shown as unknown. Every run can be repeated by its name and its seed.

mod answers;
mod bounds;
mod broker;
mod catalog;
mod clocks;
mod cluster;
mod crowds;
mod databases;
mod failpoints;
mod fault;
mod inputs;
mod inspection;
mod kills;
mod live;
mod messages;
mod poison;
mod process;
mod processes;
mod providers;
mod redis;
mod replays;
mod run;
mod senders;
mod servers;
mod topology;
mod unanswered_requests;
mod upgrades;
mod world;

use std::os::unix::fs::PermissionsExt as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::{Parser, Subcommand};
use futures::FutureExt as _;
use load_tests::harness::ledger::Verdict;
use load_tests::harness::report::Report;
use tokio::signal::unix::{SignalKind, signal};

use crate::fault::{Fault, Length};
use crate::run::{Kind, Run};
use crate::servers::OwnServers;

const HEAD: &str = "| fault | kind | seed | accepted | done | dead | waiting | unknown | duplicates | seconds | verdict | run |";
/// The number of broken promises of a run that are printed.
const PRINTED_PROMISES: usize = 20;
/// The number of lines of each log that are printed when a promise was broken.
const PRINTED_LINES: usize = 20;

#[derive(Parser)]
#[command(
    name = "faults",
    about = "Breaks a deployment of Debrief in every way that is listed, and looks whether it kept its promises"
)]
struct Cli {
    #[command(subcommand)]
    what: What,
    /// The seed of an earlier run, to repeat it
    #[arg(long, global = true, value_name = "N")]
    seed: Option<u64>,
    /// Play the faults only on this kind of deployment
    #[arg(long, global = true)]
    kind: Option<Kind>,
    /// The debrief binary, built with `--features failpoints`. Without it, the one beside this program
    #[arg(long, global = true, value_name = "PATH")]
    debrief: Option<PathBuf>,
    /// The debrief binary of an older version, for the faults that update a deployment. `make upgrade` builds it
    #[arg(long, global = true, value_name = "PATH")]
    older: Option<PathBuf>,
    /// Use the servers of this folder and leave them running, instead of starting new ones
    #[arg(long, global = true, value_name = "FOLDER")]
    services: Option<PathBuf>,
    /// The file to which the results are written
    #[arg(long, global = true, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md"))]
    results: PathBuf,
    /// Write no results
    #[arg(long, global = true)]
    unrecorded: bool,
}

#[derive(Subcommand)]
enum What {
    /// List every fault with what it does
    List,
    /// Play these faults
    Run {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Play the fast faults, as the CI does
    Fast,
    /// Play all faults
    All,
}

#[tokio::main]
async fn main() -> ExitCode {
    match play(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("faults: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn play(cli: Cli) -> anyhow::Result<ExitCode> {
    let chosen: Vec<&Fault> = match &cli.what {
        What::List => {
            list();
            return Ok(ExitCode::SUCCESS);
        }
        What::Run { names } => names.iter().map(|name| find(name)).collect::<Result<_, _>>()?,
        What::Fast => catalog::all().filter(|fault| fault.length == Length::Fast).collect(),
        What::All => catalog::all().filter(|fault| cli.older.is_some() || !fault.needs_older).collect(),
    };
    let program = match &cli.debrief {
        Some(path) => path.clone(),
        None => std::env::current_exe().context("find this program")?.with_file_name("debrief"),
    };
    ensure!(program.exists(), "there is no {}: build it, or name it with --debrief", program.display());
    let folder = tempfile::Builder::new().prefix("debrief-faults-").tempdir().context("make a folder")?;
    // The servers run as users of their own, who have to reach the folder.
    let permissions = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), permissions).context("open the folder to the servers")?;
    let servers = Arc::new(OwnServers::in_folder(
        &cli.services.clone().unwrap_or_else(|| folder.path().join("servers")),
    ));
    let mut all = Player {
        seed: cli.seed.unwrap_or_else(|| rand::random::<u32>().into()),
        report: (!cli.unrecorded).then(|| Report::new(cli.results.clone(), cli.debrief.is_some())),
        program,
        older: cli.older.clone(),
        folder: folder.path().to_owned(),
        servers: servers.clone(),
        passed: 0,
        failed: 0,
    };
    println!("seed {}", all.seed);
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let ended = tokio::select! {
        ended = all.play(&chosen, cli.kind) => ended,
        _ = term.recv() => Err(anyhow::anyhow!("the program was asked to stop")),
        _ = interrupt.recv() => Err(anyhow::anyhow!("the program was interrupted")),
    };
    if cli.services.is_none() {
        servers.stop().await?;
    }
    ended?;
    if all.failed > 0 {
        println!("The logs and the data are kept in {}", folder.keep().display());
    }
    println!("{} passed, {} failed", all.passed, all.failed);
    Ok(if all.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn find(name: &str) -> anyhow::Result<&'static Fault> {
    match catalog::all().find(|fault| fault.name == name) {
        Some(fault) => Ok(fault),
        None => bail!("there is no fault `{name}`; `faults list` names them"),
    }
}

fn list() {
    for fault in catalog::all() {
        let kinds: Vec<&str> = fault.kinds.iter().map(|kind| kind.name()).collect();
        let (length, kinds) = (fault.length.name(), kinds.join(", "));
        println!("{:<46} {length}  {kinds:<17}  {}", fault.name, fault.about);
    }
}

/// Plays one fault after another.
struct Player {
    seed: u64,
    /// `None` means that no results are written.
    report: Option<Report>,
    program: PathBuf,
    older: Option<PathBuf>,
    folder: PathBuf,
    servers: Arc<OwnServers>,
    passed: u64,
    failed: u64,
}

impl Player {
    async fn play(&mut self, chosen: &[&'static Fault], only: Option<Kind>) -> anyhow::Result<()> {
        for fault in chosen {
            for kind in fault.kinds.iter().filter(|kind| only.is_none_or(|only| only == **kind)) {
                self.play_one(fault, *kind).await?;
            }
        }
        ensure!(
            self.passed + self.failed > 0,
            "none of these faults can be played on that kind of deployment"
        );
        Ok(())
    }

    async fn play_one(&mut self, fault: &'static Fault, kind: Kind) -> anyhow::Result<()> {
        let name = fault.name;
        let folder = self.folder.join(format!("{name}-{}", kind.name()));
        std::fs::create_dir_all(&folder).context("make the folder of a run")?;
        let run = Run {
            kind,
            seed: self.seed,
            program: self.program.clone(),
            older: self.older.clone(),
            folder: folder.clone(),
            servers: self.servers.clone(),
        };
        let start = Instant::now();
        let limit = fault.length.limit();
        let played = tokio::time::timeout(limit, AssertUnwindSafe((fault.play)(run)).catch_unwind()).await;
        let took = start.elapsed();
        let verdict = match played {
            Ok(Ok(Ok(verdict))) => verdict,
            Ok(Ok(Err(error))) => without_result(format!("{error:#}")),
            Ok(Err(_)) => without_result("the run panicked".to_owned()),
            Err(_) => without_result(format!("the run has not ended after {limit:?}")),
        };
        let Verdict { accepted, done, dead, waiting, unknown, resubmitted, .. } = &verdict;
        println!(
            "{} {name} ({}): {accepted} accepted, {done} done, {dead} dead, {waiting} waiting, {unknown} unknown, \
             {resubmitted} submitted again, {:.1} s",
            if verdict.holds() { "ok    " } else { "FAILED" },
            kind.name(),
            took.as_secs_f64(),
        );
        if let Some(report) = &self.report {
            report.line("faults", HEAD, &cells(fault, kind, self.seed, &verdict, took, report))?;
        }
        if verdict.holds() {
            self.passed += 1;
            std::fs::remove_dir_all(&folder).context("remove the folder of a run")?;
        } else {
            self.failed += 1;
            print_broken(&verdict, &folder);
            println!("Again: make faults ARGS=\"run {name} --kind {} --seed {}\"", kind.name(), self.seed);
            if kind == Kind::Servers {
                self.servers.mend().await?;
            }
        }
        Ok(())
    }
}

/// Makes the verdict of a run that could not find out what became of everything.
fn without_result(why: String) -> Verdict {
    Verdict { broken: vec![why], ..Verdict::default() }
}

/// Makes a line of the table of results.
fn cells(
    fault: &Fault,
    kind: Kind,
    seed: u64,
    verdict: &Verdict,
    took: Duration,
    report: &Report,
) -> Vec<String> {
    let counts =
        [verdict.accepted, verdict.done, verdict.dead, verdict.waiting, verdict.unknown, verdict.duplicates];
    let mut cells = vec![fault.name.to_owned(), kind.name().to_owned(), seed.to_string()];
    cells.extend(counts.map(|count| count.to_string()));
    cells.push(format!("{:.0}", took.as_secs_f64()));
    cells.push(if verdict.holds() { "holds".to_owned() } else { "**broken**".to_owned() });
    cells.push(report.of());
    cells
}

/// Prints the broken promises and the end of every log.
fn print_broken(verdict: &Verdict, folder: &Path) {
    for broken in verdict.broken.iter().take(PRINTED_PROMISES) {
        println!("  {broken}");
    }
    if verdict.broken.len() > PRINTED_PROMISES {
        println!("  … and {} more", verdict.broken.len() - PRINTED_PROMISES);
    }
    let logs = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut logs: Vec<PathBuf> =
        logs.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    logs.sort();
    for path in logs {
        let log = std::fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        println!("--- the end of {}", path.display());
        println!("{}", lines[lines.len().saturating_sub(PRINTED_LINES)..].join("\n"));
    }
}
