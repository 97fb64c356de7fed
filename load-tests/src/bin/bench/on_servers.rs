//! A deployment on servers, which is removed again whatever happens to the measurement.

use anyhow::Context as _;
use tempfile::TempDir;

use crate::Bench;
use load_tests::harness::amqp::{Broker, Topology};
use load_tests::harness::process::{Running, Settings};
use load_tests::harness::servers::{Place, Servers};

pub(crate) struct OnServers<'a> {
    bench: &'a Bench,
    pub(crate) settings: Settings,
    pub(crate) broker: Broker,
    pub(crate) folder: TempDir,
    /// Of its own database.
    pub(crate) database: String,
}

impl OnServers<'_> {
    /// A process of it, with these roles, ready. None: all of them.
    pub(crate) async fn run(&self, roles: &[&str]) -> anyhow::Result<Running> {
        self.run_with(roles, &vec![]).await
    }

    pub(crate) async fn run_with(&self, roles: &[&str], more: &Settings) -> anyhow::Result<Running> {
        let args: Vec<&str> = roles.iter().flat_map(|role| ["--role", role]).collect();
        let settings = [self.settings.clone(), more.clone()].concat();
        self.bench.program.run(&args, &settings, self.folder.path()).await
    }
}

/// Makes a database and queues, lets `body` measure, and removes them: after an error too, and when the
/// program is asked to stop.
pub(crate) async fn on_servers<T>(
    bench: &Bench,
    servers: &Servers,
    body: impl AsyncFnOnce(&OnServers<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let _until_removed = bench.stop.made();
    let place = Place::make(servers).await?;
    let measured = on_place(bench, servers, &place, body).await;
    place.remove().await?;
    measured
}

async fn on_place<T>(
    bench: &Bench,
    servers: &Servers,
    place: &Place,
    body: impl AsyncFnOnce(&OnServers<'_>) -> anyhow::Result<T>,
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
            body(&OnServers { bench, settings: settings.clone(), broker, folder, database }).await
        })
        .await;
    // On a connection of its own: the other one may be what failed.
    Broker::connect(&servers.amqp, topology()?).await?.remove().await?;
    measured
}
