//! Commits of the embedded store, gathered.
//!
//! A commit costs a sync of the disk, however much it holds, and SQLite has one writer. So what comes while
//! one commit is under way shares the next: each operation runs within a savepoint of its own, one after the
//! other, and is told that it is done once the disk has all of them. Nothing waits for company: the commit
//! stands in the same queue as the operations, behind those that were there first.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor as _, Sqlite, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

/// How long the connection may be waited for. Past it the store counts as down.
const PATIENCE: Duration = Duration::from_secs(5);

/// The one connection that writes.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pool: SqlitePool,
    batch: Arc<Mutex<Batch>>,
    commit: mpsc::Sender<()>,
}

/// What the next commit will hold. Its transaction is begun and ended by hand: where SQLite ends one by itself,
/// as on a full disk, sqlx would count it as open for ever. After a failure the connection is made anew.
#[derive(Debug, Default)]
struct Batch {
    connection: Option<PoolConnection<Sqlite>>,
    /// It has a transaction.
    open: bool,
    /// Whose operations are in it.
    told: Vec<oneshot::Sender<Result<(), String>>>,
    /// The last operation was left in the middle.
    torn: bool,
}

/// One operation. Left in the middle, it leaves nothing behind.
#[derive(Debug)]
pub(super) struct Operation {
    batch: OwnedMutexGuard<Batch>,
    commit: mpsc::Sender<()>,
    /// It has its savepoint.
    begun: bool,
}

impl Writer {
    /// `pool` has one connection.
    pub(super) fn new(pool: SqlitePool) -> Self {
        // One wake-up is enough, however many ask for it.
        let (commit, asked) = mpsc::channel(1);
        let batch = Arc::<Mutex<Batch>>::default();
        tokio::spawn(commit_when_asked(Arc::clone(&batch), asked));
        Self { pool, batch, commit }
    }

    pub(super) async fn begin(&self) -> sqlx::Result<Operation> {
        let locking = Arc::clone(&self.batch).lock_owned();
        let batch = tokio::time::timeout(PATIENCE, locking).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let operation = Operation { batch, commit: self.commit.clone(), begun: false };
        // In a task of its own: whoever asks may go away in the middle, and leave a transaction behind that
        // nobody knows of.
        let begun = tokio::spawn(operation.begin(self.pool.clone())).await;
        begun.unwrap_or_else(|error| Err(sqlx::Error::Io(std::io::Error::other(error))))
    }

    /// Commits what is left, and closes.
    pub(super) async fn close(&self) {
        let mut batch = self.batch.lock().await;
        batch.commit().await;
        batch.connection = None;
        // Freed pages go back to the file system a little at each orderly end.
        if let Err(error) = self.pool.execute("PRAGMA incremental_vacuum(1000)").await {
            tracing::debug!(%error, "failed to give free pages back");
        }
        self.pool.close().await;
    }
}

async fn commit_when_asked(batch: Arc<Mutex<Batch>>, mut asked: mpsc::Receiver<()>) {
    while asked.recv().await.is_some() {
        batch.lock().await.commit().await;
    }
}

impl Batch {
    async fn commit(&mut self) {
        self.mend().await;
        if !std::mem::take(&mut self.open) {
            return;
        }
        let Some(connection) = &mut self.connection else { return };
        match connection.execute("COMMIT").await {
            Ok(_) => self.tell(&Ok(())),
            Err(error) => self.fail(&error),
        }
    }

    /// Closing the connection takes everything back.
    fn fail(&mut self, error: &sqlx::Error) {
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
        self.open = false;
        self.tell(&Err(error.to_string()));
    }

    fn tell(&mut self, committed: &Result<(), String>) {
        for told in self.told.drain(..) {
            // Whoever asked may have gone away.
            told.send(committed.clone()).ok();
        }
    }

    /// Takes back what an operation that was left in the middle has done.
    async fn mend(&mut self) {
        if !std::mem::take(&mut self.torn) {
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
        self.batch.mend().await;
        if self.batch.connection.is_none() {
            self.batch.connection = Some(pool.acquire().await?);
        }
        if !self.batch.open {
            // Taken at once: a transaction that reads first and writes later would fail in the middle.
            self.execute("BEGIN IMMEDIATE").await?;
            self.batch.open = true;
        }
        self.execute("SAVEPOINT operation").await?;
        self.begun = true;
        Ok(self)
    }

    /// Ends once the disk has it.
    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        self.execute("RELEASE operation").await?;
        self.begun = false;
        let (tell, told) = oneshot::channel();
        self.batch.told.push(tell);
        drop(self);
        let committed = told.await.unwrap_or_else(|_| Err("the store was closed".to_owned()));
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
        self.batch.torn = self.begun;
        // Full: it is asked for already.
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
    async fn what_was_said_to_be_committed_can_be_read_by_others() {
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
    async fn an_operation_that_fails_or_is_left_in_the_middle_takes_nobody_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, reader) = writer(folder.path()).await;
        // Each is queued before the commit of the one ahead: they share it.
        let kept = |number| {
            let writer = writer.clone();
            async move { add(&writer, number).await?.commit().await }
        };
        let left = async { drop(add(&writer, 2).await.unwrap()) };
        let twice = kept(1);
        let taken_back = async { add(&writer, 4).await?.roll_back().await };
        let ended = futures::join!(kept(1), left, twice, kept(3), taken_back, kept(5));
        assert!(ended.0.is_ok() && ended.3.is_ok() && ended.4.is_ok() && ended.5.is_ok(), "{ended:?}");
        assert!(ended.2.is_err(), "the same number a second time");
        assert_eq!(numbers(&reader).await, [1, 3, 5]);
    }

    #[tokio::test]
    async fn nobody_is_told_that_it_is_kept_when_the_commit_fails() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, reader) = writer(folder.path()).await;
        writer.pool.execute("PRAGMA foreign_keys = ON").await.unwrap();
        // It is looked at by the commit and not before.
        let table = "CREATE TABLE children (of INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)";
        writer.pool.execute(table).await.unwrap();
        let orphan = async {
            let mut operation = writer.begin().await?;
            operation.execute("INSERT INTO children VALUES (77)").await?;
            operation.commit().await
        };
        let with_it = async { add(&writer, 1).await?.commit().await };
        let ended = futures::join!(orphan, with_it);
        assert!(ended.0.is_err() && ended.1.is_err(), "{ended:?}");
        add(&writer, 2).await.unwrap().commit().await.unwrap();
        assert_eq!(numbers(&reader).await, [2]);
    }

    #[tokio::test]
    async fn who_goes_away_while_the_database_is_busy_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, other) = writer(folder.path()).await;
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let soon = Duration::from_millis(50);
        for _ in 0..3 {
            assert!(tokio::time::timeout(soon, add(&writer, 1)).await.is_err(), "it is busy");
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
