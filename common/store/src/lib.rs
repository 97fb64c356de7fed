//! The store: one set of methods over PostgreSQL and SQLite.
//!
//! One SQL text serves both. A transaction is a [`Tx`], and the macros below run one statement on the database that
//! it belongs to. The few real differences are an explicit `match`. Every method takes the workspace, or
//! the id of something that belongs to one. Only some methods read across workspaces. They serve the operator of the
//! installation and the keeper, and never a request: counts of runs and of open effects, runs that are due, the outbox,
//! instances, the keys, sessions and workspaces themselves, and what somebody signs in with.

mod audio;
mod audit;
mod call_changes;
mod call_index;
mod call_list;
mod call_scores;
mod call_search;
mod call_status;
mod call_sums;
mod calls;
mod catch_up;
mod clock;
mod columns;
mod connections;
pub mod copies;
mod corrections;
mod damage;
mod dashboard;
mod dead_letters;
mod deletions;
mod doubts;
mod effects;
mod group_commit;
mod idempotency;
mod instances;
mod intents;
mod invitations;
mod kept_corrections;
pub mod keys;
mod last_change;
mod later_looks;
pub mod live;
mod open_error;
mod opening;
mod outbox;
mod practice;
mod provider_views;
mod queue_samples;
mod replays;
mod resolutions;
mod results;
mod rollups;
mod run_claims;
mod run_views;
mod sample_calls;
mod saved_views;
mod sessions;
mod settlements;
mod sign_ins;
mod speech_attempts;
mod stage_runs;
mod taking_in;
mod usage;
mod users;
mod versions;
mod wake_ups;
mod workspaces;

use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;

pub use audit::{Action, Audit, AuditCursor, AuditFilter, AuditRow, OperatorRequest};
pub use call_changes::Changes;
pub use call_list::{Behind, FilterValues, ListFilter, ListedCall};
pub use call_scores::{CallScoreRow, NewScore, ScoreInTime};
pub use call_search::{FoundCall, FoundMoment, Search, SearchError};
pub use call_sums::Sums;
pub use calls::{CallFilter, DeliveredRow, Page, Stats, StoredMaterial};
pub use catch_up::Walk;
pub use corrections::{Again, Corrected, LineSaid, Rewritten};
pub use dashboard::{Dashboard, Scope, TOPIC_CALLS};
pub use dead_letters::{DeadFilter, DeadGroup, DeadLetter, LetterBeside};
pub use effects::{EffectKey, EffectName, EffectRow, EffectState};
pub use idempotency::KeyClaim;
pub use instances::{Instance, InstanceId, Process};
pub use intents::{Intent, WantedEffect};
pub use invitations::{Acceptance, Invitation, InvitationRow, NewAccount, NewInvitation};
pub use keys::{KeyCreation, KeyRevocation, KeyRow, NewKey};
pub use later_looks::LaterLook;
pub use open_error::{FileError, OpenError};
pub use outbox::OutboxRow;
pub use practice::{
    CompanyRow, FloorClaim, MaterialHead, MeetingRow, MeetingStatus, NewCompany, NewMeeting,
    NewRepresentative, NewTurn, RepresentativeRow, Salesperson, SalespersonRow, StoredMaterialFile, TurnRow,
    TurnState,
};
pub use provider_views::{ProviderTrouble, SpeechSpent};
pub use queue_samples::{QueueSample, QueueSampleRow, SampleSpan};
pub use resolutions::EffectFilter;
pub use results::{StoredTranscript, Write};
pub use run_claims::{Begun, BegunRun, RunRequest};
pub use run_views::{EndedRun, RunRow, RunTrace, RunningRun, StageCounts};
pub use sample_calls::{SampleCall, SamplesLoaded};
pub use saved_views::{MAX_VIEWS, NewView, SavedView, ViewKept};
pub use sessions::{NewSession, SessionRow, SignedIn};
pub use settlements::{ErrorText, Settled, Settlement};
pub use sign_ins::SignInTry;
pub use speech_attempts::{PaidSpeech, SpeechAttempt, SpeechAttemptRow, SpeechOutcome};
pub use stage_runs::{Claim, NewRun, RunKey, RunState};
pub use taking_in::{Arrival, TakenIn};
pub use usage::{UsageBy, UsageRow, UsageTime};
pub use users::{NewUser, UserChange, UserRow, UserWithPassword};
pub use wake_ups::Due;
pub use workspaces::WorkspaceRow;

use clock::Clock;
use connections::{Connections, LentConnection};
use domain::call_facts::FactRules;
use domain::moment::Moment;
use group_commit::Writer;

/// The store could not be used. The change did not happen, or nobody knows whether it did. It is safe to try again.
#[derive(Debug, thiserror::Error)]
#[error("failed to use the store: {}{}", .0, damage::advice(.0))]
pub struct StoreError(sqlx::Error);

// The error of the database is part of the text, so it is not given as the source too: it would be told twice.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// How long PostgreSQL may take for one statement. A host that vanishes closes no connection, so without a limit a
/// caller would wait for ever.
const PATIENCE: Duration = Duration::from_secs(10);

fn in_time<T>(asked: impl Future<Output = sqlx::Result<T>>) -> impl Future<Output = sqlx::Result<T>> {
    within(PATIENCE, asked)
}

fn within<T>(
    patience: Duration,
    asked: impl Future<Output = sqlx::Result<T>>,
) -> impl Future<Output = sqlx::Result<T>> {
    // The future is boxed, because every method of the store contains several of them.
    let asked = Box::pin(asked);
    async move {
        tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| {
            let late = "the database did not answer in time";
            Err(std::io::Error::new(std::io::ErrorKind::TimedOut, late).into())
        })
    }
}

/// A handle to the store. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    clock: Clock,
    opened_at: Moment,
    /// How the installation counts its calls.
    facts: Arc<FactRules>,
}

#[derive(Clone, Debug)]
enum Db {
    Postgres(Connections),
    Sqlite { writer: Writer, readers: SqlitePool },
}

/// A transaction on either database, or the connection for a single statement.
enum Tx {
    Postgres(LentConnection),
    Sqlite(group_commit::Operation),
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
        $crate::read_with!(true, $how, $row, $store, $sql $(, $arg)*)
    };
}

/// Reads with a query in which conditions may be left out. PostgreSQL makes a plan for the values of each request: from the
/// sixth time on it would take one plan for all values, which reads the whole table where an index finds a few rows.
macro_rules! read_planned {
    ($how:ident, $row:ty, $store:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        $crate::read_with!(false, $how, $row, $store, $sql $(, $arg)*)
    };
}

macro_rules! read_with {
    ($persistent:expr, $how:ident, $row:ty, $store:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match &$store.db {
            $crate::Db::Postgres(connections) => $crate::in_time(async {
                let mut lent = connections.lend().await?;
                let query = sqlx::query_as::<_, $row>($sql).persistent($persistent);
                let answer = query$(.bind($arg))*.$how(&mut *lent).await?;
                lent.done();
                Ok(answer)
            }).await,
            $crate::Db::Sqlite { readers, .. } =>
                sqlx::query_as::<_, $row>($sql)$(.bind($arg))*.$how(readers).await,
        }
    };
}

pub(crate) use {execute, query, read, read_planned, read_with};

impl Store {
    /// The time of the store's clock. Every decision about time goes by it.
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
        Self { db, clock: Clock::new(now), opened_at: now, facts: Arc::default() }
    }

    async fn begin_tx(&self) -> Result<Tx> {
        Ok(match &self.db {
            Db::Postgres(connections) => Tx::Postgres(in_time(connections.begin()).await?),
            Db::Sqlite { writer, .. } => Tx::Sqlite(writer.begin().await?),
        })
    }

    /// Begins an operation that is a single statement. PostgreSQL commits such a statement by itself, which saves the
    /// two statements around it. An operation of several statements must not use this: each of them would be committed
    /// alone, and nothing could be rolled back.
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
