//! A deployment on servers. It is removed again, whatever happens to the measurement.

use anyhow::Context as _;
use tempfile::TempDir;

use crate::bench::Bench;
use load_tests::harness::amqp::{Broker, Topology};
use load_tests::harness::process::{Running, Settings};
use load_tests::harness::servers::{Place, Servers};

/// A deployment on servers, without processes.
pub(crate) struct Deployment<'a> {
    bench: &'a Bench,
    pub(crate) settings: Settings,
    pub(crate) broker: Broker,
    pub(crate) folder: TempDir,
    /// The address of its database.
    pub(crate) database: String,
}

impl Deployment<'_> {
    /// Starts a process with these roles and waits until it is ready. An empty list stands for all roles.
    pub(crate) async fn run(&self, roles: &[&str]) -> anyhow::Result<Running> {
        self.run_with(roles, &vec![]).await
    }

    /// Does the same as [`Self::run`] with more settings.
    pub(crate) async fn run_with(&self, roles: &[&str], more: &Settings) -> anyhow::Result<Running> {
        let args: Vec<&str> = roles.iter().flat_map(|role| ["--role", role]).collect();
        let settings = [self.settings.clone(), more.clone()].concat();
        self.bench.program.run(&args, &settings, self.folder.path()).await
    }
}

/// Makes a database and queues, lets `body` measure, and removes what was made. It is also removed after an error, and
/// when the program is asked to stop.
pub(crate) async fn deployed<T>(
    bench: &Bench,
    servers: &Servers,
    body: impl AsyncFnOnce(&Deployment<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let _until_removed = bench.stop.hold();
    let place = Place::make(servers).await?;
    let measured = on_place(bench, servers, &place, body).await;
    place.remove().await?;
    measured
}

async fn on_place<T>(
    bench: &Bench,
    servers: &Servers,
    place: &Place,
    body: impl AsyncFnOnce(&Deployment<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let folder = tempfile::tempdir().context("make a data folder")?;
    let settings = place.settings()?;
    let exported = bench.program.output(&["topology", "export"], &settings, folder.path()).await?;
    let topology = || Topology::read(&exported, &place.prefix);
    let measured = bench
        .stop
        .unless(async {
            bench.program.output(&["migrate"], &settings, folder.path()).await?;
            bench.program.output(&["topology", "apply"], &settings, folder.path()).await?;
            let broker = Broker::connect(&servers.amqp, topology()?).await?;
            let database = place.database_url()?;
            body(&Deployment { bench, settings: settings.clone(), broker, folder, database }).await
        })
        .await;
    // The connection of the measurement may be broken, so another one removes the queues.
    Broker::connect(&servers.amqp, topology()?).await?.remove().await?;
    measured
}
