//! Opens the servers that the configuration names, or the embedded parts where it names none.

use std::fmt::Display;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use domain::call::WorkspaceId;
use domain::call_facts::FactRules;
use live::Hub;
use platform::blobs::{self, Blobs, Swept};
use platform::cache::{Cache, Memory, Redis};
use platform::config::{ConfigError, Installation, Values};
use platform::seal::Sealer;
use platform::{memory, private};
use queue_topology::broker::{self, Amqp, Broker, BrokerError, Embedded, Lane};
use queue_topology::intake::Intake;
use store::{OpenError, Store};

pub(crate) const SEAL_KEY: &str = "DEBRIEF_SEAL_KEY";
/// The name under which the store keeps the key that seals, where the configuration has none.
pub(crate) const SEAL_KEY_SECRET: &str = "seal_key";
/// The file in the data folder that is there while a back-up is restored.
pub(crate) const UNFINISHED_RESTORE: &str = "restore-unfinished";
const DATA_FOLDER: &str = "DEBRIEF_DATA_DIR";
/// The file in the data folder whose lock the process holds that owns the folder.
pub(crate) const LOCK: &str = "lock";
const READ_SEAL_KEY: &str = "read the key that seals addresses";

/// Everything that lives as long as the process.
pub(crate) struct Deployment {
    pub(crate) values: Values,
    pub(crate) installation: Arc<Installation>,
    pub(crate) store: Store,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) blobs: Blobs,
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) sealer: Sealer,
    /// Tells the listeners of live calls in this process what is new.
    pub(crate) hub: Hub,
    /// The lock of the embedded data folder. The process owns the folder as long as it holds the lock.
    _folder: Option<File>,
}

/// Why a start failed: either something that the user can mend, or something that went wrong on our side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Deployment {
    /// Opens everything that `run` needs. In an embedded deployment, the process owns the data folder from here on.
    pub(crate) async fn open(values: Values, installation: Installation) -> Result<Self, StartError> {
        check_servers(&values)?;
        let folder = prepare_folder(&values).await?;
        let (store, broker, lock): (_, Arc<dyn Broker>, _) = match values.secret("AMQP_URL") {
            None => {
                let lock = lock(&folder)?;
                let broker = Embedded::open(&folder.join("queue.db")).await.map_err(anyhow::Error::from)?;
                (make_store(&values).await?, Arc::new(broker), Some(lock))
            }
            Some(address) => {
                let store = make_store(&values).await?;
                let prefix = broker::prefix(&values)?;
                let broker = Amqp::start(&address, &prefix).map_err(|error| match error {
                    BrokerError::Refused(problem) => {
                        StartError::Config(ConfigError::new("AMQP_URL", problem))
                    }
                    other => StartError::Other(other.into()),
                })?;
                (store, Arc::new(broker), None)
            }
        };
        let cache: Arc<dyn Cache> = match values.text("REDIS_URL") {
            None => Arc::new(Memory::default()),
            Some(address) => Arc::new(Redis::new(&address, &broker::prefix(&values)?)?),
        };
        let kept = until_answered(READ_SEAL_KEY, || seal_text(&values, &store)).await?;
        let sealer = Sealer::from_key(seal_key(&kept)?);
        let blobs = open_blobs(&values, &installation)?;
        sweep(&blobs).await;
        let rules = FactRules { zone: installation.timezone, lines: installation.lines.clone() };
        let store = store.with_facts_by(rules);
        let installation = Arc::new(installation);
        let hub = Hub::default();
        Ok(Self { values, installation, store, broker, blobs, cache, sealer, hub, _folder: lock })
    }

    /// The one way in for what comes over the listener, and for what a live call became.
    pub(crate) fn intake(&self) -> Intake {
        Intake {
            broker: Some(Arc::clone(&self.broker)),
            outbox: Arc::new(self.store.clone()),
            blobs: self.blobs.clone(),
            sealer: self.sealer.clone(),
            cache: Arc::clone(&self.cache),
            lane: Lane::Live,
        }
    }

    /// Closes everything in an order in which nothing that was accepted stands only in memory.
    pub(crate) async fn close(&self) {
        self.broker.close().await;
        self.store.close().await;
    }
}

/// Checks the addresses of the servers before anything is opened. `run` needs either all of the servers or none.
pub(crate) fn check_servers(values: &Values) -> Result<(), ConfigError> {
    let wrong = |name: &str, problem: &str| Err(ConfigError::new(name, problem));
    let is = |name: &str, schemes: [&str; 2]| {
        values
            .text(name)
            .map(|address| url::Url::parse(&address).is_ok_and(|address| schemes.contains(&address.scheme())))
    };
    let amqp = values.secret("AMQP_URL").map(|address| Amqp::check_address(&address).is_ok());
    let postgres = values.text("DATABASE_URL").map(|address| Store::is_postgres_address(&address));
    let both = |one: Option<bool>, other: Option<bool>| one.zip(other).map(|(one, other)| one && other);
    let amqp = both(is("AMQP_URL", ["amqp", "amqps"]), amqp);
    let postgres = both(is("DATABASE_URL", ["postgres", "postgresql"]), postgres);
    match (amqp, postgres) {
        (Some(false), _) => wrong("AMQP_URL", "is no address such as amqp://user:password@host/vhost"),
        (_, Some(false)) => {
            wrong("DATABASE_URL", "is no address such as postgres://user:password@host/database")
        }
        (Some(_), None) => {
            wrong("DATABASE_URL", "is needed beside AMQP_URL: name the PostgreSQL that all share")
        }
        (None, Some(_)) => {
            wrong("AMQP_URL", "is needed beside DATABASE_URL: name the RabbitMQ that the workers share")
        }
        _ => Ok(()),
    }
}

/// The folder of the embedded store and queue and of the blobs. It may not be there yet.
pub(crate) fn data_folder(values: &Values) -> PathBuf {
    PathBuf::from(values.text(DATA_FOLDER).unwrap_or_else(|| "debrief-data".into()))
}

/// Checks that the data folder is there or can be made. Nothing is made yet.
pub(crate) fn check_data_folder(values: &Values) -> Result<(), ConfigError> {
    let folder = data_folder(values);
    refuse_unfinished_restore(&folder)?;
    let there = folder.ancestors().find(|above| above.symlink_metadata().is_ok());
    match there {
        Some(above) if !above.is_dir() => {
            Err(not_made(&folder, format!("`{}` is no folder", above.display())))
        }
        Some(above) if !private::is_writable(above) => {
            Err(not_made(&folder, format!("this user may not write to `{}`", above.display())))
        }
        _ => Ok(()),
    }
}

/// A folder into which a restore was cut off holds only a part of a deployment.
pub(crate) fn refuse_unfinished_restore(folder: &Path) -> Result<(), ConfigError> {
    if !folder.join(UNFINISHED_RESTORE).exists() {
        return Ok(());
    }
    let problem = format!(
        "a restore into `{}` is under way, or was cut off: if none runs, delete everything in the folder and restore \
         again",
        folder.display()
    );
    Err(ConfigError::new(DATA_FOLDER, problem))
}

/// Makes the data folder where it is not there yet, and makes what an earlier version wrote into it private.
async fn prepare_folder(values: &Values) -> Result<PathBuf, StartError> {
    let folder = data_folder(values);
    private::make_folder(&folder).map_err(|error| not_made(&folder, error))?;
    let below = folder.clone();
    let mended = tokio::task::spawn_blocking(move || private::mend(&below)).await;
    let mended = mended.context("make the data folder private")?;
    if mended.files > 0 {
        tracing::info!(
            files = mended.files,
            "files and folders in the data folder could be read by other users; now only this user can read them"
        );
    }
    for warning in mended.warnings {
        tracing::warn!("{warning}");
    }
    Ok(folder)
}

pub(crate) fn not_made(folder: &Path, problem: impl Display) -> ConfigError {
    ConfigError::new(DATA_FOLDER, format!("`{}` cannot be made: {problem}", folder.display()))
}

/// Opens the blobs, in the bucket of the configuration or in the data folder. It is no error when the bucket is away.
pub(crate) fn open_blobs(values: &Values, installation: &Installation) -> Result<Blobs, StartError> {
    let settings = blobs::Settings::read(values, installation.max_upload_bytes)?;
    let memory = memory::shares(values)?.uploads;
    let folder = data_folder(values).join("blobs");
    Ok(Blobs::open(&settings, &folder, memory).context("open the blobs")?)
}

/// Removes what processes left half-written among the blobs. A failure is no reason to stop.
pub(crate) async fn sweep(blobs: &Blobs) {
    match blobs.sweep().await {
        Ok(Swept { files: 0, .. }) => {}
        Ok(Swept { files, bytes }) => {
            tracing::info!(files, bytes, "removed uploads that a process left unfinished when it was killed");
        }
        Err(error) => tracing::warn!(%error, "failed to look for unfinished uploads that a process left"),
    }
}

/// Opens the store that the configuration names, for a command that shows or changes what is there. An embedded store
/// is not made by such a command: the user probably means another folder.
pub(crate) async fn open_store(values: &Values) -> Result<Store, StartError> {
    let folder = data_folder(values);
    if is_embedded(values) {
        refuse_unfinished_restore(&folder)?;
    }
    if is_embedded(values) && !Store::is_in(&folder) {
        return Err(no_store(&folder).into());
    }
    make_store(values).await
}

pub(crate) fn no_store(folder: &Path) -> ConfigError {
    let problem = format!(
        "there is no store in `{}` yet: `debrief run` makes one, and so does `debrief import`",
        folder.display()
    );
    ConfigError::new(DATA_FOLDER, problem)
}

/// Opens the store that the configuration names, without owning the data folder. This is enough for a command that
/// runs beside a `run`. An embedded store is made where it is not there yet.
pub(crate) async fn make_store(values: &Values) -> Result<Store, StartError> {
    match values.text("DATABASE_URL") {
        Some(url) => Store::open_postgres(&url).await.map_err(|error| match error {
            OpenError::Behind { .. } | OpenError::Newer { .. } => {
                ConfigError::new("DATABASE_URL", error.to_string()).into()
            }
            OpenError::Sql(common_sql) => {
                StartError::Other(anyhow!(common_sql).context("open the database that DATABASE_URL names"))
            }
            OpenError::Migrate(_) | OpenError::File(_) => StartError::Other(error.into()),
        }),
        None if !is_embedded(values) => Err(ConfigError::new(
            "DATABASE_URL",
            "is needed beside AMQP_URL: name the PostgreSQL that all share",
        )
        .into()),
        None => {
            let folder = data_folder(values);
            refuse_unfinished_restore(&folder)?;
            private::make_folder(&folder).map_err(|error| not_made(&folder, error))?;
            Ok(Store::open_embedded(&folder).await.map_err(anyhow::Error::from)?)
        }
    }
}

pub(crate) fn is_embedded(values: &Values) -> bool {
    values.text("DATABASE_URL").is_none() && values.text("AMQP_URL").is_none()
}

/// Opens the store for a command that works in one workspace, and finds that workspace by its name.
pub(crate) async fn open_workspace(values: &Values, name: &str) -> Result<(Store, WorkspaceId), StartError> {
    let store = open_store(values).await?;
    let workspace = find_workspace(&store, name).await?;
    Ok((store, workspace))
}

/// The workspace that `--workspace` names.
pub(crate) async fn find_workspace(store: &Store, name: &str) -> Result<WorkspaceId, StartError> {
    if let Some(workspace) = store.workspace(name).await.context("look the workspace up")? {
        return Ok(workspace);
    }
    let names = store.workspace_names().await.context("look the workspaces up")?.join(", ");
    let problem = format!(
        "there is no workspace `{name}`; there are: {names}. A workspace is made with its first key: \
         `debrief keys create NAME --workspace {name}`"
    );
    Err(ConfigError::new("--workspace", problem).into())
}

/// Locks the folder for this process until the returned file is dropped. Fails where another process holds the lock.
pub(crate) fn lock(folder: &Path) -> Result<File, StartError> {
    let file = File::create(folder.join(LOCK)).context("make the lock file of the data folder")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let problem = format!("`{}` is in use by another debrief", folder.display());
            Err(ConfigError::new(DATA_FOLDER, problem).into())
        }
        Err(TryLockError::Error(error)) => {
            Err(anyhow::Error::from(error).context("lock the data folder").into())
        }
    }
}

/// Whether a `run` owns the embedded data folder at the moment.
pub(crate) fn is_running(values: &Values) -> Result<bool, StartError> {
    let folder = data_folder(values);
    if !folder.join(LOCK).exists() {
        return Ok(false);
    }
    match lock(&folder) {
        Ok(_) => Ok(false),
        Err(StartError::Config(_)) => Ok(true),
        Err(other) => Err(other),
    }
}

/// The key that seals URLs, for a command. A command does not wait for a store that is away.
pub(crate) async fn sealer(values: &Values, store: &Store) -> Result<Sealer, StartError> {
    let text = seal_text(values, store).await.context(READ_SEAL_KEY)?;
    Ok(Sealer::from_key(seal_key(&text)?))
}

/// The key of `DEBRIEF_SEAL_KEY`, or else the key that the store keeps for all processes.
async fn seal_text(values: &Values, store: &Store) -> store::Result<String> {
    match values.text(SEAL_KEY) {
        Some(text) => Ok(text),
        None => store.shared_secret(SEAL_KEY_SECRET, || hex::encode(Sealer::generate_key())).await,
    }
}

/// Asks the store again until it answers. The store answered when it was opened, so a short outage now is no reason
/// to end the process. `what` completes the sentence "failed to …".
pub(crate) async fn until_answered<T, E, F>(
    what: &'static str,
    mut ask: impl FnMut() -> F,
) -> anyhow::Result<T>
where
    E: Display + Into<anyhow::Error>,
    F: Future<Output = Result<T, E>>,
{
    const TRIES: u32 = 30;
    let mut tries = 0;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) if tries < TRIES => {
                tries += 1;
                tracing::warn!(%error, "failed to {what}; trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error.into().context(what)),
        }
    }
}

pub(crate) fn seal_key(text: &str) -> Result<[u8; 32], ConfigError> {
    let key = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    key.ok_or_else(|| ConfigError::new(SEAL_KEY, "must be 64 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a store that fails the given number of times first. Returns how often it was asked, and the result.
    async fn asked_of_one_that_is_gone(times: u32) -> (u32, anyhow::Result<()>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        store.close().await;
        tokio::time::pause();
        let mut asked = 0;
        let ended = until_answered(READ_SEAL_KEY, || {
            asked += 1;
            let answers = asked > times;
            let store = &store;
            async move { if answers { Ok(()) } else { seal_text(&Values::of([]), store).await.map(drop) } }
        });
        let ended = ended.await;
        (asked, ended)
    }

    #[tokio::test]
    async fn a_store_that_is_gone_for_a_moment_is_waited_for() {
        let (asked, ended) = asked_of_one_that_is_gone(2).await;
        ended.unwrap();
        assert_eq!(asked, 3);
    }

    #[tokio::test]
    async fn a_store_that_does_not_come_back_is_not_waited_for_for_ever() {
        let (asked, ended) = asked_of_one_that_is_gone(u32::MAX).await;
        assert!(format!("{:#}", ended.unwrap_err()).starts_with("read the key that seals addresses: "));
        assert_eq!(asked, 31);
    }
}
