//! Copies of the embedded store, for back-ups. A copy is made while another process uses the store.
//!
//! A call that was accepted is in the queue, in the outbox of the store, or already taken in by the store. While a copy
//! is made, it can go from the outbox to the queue, and from the queue into the store. So the outbox is read first, then
//! the queue file is copied, and the rest of the store is copied last. Wherever a call goes meanwhile, one of the three
//! has it. A call that two of them have is harmless, because every event is taken in only once.

use std::path::{Path, PathBuf};

use futures::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::open_error::{FileError, OpenError};
use super::opening::{ACQUIRE_TIMEOUT, FILE};
use super::{damage, versions};

/// A row of the outbox, with the time at which it was written.
type WaitingEvent = (Uuid, String, String, i64);

/// A copy of the embedded store that has begun: the outbox was read.
#[derive(Debug)]
pub struct BegunCopy {
    path: PathBuf,
    source: SqliteConnection,
    outbox: Vec<WaitingEvent>,
}

/// What a file of the embedded store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFile {
    /// The newest migration that was applied to the file.
    pub migration: i64,
    pub calls: i64,
    /// Runs that are not done and not dead.
    pub open_runs: i64,
}

impl BegunCopy {
    /// Begins to copy the store in `folder`. Nothing in the folder is changed, and nothing is migrated.
    pub async fn begin(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        let begun = async {
            let options = SqliteConnectOptions::new().filename(&path).busy_timeout(ACQUIRE_TIMEOUT);
            let mut source = options.read_only(true).connect().await?;
            versions::check_sqlite(&mut source).await?;
            let outbox = sqlx::query_as("SELECT event_id, lane, body, created_at FROM outbox ORDER BY id");
            let outbox = outbox.fetch_all(&mut source).await?;
            Ok((source, outbox))
        };
        let (source, outbox) = begun.await.map_err(|error| damage::named(&path, error))?;
        Ok(Self { path, source, outbox })
    }

    /// Writes the copy to the new file `to`. The secrets of `secrets` replace those in the store. `to` is synced.
    pub async fn write(mut self, to: &Path, secrets: &[(&str, &str)]) -> Result<(), OpenError> {
        let vacuum = sqlx::query("VACUUM INTO $1").bind(to.to_str());
        vacuum.execute(&mut self.source).await.map_err(|error| damage::named(&self.path, error.into()))?;
        self.source.close().await?;
        let outbox = self.outbox;
        let complete = async {
            let mut copy = SqliteConnectOptions::new().filename(to).connect().await?;
            let mut tx = copy.begin().await?;
            for (event, lane, body, created_at) in outbox {
                let insert = sqlx::query(
                    "INSERT INTO outbox (event_id, lane, body, created_at) SELECT $1, $2, $3, $4
                     WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE event_id = $1)",
                );
                insert.bind(event).bind(lane).bind(body).bind(created_at).execute(&mut *tx).await?;
            }
            for (name, value) in secrets {
                let replace = sqlx::query("INSERT OR REPLACE INTO secrets (name, value) VALUES ($1, $2)");
                replace.bind(name).bind(value).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            copy.close().await
        };
        complete.await.map_err(|error| damage::named(to, error.into()))
    }
}

/// Reads a copy whole, checks it, and passes every blob key that it names to `blob`.
pub async fn inspect_copy(path: &Path, mut blob: impl FnMut(&str)) -> Result<StoreFile, OpenError> {
    let inspected = async {
        let mut copy = open_copy(path).await?;
        let migration = versions::check_sqlite(&mut copy).await?;
        let (found,): (String,) = sqlx::query_as("PRAGMA integrity_check(1)").fetch_one(&mut copy).await?;
        if found != "ok" {
            return Err(
                FileError::Damaged { file: path.to_owned(), problem: damage::one_line(&found) }.into()
            );
        }
        let (calls, open_runs) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM calls),
                (SELECT COUNT(*) FROM stage_runs WHERE state NOT IN ('done', 'dead'))",
        )
        .fetch_one(&mut copy)
        .await?;
        {
            let mut keys = sqlx::query_as::<_, (String,)>(
                "SELECT json_extract(material, '$.at.blob') AS key FROM materials WHERE key IS NOT NULL",
            )
            .fetch(&mut copy);
            while let Some((key,)) = keys.try_next().await? {
                blob(&key);
            }
        }
        copy.close().await?;
        Ok(StoreFile { migration, calls, open_runs })
    };
    inspected.await.map_err(|error| damage::named(path, error))
}

/// The events in the outbox of a copy, as they are sent to the broker.
pub async fn waiting_events(path: &Path) -> Result<Vec<String>, OpenError> {
    let read = async {
        let mut copy = open_copy(path).await?;
        let bodies = sqlx::query_scalar("SELECT body FROM outbox ORDER BY id").fetch_all(&mut copy).await?;
        copy.close().await?;
        Ok(bodies)
    };
    read.await.map_err(|error: sqlx::Error| damage::named(path, error.into()))
}

/// The secret of this name in a copy.
pub async fn secret_in_copy(path: &Path, name: &str) -> Result<Option<String>, OpenError> {
    let read = async {
        let mut copy = open_copy(path).await?;
        let value = sqlx::query_scalar("SELECT value FROM secrets WHERE name = $1").bind(name);
        let value = value.fetch_optional(&mut copy).await?;
        copy.close().await?;
        Ok(value)
    };
    read.await.map_err(|error: sqlx::Error| damage::named(path, error.into()))
}

/// Opens a copy for reading. Nobody writes to it, so SQLite needs no files beside it, and the folder may be one that
/// cannot be written.
async fn open_copy(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new().filename(path).read_only(true).immutable(true).connect().await
}
