//! Group commit: operations on the embedded store share the commits of one writer.
//!
//! A commit costs a sync of the disk, whether it holds much or little, and SQLite has one writer. So the operations
//! that arrive during one commit share the next one. Each runs in a savepoint of its own, one after the other, and its
//! caller is told that it is done once the disk has all of them. No operation waits for others to arrive: the commit
//! waits for the lock in the same queue as the operations, behind those that came before it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor as _, Sqlite, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

/// How long a caller waits for the connection. After that, the store counts as down.
const PATIENCE: Duration = Duration::from_secs(5);

/// The one connection that writes. Cloning the handle is cheap.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pool: SqlitePool,
    batch: Arc<Mutex<Batch>>,
    commit: mpsc::Sender<()>,
}

/// The operations of the next commit. Our own statements begin and end its transaction: when SQLite ends one by
/// itself, for example because the disk is full, sqlx would count it as open for ever. After a failure there is a new
/// connection.
#[derive(Debug, Default)]
struct Batch {
    connection: Option<PoolConnection<Sqlite>>,
    /// The connection is in a transaction.
    open: bool,
    /// The callers whose operations are in the transaction.
    callers: Vec<oneshot::Sender<Result<(), String>>>,
    /// The caller of the last operation left it in the middle.
    unfinished: bool,
}

/// One operation. If its caller drops it in the middle, everything that it did is undone.
#[derive(Debug)]
pub(super) struct Operation {
    batch: OwnedMutexGuard<Batch>,
    commit: mpsc::Sender<()>,
    /// The operation has its savepoint.
    begun: bool,
}

impl Writer {
    /// `pool` must have exactly one connection.
    pub(super) fn new(pool: SqlitePool) -> Self {
        // One commit serves all who ask for it, so the channel holds one request.
        let (commit, requests) = mpsc::channel(1);
        let batch = Arc::<Mutex<Batch>>::default();
        tokio::spawn(commit_on_request(Arc::clone(&batch), requests));
        Self { pool, batch, commit }
    }

    pub(super) async fn begin(&self) -> sqlx::Result<Operation> {
        let locking = Arc::clone(&self.batch).lock_owned();
        let batch = tokio::time::timeout(PATIENCE, locking).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let operation = Operation { batch, commit: self.commit.clone(), begun: false };
        // This runs in a task of its own. Otherwise a caller that goes away in the middle could leave a transaction
        // behind that nobody knows of.
        let begun = tokio::spawn(operation.begin(self.pool.clone())).await;
        begun.unwrap_or_else(|error| Err(sqlx::Error::Io(std::io::Error::other(error))))
    }

    /// Commits what is left and closes the connection.
    pub(super) async fn close(&self) {
        let mut batch = self.batch.lock().await;
        batch.commit().await;
        batch.connection = None;
        // Each orderly end gives some free pages back to the file system.
        if let Err(error) = self.pool.execute("PRAGMA incremental_vacuum(1000)").await {
            tracing::debug!(%error, "failed to give free pages back");
        }
        self.pool.close().await;
    }
}

async fn commit_on_request(batch: Arc<Mutex<Batch>>, mut requests: mpsc::Receiver<()>) {
    while requests.recv().await.is_some() {
        batch.lock().await.commit().await;
    }
}

impl Batch {
    async fn commit(&mut self) {
        self.undo_unfinished().await;
        if !std::mem::take(&mut self.open) {
            return;
        }
        let Some(connection) = &mut self.connection else { return };
        match connection.execute("COMMIT").await {
            Ok(_) => self.answer(&Ok(())),
            Err(error) => self.fail(&error),
        }
    }

    /// Gives up the whole transaction: SQLite rolls it back when the connection is closed.
    fn fail(&mut self, error: &sqlx::Error) {
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
        self.open = false;
        self.answer(&Err(error.to_string()));
    }

    /// Tells the callers what became of their operations.
    fn answer(&mut self, committed: &Result<(), String>) {
        for caller in self.callers.drain(..) {
            // The caller may have gone away.
            caller.send(committed.clone()).ok();
        }
    }

    /// Undoes what an unfinished operation has done.
    async fn undo_unfinished(&mut self) {
        if !std::mem::take(&mut self.unfinished) {
            return;
        }
        let Some(connection) = &mut self.connection else { return };
        if let Err(error) = connection.execute("ROLLBACK TO operation; RELEASE operation").await {
            self.fail(&error);
        }
    }
}

impl Operation {
    async fn begin(mut self, pool: SqlitePool) -> sqlx::Result<Self> {
        self.batch.undo_unfinished().await;
        if self.batch.connection.is_none() {
            self.batch.connection = Some(pool.acquire().await?);
        }
        if !self.batch.open {
            // This takes the lock for writing at once. A transaction that reads first and writes later would fail in
            // the middle.
            self.execute("BEGIN IMMEDIATE").await?;
            self.batch.open = true;
        }
        self.execute("SAVEPOINT operation").await?;
        self.begun = true;
        Ok(self)
    }

    /// Returns once the disk has the operation.
    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        self.execute("RELEASE operation").await?;
        self.begun = false;
        let (caller, answer) = oneshot::channel();
        self.batch.callers.push(caller);
        drop(self);
        let committed = answer.await.unwrap_or_else(|_| Err("the store was closed".to_owned()));
        committed.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))
    }

    pub(super) async fn roll_back(mut self) -> sqlx::Result<()> {
        self.execute("ROLLBACK TO operation; RELEASE operation").await?;
        self.begun = false;
        Ok(())
    }
}

impl Deref for Operation {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.batch.connection.as_ref().expect("an operation has a connection")
    }
}

impl DerefMut for Operation {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.batch.connection.as_mut().expect("an operation has a connection")
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.batch.unfinished = self.begun;
        // If the channel is full, somebody has asked for a commit already.
        self.commit.try_send(()).ok();
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    use super::*;

    async fn writer(folder: &std::path::Path) -> (Writer, SqlitePool) {
        let file = SqliteConnectOptions::new().filename(folder.join("test.db")).create_if_missing(true);
        let file = file.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
        let one = || SqlitePoolOptions::new().max_connections(1);
        let pool = one().connect_with(file.clone()).await.unwrap();
        pool.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)").await.unwrap();
        (Writer::new(pool), one().connect_with(file).await.unwrap())
    }

    async fn add(writer: &Writer, number: i64) -> sqlx::Result<Operation> {
        let mut operation = writer.begin().await?;
        sqlx::query("INSERT INTO numbers VALUES ($1)").bind(number).execute(&mut *operation).await?;
        Ok(operation)
    }

    async fn numbers(reader: &SqlitePool) -> Vec<i64> {
        sqlx::query_scalar("SELECT number FROM numbers ORDER BY number").fetch_all(reader).await.unwrap()
    }

    #[tokio::test]
    async fn an_operation_that_is_reported_as_committed_can_be_read_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, reader) = writer(folder.path()).await;
        let all = (0..100).map(|number| {
            let writer = writer.clone();
            async move { add(&writer, number).await?.commit().await }
        });
        futures::future::try_join_all(all).await.unwrap();
        assert_eq!(numbers(&reader).await, (0..100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn an_operation_that_fails_or_is_left_in_the_middle_does_no_harm_to_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, reader) = writer(folder.path()).await;
        // Each operation waits for the lock before the commit of the first one does, so they share that commit.
        let kept = |number| {
            let writer = writer.clone();
            async move { add(&writer, number).await?.commit().await }
        };
        let left = async { drop(add(&writer, 2).await.unwrap()) };
        let second_time = kept(1);
        let rolled_back = async { add(&writer, 4).await?.roll_back().await };
        let ended = futures::join!(kept(1), left, second_time, kept(3), rolled_back, kept(5));
        assert!(ended.0.is_ok() && ended.3.is_ok() && ended.4.is_ok() && ended.5.is_ok(), "{ended:?}");
        assert!(ended.2.is_err(), "it adds the same number a second time");
        assert_eq!(numbers(&reader).await, [1, 3, 5]);
    }

    #[tokio::test]
    async fn every_operation_of_a_commit_that_fails_is_reported_as_failed() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, reader) = writer(folder.path()).await;
        writer.pool.execute("PRAGMA foreign_keys = ON").await.unwrap();
        // SQLite checks a deferred reference at the commit and not before.
        let table = "CREATE TABLE children (of INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)";
        writer.pool.execute(table).await.unwrap();
        let orphan = async {
            let mut operation = writer.begin().await?;
            operation.execute("INSERT INTO children VALUES (77)").await?;
            operation.commit().await
        };
        let beside_it = async { add(&writer, 1).await?.commit().await };
        let ended = futures::join!(orphan, beside_it);
        assert!(ended.0.is_err() && ended.1.is_err(), "{ended:?}");
        add(&writer, 2).await.unwrap().commit().await.unwrap();
        assert_eq!(numbers(&reader).await, [2]);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_while_the_database_is_busy_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, other) = writer(folder.path()).await;
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let soon = Duration::from_millis(50);
        for _ in 0..3 {
            assert!(tokio::time::timeout(soon, add(&writer, 1)).await.is_err(), "the database is busy");
        }
        other.execute("ROLLBACK").await.unwrap();
        add(&writer, 2).await.unwrap().commit().await.unwrap();
        assert_eq!(numbers(&other).await, [2]);
    }

    #[tokio::test]
    async fn closing_leaves_nothing_open() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, reader) = writer(folder.path()).await;
        add(&writer, 1).await.unwrap().commit().await.unwrap();
        drop(add(&writer, 2).await.unwrap());
        writer.close().await;
        assert_eq!(numbers(&reader).await, [1]);
        assert!(writer.begin().await.is_err());
    }
}
