//! Finds out why the file of the embedded store cannot be used, and says what a person can do about it.

use std::path::Path;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::open_error::{FileError, OpenError};

/// Files up to this size are read whole when they are opened. That takes some tenths of a second at most. In a larger
/// file, a damaged page is found when it is read.
const LOOKED_THROUGH_BYTES: u64 = 64 * 1024 * 1024;

/// The result codes of SQLite, without the detail in their upper bits.
mod code {
    pub(super) const PERM: i32 = 3;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
}

/// Looks whether the file is a store of ours, and reads a small file whole to find damage before anything is written.
pub(super) async fn look(path: &Path, read_only: SqliteConnectOptions) -> Result<(), OpenError> {
    let mut connection = read_only.connect().await?;
    let tables: Vec<(String,)> = sqlx::query_as("SELECT name FROM sqlite_master WHERE type = 'table'")
        .fetch_all(&mut connection)
        .await?;
    if !tables.is_empty() && !tables.iter().any(|(name,)| name == "_sqlx_migrations") {
        return Err(FileError::OfAnotherProgram { file: path.to_owned() }.into());
    }
    if path.metadata().is_ok_and(|meta| meta.len() <= LOOKED_THROUGH_BYTES) {
        let (found,): (String,) = sqlx::query_as("PRAGMA quick_check(1)").fetch_one(&mut connection).await?;
        if found != "ok" {
            let problem = one_line(&found);
            return Err(FileError::Damaged { file: path.to_owned(), problem }.into());
        }
    }
    connection.close().await?;
    Ok(())
}

/// Turns an error of SQLite into one that names the file and says what to do.
pub(super) fn named(path: &Path, error: OpenError) -> OpenError {
    let (file, problem) = (path.to_owned(), one_line(&error.to_string()));
    let found = match &error {
        OpenError::Sql(error)
        | OpenError::Migrate(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            code_of(error)
        }
        OpenError::Newer { .. } => return FileError::Newer { file }.into(),
        _ => None,
    };
    let look_at = match found {
        Some(code::CORRUPT | code::NOTADB) => return FileError::Damaged { file, problem }.into(),
        Some(code::CANTOPEN | code::PERM | code::IOERR) if path.is_dir() => {
            "why there is a folder of this name"
        }
        Some(code::CANTOPEN | code::PERM | code::READONLY) => {
            "that this user may read and write the file and its folder"
        }
        Some(code::IOERR) => "the disk",
        Some(code::FULL) => "that the disk has room",
        _ => return error,
    };
    FileError::Unusable { file, problem, look_at }.into()
}

/// What to do about an error in an open store. Nothing where trying again may help.
pub(super) fn advice(error: &sqlx::Error) -> &'static str {
    match code_of(error) {
        Some(code::CORRUPT | code::NOTADB) => {
            "; the file `debrief.db` in the data folder is damaged: stop Debrief and restore the data folder from a copy"
        }
        Some(code::FULL) => "; the disk of the data folder is full",
        _ => "",
    }
}

/// The result code of SQLite. `None` for the errors of PostgreSQL, whose codes are other texts.
fn code_of(error: &sqlx::Error) -> Option<i32> {
    let database = error.as_database_error()?;
    database.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    let code: i32 = database.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// SQLite reports some damage in several lines.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
