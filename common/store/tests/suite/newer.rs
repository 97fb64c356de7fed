//! A database that a newer version of Debrief has migrated.

use sqlx::{Connection as _, PgConnection};
use store::Store;

use crate::databases;

/// A rollback starts an older program on the database of a newer one, and migrates before it starts.
#[tokio::test]
async fn a_database_that_a_newer_version_has_migrated_can_be_migrated_and_opened() {
    let (url, drop_it) = databases::postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (999999, 'newer', true, '\\x00', 1)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    Store::migrate_postgres(&url).await.unwrap();
    Store::open_postgres(&url).await.unwrap().close().await;
    connection.close().await.unwrap();
    drop_it.await;
}
