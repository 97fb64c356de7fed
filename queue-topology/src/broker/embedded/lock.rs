//! The lock that keeps a second process away from the queue file.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::broker::BrokerError;

/// Locks the queue file at `path`. The lock lasts until the returned file is dropped or the process dies.
pub(super) fn lock(path: &Path) -> Result<File, BrokerError> {
    // The lock is a file of its own, because SQLite loses its locks on a database file when any handle of it is closed.
    let beside = path.with_added_extension("lock");
    let refused =
        |error: std::io::Error| BrokerError::Refused(format!("open `{}`: {error}", beside.display()));
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&beside).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BrokerError::Locked(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(refused(error)),
    }
}
