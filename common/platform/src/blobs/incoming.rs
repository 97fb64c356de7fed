//! Files on their way in: where they stand until they are complete, and who removes those that nobody completes.
//!
//! A process that is killed leaves its half-written files behind. Several processes can share one folder, so a file
//! may be removed only when no process writes it any more. The name of each file begins with the name of the process
//! that writes it, and each process holds the lock of a file of its own. The system releases the lock when the process
//! ends, however it ends. So the lock tells whether somebody still writes the file, and no clock is needed.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::{INCOMING, WRITERS};

/// How old a file has to be before it is removed, where no lock tells whether somebody writes it. An earlier version of
/// Debrief wrote such files, and some network file systems have no locks.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// The files that a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub files: u64,
    pub bytes: u64,
}

/// What this process writes into one folder of blobs.
#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    /// The name of this writer. It is different for each process and never used again.
    name: String,
    /// The lock that says that the writer is alive. It is taken before the first file is written.
    lock: Mutex<Option<File>>,
}

impl Writer {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), name: Uuid::new_v4().simple().to_string(), lock: Mutex::default() }
    }

    /// The key of a new file on its way in.
    pub(super) fn new_key(&self) -> io::Result<String> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            *lock = Some(take_lock(&self.folder.join(WRITERS), &self.name)?);
        }
        Ok(format!("{INCOMING}/{}.{}", self.name, Uuid::new_v4().simple()))
    }

    /// Removes every file on its way in whose writer has ended. A file that somebody still writes is left alone.
    pub(super) fn sweep(&self) -> io::Result<Swept> {
        let mut swept = Swept::default();
        let mut writers = HashMap::new();
        for (name, path) in entries(&self.folder.join(INCOMING))? {
            let is_left = match writer_of(&name) {
                Some(writer) => *writers.entry(writer.to_owned()).or_insert_with(|| self.has_ended(writer)),
                None => None,
            };
            if is_left.unwrap_or_else(|| is_old(&path)) {
                swept.remove(&path)?;
            }
        }
        for (name, path) in entries(&self.folder.join(WRITERS))? {
            // The name of a lock that is not held yet begins with a dot.
            let is_left = if name.starts_with('.') { None } else { self.has_ended(&name) };
            if is_left.unwrap_or_else(|| is_old(&path)) {
                fs::remove_file(path).or_else(gone)?;
            }
        }
        Ok(swept)
    }

    /// Whether a writer has ended. `None` where locks cannot tell.
    fn has_ended(&self, writer: &str) -> Option<bool> {
        if writer == self.name {
            return Some(false);
        }
        match File::open(self.folder.join(WRITERS).join(writer)) {
            Ok(file) => match file.try_lock() {
                Ok(()) => Some(true),
                Err(TryLockError::WouldBlock) => Some(false),
                Err(TryLockError::Error(_)) => None,
            },
            // A writer has its lock before it writes, so a writer without one has ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(true),
            Err(_) => None,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.lock.get_mut().is_ok_and(|lock| lock.is_some()) {
            let removed = fs::remove_file(self.folder.join(WRITERS).join(&self.name));
            if let Err(error) = removed {
                tracing::debug!(%error, "failed to remove the lock of a writer that ends");
            }
        }
    }
}

impl Swept {
    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let bytes = path.symlink_metadata().map_or(0, |meta| meta.len());
        match fs::remove_file(path) {
            Ok(()) => {
                self.files += 1;
                self.bytes += bytes;
                Ok(())
            }
            Err(error) => gone(error),
        }
    }
}

/// Makes a file with this name and holds its lock. The file gets its name when it is already locked, so nobody takes
/// it for the lock of a writer that has ended.
fn take_lock(folder: &Path, name: &str) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let unnamed = folder.join(format!(".{name}"));
    let file = File::create(&unnamed)?;
    match file.try_lock() {
        // Where the file system has no locks, the age of a file decides.
        Ok(()) | Err(TryLockError::Error(_)) => {}
        Err(TryLockError::WouldBlock) => return Err(io::Error::other("the lock of a new file is taken")),
    }
    fs::rename(unnamed, folder.join(name))?;
    Ok(file)
}

/// The name of the writer, from the name of a file on its way in.
pub(super) fn writer_of(name: &str) -> Option<&str> {
    name.split_once('.').map(|(writer, _)| writer)
}

fn is_old(path: &Path) -> bool {
    let changed = path.symlink_metadata().and_then(|meta| meta.modified());
    changed.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > ABANDONED_AFTER))
}

/// The files of a folder with their names. There are none where there is no folder.
fn entries(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) => return gone(error).map(|()| Vec::new()),
    };
    let name = |name: &OsStr| name.to_string_lossy().into_owned();
    listed.map(|entry| entry.map(|entry| (name(&entry.file_name()), entry.path()))).collect()
}

/// Another process may have removed the file first.
fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a file as somebody who began to store a stream.
    fn begun(writer: &Writer, content: &str) -> PathBuf {
        let path = writer.folder.join(format!("{}#1", writer.new_key().unwrap()));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Ends as a process that is killed: the lock is released and nothing is removed.
    fn killed(writer: Writer) {
        *writer.lock.lock().unwrap() = None;
        drop(writer);
    }

    fn age(path: &Path, hours: u64) {
        let then = SystemTime::now() - Duration::from_hours(hours);
        File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_others_write_stays() {
        let folder = tempfile::tempdir().unwrap();
        let [dead, alive, sweeping] = [(); 3].map(|()| Writer::new(folder.path()));
        let left = [begun(&dead, "half"), begun(&dead, "a whole file")];
        let written = [begun(&alive, "more"), begun(&sweeping, "ours")];
        // A slow upload is not older than a file that was left behind.
        age(&written[0], 1000);
        killed(dead);
        assert_eq!(sweeping.sweep().unwrap(), Swept { files: 2, bytes: 16 });
        assert!(left.iter().all(|path| !path.exists()));
        assert!(written.iter().all(|path| path.exists()));
        assert_eq!(sweeping.sweep().unwrap(), Swept::default());
        let locks = fs::read_dir(folder.path().join(WRITERS)).unwrap().count();
        assert_eq!(locks, 2, "the lock of the dead writer is removed too");
    }

    #[test]
    fn a_writer_that_ends_takes_its_lock_away() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::new(folder.path());
        let left = begun(&writer, "x");
        drop(writer);
        assert_eq!(fs::read_dir(folder.path().join(WRITERS)).unwrap().count(), 0);
        assert_eq!(Writer::new(folder.path()).sweep().unwrap().files, 1);
        assert!(!left.exists());
    }

    #[test]
    fn a_file_without_the_name_of_a_writer_is_removed_when_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(INCOMING).join(name);
        fs::create_dir_all(at("")).unwrap();
        for name in ["3f1c-old#1", "3f1c-new"] {
            fs::write(at(name), "x").unwrap();
        }
        age(&at("3f1c-old#1"), 25);
        let writer = Writer::new(folder.path());
        assert_eq!(writer.sweep().unwrap().files, 1);
        assert!(at("3f1c-new").exists() && !at("3f1c-old#1").exists());
    }

    #[test]
    fn a_folder_without_uploads_is_swept_without_an_error_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Writer::new(folder.path()).sweep().unwrap(), Swept::default());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
