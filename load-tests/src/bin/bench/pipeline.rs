//! The whole pipeline with providers that answer at once: how many calls go from the webhook to Slack and the CRM in a
//! second, and who uses the processor meanwhile.

pub(crate) mod feed;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use tokio::process::{Child, Command};

use crate::bench::Bench;
use crate::deployment::deployed;
use feed::{Kind, feeders};
use load_tests::harness::amqp;
use load_tests::harness::load::send_all;
use load_tests::harness::process::{Running, Settings};
use load_tests::harness::providers::Providers;
use load_tests::harness::servers::{Servers, postgresql_version};
use load_tests::harness::{usage, webhook};
use simulators::{call_data, slack};

/// The number of connections over which calls come in.
const FEEDERS: usize = 16;
/// When no call was completed for so long, no more are coming.
const STALLED: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const ROLES: [&str; 7] = ["ingest", "dedup", "transcription", "analysis", "crm", "slack", "api"];

#[derive(Args)]
pub(crate) struct Pipeline {
    /// The number of sessions, which bring their transcripts
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..))]
    sessions: u64,
    /// The number of calls whose recordings are fetched, uploaded and transcribed
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    recordings: u64,
    /// Record a profile of each process into this folder, with `perf`. It shows the names that the binary has
    #[arg(long, value_name = "FOLDER")]
    perf: Option<PathBuf>,
    #[command(flatten)]
    servers: Servers,
}

/// What one deployment did with one kind of calls.
struct Series {
    deployment: &'static str,
    kind: Kind,
    calls: u64,
    took: Duration,
    /// The time until the last call was answered with 2xx.
    taken_in: Duration,
    /// The processor seconds by who used them. A process that cannot be seen is left out.
    used: BTreeMap<String, f64>,
    /// The greatest memory of a process of Debrief, in MB.
    memory_mb: f64,
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
impl Series {
    fn per_second(&self) -> f64 {
        self.calls as f64 / self.took.as_secs_f64()
    }

    /// Returns the share of the processors that was used, in percent.
    fn busy(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let used: f64 = self.used.values().sum();
        used * 100.0 / (self.took.as_secs_f64() * cores as f64)
    }
}

pub(crate) async fn measure(bench: &Bench, how: &Pipeline) -> anyhow::Result<()> {
    let postgresql = postgresql_version(&how.servers.database).await?;
    let rabbitmq = amqp::version(&how.servers.amqp).await?;
    let mut all = Vec::new();
    for (kind, calls) in [(Kind::Sessions, how.sessions), (Kind::Recordings, how.recordings)] {
        for roles in [vec![vec![]], ROLES.map(|role| vec![role]).to_vec()] {
            let deployment = if roles.len() == 1 {
                "RabbitMQ + PostgreSQL, one process"
            } else {
                "the same, a process for each role"
            };
            // The simulators are new each time, because what they remember takes time to look through.
            let providers = Providers::start(Duration::ZERO).await?;
            let measured = deployed(bench, &how.servers, async |here| {
                let mut running = Vec::new();
                for roles in &roles {
                    running.push(here.run_with(roles, &providers.settings()?).await?);
                }
                series(how, deployment, kind, calls, running, &providers).await
            });
            all.push(measured.await?);
        }
        let providers = Providers::start(Duration::ZERO).await?;
        let folder = tempfile::tempdir().context("make a data folder")?;
        let settings: Settings = providers.settings()?;
        let running = vec![bench.program.run(&[], &settings, folder.path()).await?];
        all.push(series(how, "embedded, one process", kind, calls, running, &providers).await?);
    }
    let args = format!("pipeline --sessions {} --recordings {}", how.sessions, how.recordings);
    let versions = [("RabbitMQ", rabbitmq.as_str()), ("PostgreSQL", postgresql.as_str())];
    bench.report.section("pipeline", &args, &versions, &text(&all)?)
}

/// Brings the calls in, and waits until the last one is completed. `running` is one process, or one for each of [`ROLES`].
async fn series(
    how: &Pipeline,
    deployment: &'static str,
    kind: Kind,
    calls: u64,
    running: Vec<Running>,
    providers: &Providers,
) -> anyhow::Result<Series> {
    let (ingest, api) = (&running[0], &running[running.len() - 1]);
    let recording = feed::recording(providers).await?;
    let before = used(&running, &how.servers, providers, deployment)?;
    let profiles = profiles(how.perf.as_deref(), deployment, kind, &running)?;
    let start = Instant::now();
    let feeding = async {
        send_all(feeders(ingest.address, FEEDERS, kind, &recording).await?, calls).await?;
        Ok::<_, anyhow::Error>(start.elapsed())
    };
    let (taken_in, took) = tokio::try_join!(feeding, completed(api, calls, start))?;
    let after = used(&running, &how.servers, providers, deployment)?;
    for mut profile in profiles {
        // `perf` writes its file when it is interrupted.
        if let Some(id) = profile.id() {
            let sent = Command::new("kill").args(["-INT", &id.to_string()]).status().await;
            sent.context("end perf")?;
        }
        profile.wait().await.context("wait for perf")?;
    }
    let mut memory_mb = 0.0_f64;
    for process in &running {
        memory_mb = memory_mb.max(process.memory_mb("VmHWM")?);
    }
    made_once(providers, calls).await?;
    for process in running {
        process.stop().await?;
    }
    let used = after.into_iter().map(|(who, after)| {
        let before = before.get(&who).copied().unwrap_or_default();
        (who, after - before)
    });
    let series = Series { deployment, kind, calls, took, taken_in, used: used.collect(), memory_mb };
    println!("{deployment}, {kind}: {:.0}/s", series.per_second());
    Ok(series)
}

/// Returns the time from `start` until so many calls are completed.
async fn completed(api: &Running, calls: u64, start: Instant) -> anyhow::Result<Duration> {
    let (mut counted, mut since) = (0, Instant::now());
    loop {
        let now = webhook::calls(api.address, Some("completed")).await?;
        if now >= calls {
            return Ok(start.elapsed());
        }
        if now > counted {
            (counted, since) = (now, Instant::now());
        }
        if since.elapsed() > STALLED {
            let failed = webhook::calls(api.address, Some("failed")).await?;
            bail!("{now} of {calls} calls are completed and {failed} failed");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Fails unless each call was posted to Slack once and stored in the call-data API once.
pub(crate) async fn made_once(providers: &Providers, calls: u64) -> anyhow::Result<()> {
    for (provider, kind) in [(&slack::PROVIDER, "post"), (&call_data::PROVIDER, "call_data")] {
        let made = providers.effects(provider).await?.remove(kind).unwrap_or_default();
        let twice = made.values().filter(|count| **count > 1).count();
        ensure!(
            made.len() as u64 == calls && twice == 0,
            "{calls} calls are completed; {} has {} of them, {twice} of these more than once",
            provider.name,
            made.len()
        );
    }
    Ok(())
}

/// Returns the processor seconds that were used so far, by who used them.
fn used(
    running: &[Running],
    servers: &Servers,
    providers: &Providers,
    deployment: &str,
) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut used = BTreeMap::new();
    for (process, role) in running.iter().zip(ROLES) {
        let name = if running.len() == 1 { "debrief".to_owned() } else { format!("debrief {role}") };
        used.insert(name, process.processor_s()?);
    }
    used.insert("simulators".to_owned(), usage::processor_s(providers.id()?)?);
    used.insert("load".to_owned(), usage::processor_s(std::process::id())?);
    if deployment.starts_with("embedded") {
        return Ok(used);
    }
    for (name, address, usual) in [
        ("RabbitMQ", &servers.amqp, 5672),
        ("PostgreSQL", &servers.database, 5432),
        ("Redis", &servers.redis, 6379),
    ] {
        let url: url::Url = address.parse().with_context(|| format!("read the address of {name}"))?;
        if let Some(id) = usage::listener(url.port().unwrap_or(usual)) {
            used.insert(name.to_owned(), usage::family_processor_s(id)?);
        }
    }
    Ok(used)
}

/// Starts `perf record` for each process when a folder for the profiles is named.
fn profiles(
    folder: Option<&Path>,
    deployment: &str,
    kind: Kind,
    running: &[Running],
) -> anyhow::Result<Vec<Child>> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    std::fs::create_dir_all(folder).context("make the folder of the profiles")?;
    let mut profiles = Vec::new();
    for (process, role) in running.iter().zip(ROLES) {
        let part = if running.len() == 1 { "all" } else { role };
        let deployment = deployment.split([' ', ',']).next().unwrap_or_default().to_lowercase();
        let file = folder.join(format!("{kind}-{deployment}-{part}.perf"));
        let recording = Command::new("perf")
            .args(["record", "--quiet", "-F", "499", "-g", "-p", &process.id()?.to_string(), "-o"])
            .arg(&file)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        profiles.push(recording.context("start perf")?);
        println!("perf report --no-children -i {}", file.display());
    }
    Ok(profiles)
}

fn text(all: &[Series]) -> anyhow::Result<String> {
    let mut text = format!(
        "Every provider is simulated, answers at once, and is asked as fast as it answers. All simulators share one process. \
         A session brings its own transcript; a recording is first fetched, stored, uploaded and transcribed. Then come the \
         analysis by the model, the call-data API, Salesforce and Slack. The time is measured from the first request until \
         the last call is completed. The calls come in over {FEEDERS} connections. As the simulators counted, each call was \
         posted to Slack once and stored in the call-data API once.\n\n\
         | | calls | calls in a second | all taken in after | processor ms for a call | processors busy | memory, at most |\n\
         |---|---|---|---|---|---|---|\n"
    );
    for series in all {
        let total: f64 = series.used.values().sum();
        writeln!(
            text,
            "| {}, {} | {} | {:.0} | {:.1} of {:.1} s | {:.1} | {:.0} % | {:.0} MB |",
            series.kind,
            series.deployment,
            series.calls,
            series.per_second(),
            series.taken_in.as_secs_f64(),
            series.took.as_secs_f64(),
            per_call(total, series.calls),
            series.busy(),
            series.memory_mb
        )?;
    }
    writeln!(
        text,
        "\nWho uses the processor, in ms for a call (user and system time). The memory above is the VmHWM of the largest process of Debrief.\n"
    )?;
    for series in all {
        let mut used: Vec<_> = series.used.iter().collect();
        used.sort_by(|a, b| b.1.total_cmp(a.1));
        let used: Vec<String> = used
            .iter()
            .map(|(who, seconds)| format!("{who} {:.2}", per_call(**seconds, series.calls)))
            .collect();
        writeln!(text, "- {}, {}: {}", series.kind, series.deployment, used.join(", "))?;
    }
    Ok(text)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per_call(seconds: f64, calls: u64) -> f64 {
    seconds * 1000.0 / calls as f64
}
