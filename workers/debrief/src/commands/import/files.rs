//! Finds the files that paths lead to.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::pairing::Remark;

/// Finds every file under `paths` and in all folders below them, in order and each file once. Also returns the
/// folders that could not be read. Hidden files are left out. Folders behind symbolic links are left out too, because
/// they can lead in a circle. A path that the user named is always taken.
pub(super) fn below(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<Remark>) {
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    for path in paths {
        if path.is_dir() {
            walk(path, &mut files, &mut unreadable);
        } else {
            files.push(path.clone());
        }
    }
    let mut seen = HashSet::new();
    files.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    (files, unreadable)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>, unreadable: &mut Vec<Remark>) {
    let entries = match sorted(folder) {
        Ok(entries) => entries,
        Err(error) => {
            return unreadable.push(Remark::new(folder, format!("the folder cannot be read: {error}")));
        }
    };
    for path in entries {
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        if path.is_dir() {
            if !path.is_symlink() {
                walk(&path, files, unreadable);
            }
        } else {
            files.push(path);
        }
    }
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_whole_in_order_and_no_file_twice() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("b")).unwrap();
        for name in ["c.json", "b/d.vtt", "a.json", ".DS_Store"] {
            std::fs::write(at(name), "").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("b/round")).unwrap();
        let (files, unreadable) = below(&[folder.path().to_owned(), at("a.json"), at("b/round/c.json")]);
        assert_eq!(files, [at("a.json"), at("b/d.vtt"), at("c.json")]);
        assert_eq!(unreadable, []);
    }
}
