//! The store: one set of methods over PostgreSQL and SQLite.
//!
//! One SQL text serves both. A transaction is a [`Tx`], and the macros below run one statement on
//! whichever database it belongs to; the few real differences are an explicit `match`. Every method takes
//! the workspace, or the id of something that belongs to one. What reads across workspaces is for whoever runs the
//! installation and for the keeper, and never for a request: counts of runs and of open effects, runs that are due, the
//! outbox, instances, and the keys and workspaces themselves.

mod audit;
mod beginning;
mod calls;
mod clock;
mod connections;
mod dead_letters;
mod effects;
mod gather;
mod idempotency;
mod instances;
mod intents;
pub mod keys;
mod open;
mod outbox;
mod replays;
mod results;
mod run_views;
mod settling;
mod stage_runs;
mod types;
mod unresolved;
mod waking;
mod workspaces;

use std::time::Duration;

use sqlx::SqlitePool;

pub use audit::{Action, Asked, Audit, AuditRow};
pub use beginning::{Begun, BegunRun, Taking};
pub use calls::{Arrival, CallFilter, DeliveredRow, Page, Stats, StoredMaterial, TakenIn};
pub use dead_letters::{DeadFilter, DeadGroup, DeadLetter};
pub use effects::{EffectKey, EffectRow, EffectState};
pub use idempotency::KeyClaim;
pub use instances::InstanceId;
pub use intents::{EffectWant, Intent};
pub use keys::{KeyCreation, KeyRevocation, KeyRow, NewKey};
pub use open::OpenError;
pub use outbox::OutboxRow;
pub use results::Write;
pub use run_views::{EndedRun, RunRow, StageCounts};
pub use settling::{ErrorText, Settled, Settlement};
pub use stage_runs::{Claim, NewRun, RunState};
pub use unresolved::EffectFilter;
pub use waking::Due;

use clock::Clock;
use connections::{Connections, Lent};
use domain::moment::Moment;
use gather::Writer;

/// The store could not be used. What was asked did not happen, or nobody knows; asking again is safe.
#[derive(Debug, thiserror::Error)]
#[error("failed to use the store: {0}")]
pub struct StoreError(#[from] sqlx::Error);

pub type Result<T> = std::result::Result<T, StoreError>;

/// How long PostgreSQL may take for one statement. A host that vanishes closes no connection: without a
/// bound, whoever asked it would wait for ever.
const PATIENCE: Duration = Duration::from_secs(10);

fn in_time<T>(asked: impl Future<Output = sqlx::Result<T>>) -> impl Future<Output = sqlx::Result<T>> {
    within(PATIENCE, asked)
}

fn within<T>(
    patience: Duration,
    asked: impl Future<Output = sqlx::Result<T>>,
) -> impl Future<Output = sqlx::Result<T>> {
    // Boxed, since every method of the store has several of them.
    let asked = Box::pin(asked);
    async move {
        tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| {
            let late = "the database did not answer in time";
            Err(std::io::Error::new(std::io::ErrorKind::TimedOut, late).into())
        })
    }
}

/// A handle; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    clock: Clock,
    opened_at: Moment,
}

#[derive(Clone, Debug)]
enum Db {
    Postgres(Connections),
    Sqlite { writer: Writer, readers: SqlitePool },
}

/// A transaction on either database, or what one statement needs of it.
enum Tx {
    Postgres(Lent),
    Sqlite(gather::Operation),
}

/// Runs a statement in a transaction and returns how many rows it changed.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match &mut $tx {
            $crate::Tx::Postgres(tx) =>
                $crate::in_time(sqlx::query($sql)$(.bind($arg))*.execute(&mut **tx)).await
                    .map(|done| done.rows_affected()),
            $crate::Tx::Sqlite(tx) =>
                sqlx::query($sql)$(.bind($arg))*.execute(&mut **tx).await.map(|done| done.rows_affected()),
        }
    };
}

/// Runs a query in a transaction: `fetch_one`, `fetch_optional` or `fetch_all` of a row type.
macro_rules! query {
    ($how:ident, $row:ty, $tx:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match &mut $tx {
            $crate::Tx::Postgres(tx) =>
                $crate::in_time(sqlx::query_as::<_, $row>($sql)$(.bind($arg))*.$how(&mut **tx)).await,
            $crate::Tx::Sqlite(tx) =>
                sqlx::query_as::<_, $row>($sql)$(.bind($arg))*.$how(&mut **tx).await,
        }
    };
}

/// Runs a query that only reads, outside a transaction.
macro_rules! read {
    ($how:ident, $row:ty, $store:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match &$store.db {
            $crate::Db::Postgres(connections) => $crate::in_time(async {
                let mut lent = connections.lend().await?;
                let answer = sqlx::query_as::<_, $row>($sql)$(.bind($arg))*.$how(&mut *lent).await?;
                lent.done();
                Ok(answer)
            }).await,
            $crate::Db::Sqlite { readers, .. } =>
                sqlx::query_as::<_, $row>($sql)$(.bind($arg))*.$how(readers).await,
        }
    };
}

pub(crate) use {execute, query, read};

impl Store {
    /// The store's clock: what every decision about time is made by.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Whether this is the embedded store, which one process owns alone.
    pub fn is_embedded(&self) -> bool {
        matches!(self.db, Db::Sqlite { .. })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        read!(fetch_one, (i64,), self, "SELECT CAST(1 AS BIGINT)")?;
        Ok(())
    }

    fn over(db: Db, now: Moment) -> Self {
        Self { db, clock: Clock::new(now), opened_at: now }
    }

    async fn begin_tx(&self) -> Result<Tx> {
        Ok(match &self.db {
            Db::Postgres(connections) => Tx::Postgres(in_time(connections.begin()).await?),
            Db::Sqlite { writer, .. } => Tx::Sqlite(writer.begin().await?),
        })
    }

    /// For an operation that is one statement: PostgreSQL commits it by itself, and that saves two more. Of
    /// several, each would be committed, so that nothing is taken back.
    async fn one_statement(&self) -> Result<Tx> {
        Ok(match &self.db {
            Db::Postgres(connections) => Tx::Postgres(in_time(connections.lend()).await?),
            Db::Sqlite { writer, .. } => Tx::Sqlite(writer.begin().await?),
        })
    }
}

impl Tx {
    async fn commit(self) -> Result<()> {
        match self {
            Self::Postgres(tx) => in_time(tx.commit()).await?,
            Self::Sqlite(tx) => tx.commit().await?,
        }
        Ok(())
    }

    async fn roll_back(self) -> Result<()> {
        match self {
            Self::Postgres(tx) => in_time(tx.roll_back()).await?,
            Self::Sqlite(tx) => tx.roll_back().await?,
        }
        Ok(())
    }
}
