//! Checkpoints of the queue file, which are made beside its writer.

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::mpsc;

/// Moves the write-ahead log into the file whenever somebody asks for it.
pub(super) async fn make_checkpoints(mut connection: SqliteConnection, mut requests: mpsc::Receiver<()>) {
    while requests.recv().await.is_some() {
        if let Err(error) = sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await {
            tracing::warn!(%error, "failed to checkpoint the queue file");
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "failed to close the queue file");
    }
}
