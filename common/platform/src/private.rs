//! Keeps what Debrief writes private: only the user under whom it runs can read the files.
//!
//! The files hold what people said, and the key that seals addresses. New files are private because the process says
//! so once, when it starts. Files of an earlier version, and files that somebody copied, are mended when a process
//! opens the folder.

use std::fs::{self, DirEntry, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Access, Mode};
use rustix::process::{geteuid, umask};

/// What the group and everybody else may do.
const OTHERS: u32 = 0o077;
/// The bit of a folder that many users share, such as `/tmp`.
const STICKY: u32 = 0o1000;
/// What Debrief keeps in its data folder. SQLite puts files with longer names beside its databases.
const OURS: [&str; 2] = ["lock", "blobs"];
const DATABASES: [&str; 2] = ["debrief.db", "queue.db"];

/// Makes every file and folder that this process creates from now on private.
pub fn create_only_private_files() {
    umask(Mode::from_raw_mode(OTHERS));
}

/// What was mended in a data folder, and what could not be mended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// How many files and folders were open to other users and are private now.
    pub files: u64,
    /// Why files or folders are still open to other users. Each text is a whole sentence.
    pub warnings: Vec<String>,
}

/// Makes the data folder, and everything in it that Debrief wrote, private. Files of other programs are left alone.
///
/// The folder itself is left as it is where somebody shares it on purpose: where it belongs to another user, and where
/// other things are kept in it. A warning then says that other users can enter it.
pub fn mend(folder: &Path) -> Mended {
    let mut mended = Mended::default();
    let Ok(meta) = fs::metadata(folder) else { return mended };
    if let Some(why) = shared(folder, &meta) {
        if meta.mode() & OTHERS != 0 {
            let shown = folder.display();
            mended.warnings.push(format!(
                "other users can enter the data folder `{shown}`, and its mode is left as it is, because {why}; what \
                 Debrief keeps in it is private"
            ));
        }
    } else if meta.mode() & OTHERS != 0 {
        mended.file(folder, &meta);
    }
    for entry in entries(folder).filter(is_ours) {
        mended.tree(&entry.path());
    }
    mended
}

/// Why the mode of a folder is not ours to change.
fn shared(folder: &Path, meta: &Metadata) -> Option<&'static str> {
    if meta.uid() != geteuid().as_raw() {
        return Some("it belongs to another user");
    }
    let others = || entries(folder).any(|entry| !is_ours(&entry) && !is_harmless(&entry));
    (meta.mode() & STICKY != 0 || others()).then_some("other things are kept in it too")
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

fn is_ours(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let is_database = |database: &&str| name.as_encoded_bytes().starts_with(database.as_bytes());
    OURS.iter().any(|ours| name == *ours) || DATABASES.iter().any(is_database)
}

/// People send the log of a process to a file beside its data, and some file systems keep a folder of their own.
pub fn is_harmless(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    name == "lost+found" || Path::new(&name).extension().is_some_and(|extension| extension == "log")
}

impl Mended {
    /// Mends a file, or a folder with everything below it. A folder that is private already is not looked into, because
    /// nobody else can reach what is in it. Symbolic links are left alone, because they can lead to files of other
    /// programs.
    fn tree(&mut self, path: &Path) {
        let mut paths = vec![path.to_owned()];
        while let Some(path) = paths.pop() {
            let Ok(meta) = path.symlink_metadata() else { continue };
            if meta.is_symlink() || meta.mode() & OTHERS == 0 {
                continue;
            }
            self.file(&path, &meta);
            if meta.is_dir() {
                paths.extend(entries(&path).map(|entry| entry.path()));
            }
        }
    }

    fn file(&mut self, path: &Path, meta: &Metadata) {
        match make_private(path, meta) {
            Ok(()) => self.files += 1,
            // One sentence is enough where the whole folder is on a disk without modes.
            Err(_) if self.warnings.iter().any(|warning| warning.starts_with(REFUSED)) => {}
            Err(error) => self.warnings.push(format!(
                "{REFUSED} `{}`, so other users may read it: {error}; keep the data folder where modes can be set, or \
                 close the folder above it",
                path.display()
            )),
        }
    }
}

const REFUSED: &str = "the system refuses to make files private, such as";

fn make_private(path: &Path, meta: &Metadata) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(meta.mode() & 0o7777 & !OTHERS))?;
    // Some file systems answer that the mode was set, and leave it as it was.
    let now = path.symlink_metadata()?.mode();
    if now & OTHERS == 0 { Ok(()) } else { Err(io::Error::other("the file system keeps no modes")) }
}

/// The folder of the embedded parts is made with everything above it, and is private.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whether this process may make files in a folder.
pub fn is_writable(folder: &Path) -> bool {
    rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o7777
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// A data folder as an earlier version left it under the usual mask of 022.
    fn data_folder() -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("blobs/recordings/a")).unwrap();
        let names =
            ["debrief.db", "debrief.db-wal", "debrief.db-shm", "queue.db", "lock", "blobs/recordings/a/1"];
        let files: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
        for file in &files {
            fs::write(file, "x").unwrap();
            set(file, 0o644);
        }
        for name in ["blobs/recordings/a", "blobs/recordings", "blobs", ""] {
            set(&folder.path().join(name), 0o755);
        }
        (folder, files)
    }

    #[test]
    fn a_folder_of_an_earlier_version_is_private_after_it_was_opened() {
        let (folder, files) = data_folder();
        let log = folder.path().join("debrief.log");
        fs::write(&log, "").unwrap();
        assert_eq!(mend(folder.path()), Mended { files: 10, warnings: vec![] });
        for file in &files {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
        for name in ["blobs/recordings/a", "blobs", ""] {
            assert_eq!(mode(&folder.path().join(name)), 0o700, "{name}");
        }
        assert_eq!(mend(folder.path()), Mended::default(), "there is nothing to say the second time");
    }

    #[test]
    fn a_folder_in_which_others_keep_something_is_left_as_it_is_and_warned_about() {
        let (folder, files) = data_folder();
        let theirs = folder.path().join("report.pdf");
        fs::write(&theirs, "").unwrap();
        set(&theirs, 0o644);
        let mended = mend(folder.path());
        assert_eq!((mode(folder.path()), mode(&theirs)), (0o755, 0o644));
        assert_eq!(mode(&files[0]), 0o600);
        assert!(mended.warnings[0].contains("other things are kept in it"), "{mended:?}");

        fs::remove_file(theirs).unwrap();
        set(folder.path(), 0o1777);
        assert_eq!(mend(folder.path()).warnings.len(), 1);
        assert_eq!(mode(folder.path()), 0o1777, "such as /tmp");
    }

    #[test]
    fn a_folder_of_another_user_is_left_as_it_is() {
        let (folder, _) = data_folder();
        if std::os::unix::fs::chown(folder.path(), Some(4711), None).is_err() {
            return; // Only root can give a folder away.
        }
        let mended = mend(folder.path());
        assert_eq!(mode(folder.path()), 0o755);
        assert!(mended.warnings[0].contains("belongs to another user"), "{mended:?}");
    }

    #[test]
    fn a_link_is_not_followed() {
        let (folder, _) = data_folder();
        let elsewhere = tempfile::tempdir().unwrap();
        let theirs = elsewhere.path().join("theirs");
        fs::write(&theirs, "").unwrap();
        set(&theirs, 0o644);
        std::os::unix::fs::symlink(&theirs, folder.path().join("debrief.db-link")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("blobs/link")).unwrap();
        assert_eq!(mend(folder.path()).warnings, Vec::<String>::new());
        assert_eq!(mode(&theirs), 0o644);
    }
}
