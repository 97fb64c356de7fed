//! Opening and migrating a store.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::TryFutureExt as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

use super::connections::{Connections, FRESH};
use super::damage;
use super::group_commit::Writer;
use super::open_error::OpenError;
use super::{Db, PATIENCE, Store, execute, in_time, query, versions, within};
use domain::call::WorkspaceId;
use domain::moment::Moment;

/// How long a caller waits for a connection. After that, the store counts as down.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection may take to answer a ping.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// What each session of PostgreSQL is told. The keeper publishes within a transaction, so a transaction may be idle
/// for longer than a statement takes.
const SESSION: &str = "SET statement_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s';
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";
/// The file of the embedded store.
pub(super) const FILE: &str = "debrief.db";
const JOURNAL_SIZE_LIMIT: &str = "67108864";

impl Store {
    /// Whether there is an embedded store in `folder`.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// Opens the embedded store `debrief.db` in `folder`. Creates the file if it is missing, and migrates it. The
    /// caller must have locked the folder.
    pub async fn open_embedded(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        Self::open_file(&path).await.map_err(|error| damage::named(&path, error))
    }

    async fn open_file(path: &Path) -> Result<Self, OpenError> {
        let file = SqliteConnectOptions::new().filename(path).busy_timeout(ACQUIRE_TIMEOUT);
        if path.exists() {
            // Nothing is written before it is known that the file is ours: the options below change it.
            damage::look(path, file.clone().read_only(true)).await?;
        }
        let writing = file
            .clone()
            .create_if_missing(true)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", JOURNAL_SIZE_LIMIT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(writing)
            .await?;
        versions::migrate_sqlite(&mut *writer.acquire().await?).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(file.read_only(true))
            .await?;
        let store = Self::over(Db::Sqlite { writer: Writer::new(writer), readers }, Moment::now());
        store.plant().await?;
        Ok(store)
    }

    /// Whether a text is an address of PostgreSQL. Nothing is connected.
    pub fn is_postgres_address(url: &str) -> bool {
        url.parse::<PgConnectOptions>().is_ok()
    }

    /// Connects to PostgreSQL. The database must be migrated for this program, or for a newer one that this program can
    /// work beside.
    pub async fn open_postgres(url: &str) -> Result<Self, OpenError> {
        let pool = connect(url).await?;
        let mut connection = pool.acquire().await?;
        versions::check_postgres(&mut connection).await?;
        let now = postgres_time(&mut connection).await?;
        drop(connection);
        Ok(Self::over(Db::Postgres(Connections::new(pool)), now))
    }

    /// Applies the migrations to a PostgreSQL database that this program needs.
    pub async fn migrate_postgres(url: &str) -> Result<(), OpenError> {
        // This pool has no limits of time, because a migration of a large database takes long.
        let pool =
            PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT).connect(url).await?;
        versions::migrate_postgres(&mut *pool.acquire().await?).await?;
        let now = postgres_time(&mut *pool.acquire().await?).await?;
        Self::over(Db::Postgres(Connections::new(pool)), now).plant().await
    }

    /// Writes what every store holds from the beginning.
    async fn plant(&self) -> Result<(), OpenError> {
        let mut tx = self.one_statement().await.map_err(|error| error.0)?;
        execute!(
            tx,
            "INSERT INTO workspaces (id, name, created_at) VALUES ($1, 'default', $2) ON CONFLICT DO NOTHING",
            WorkspaceId::DEFAULT,
            self.now(),
        )?;
        tx.commit().await.map_err(|error| error.0)?;
        Ok(())
    }

    /// Takes a new reading of the database's clock.
    pub async fn sync_clock(&self) -> super::Result<()> {
        if let Db::Postgres(connections) = &self.db {
            let mut connection = in_time(connections.lend()).await?;
            let asked = Instant::now();
            let time = in_time(postgres_time(&mut connection)).await?;
            self.clock.set(time, asked.elapsed());
            connection.done();
        }
        Ok(())
    }

    /// A secret that every process of the deployment shares. If there is none yet, `make` makes it.
    pub async fn shared_secret(
        &self,
        name: &str,
        make: impl FnOnce() -> String + Send,
    ) -> super::Result<String> {
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            name,
            make()
        )?;
        let (value,) = query!(fetch_one, (String,), tx, "SELECT value FROM secrets WHERE name = $1", name)?;
        tx.commit().await?;
        Ok(value)
    }

    /// Waits for the statements that are running, but not for ever, and closes every connection.
    pub async fn close(&self) {
        match &self.db {
            Db::Postgres(connections) => {
                if tokio::time::timeout(PATIENCE, connections.close()).await.is_err() {
                    tracing::warn!("the database does not answer, so its connections are left open");
                }
            }
            Db::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

/// Makes the pool. A connection is tested before it is used and when it comes back, and the test has a limit of time:
/// otherwise a connection to a host that vanished would keep its place in the pool for ever. The settings of
/// `SESSION` let PostgreSQL end the sessions, and release the locks, of a process that vanished.
async fn connect(url: &str) -> Result<PgPool, sqlx::Error> {
    PgPoolOptions::new()
        .max_connections(16)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, known| {
            if known.idle_for < FRESH {
                return Box::pin(std::future::ready(Ok(true)));
            }
            Box::pin(within(ANSWER_TIMEOUT, connection.ping()).map_ok(|()| true))
        })
        .after_release(|connection, _| Box::pin(within(ANSWER_TIMEOUT, connection.ping()).map_ok(|()| true)))
        .after_connect(|connection, _| Box::pin(async move { connection.execute(SESSION).await.map(|_| ()) }))
        .connect(url)
        .await
}

async fn postgres_time(connection: &mut PgConnection) -> Result<Moment, sqlx::Error> {
    let (now,): (Moment,) = sqlx::query_as("SELECT clock_timestamp()").fetch_one(connection).await?;
    Ok(now)
}
