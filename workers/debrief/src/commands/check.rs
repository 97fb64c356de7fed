//! `debrief check`: shows the configuration in words, and tries whether the servers and providers in it can be
//! reached.

use std::process::ExitCode;
use std::time::Duration;

use platform::cache::Redis;
use platform::config::{Installation, Values};
use platform::telemetry;
use providers::{Checked, Provider, Slots};
use queue_topology::broker::{self, Amqp, Broker as _};

use super::topology;
use crate::deployment::{self, StartError, data_folder, is_running, open_store};
use crate::listen;
use crate::outcome::{Ended, FAILED};
use crate::settings;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn check(values: &Values, connect: bool, defaults: bool) -> Ended {
    if defaults {
        say_on!("{}", settings::known().defaults());
        return Ok(ExitCode::SUCCESS);
    }
    let installation = read_all(values)?;
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
    if values.text("DATABASE_URL").is_some() || !is_running(values)? {
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
    for provider in providers::all() {
        let Some(checked) = tried(provider, values).await? else { continue };
        match checked {
            Ok(Checked::Reached { notes }) => {
                say(provider.name(), Ok(()));
                for note in notes {
                    say!("{}: {note}", provider.name());
                }
            }
            Ok(Checked::Untried { why }) => say!("{}: {why}", provider.name()),
            Err(error) => say(provider.name(), Err(error)),
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// Reads every setting as `run` and the other commands read it, so that every wrong setting is reported here.
pub(crate) fn read_all(values: &Values) -> Result<Installation, StartError> {
    telemetry::Settings::read(values)?;
    let installation = Installation::read(values)?;
    queue_topology::retry::Schedule::read(values)?;
    broker::prefix(values)?;
    web::Settings::read(values)?;
    ingest::Settings::read(values, &installation)?;
    transcription::Settings::read(values, &installation)?;
    let slots = Slots::of_this_process();
    crm::Settings::read(values, &installation, &slots)?;
    slack::Settings::read(values, &installation, &slots)?;
    for provider in providers::all() {
        provider.is_on(values)?;
    }
    listen::read_all(values)?;
    topology::management(values)?;
    data_folder(values)?;
    super::run::read_times(values)?;
    platform::memory::for_work(values)?;
    deployment::check_servers(values)?;
    if let Some(key) = values.text(deployment::SEAL_KEY) {
        deployment::seal_key(&key)?;
    }
    if let Some(address) = values.text("REDIS_URL") {
        Redis::new(&address, &broker::prefix(values)?)?;
    }
    Ok(installation)
}

fn describe(values: &Values, installation: &Installation) -> Result<(), StartError> {
    let folder = data_folder(values)?;
    match values.text("AMQP_URL") {
        Some(_) => say!("queue: RabbitMQ"),
        None => say!("queue: embedded, in {}", folder.display()),
    }
    match values.text("DATABASE_URL") {
        Some(_) => say!("store: PostgreSQL"),
        None => say!("store: embedded, in {}", folder.display()),
    }
    say!("cache: {}", if values.text("REDIS_URL").is_some() { "Redis" } else { "in process" });
    say!("blobs: {}", folder.join("blobs").display());
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

/// Checks a provider. `None` where the provider is off.
async fn tried(
    provider: &'static dyn Provider,
    values: &Values,
) -> Result<Option<anyhow::Result<Checked>>, StartError> {
    match tokio::time::timeout(PATIENCE, provider.check(values)).await {
        Ok(checked) => Ok(checked?.map(|checked| checked.map_err(anyhow::Error::from))),
        Err(_) => Ok(Some(Err(no_answer()))),
    }
}

fn no_answer() -> anyhow::Error {
    anyhow::anyhow!("no answer in {PATIENCE:?}")
}

async fn within(check: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::time::timeout(PATIENCE, check).await.unwrap_or_else(|_| Err(no_answer()))
}

#[cfg(test)]
mod tests {
    use platform::config::ConfigError;

    use super::*;

    /// Reads the configuration with everything turned on, so that every setting is read.
    fn read_with(name: &str, value: &str) -> Result<Installation, ConfigError> {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let mut values = Values::of([
            ("ASSEMBLYAI_API_KEY", "key"),
            ("OPENAI_API_KEY", "key"),
            ("SLACK_WEBHOOK_URL", "https://hooks.example/x"),
            ("CRM_AUTO_UPLOAD", "true"),
            ("CRM_UPLOAD_URL", "https://crm.example/calls"),
        ]);
        let folder = tempfile::tempdir().unwrap();
        values.set("DEBRIEF_DATA_DIR", folder.path().to_str().unwrap());
        values.set(name, value);
        read_all(&values).map_err(|error| match error {
            StartError::Config(error) => error,
            StartError::Other(error) => panic!("{error:#}"),
        })
    }

    #[test]
    fn every_setting_that_is_a_length_of_time_has_a_bound() {
        let is_span = |text: &str| {
            text.split(',').all(|part| {
                Values::of([("DEBRIEF_LEASE", part)]).duration("DEBRIEF_LEASE", Duration::ZERO).is_ok()
            })
        };
        let known = settings::known();
        let spans =
            known.keys().filter(|key| !key.default.is_empty() && is_span(key.default)).map(|key| key.name);
        // `ASSEMBLYAI_POLL` has no default, so the filter above does not find it.
        let spans: Vec<&str> = spans.chain(["ASSEMBLYAI_POLL"]).collect();
        for known in ["DEBRIEF_LEASE", "DEBRIEF_DRAIN_TIMEOUT", "DEBRIEF_RETRY_SCHEDULE", "OPENAI_TIMEOUT"] {
            assert!(spans.contains(&known), "{known} is not among {spans:?}");
        }
        for name in spans {
            for absurd in ["18446744073709551615s", "18446744073709551615ms", "18446744073709551615h", "11y"]
            {
                let error = read_with(name, absurd).expect_err(name);
                assert_eq!(error.name, name, "{error}");
                assert!(error.problem.contains("10 years"), "{error}");
            }
            read_with(name, "87600h").unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn what_all_parts_share_is_refused_by_its_name() {
        for (name, value) in [
            ("DEBRIEF_TIMEZONE", "Mars/Base"),
            ("DEBRIEF_REGION", "India"),
            ("DEBRIEF_MAX_UPLOAD_MB", "0"),
            ("DEBRIEF_PUBLIC_URL", "example.com"),
        ] {
            assert_eq!(read_with(name, value).unwrap_err().name, name);
        }
    }
}
