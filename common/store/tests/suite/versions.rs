//! Tests which program may use a store that a newer one has migrated.

use sqlx::{Connection as _, PgConnection, SqliteConnection};
use store::{FileError, OpenError, Store};

use crate::databases::postgres;

/// Notes a migration that this program does not know, as a newer program does.
fn newer(name: &str) -> String {
    format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9000, '{name}', true, '', 1)"
    )
}

/// What a program says about a file that a newer one has migrated with a migration of this name.
async fn file_after(name: &str) -> Result<Store, OpenError> {
    let folder = tempfile::tempdir().unwrap();
    Store::open_embedded(folder.path()).await.unwrap().close().await;
    let url = format!("sqlite://{}", folder.path().join("debrief.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(newer(name))).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    Store::open_embedded(folder.path()).await
}

/// The same for a PostgreSQL database: what it says when it migrates, and when it opens the database.
async fn postgres_after(name: &str) -> [Option<OpenError>; 2] {
    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(newer(name))).execute(&mut connection).await.unwrap();
    let said = [Store::migrate_postgres(&url).await.err(), Store::open_postgres(&url).await.err()];
    drop_it.await;
    said
}

#[tokio::test]
async fn an_older_program_goes_on_where_a_newer_one_has_only_added() {
    file_after("expand zones").await.unwrap().close().await;
    assert!(matches!(postgres_after("expand zones").await, [None, None]));
}

#[tokio::test]
async fn an_older_program_refuses_what_lacks_something_that_it_needs() {
    for name in ["contract zones", "zones"] {
        let error = file_after(name).await.err().unwrap();
        assert!(matches!(error, OpenError::File(FileError::Newer { .. })), "{name}: {error}");
        assert!(error.to_string().contains("debrief.db"), "{error}");
        for error in postgres_after(name).await {
            assert!(matches!(error, Some(OpenError::Newer { version: 9000 })), "{name}: {error:?}");
        }
    }
}
