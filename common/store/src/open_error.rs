//! Why a store cannot be opened.

use std::path::PathBuf;

use sqlx::migrate::MigrateError;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to open the store: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("failed to migrate the store: {0}")]
    Migrate(#[from] MigrateError),
    /// The file of the embedded store cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the database is behind this program (it needs migration {needed}): run `debrief migrate`")]
    Behind { needed: i64 },
    #[error(
        "the database was written by a newer version of Debrief (its migration {version} takes away what this version \
         needs): use that version, or restore a back-up from before the update"
    )]
    Newer { version: i64 },
}

/// Why the file of the embedded store cannot be used. Each text names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(
        "the database `{file}` is damaged ({problem}): stop every debrief that uses it, and restore the whole data \
         folder from a copy; a copy of `{file}` without its `-wal` file can lack the newest calls",
        file = .file.display()
    )]
    Damaged { file: PathBuf, problem: String },
    #[error(
        "`{file}` is a database of another program, so nothing was changed in it: name another folder in \
         DEBRIEF_DATA_DIR, or move that file away",
        file = .file.display()
    )]
    OfAnotherProgram { file: PathBuf },
    #[error(
        "the database `{file}` was written by a newer version of Debrief: use that version, or restore a copy from \
         before the update",
        file = .file.display()
    )]
    Newer { file: PathBuf },
    #[error("the database `{file}` cannot be opened ({problem}): check {look_at}", file = .file.display())]
    Unusable { file: PathBuf, problem: String, look_at: &'static str },
}
