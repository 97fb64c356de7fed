//! `debrief check`: shows the configuration in words, and tries whether the servers and providers in it can be
//! reached.

pub(crate) mod ready;

use std::process::ExitCode;
use std::time::Duration;

use platform::blobs::{self, Blobs};
use platform::cache::Redis;
use platform::config::{Installation, Values};
use providers::Checked;
use queue_topology::broker::{self, Amqp, Broker as _};
use store::Store;

use crate::deployment::{StartError, data_folder, is_embedded, is_running, open_store};
use crate::listen;
use crate::outcome::{Ended, FAILED};
use crate::settings;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn check(values: &Values, connect: bool, defaults: bool) -> Ended {
    if defaults {
        say_on!("{}", settings::known().defaults());
        return Ok(ExitCode::SUCCESS);
    }
    let installation = settings::read_all(values)?;
    describe(values, &installation)?;
    if !connect {
        return Ok(ExitCode::SUCCESS);
    }
    let mut well = true;
    let mut say = |what: &str, result: anyhow::Result<()>| match result {
        Ok(()) => say!("{what}: reached"),
        Err(error) => {
            well = false;
            say!("{what}: {error:#}");
        }
    };
    if is_embedded(values) && !Store::is_in(&data_folder(values)) {
        say!("store: there is none yet; `run` makes it");
    } else if values.text("DATABASE_URL").is_some() || !is_running(values)? {
        say("store", within(async { ping(values).await }).await);
    } else {
        say!("store: in use by a running debrief");
    }
    if let Some(address) = values.secret("AMQP_URL") {
        let prefix = broker::prefix(values)?;
        say(
            "broker",
            within(async {
                let broker = Amqp::start(&address, &prefix)?;
                let declared = broker.declare().await;
                broker.close().await;
                Ok(declared?)
            })
            .await,
        );
    }
    if let Some(address) = values.text("REDIS_URL") {
        let redis = Redis::new(&address, &broker::prefix(values)?)?;
        say("cache", within(async { Ok(redis.ping().await?) }).await);
    }
    if let blobs::Settings::Bucket(bucket) = blobs::Settings::read(values, installation.max_upload_bytes)? {
        say("blobs", within(async { Ok(Blobs::bucket(bucket, 0)?.try_out().await?) }).await);
    }
    for provider in providers::all() {
        let Some(checked) = providers::tried(provider, values).await? else { continue };
        match checked {
            Ok(Checked::Reached { notes }) => {
                say(provider.name(), Ok(()));
                for note in notes {
                    say!("{}: {note}", provider.name());
                }
            }
            Ok(Checked::Untried { why }) => say!("{}: {why}", provider.name()),
            Err(error) => say(provider.name(), Err(error.into())),
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn describe(values: &Values, installation: &Installation) -> Result<(), StartError> {
    let folder = data_folder(values);
    match values.text("AMQP_URL") {
        Some(_) => say!("queue: RabbitMQ"),
        None => say!("queue: embedded, in {}", folder.display()),
    }
    match values.text("DATABASE_URL") {
        Some(_) => say!("store: PostgreSQL"),
        None => say!("store: embedded, in {}", folder.display()),
    }
    say!("cache: {}", if values.text("REDIS_URL").is_some() { "Redis" } else { "in process" });
    match blobs::Settings::read(values, installation.max_upload_bytes)? {
        blobs::Settings::Folder => say!("blobs: {}", folder.join("blobs").display()),
        blobs::Settings::Bucket(bucket) => say!("blobs: {bucket}"),
    }
    say!("listens on: {}", listen::read_address(values)?);
    say!("times: in {}", installation.timezone);
    say!("phone numbers without a country code: of {}", installation.lines.region());
    for (service, on) in providers::services(values) {
        say!("{service}: {}", if on { "on" } else { "off, no key is set" });
    }
    let given: Vec<_> = values.given().collect();
    for provider in providers::all() {
        for remark in provider.remarks(values)? {
            say!("{remark}");
        }
    }
    for misspelling in values.misspellings() {
        say!("warning: {misspelling}");
    }
    say!("set: {}", if given.is_empty() { "nothing".to_owned() } else { given.join(" ") });
    Ok(())
}

async fn ping(values: &Values) -> anyhow::Result<()> {
    let store = open_store(values).await.map_err(anyhow::Error::from)?;
    store.ping().await?;
    store.close().await;
    Ok(())
}

fn no_answer() -> anyhow::Error {
    anyhow::anyhow!("no answer in {PATIENCE:?}")
}

async fn within(check: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::time::timeout(PATIENCE, check).await.unwrap_or_else(|_| Err(no_answer()))
}
