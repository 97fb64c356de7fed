//! Connections to PostgreSQL, kept between operations.
//!
//! A pool of sqlx asks each connection that comes back whether it is there, and waits for the answer: as much
//! again as an operation of one statement costs. So a connection whose operation ended well is lent to whoever
//! comes next. Any other goes back to the pool, which tests it, and so does one that nobody wanted for a while.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, PgConnection, PgPool, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One that nobody wanted for so long is tested before it is lent.
pub(super) const FRESH: Duration = Duration::from_secs(1);
/// The pool sees every connection so often, and ends those that are old.
const KEPT_AT_MOST: Duration = Duration::from_mins(10);

#[derive(Clone, Debug)]
pub(super) struct Connections {
    pool: PgPool,
    /// As many as the pool has connections: who waits for one is woken also when one is kept.
    free: Arc<Semaphore>,
    kept: Arc<Mutex<Vec<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    connection: PoolConnection<Postgres>,
    /// When it came from the pool.
    taken_at: Instant,
    since: Instant,
}

/// A connection for one operation. Left in the middle of a transaction, it is closed, and the transaction with it.
#[derive(Debug)]
pub(super) struct Lent {
    connection: Option<PoolConnection<Postgres>>,
    taken_at: Instant,
    in_transaction: bool,
    connections: Connections,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    pub(super) fn new(pool: PgPool) -> Self {
        let free = Arc::new(Semaphore::new(pool.options().get_max_connections() as usize));
        Self { pool, free, kept: Arc::default() }
    }

    /// For one statement, which commits itself, or for reading.
    pub(super) async fn lend(&self) -> sqlx::Result<Lent> {
        let waiting = Arc::clone(&self.free).acquire_owned();
        let permit = tokio::time::timeout(self.pool.options().get_acquire_timeout(), waiting).await;
        let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let (connection, taken_at) = match self.fresh() {
            Some(kept) => (kept.connection, kept.taken_at),
            None => (self.pool.acquire().await?, Instant::now()),
        };
        Ok(Lent {
            connection: Some(connection),
            taken_at,
            in_transaction: false,
            connections: self.clone(),
            _permit: permit,
        })
    }

    /// For a transaction.
    pub(super) async fn begin(&self) -> sqlx::Result<Lent> {
        let mut lent = self.lend().await?;
        lent.in_transaction = true;
        lent.execute("BEGIN").await?;
        Ok(lent)
    }

    /// The one that was kept last. Those that nobody wanted for a while go back to the pool.
    fn fresh(&self) -> Option<Kept> {
        let mut kept = self.kept();
        let stale = kept.partition_point(|kept| kept.since.elapsed() >= FRESH);
        kept.drain(..stale);
        kept.pop()
    }

    fn keep(&self, connection: PoolConnection<Postgres>, taken_at: Instant) {
        let mut kept = self.kept();
        // Otherwise it goes back to the pool by being dropped.
        if !self.pool.is_closed() && taken_at.elapsed() < KEPT_AT_MOST {
            kept.push(Kept { connection, taken_at, since: Instant::now() });
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for those that are lent, and closes all.
    pub(super) async fn close(&self) {
        // From here on none is kept.
        let closing = self.pool.close();
        self.kept().clear();
        closing.await;
    }
}

impl Lent {
    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        if self.in_transaction {
            self.execute("COMMIT").await?;
        }
        self.done();
        Ok(())
    }

    pub(super) async fn roll_back(mut self) -> sqlx::Result<()> {
        if self.in_transaction {
            self.execute("ROLLBACK").await?;
        }
        self.done();
        Ok(())
    }

    /// Its operation ended well.
    pub(super) fn done(mut self) {
        self.in_transaction = false;
        if let Some(connection) = self.connection.take() {
            self.connections.keep(connection, self.taken_at);
        }
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("what is lent is a connection")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("what is lent is a connection")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        if self.in_transaction {
            connection.close_on_drop();
        }
        // What broke this one may have broken the others: the pool tests them.
        self.connections.kept().clear();
    }
}
