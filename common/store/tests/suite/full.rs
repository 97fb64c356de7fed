//! A database file that cannot be written for a while.

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use store::Store;
use uuid::Uuid;

/// SQLite ends a transaction by itself when the disk is full, and for some other reasons.
#[tokio::test]
async fn after_sqlite_ended_a_transaction_by_itself_the_next_one_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_embedded(folder.path()).await.unwrap();
    let file = SqliteConnectOptions::new().filename(folder.path().join("debrief.db"));
    let mut beside = file.connect().await.unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
    sqlx::raw_sql(full).execute(&mut beside).await.unwrap();
    for _ in 0..3 {
        assert!(store.add_to_outbox(Uuid::new_v4(), "live", "{}").await.is_err());
    }
    sqlx::raw_sql("DROP TRIGGER full").execute(&mut beside).await.unwrap();
    store.add_to_outbox(Uuid::new_v4(), "live", "{}").await.unwrap();
    assert_eq!(store.outbox_len().await.unwrap(), 1);
    store.close().await;
}
