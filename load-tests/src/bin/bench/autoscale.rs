//! Shows autoscaling: the load rises, bursts and ends, and the number of processes with the role `analysis` follows it.
//!
//! A controller with the formula of KEDA and of the `HorizontalPodAutoscaler` starts real processes and ends them with
//! SIGTERM, as Kubernetes does. It asks for the messages that wait or are in hand, because otherwise a busy process would
//! look idle. In the end every call has to be complete, and nothing may have happened twice.

mod load;
mod story;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

use crate::bench::Bench;
use crate::deployment::{Deployment, deployed};
use crate::pipeline::made_once;
use load::{Arrivals, Phases};
use load_tests::harness::amqp;
use load_tests::harness::autoscaler::{Autoscaler, Policy};
use load_tests::harness::http::Connection;
use load_tests::harness::process::{Running, Settings};
use load_tests::harness::providers::Providers;
use load_tests::harness::servers::{Servers, postgresql_version};
use load_tests::harness::webhook;
use simulators::openai;
use story::{Sample, ScaleIn, Story};

const ROLE: &str = "analysis";
/// The values of the chart: `autoscaling` and `roles.analysis.autoscaling`.
const CHART: Policy = Policy {
    messages: 20,
    min: 0,
    max: 6,
    cooldown: Duration::from_mins(5),
    down_window: Duration::from_mins(5),
    up_period: Duration::from_secs(15),
    down_period: Duration::from_mins(1),
};
const CHART_POLLS: Duration = Duration::from_secs(15);
/// The time within which everything has to be done after the last call came in, and the last process has to be gone.
const PATIENCE: Duration = Duration::from_mins(10);

#[derive(Args)]
pub(crate) struct Autoscale {
    /// The time that the model takes for each answer
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..))]
    latency_ms: u64,
    /// The calls in a second to which the load rises
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// The calls that come in at once
    #[arg(long, default_value_t = 120)]
    burst: u64,
    /// How many times faster than in the chart the controller looks, adds and takes away
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    faster: u32,
    /// The picture
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/autoscale.svg"))]
    picture: PathBuf,
    #[command(flatten)]
    servers: Servers,
}

pub(crate) async fn measure(bench: &Bench, how: &Autoscale) -> anyhow::Result<()> {
    let postgresql = postgresql_version(&how.servers.database).await?;
    let rabbitmq = amqp::version(&how.servers.amqp).await?;
    let providers = Providers::start(Duration::ZERO).await?;
    providers.set_faults(&openai::PROVIDER, &json!({ "latency_ms": how.latency_ms })).await?;
    let story = deployed(bench, &how.servers, async |here| scaled(here, how, &providers).await).await?;
    save(&how.picture, &story.picture()).await?;
    let Autoscale { latency_ms, rate, burst, faster, .. } = how;
    let args = format!("autoscale --latency-ms {latency_ms} --rate {rate} --burst {burst} --faster {faster}");
    let versions = [("RabbitMQ", rabbitmq.as_str()), ("PostgreSQL", postgresql.as_str())];
    let text = story.text(how.latency_ms, &CHART, how.faster)?;
    bench.report.section_of_any_build("autoscale", &args, &versions, &text)
}

async fn save(path: &Path, svg: &str) -> anyhow::Result<()> {
    tokio::fs::write(path, svg).await.with_context(|| format!("write {}", path.display()))
}

/// The processes that the controller starts and ends.
struct Replicas<'a> {
    here: &'a Deployment<'a>,
    settings: Settings,
    running: Vec<Running>,
    starting: FuturesUnordered<BoxFuture<'a, anyhow::Result<Running>>>,
    ending: JoinSet<anyhow::Result<()>>,
}

impl Replicas<'_> {
    /// Begins to start processes until there are so many, or begins to end the oldest ones. Returns how many begin to
    /// end.
    fn become_so_many(&mut self, wanted: u64) -> u64 {
        while self.count() + (self.starting.len() as u64) < wanted {
            let (here, settings) = (self.here, self.settings.clone());
            self.starting.push(async move { here.run_with(&[ROLE], &settings).await }.boxed());
        }
        let mut ends = 0;
        while self.count() > wanted {
            // The oldest process certainly has work in hand, so its end is the hardest.
            let oldest = self.running.remove(0);
            self.ending.spawn(oldest.stop());
            ends += 1;
        }
        ends
    }

    /// How many processes are ready.
    fn count(&self) -> u64 {
        self.running.len() as u64
    }

    /// Waits for this long, and takes the processes that become ready in the meantime.
    async fn pass(&mut self, time: Duration) -> anyhow::Result<()> {
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return Ok(()),
                Some(started) = self.starting.next() => self.running.push(started?),
            }
        }
    }

    /// Waits for the processes that end. Each has to end by itself, with the exit code 0.
    async fn ended(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.ending.join_next().await {
            ended.context("wait for a process")??;
        }
        Ok(())
    }
}

async fn scaled(here: &Deployment<'_>, how: &Autoscale, providers: &Providers) -> anyhow::Result<Story> {
    let all = providers.settings()?;
    // Those who ask and those who work are in processes of their own, so that a look gets its answer.
    let door = here.run_with(&["ingest", "api"], &all).await?;
    let others = here.run_with(&["dedup", "transcription", "crm", "slack", "keeper"], &all).await?;
    let mut replicas = Replicas {
        here,
        settings: all,
        running: Vec::new(),
        starting: FuturesUnordered::new(),
        ending: JoinSet::new(),
    };
    let mut scaler = Autoscaler::new(CHART.faster(how.faster));
    let looks_every = CHART_POLLS / how.faster;
    let phases = Phases::of(how.rate, how.burst, (CHART.down_window + CHART.cooldown) / how.faster);
    let arrivals = Arrivals::start(door.address, &phases);
    let start = Instant::now();
    let mut story = Story::new(&phases);
    loop {
        // A controller that gets no answer keeps the processes that it has.
        let Some((load, completed)) = look(door.address).await else {
            story.missed_looks += 1;
            replicas.pass(looks_every).await?;
            continue;
        };
        let wanted = scaler.look(start.elapsed(), load.waiting + load.in_hand);
        let ends = replicas.become_so_many(wanted);
        let at = start.elapsed();
        if ends > 0 {
            story.scale_ins.push(ScaleIn { at, processes: ends, in_hand: load.in_hand });
        }
        let Load { waiting, in_hand } = load;
        story.samples.push(Sample { at, waiting, in_hand, replicas: replicas.count(), completed });
        println!(
            "{:>4} s: {waiting:>3} wait, {in_hand:>3} in hand, {} processes, {completed} completed",
            at.as_secs(),
            replicas.count()
        );
        let is_over =
            arrivals.are_over() && wanted == 0 && replicas.count() == 0 && completed >= arrivals.accepted();
        if is_over {
            break;
        }
        ensure!(
            at < phases.end() + PATIENCE,
            "{completed} of {} calls are completed, {waiting} wait, {in_hand} are in hand, and {} processes run",
            arrivals.accepted(),
            replicas.count()
        );
        let next = looks_every.saturating_sub(start.elapsed().saturating_sub(at));
        replicas.pass(next).await?;
    }
    story.calls = arrivals.end().await?;
    replicas.ended().await?;
    check(here, door.address, providers, &mut story).await?;
    door.stop().await?;
    others.stop().await?;
    Ok(story)
}

/// What the controller sees.
struct Load {
    /// Messages that no process has taken, and runs that are due.
    waiting: u64,
    in_hand: u64,
}

/// Looks at the queue, and how many calls are completed. `None` where the API does not answer in time.
async fn look(api: SocketAddr) -> Option<(Load, u64)> {
    let answer = Connection::open(api).await.ok()?.get("/api/queues").await.ok()?;
    let queues: Value = serde_json::from_slice(&answer.body).ok()?;
    let stage = queues["items"].as_array()?.iter().find(|one| one["stage"] == ROLE)?;
    let ready = |lane: &str| stage["lanes"][lane]["ready"].as_u64();
    let load = Load { waiting: ready("live")? + ready("bulk")?, in_hand: stage["running"].as_u64()? };
    Some((load, webhook::calls(api, Some("completed")).await.ok()?))
}

/// Checks that nothing was lost and nothing happened twice, and that no end of a process cost an attempt.
async fn check(
    here: &Deployment<'_>,
    api: SocketAddr,
    providers: &Providers,
    story: &mut Story,
) -> anyhow::Result<()> {
    let known = webhook::calls(api, None).await?;
    let completed = webhook::calls(api, Some("completed")).await?;
    ensure!(
        known == story.calls && completed == story.calls,
        "{} calls were accepted, Debrief knows {known}, and {completed} are completed",
        story.calls
    );
    made_once(providers, story.calls).await?;
    let asked = providers.received(&openai::PROVIDER).await?;
    let paid = asked
        .iter()
        .filter(|request| request["path"].as_str().is_some_and(|path| path.ends_with("/chat/completions")));
    story.paid = paid.count() as u64;
    ensure!(story.paid == story.calls, "{} calls cost {} requests to the model", story.calls, story.paid);
    let mut database = PgConnection::connect(&here.database).await.context("connect to the database")?;
    let attempts: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(attempts), 0) FROM stage_runs WHERE stage = $1")
            .bind(ROLE)
            .fetch_one(&mut database)
            .await
            .context("count the attempts")?;
    ensure!(attempts <= 1, "a run of {ROLE} needed {attempts} attempts");
    Ok(())
}
