//! `debrief run`: runs roles until the process is asked to stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use platform::blobs::Blobs;
use platform::config::Values;
use platform::{memory, telemetry};
use providers::requests;
use queue_topology::broker::BrokerError;
use queue_topology::lease::Lease;
use queue_topology::retry::Schedule;
use queue_topology::{Engine, Memory, Waits, Worker, keeper, presence, table};
use store::Process;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use web::Access;

use crate::deployment::{self, Deployment, StartError, until_answered};
use crate::listen::{self, Listener};
use crate::monitoring::{self, Monitoring};
use crate::outcome::Ended;
use crate::roles::{self, Role};
use crate::settings;
use crate::supervise::supervise;

/// How often the files that other processes left unfinished are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

pub(crate) async fn run(values: Values, roles: Vec<Role>) -> Ended {
    let telemetry = telemetry::start(&values)?;
    for misspelling in values.misspellings() {
        tracing::warn!("{misspelling}");
    }
    let roles = if roles.is_empty() { Role::all() } else { roles };
    // We listen for signals before anything is ready, so that the process stops in order from the first moment.
    let stop = StopSignal::listen()?;
    let running = Running::start(values, &roles).await?;
    stop.given().await;
    tracing::info!("the process was asked to stop");
    running.stop().await;
    telemetry.end();
    Ok(ExitCode::SUCCESS)
}

/// Roles at work in this process.
pub(crate) struct Running {
    deployment: Arc<Deployment>,
    lease: Option<Lease>,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
    monitoring: Option<Monitoring>,
    /// The address that the process listens on.
    pub(crate) address: std::net::SocketAddr,
}

impl Running {
    pub(crate) async fn start(values: Values, roles: &[Role]) -> Result<Self, StartError> {
        let installation = settings::read_all(&values)?;
        let schedule = Schedule::read(&values)?;
        let (lease_length, drain_timeout) = settings::read_times(&values)?;
        let memory = Memory::of(memory::shares(&values)?.runs);
        let also = roles::switched_on(&values)?;
        let access = web::Settings::read(&values)?;
        // Settings are read first, so that a wrong setting is reported before anything is opened.
        let listener = Listener::bind(&values).await?;
        let monitoring = monitoring::bind(&values).await?;
        requests::declare_metrics(&values)?;
        let deployment = Arc::new(Deployment::open(values, installation).await?);
        let workers: Vec<Worker> = roles::pipeline(&deployment)?
            .workers()
            .into_iter()
            .filter(|worker| roles.contains(&Role::Stage(worker.stage)))
            .collect();
        if deployment.store.is_embedded() {
            // This process owns the store. So whoever had the floor of a practice meeting before is gone.
            until_answered("free the floors of practice meetings", || deployment.store.free_all_floors())
                .await?;
        }
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        if roles.contains(&Role::Stage(table::TRANSCRIPTION.spec.stage)) {
            let settling = roles::settling(&deployment)?.run();
            tasks.spawn(shutdown.clone().run_until_cancelled_owned(settling).map(drop));
        }
        let address = listener.address();
        let access = Arc::new(Access::new(&access, Arc::new(deployment.store.clone())));
        until_answered("look whether keys were made", || access.look()).await?;
        let metrics = monitoring.as_ref().map(|bound| bound.address);
        let monitoring =
            monitoring.map(|bound| bound.serve(listen::api(&deployment, &access, roles, &shutdown), &access));
        tasks.spawn(listener.serve(&deployment, &access, roles, shutdown.clone())?);
        tasks.spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.run_until_cancelled(access.watch()).await.unwrap_or_default() }
        });
        let process = Process {
            host: whoami::hostname().unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            roles: roles.iter().map(|role| role.name().to_owned()).collect(),
        };
        let mut running = Self { deployment, lease: None, shutdown, tasks, monitoring, address };
        if !workers.is_empty() || roles.contains(&Role::Keeper) {
            let store = running.deployment.store.clone();
            let take = || Lease::acquire(store.clone(), lease_length);
            let lease = until_answered("take a lease on the store", take).await?;
            lease.describe(process).await;
            running.lease = Some(lease.clone());
            let broker = Arc::clone(&running.deployment.broker);
            let waits = Waits::default();
            let engine = Engine { store, broker, lease, schedule, drain_timeout, memory, waits, also };
            running.work(&engine, workers);
        } else {
            running.declare();
            let (store, shutdown) = (running.deployment.store.clone(), running.shutdown.clone());
            running.tasks.spawn(presence::keep(store, process, lease_length, shutdown));
        }
        let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
        let roles = names.join(" ");
        if let Some(metrics) = metrics {
            tracing::info!(%address, %metrics, roles, "running");
        } else {
            tracing::info!(%address, roles, "running");
        }
        Ok(running)
    }

    fn work(&mut self, engine: &Engine, workers: Vec<Worker>) {
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(
            shutdown.clone().run_until_cancelled_owned(sweep_again(self.deployment.blobs.clone())).map(drop),
        );
        let lease = engine.lease.clone();
        // The lease is renewed until the drain is over, because runs in progress belong to this process until they
        // end.
        let renewing = CancellationToken::new();
        let keep_until = renewing.clone();
        self.tasks.spawn(async move { lease.keep(keep_until).await });
        let mut stages = JoinSet::new();
        stages.spawn(supervised("keeper", engine.clone(), shutdown.clone(), keeper::run));
        for worker in workers {
            let stage = worker.stage;
            let (engine, shutdown) = (engine.clone(), shutdown.clone());
            stages.spawn(async move {
                let run = |engine, shutdown| worker.run(engine, shutdown);
                supervised(stage, engine.clone(), shutdown, run).await;
                worker.drain(&engine).await;
            });
        }
        self.tasks.spawn(async move {
            while stages.join_next().await.is_some() {}
            renewing.cancel();
        });
    }

    /// Declares the queues in a process that only listens. It publishes into them, and perhaps no other process has
    /// declared them yet.
    fn declare(&mut self) {
        let (broker, shutdown) = (Arc::clone(&self.deployment.broker), self.shutdown.clone());
        self.tasks.spawn(async move {
            let declare = || {
                let (broker, shutdown) = (Arc::clone(&broker), shutdown.clone());
                async move {
                    broker.declare().await?;
                    shutdown.cancelled().await;
                    Ok::<(), BrokerError>(())
                }
            };
            supervise("topology", &shutdown, declare).await;
        });
    }

    /// Takes no new work, lets the work in progress end, and closes everything.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        while self.tasks.join_next().await.is_some() {}
        if let Some(lease) = &self.lease {
            lease.end().await;
        }
        if let Some(monitoring) = self.monitoring.take() {
            monitoring.end().await;
        }
        self.deployment.close().await;
    }

    pub(crate) fn deployment(&self) -> &Deployment {
        &self.deployment
    }
}

/// Sweeps the blobs from time to time, because another process that writes to them can be killed.
async fn sweep_again(blobs: Blobs) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        deployment::sweep(&blobs).await;
    }
}

/// Runs a role that consumes a queue. The queues are declared before each start, so that a deleted queue is made
/// again.
async fn supervised<F>(
    name: &'static str,
    engine: Engine,
    shutdown: CancellationToken,
    role: impl Fn(Engine, CancellationToken) -> F,
) where
    F: Future<Output = Result<(), BrokerError>>,
{
    let start = || {
        let running = role(engine.clone(), shutdown.clone());
        let broker = Arc::clone(&engine.broker);
        async move {
            broker.declare().await?;
            running.await
        }
    };
    supervise(name, &shutdown, start).await;
}

/// Waits for SIGTERM, SIGINT or SIGHUP. Once this exists, the signals do not end the process by themselves.
pub(crate) struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
    /// The terminal went away. `None` where whoever started the process wants it to stay, as `nohup` does.
    hang_up: Option<Signal>,
}

impl StopSignal {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let hang_up = SignalKind::hangup();
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listen for SIGINT")?,
            hang_up: if is_ignored(hang_up) {
                None
            } else {
                Some(signal(hang_up).context("listen for SIGHUP")?)
            },
        })
    }

    pub(crate) async fn given(self) {
        let Self { mut terminate, mut interrupt, mut hang_up } = self;
        let hang_up = async {
            match &mut hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up => {}
        }
    }
}

/// Whether whoever started this process made it ignore the signal. Only Linux tells.
fn is_ignored(signal: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal.as_raw_value() - 1) & 1 == 1
}
