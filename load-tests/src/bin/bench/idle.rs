//! The memory and the processor time of one process with all roles and no settings, when it has nothing to do.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::bench::Bench;
use load_tests::harness::load::Sender as _;
use load_tests::harness::process::{Program, Running};
use load_tests::harness::report::verdict;
use load_tests::harness::webhook::Webhooks;

const QUIET: Duration = Duration::from_secs(10);
const TARGET_MB: f64 = 60.0;
/// The number of calls after which every part of the process has worked.
pub(crate) const CALLS: u64 = 2000;

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<()> {
    let program = &bench.program;
    let folder = tempfile::tempdir().context("make a data folder")?;
    let debrief = program.run(&[], &vec![], folder.path()).await?;
    let mut table = String::from(
        "| one process with all roles, embedded, without settings | memory (VmRSS) | processor time in 10 s |\n|---|---|---|\n",
    );
    let fresh = measured_line(&debrief, "started on an empty folder").await?;
    bring_in(&debrief, CALLS).await?;
    let worked = measured_line(&debrief, &format!("the same process after {CALLS} calls")).await?;
    let peak = debrief.memory_mb("VmHWM")?;
    debrief.stop().await?;
    table += &fresh.1;
    table += &worked.1;
    let text = format!(
        "{table}\nAn idle process stays under {TARGET_MB:.0} MB: {}, with {:.1} MB. It does so after work, too: {}, with {:.1} MB \
         (at most {peak:.1} MB while it worked).\n",
        verdict(fresh.0 < TARGET_MB),
        fresh.0,
        verdict(worked.0 < TARGET_MB),
        worked.0,
    );
    bench.report.section("idle", "idle", &[], &text)
}

/// Waits, measures, and makes a line of the table. Also returns the memory in MB.
async fn measured_line(debrief: &Running, what: &str) -> anyhow::Result<(f64, String)> {
    tokio::time::sleep(QUIET).await;
    let before = debrief.processor_s()?;
    tokio::time::sleep(QUIET).await;
    let used_ms = (debrief.processor_s()? - before) * 1000.0;
    let memory = debrief.memory_mb("VmRSS")?;
    Ok((memory, format!("| {what} | {memory:.1} MB | {used_ms:.0} ms |\n")))
}

/// Brings in so many calls, and waits until nothing is left to do for them.
pub(crate) async fn bring_in(debrief: &Running, calls: u64) -> anyhow::Result<()> {
    let mut webhooks = Webhooks::open(debrief.address, 1).await?;
    let webhook = webhooks.first_mut().context("open a connection")?;
    for _ in 0..calls {
        webhook.send().await?;
    }
    debrief.until_waiting(calls).await
}

/// Fills a data folder with the work of a process.
pub(crate) async fn fill_folder(program: &Program, folder: &Path) -> anyhow::Result<()> {
    let debrief = program.run(&[], &vec![], folder).await?;
    bring_in(&debrief, CALLS).await?;
    debrief.stop().await
}
