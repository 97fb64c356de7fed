//! Connections to PostgreSQL, which are kept between operations.
//!
//! When a connection comes back, sqlx's pool pings it and waits for the answer. That costs as much again as an
//! operation of one statement. So a connection whose operation ended well is lent to the next caller without a test.
//! All others go back to the pool, which tests them: those whose operation failed, and those that nobody wanted for
//! a while.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Executor as _, PgConnection, PgPool, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a kept connection can be lent without a test.
pub(super) const FRESH: Duration = Duration::from_secs(1);
/// How long a connection stays out of the pool. The pool closes connections that are too old.
const KEPT_AT_MOST: Duration = Duration::from_mins(10);

#[derive(Clone, Debug)]
pub(super) struct Connections {
    pool: PgPool,
    /// One permit for each connection of the pool. So a waiting caller is also woken when a connection is kept.
    free: Arc<Semaphore>,
    kept: Arc<Mutex<Vec<KeptConnection>>>,
}

#[derive(Debug)]
struct KeptConnection {
    connection: PoolConnection<Postgres>,
    /// When the connection came from the pool.
    taken_at: Instant,
    /// When its last operation ended.
    since: Instant,
}

/// A connection for one operation. If its caller leaves it in the middle of a transaction, the connection is closed,
/// and the transaction ends with it.
#[derive(Debug)]
pub(super) struct LentConnection {
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

    /// How the pool connects, for somebody who needs a connection for himself.
    pub(super) fn options(&self) -> sqlx::postgres::PgConnectOptions {
        self.pool.connect_options().as_ref().clone()
    }

    /// Lends a connection for reading, or for one statement, which commits itself.
    pub(super) async fn lend(&self) -> sqlx::Result<LentConnection> {
        let waiting = Arc::clone(&self.free).acquire_owned();
        let permit = tokio::time::timeout(self.pool.options().get_acquire_timeout(), waiting).await;
        let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let (connection, taken_at) = match self.fresh() {
            Some(kept) => (kept.connection, kept.taken_at),
            None => (self.pool.acquire().await?, Instant::now()),
        };
        Ok(LentConnection {
            connection: Some(connection),
            taken_at,
            in_transaction: false,
            connections: self.clone(),
            _permit: permit,
        })
    }

    /// Lends a connection for a transaction, which has begun.
    pub(super) async fn begin(&self) -> sqlx::Result<LentConnection> {
        let mut lent = self.lend().await?;
        lent.in_transaction = true;
        lent.execute("BEGIN").await?;
        Ok(lent)
    }

    /// The connection that was kept last. Connections that nobody wanted for a while go back to the pool.
    fn fresh(&self) -> Option<KeptConnection> {
        let mut kept = self.kept();
        let stale = kept.partition_point(|kept| kept.since.elapsed() >= FRESH);
        kept.drain(..stale);
        kept.pop()
    }

    fn keep(&self, connection: PoolConnection<Postgres>, taken_at: Instant) {
        let mut kept = self.kept();
        // A connection that is not kept is dropped here, and so goes back to the pool.
        if !self.pool.is_closed() && taken_at.elapsed() < KEPT_AT_MOST {
            kept.push(KeptConnection { connection, taken_at, since: Instant::now() });
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<KeptConnection>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the connections that are lent, and closes all.
    pub(super) async fn close(&self) {
        // Once this future exists the pool counts as closed, and no connection is kept any more.
        let closing = self.pool.close();
        self.kept().clear();
        closing.await;
    }
}

impl LentConnection {
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

    /// Gives the connection back after an operation that ended well.
    pub(super) fn done(mut self) {
        self.in_transaction = false;
        if let Some(connection) = self.connection.take() {
            self.connections.keep(connection, self.taken_at);
        }
    }
}

impl Deref for LentConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("the connection is lent until this is dropped")
    }
}

impl DerefMut for LentConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("the connection is lent until this is dropped")
    }
}

impl Drop for LentConnection {
    fn drop(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        if self.in_transaction {
            connection.close_on_drop();
        }
        // The fault that broke this connection may have broken the others too, so the pool has to test them.
        self.connections.kept().clear();
    }
}
