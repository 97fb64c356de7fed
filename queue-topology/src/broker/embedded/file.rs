//! The file, and the one task that has it. All operations that wait are written in one transaction and answered
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
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::checkpoints::make_checkpoints;
use super::lock::lock;
use super::operation::{Operation, Reply};
use super::queues::{AHEAD, Queues, Row};
use crate::broker::BrokerError;

/// How many operations one transaction holds. With more of them, publishers would wait for the acknowledgements of a
/// backlog.
const GROUP: usize = 128;
/// How many rows one INSERT holds. SQLite takes 32,766 parameters.
const ROWS: usize = 128;
/// How long acknowledgements wait for other operations. They can wait, because a lost one only brings a message again.
const ACK_DELAY: Duration = Duration::from_millis(10);
/// How long to wait before a failed operation is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// The size to which the write-ahead log is cut after a checkpoint.
const LOG_BYTES: &str = "16777216";
/// After how many written rows there is a checkpoint. It syncs the file twice, which takes some 20 ms, so another
/// connection does it beside the writer.
const CHECKPOINT_ROWS: usize = 256;
/// After how many pages of log the writer makes a checkpoint itself. Little is left for it then.
const CHECKPOINT_PAGES: &str = "4096";
/// How many pages are returned to the disk at a time, while there is nothing else to do.
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

pub(super) struct File {
    connection: SqliteConnection,
    queues: Arc<Queues>,
    next_id: i64,
    /// The last message that was in the file at the start. Messages up to it may have been delivered before, because the
    /// file does not say which messages somebody held.
    found_to: i64,
    /// Messages that a failed transaction did not remove.
    owed: Vec<i64>,
    /// Rows written since the last checkpoint was asked for.
    written: usize,
    checkpoints: mpsc::Sender<()>,
    checkpointer: JoinHandle<()>,
    /// Rows were removed, so there may be pages to return to the disk.
    untidy: bool,
    /// The lock is held as long as the file is in use. The system releases it when the process dies.
    lock: std::fs::File,
}

/// What one transaction writes, and the callers that wait for it.
#[derive(Default)]
struct Group {
    rows: Vec<(i64, usize, Row)>,
    removed: Vec<i64>,
    /// How many messages this group adds to each queue.
    added: BTreeMap<usize, u64>,
    waiting: Vec<Reply<()>>,
    reads: Vec<usize>,
    purges: Vec<(usize, Reply<u64>)>,
    closing: Option<Reply<()>>,
}

impl File {
    pub(super) async fn open(path: &Path, queues: Arc<Queues>) -> Result<Self, BrokerError> {
        let lock = lock(path)?;
        Self::open_locked(path, queues, lock).await.map_err(|error| cannot_open(path, &error))
    }

    async fn open_locked(path: &Path, queues: Arc<Queues>, lock: std::fs::File) -> Result<Self, sqlx::Error> {
        if path.exists() {
            // Nothing is written before it is known that the file is ours: the options below change it.
            look(SqliteConnectOptions::new().filename(path).read_only(true)).await?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", LOG_BYTES)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
        let beside = options.connect().await?;
        let (checkpoints, requests) = mpsc::channel(1);
        let mut file = Self {
            connection,
            queues,
            next_id: 1,
            found_to: 0,
            owed: Vec::new(),
            written: 0,
            checkpoints,
            checkpointer: tokio::spawn(make_checkpoints(beside, requests)),
            untidy: true,
            lock,
        };
        file.count().await?;
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
            // If the table does not have the queue any more, its messages stay in the file.
            if let Some(place) = self.queues.all.iter().position(|known| known.name == queue) {
                let mut now = self.queues.now(place);
                (now.ready, now.last) = (ready.unsigned_abs(), last);
            }
        }
        self.next_id = self.found_to + 1;
        Ok(())
    }

    /// Runs until the file is closed, or until nobody is left who could send an operation.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Operation>) {
        let mut operations = Vec::with_capacity(GROUP);
        loop {
            let owing = self.queues.failing.load(Ordering::Relaxed);
            let more = if owing || self.untidy {
                let received = tokio::time::timeout(RETRY, inbox.recv_many(&mut operations, GROUP)).await;
                if received.is_err() {
                    // There is nothing else to do: free pages are returned, and failed removals are tried again.
                    self.tidy().await;
                }
                received != Ok(0)
            } else {
                inbox.recv_many(&mut operations, GROUP).await > 0
            };
            let patient = more
                && !operations.is_empty()
                && operations.iter().all(|operation| matches!(operation, Operation::Remove { .. }));
            if patient {
                // When the time is over, the acknowledgements are written alone.
                tokio::time::timeout(ACK_DELAY, inbox.recv_many(&mut operations, GROUP)).await.ok();
            }
            let mut group = self.gather(operations.drain(..));
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

    fn gather(&mut self, operations: impl Iterator<Item = Operation>) -> Group {
        let mut group = Group { removed: std::mem::take(&mut self.owed), ..Group::default() };
        for operation in operations {
            match operation {
                Operation::Publish { queues, row, reply } => {
                    if queues.iter().any(|place| self.is_full(*place, &group)) {
                        answer(reply, Err(BrokerError::Full));
                        continue;
                    }
                    for place in queues {
                        self.add(&mut group, place, row.clone());
                    }
                    group.waiting.push(reply);
                }
                Operation::Remove { id } => group.removed.push(id),
                Operation::Bury { id, row, reply } => {
                    group.removed.push(id);
                    let dead = self.queues.dead();
                    self.add(&mut group, dead, row);
                    group.waiting.push(reply);
                }
                Operation::Read { place } => group.reads.push(place),
                Operation::Purge { place, reply } => group.purges.push((place, reply)),
                Operation::Close { reply } => group.closing = Some(reply),
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
            // No failed removal is left. The next message shows whether writing works again.
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

    /// Our own statements begin and end the transaction. When SQLite ends one by itself, for example because the disk is
    /// full, sqlx would still count it as open, and would refuse all others for ever.
    async fn commit(&mut self, group: &Group) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let written = match self.write_rows(group).await {
            Ok(()) => sqlx::raw_sql("COMMIT").execute(&mut self.connection).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            // This fails if there is nothing left to roll back.
            if let Err(error) = sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await {
                tracing::debug!(%error, "the queue file had rolled back by itself");
            }
            return Err(error);
        }
        self.untidy |= !group.removed.is_empty();
        self.written += group.rows.len() + group.removed.len();
        if self.written >= CHECKPOINT_ROWS {
            self.written = 0;
            // If the channel is full, a checkpoint is coming already.
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
            // Few groups have the same size, so it is not useful to keep their statements.
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

    /// Returns some free pages to the disk.
    async fn tidy(&mut self) {
        let free = async {
            sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA incremental_vacuum({FREED_PAGES})")))
                .execute(&mut self.connection)
                .await?;
            sqlx::query_scalar::<_, i64>("PRAGMA freelist_count").fetch_one(&mut self.connection).await
        };
        // After a failure, the free pages stay in the file, and the next messages use them.
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
            // The consumers are woken after this, and ask again.
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
                        redelivered: id <= self.found_to,
                    },
                ))
            })
            .collect()
    }

    async fn purge(&mut self, place: usize) -> Result<u64, BrokerError> {
        // No message arrives meanwhile, because only this task adds messages.
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
            tracing::error!(%error, "the task that makes checkpoints of the queue file had ended");
        }
        let closed = self.connection.close().await.map_err(|error| failed(&error));
        drop(self.lock);
        if let Some(reply) = closing {
            answer(reply, closed);
        }
    }
}

/// Answers a caller. The caller may have gone away.
fn answer<T>(reply: Reply<T>, outcome: Result<T, BrokerError>) {
    reply.send(outcome).ok();
}

fn json_ids(ids: &[i64]) -> String {
    serde_json::Value::from(ids).to_string()
}

/// Looks whether the file is a queue file, or still empty.
async fn look(read_only: SqliteConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = read_only.connect().await?;
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let tables: Vec<(String,)> = sqlx::query_as(tables).fetch_all(&mut connection).await?;
    if !tables.is_empty() && !tables.iter().any(|(name,)| name == "messages") {
        return Err(sqlx::Error::Configuration("it is a database of another program".into()));
    }
    connection.close().await
}

/// Why the file cannot be opened, and what a person can do about it.
pub(super) fn cannot_open(path: &Path, error: &sqlx::Error) -> BrokerError {
    let file = path.display();
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if matches!(error, sqlx::Error::Configuration(_)) {
        let problem =
            "nothing was changed in it; name another folder in DEBRIEF_DATA_DIR, or move that file away";
        return BrokerError::Refused(format!(
            "the queue file `{file}` cannot be opened ({error}); {problem}"
        ));
    }
    // The codes of SQLite (https://sqlite.org/rescode.html): 11 is a damaged file, 26 a file that is no database.
    let advice = match code.and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff) {
        Some(11 | 26) => {
            "it is damaged: restore the data folder from a copy, or move this file away; without it, calls that were \
             accepted and not taken in yet are lost, and all other work goes on"
        }
        Some(13) => return BrokerError::Blocked,
        _ => "check that this user may read and write the file and its folder",
    };
    BrokerError::Refused(format!("the queue file `{file}` cannot be opened ({error}); {advice}"))
}

fn failed(error: &sqlx::Error) -> BrokerError {
    // 13 is SQLITE_FULL (https://sqlite.org/rescode.html): the disk is full.
    let full =
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|c| c == "13");
    if full { BrokerError::Blocked } else { BrokerError::Refused(format!("use the queue file: {error}")) }
}
