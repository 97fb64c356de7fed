//! Copies of the queue file, for back-ups. A copy is made while another process uses the file.

use std::path::Path;
use std::time::Duration;

use futures::TryStreamExt as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::Embedded;
use super::file::cannot_open;
use crate::broker::BrokerError;

/// How long another process may take for its own writes.
const PATIENCE: Duration = Duration::from_secs(10);

impl Embedded {
    /// Copies the queue file at `path` to the new file `to`. Messages that somebody holds are part of the copy.
    pub async fn copy(path: &Path, to: &Path) -> Result<(), BrokerError> {
        let copied = async {
            let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE).read_only(true);
            let mut source = options.connect().await?;
            sqlx::query("VACUUM INTO $1").bind(to.to_str()).execute(&mut source).await?;
            source.close().await
        };
        copied.await.map_err(|error| cannot_open(path, &error))
    }

    /// Reads a copy whole, checks it, and passes the body of every message to `message`. Returns how many there are.
    pub async fn inspect_copy(path: &Path, mut message: impl FnMut(&[u8])) -> Result<u64, BrokerError> {
        let inspected = async {
            // Nobody writes to a copy, so SQLite needs no files beside it.
            let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
            let mut copy = options.connect().await?;
            let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut copy).await?;
            let mut count = 0;
            {
                let mut bodies = sqlx::query_scalar::<_, Vec<u8>>("SELECT body FROM messages ORDER BY id")
                    .fetch(&mut copy);
                while let Some(body) = bodies.try_next().await? {
                    message(&body);
                    count += 1;
                }
            }
            copy.close().await?;
            Ok((found, count))
        };
        let (found, count) = inspected.await.map_err(|error| cannot_open(path, &error))?;
        if found == "ok" {
            Ok(count)
        } else {
            let problem = found.split_whitespace().collect::<Vec<_>>().join(" ");
            Err(BrokerError::Refused(format!("the queue file `{}` is damaged: {problem}", path.display())))
        }
    }
}
