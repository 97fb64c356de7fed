//! The time from the start of the process until it is ready.

use anyhow::Context as _;

use crate::bench::Bench;
use crate::idle::{CALLS, fill_folder};
use load_tests::harness::process::Program;
use load_tests::harness::report::verdict;

const RUNS: usize = 20;
const TARGET_MS: f64 = 300.0;

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<()> {
    let program = &bench.program;
    let mut fresh = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let folder = tempfile::tempdir().context("make a data folder")?;
        fresh.push(start_time_ms(program, &folder).await?);
    }
    let used = tempfile::tempdir().context("make a data folder")?;
    fill_folder(program, used.path()).await?;
    let mut existing = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        existing.push(start_time_ms(program, &used).await?);
    }
    let (fresh, existing) = (Spread::of(fresh), Spread::of(existing));
    let worst = fresh.worst_ms.max(existing.worst_ms);
    let text = format!(
        "| time from the start of the process to the first answer 200 of `/ready`, {RUNS} runs | median | worst |\n|---|---|---|\n\
         | an empty data folder | {:.0} ms | {:.0} ms |\n\
         | a data folder with {CALLS} calls | {:.0} ms | {:.0} ms |\n\n\
         The process is ready in under {TARGET_MS:.0} ms each time: {}, with {worst:.0} ms at worst.\n",
        fresh.median_ms,
        fresh.worst_ms,
        existing.median_ms,
        existing.worst_ms,
        verdict(worst < TARGET_MS),
    );
    bench.report.section("start", "start", &[], &text)
}

async fn start_time_ms(program: &Program, folder: &tempfile::TempDir) -> anyhow::Result<f64> {
    let debrief = program.run(&[], &vec![], folder.path()).await?;
    let took = debrief.ready_after;
    debrief.stop().await?;
    Ok(took.as_secs_f64() * 1000.0)
}

/// The median and the worst of some times.
struct Spread {
    median_ms: f64,
    worst_ms: f64,
}

impl Spread {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let worst_ms = times.last().copied().unwrap_or_default();
        let median_ms = times.get(times.len() / 2).copied().unwrap_or_default();
        Self { median_ms, worst_ms }
    }
}
