//! The file, and the one task that has it: whatever waits is written in one transaction and answered
//! together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, QueryBuilder, Row as _, Sqlite};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{AHEAD, BrokerError, Queues, Row};

/// Operations in one transaction: more of them make publishers wait for the acknowledgements of a backlog.
const GROUP: usize = 128;
/// Rows in one INSERT; SQLite takes 32,766 parameters.
const ROWS: usize = 128;
/// Acknowledgements alone wait this long for company: losing one only brings a message again.
const LINGER: Duration = Duration::from_millis(10);
/// Before what failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// The write-ahead log is cut to this after a checkpoint.
const LOG_BYTES: &str = "16777216";
/// A checkpoint syncs the file twice, some 20 ms; so another connection does it beside the writer, every so
/// many rows written. What is left for the writer to complete, past so many pages of log, is then little.
const CHECKPOINT_ROWS: usize = 256;
const CHECKPOINT_PAGES: &str = "4096";
/// Pages returned to the disk at a time, when nobody asks for anything.
const FREED_PAGES: u32 = 1024;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        message_id BLOB,
        key TEXT,
        rejected_by TEXT,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS messages_by_queue ON messages (queue, id);";

type Reply<T> = oneshot::Sender<Result<T, BrokerError>>;

/// What the writer is asked to do. A queue is named by its place in [`Queues`].
pub(super) enum Op {
    Publish {
        queues: Vec<usize>,
        row: Row,
        reply: Reply<()>,
    },
    Remove {
        id: i64,
    },
    /// Moves a message to the dead queue.
    Bury {
        id: i64,
        row: Row,
        reply: Reply<()>,
    },
    /// Reads on in a queue for its consumers.
    Read {
        place: usize,
    },
    Purge {
        place: usize,
        reply: Reply<u64>,
    },
    Close {
        reply: Reply<()>,
    },
}

pub(super) struct File {
    connection: SqliteConnection,
    queues: Arc<Queues>,
    next_id: i64,
    /// What was there at the start may have been delivered before: claims are not written down.
    found_to: i64,
    /// Removals that a failed transaction left undone.
    owed: Vec<i64>,
    /// Rows written since the last checkpoint was asked for.
    written: usize,
    checkpoints: mpsc::Sender<()>,
    checkpointer: JoinHandle<()>,
    /// Rows were removed: there may be pages to free.
    untidy: bool,
    /// Held for as long as the file is in use. The system lets go of it when the process dies.
    lock: std::fs::File,
}

/// What one transaction writes, and who waits for it.
#[derive(Default)]
struct Group {
    rows: Vec<(i64, usize, Row)>,
    removed: Vec<i64>,
    /// By queue, what this group adds.
    added: BTreeMap<usize, u64>,
    waiting: Vec<Reply<()>>,
    reads: Vec<usize>,
    purges: Vec<(usize, Reply<u64>)>,
    closing: Option<Reply<()>>,
}

impl File {
    pub(super) async fn open(path: &Path, queues: Arc<Queues>) -> Result<Self, BrokerError> {
        let lock = lock(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", LOG_BYTES)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| failed(&error))?;
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await.map_err(|error| failed(&error))?;
        let beside = options.connect().await.map_err(|error| failed(&error))?;
        let (checkpoints, asked) = mpsc::channel(1);
        let mut file = Self {
            connection,
            queues,
            next_id: 1,
            found_to: 0,
            owed: Vec::new(),
            written: 0,
            checkpoints,
            checkpointer: tokio::spawn(checkpoint(beside, asked)),
            untidy: true,
            lock,
        };
        file.count().await.map_err(|error| failed(&error))?;
        Ok(file)
    }

    async fn count(&mut self) -> Result<(), sqlx::Error> {
        let counts = sqlx::query("SELECT queue, count(*), max(id) FROM messages GROUP BY queue")
            .fetch_all(&mut self.connection)
            .await?;
        for row in counts {
            let (queue, ready, last): (String, i64, i64) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            self.found_to = self.found_to.max(last);
            // The table may have lost a queue; its messages stay where they are.
            if let Some(place) = self.queues.all.iter().position(|known| known.name == queue) {
                let mut now = self.queues.now(place);
                (now.ready, now.last) = (ready.unsigned_abs(), last);
            }
        }
        self.next_id = self.found_to + 1;
        Ok(())
    }

    /// Until it is closed, or nobody is left who could ask for anything.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Op>) {
        let mut ops = Vec::with_capacity(GROUP);
        loop {
            let owing = self.queues.failing.load(Ordering::Relaxed);
            let more = if owing || self.untidy {
                let received = tokio::time::timeout(RETRY, inbox.recv_many(&mut ops, GROUP)).await;
                if received.is_err() {
                    // Nobody asks for anything: what is free is returned, and what is owed tried again.
                    self.tidy().await;
                }
                received != Ok(0)
            } else {
                inbox.recv_many(&mut ops, GROUP).await > 0
            };
            let patient = more && !ops.is_empty() && ops.iter().all(|op| matches!(op, Op::Remove { .. }));
            if patient {
                // Out of time: they go alone.
                tokio::time::timeout(LINGER, inbox.recv_many(&mut ops, GROUP)).await.ok();
            }
            let mut group = self.gather(ops.drain(..));
            self.write(&mut group).await;
            for place in std::mem::take(&mut group.reads) {
                self.read(place).await;
            }
            for (place, reply) in std::mem::take(&mut group.purges) {
                answer(reply, self.purge(place).await);
            }
            if group.closing.is_some() || !more {
                inbox.close();
                self.end(group.closing).await;
                return;
            }
        }
    }

    fn gather(&mut self, ops: impl Iterator<Item = Op>) -> Group {
        let mut group = Group { removed: std::mem::take(&mut self.owed), ..Group::default() };
        for op in ops {
            match op {
                Op::Publish { queues, row, reply } => {
                    if queues.iter().any(|place| self.is_full(*place, &group)) {
                        answer(reply, Err(BrokerError::Full));
                        continue;
                    }
                    for place in queues {
                        self.add(&mut group, place, row.clone());
                    }
                    group.waiting.push(reply);
                }
                Op::Remove { id } => group.removed.push(id),
                Op::Bury { id, row, reply } => {
                    group.removed.push(id);
                    let dead = self.queues.dead();
                    self.add(&mut group, dead, row);
                    group.waiting.push(reply);
                }
                Op::Read { place } => group.reads.push(place),
                Op::Purge { place, reply } => group.purges.push((place, reply)),
                Op::Close { reply } => group.closing = Some(reply),
            }
        }
        group
    }

    fn add(&mut self, group: &mut Group, place: usize, row: Row) {
        group.rows.push((self.next_id, place, row));
        *group.added.entry(place).or_default() += 1;
        self.next_id += 1;
    }

    fn is_full(&self, place: usize, group: &Group) -> bool {
        self.queues.all[place].max_length.is_some_and(|max| {
            self.queues.now(place).ready + group.added.get(&place).copied().unwrap_or(0) >= max
        })
    }

    async fn write(&mut self, group: &mut Group) {
        if group.rows.is_empty() && group.removed.is_empty() {
            // Nothing is left that could not be written; the next message tells.
            self.queues.failing.store(false, Ordering::Relaxed);
            return;
        }
        let outcome = match self.commit(group).await {
            Ok(()) => {
                for (id, place, row) in group.rows.drain(..) {
                    self.queues.arrived(place, id, row);
                }
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "failed to write the queue file");
                self.owed = std::mem::take(&mut group.removed);
                Err(failed(&error))
            }
        };
        self.queues.failing.store(outcome.is_err(), Ordering::Relaxed);
        for reply in group.waiting.drain(..) {
            answer(reply, outcome.clone());
        }
    }

    /// The transaction is begun and ended by hand: where SQLite ends one by itself, as on a full disk, sqlx
    /// would still count it as open, and refuse every other for ever.
    async fn commit(&mut self, group: &Group) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let written = match self.write_rows(group).await {
            Ok(()) => sqlx::raw_sql("COMMIT").execute(&mut self.connection).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            // It fails where there is nothing left to roll back.
            if let Err(error) = sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await {
                tracing::debug!(%error, "the queue file had rolled back by itself");
            }
            return Err(error);
        }
        self.untidy |= !group.removed.is_empty();
        self.written += group.rows.len() + group.removed.len();
        if self.written >= CHECKPOINT_ROWS {
            self.written = 0;
            // One that is under way will do.
            self.checkpoints.try_send(()).ok();
        }
        Ok(())
    }

    async fn write_rows(&mut self, group: &Group) -> Result<(), sqlx::Error> {
        for rows in group.rows.chunks(ROWS) {
            let mut insert: QueryBuilder<Sqlite> =
                QueryBuilder::new("INSERT INTO messages (id, queue, message_id, key, rejected_by, body) ");
            insert.push_values(rows, |mut values, (id, place, row)| {
                values
                    .push_bind(id)
                    .push_bind(&self.queues.all[*place].name)
                    .push_bind(row.message_id)
                    .push_bind(&row.key)
                    .push_bind(&row.rejected_by)
                    .push_bind(&row.body[..]);
            });
            // Few groups are of one size; their statements are not worth keeping.
            insert.build().persistent(rows.len() < 4).execute(&mut self.connection).await?;
        }
        if !group.removed.is_empty() {
            sqlx::query("DELETE FROM messages WHERE id IN (SELECT value FROM json_each($1))")
                .bind(json_ids(&group.removed))
                .execute(&mut self.connection)
                .await?;
        }
        Ok(())
    }

    /// Returns free pages to the disk, some at a time.
    async fn tidy(&mut self) {
        let free = async {
            sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA incremental_vacuum({FREED_PAGES})")))
                .execute(&mut self.connection)
                .await?;
            sqlx::query_scalar::<_, i64>("PRAGMA freelist_count").fetch_one(&mut self.connection).await
        };
        // A failure leaves free pages in the file, which the next messages use.
        self.untidy = free.await.is_ok_and(|left| left > 0);
    }

    /// Reads the next messages of a queue into memory.
    async fn read(&mut self, place: usize) {
        let (after, known) = {
            let now = self.queues.now(place);
            (now.read_to, now.last)
        };
        let rows = self.rows(place, after).await;
        if let Err(error) = &rows {
            tracing::error!(%error, "failed to read the queue file");
            // The consumers that are woken then ask again.
            tokio::time::sleep(RETRY).await;
        }
        {
            let mut now = self.queues.now(place);
            now.reading = false;
            if let Ok(rows) = rows {
                now.read_to = match rows.last() {
                    Some((id, _)) if rows.len() == AHEAD => *id,
                    _ => known,
                };
                now.waiting.extend(rows);
            }
        }
        self.queues.all[place].changed.notify_waiters();
    }

    async fn rows(&mut self, place: usize, after: i64) -> Result<Vec<(i64, Row)>, sqlx::Error> {
        const READ: &str = "SELECT id, message_id, key, rejected_by, body FROM messages
                            WHERE queue = $1 AND id > $2 ORDER BY id LIMIT $3";
        let rows = sqlx::query(READ)
            .bind(&self.queues.all[place].name)
            .bind(after)
            .bind(i64::try_from(AHEAD).unwrap_or(i64::MAX))
            .fetch_all(&mut self.connection)
            .await?;
        rows.into_iter()
            .map(|row| {
                let id: i64 = row.try_get(0)?;
                let body: Vec<u8> = row.try_get(4)?;
                Ok((
                    id,
                    Row {
                        message_id: row.try_get::<Option<Uuid>, _>(1)?,
                        key: row.try_get(2)?,
                        rejected_by: row.try_get(3)?,
                        body: Bytes::from(body),
                        again: id <= self.found_to,
                    },
                ))
            })
            .collect()
    }

    async fn purge(&mut self, place: usize) -> Result<u64, BrokerError> {
        // Nothing arrives meanwhile: this task is the one that brings it.
        let (held, to, ready) = {
            let mut now = self.queues.now(place);
            now.waiting.clear();
            now.read_to = now.last;
            let ready = std::mem::take(&mut now.ready);
            (now.held.iter().copied().collect::<Vec<_>>(), now.last, ready)
        };
        sqlx::query(
            "DELETE FROM messages WHERE queue = $1 AND id <= $2
             AND id NOT IN (SELECT value FROM json_each($3))",
        )
        .bind(&self.queues.all[place].name)
        .bind(to)
        .bind(json_ids(&held))
        .execute(&mut self.connection)
        .await
        .map_err(|error| failed(&error))?;
        Ok(ready)
    }

    async fn end(mut self, closing: Option<Reply<()>>) {
        self.queues.closed.cancel();
        let mut last = self.gather(std::iter::empty());
        self.write(&mut last).await;
        drop(self.checkpoints);
        if let Err(error) = self.checkpointer.await {
            tracing::error!(%error, "the checkpoints of the queue file had ended");
        }
        let closed = self.connection.close().await.map_err(|error| failed(&error));
        drop(self.lock);
        if let Some(reply) = closing {
            answer(reply, closed);
        }
    }
}

/// Moves what is in the log into the file whenever it is asked to.
async fn checkpoint(mut connection: SqliteConnection, mut asked: mpsc::Receiver<()>) {
    while asked.recv().await.is_some() {
        if let Err(error) = sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await {
            tracing::warn!(%error, "failed to checkpoint the queue file");
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "failed to close the queue file");
    }
}

/// Whoever asked may have gone away; what was done is done.
fn answer<T>(reply: Reply<T>, outcome: Result<T, BrokerError>) {
    reply.send(outcome).ok();
}

fn json_ids(ids: &[i64]) -> String {
    serde_json::Value::from(ids).to_string()
}

fn lock(path: &Path) -> Result<std::fs::File, BrokerError> {
    // A file of its own: closing any handle of a database file drops SQLite's own locks on it.
    let beside = path.with_added_extension("lock");
    let refused =
        |error: std::io::Error| BrokerError::Refused(format!("open `{}`: {error}", beside.display()));
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&beside)
        .map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(BrokerError::Locked(path.display().to_string())),
        Err(std::fs::TryLockError::Error(error)) => Err(refused(error)),
    }
}

fn failed(error: &sqlx::Error) -> BrokerError {
    // 13 is SQLITE_FULL (https://sqlite.org/rescode.html): the disk has no room.
    let full =
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|c| c == "13");
    if full { BrokerError::Blocked } else { BrokerError::Refused(format!("use the queue file: {error}")) }
}
