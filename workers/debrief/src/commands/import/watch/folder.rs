//! The drop folder: which of its files are complete, and where a file goes when it is done with.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

const DONE: &str = "done";
const FAILED: &str = "failed";
/// How programs call a file that they are still writing.
const UNFINISHED: [&str; 5] = ["part", "partial", "crdownload", "tmp", "download"];

/// What two looks have in common for a file that nobody writes to any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    bytes: u64,
    changed: Option<SystemTime>,
}

pub(super) struct DropFolder {
    path: PathBuf,
    others_within: Duration,
    /// Each file with the last look at it, and the time since when it is the same.
    seen: HashMap<PathBuf, (Look, Instant)>,
}

/// The files that are complete.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) ready: Vec<PathBuf>,
    /// Those of them that have lain here so long that no other file will come to them.
    pub(super) lonely: Vec<PathBuf>,
}

impl DropFolder {
    /// Opens the folder, and makes the two folders in it. The error completes a sentence that begins with the path.
    pub(super) fn open(path: &Path, others_within: Duration) -> Result<Self, String> {
        if !path.is_dir() {
            return Err("is no folder".to_owned());
        }
        for name in [DONE, FAILED] {
            std::fs::create_dir_all(path.join(name))
                .map_err(|error| format!("cannot be written to: {error}"))?;
        }
        Ok(Self { path: path.to_owned(), others_within, seen: HashMap::new() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at every file but those `in_hand`.
    pub(super) fn look(&mut self, in_hand: &[PathBuf]) -> io::Result<Found> {
        let mut files = Vec::new();
        self.walk(&self.path, &mut files)?;
        files.retain(|file| !in_hand.contains(file));
        files.sort();
        let now = Instant::now();
        let mut seen = HashMap::with_capacity(files.len());
        let mut found = Found::default();
        for file in files {
            // A file that goes away between two looks was taken back.
            let Ok(about) = file.metadata() else { continue };
            let look = Look { bytes: about.len(), changed: about.modified().ok() };
            let since = match self.seen.get(&file) {
                Some((before, since)) if *before == look => {
                    found.ready.push(file.clone());
                    *since
                }
                _ => now,
            };
            if found.ready.last() == Some(&file) && now.duration_since(since) >= self.others_within {
                found.lonely.push(file.clone());
            }
            seen.insert(file, (look, since));
        }
        self.seen = seen;
        Ok(found)
    }

    fn walk(&self, folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            let is_ours = folder == self.path && (name == DONE || name == FAILED);
            if is_ours || name.as_encoded_bytes().starts_with(b".") || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                self.walk(&path, files)?;
            } else if !is_unfinished(&path) {
                files.push(path);
            }
        }
        Ok(())
    }

    /// Moves a file to `done`. A remark is written beside it.
    pub(super) fn done(&self, file: &Path, remark: Option<&str>) -> io::Result<()> {
        self.move_to(DONE, file, remark)
    }

    /// Moves a file to `failed`, and writes beside it why.
    pub(super) fn failed(&self, file: &Path, why: &str) -> io::Result<()> {
        self.move_to(FAILED, file, Some(why))
    }

    fn move_to(&self, place: &str, file: &Path, text: Option<&str>) -> io::Result<()> {
        let within = file.strip_prefix(&self.path).unwrap_or(file);
        let target = free(&self.path.join(place).join(within));
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // The text is there before the file, so a file in `failed` always has one.
        if let Some(text) = text {
            std::fs::write(beside(&target), format!("{text}\n"))?;
        }
        match std::fs::rename(file, &target) {
            // Somebody took the file away, which is no reason to stop.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

fn is_unfinished(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| UNFINISHED.contains(&extension.as_str()))
}

/// The path of the text that stands beside a file.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().map(OsStr::to_os_string).unwrap_or_default();
    name.push(".txt");
    file.with_file_name(name)
}

/// The path itself, or one with a number where there is a file with this name.
fn free(path: &Path) -> PathBuf {
    let numbered = |number: u32| {
        let mut name = OsString::from(path.file_stem().unwrap_or_default());
        name.push(format!(" ({number})"));
        if let Some(extension) = path.extension() {
            name.push(".");
            name.push(extension);
        }
        path.with_file_name(name)
    };
    let mut candidates = std::iter::once(path.to_owned()).chain((2..).map(numbered));
    candidates.find(|candidate| !candidate.exists()).unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        dir: tempfile::TempDir,
        folder: DropFolder,
    }

    impl Bench {
        fn new(others_within: Duration) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let folder = DropFolder::open(dir.path(), others_within).unwrap();
            Self { dir, folder }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn write(&self, name: &str, content: &str) -> PathBuf {
            let path = self.at(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            path
        }

        fn ready(&mut self) -> Vec<PathBuf> {
            self.folder.look(&[]).unwrap().ready
        }
    }

    #[test]
    fn a_file_is_ready_when_it_is_the_same_at_two_looks() {
        let mut bench = Bench::new(Duration::ZERO);
        let file = bench.write("a.wav", "RI");
        assert_eq!(bench.ready(), Vec::<PathBuf>::new());
        bench.write("a.wav", "RIFF, and more of it");
        assert_eq!(bench.ready(), Vec::<PathBuf>::new(), "it has grown");
        assert_eq!(bench.ready(), std::slice::from_ref(&file));
        assert_eq!(bench.folder.look(&[file]).unwrap().ready, Vec::<PathBuf>::new(), "it is in hand");
    }

    #[test]
    fn files_that_are_being_written_hidden_files_and_what_is_done_are_left_alone() {
        let mut bench = Bench::new(Duration::ZERO);
        for name in ["a.mp3.part", "b.crdownload", ".c.wav", "done/d.wav", "failed/e.wav"] {
            bench.write(name, "x");
        }
        let inside = bench.write("a folder/done/f.wav", "x");
        bench.ready();
        assert_eq!(bench.ready(), [inside]);
    }

    #[test]
    fn a_file_is_lonely_when_it_has_lain_here_for_a_while() {
        let mut at_once = Bench::new(Duration::ZERO);
        let file = at_once.write("meeting.json", "{}");
        at_once.ready();
        assert_eq!(
            at_once.folder.look(&[]).unwrap(),
            Found { ready: vec![file.clone()], lonely: vec![file] }
        );
        let mut later = Bench::new(Duration::from_hours(1));
        later.write("meeting.json", "{}");
        later.ready();
        assert_eq!(later.folder.look(&[]).unwrap().lonely, Vec::<PathBuf>::new());
    }

    #[test]
    fn a_file_is_moved_with_its_folder_and_no_file_is_overwritten() {
        let bench = Bench::new(Duration::ZERO);
        for content in ["one", "two", "three"] {
            let file = bench.write("calls/a.wav", content);
            bench.folder.done(&file, None).unwrap();
            assert!(!file.exists());
        }
        let read = |name: &str| std::fs::read_to_string(bench.at(name)).unwrap();
        assert_eq!(read("done/calls/a.wav"), "one");
        assert_eq!(read("done/calls/a (2).wav"), "two");
        assert_eq!(read("done/calls/a (3).wav"), "three");
        let bad = bench.write("b.wav", "<html>");
        bench.folder.failed(&bad, "is a page of text, not a recording").unwrap();
        assert_eq!(read("failed/b.wav.txt"), "is a page of text, not a recording\n");
        bench.folder.failed(&bench.at("gone.wav"), "x").unwrap();
    }

    #[test]
    fn what_is_no_folder_is_said() {
        assert_eq!(
            DropFolder::open(Path::new("/nowhere"), Duration::ZERO).err().as_deref(),
            Some("is no folder")
        );
    }
}
