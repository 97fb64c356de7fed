//! Copies files, and computes their digests on the way.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use platform::blobs::Blobs;
use sha2::{Digest as _, Sha256};

const PIECE: usize = 256 * 1024;

/// The size and the digest of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) bytes: u64,
    pub(crate) digest: String,
}

/// Copies a file to the new file `to`, whose folder is made where it is missing.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<Measured> {
    let source = File::open(from)?;
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut target = File::create_new(to)?;
    measured(source, |piece| target.write_all(piece))
}

pub(crate) fn measure(path: &Path) -> io::Result<Measured> {
    measured(File::open(path)?, |_| Ok(()))
}

fn measured(mut file: File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<Measured> {
    let (mut piece, mut hash, mut bytes) = (vec![0; PIECE], Sha256::new(), 0);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(Measured { bytes, digest: hex::encode(hash.finalize()) });
        }
        hash.update(&piece[..read]);
        each(&piece[..read])?;
        bytes += read as u64;
    }
}

/// Calls `each` with the key and the path of every blob in a folder of blobs. What is on its way in is no blob yet.
pub(crate) fn each_blob(
    blobs: &Path,
    mut each: impl FnMut(&str, &Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut folders: Vec<(String, PathBuf)> = vec![(String::new(), blobs.to_owned())];
    while let Some((above, folder)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(error).with_context(|| format!("read the folder `{}`", folder.display()));
            }
        };
        for entry in entries {
            let entry = entry.with_context(|| format!("read the folder `{}`", folder.display()))?;
            let key = format!("{above}{}", entry.file_name().to_string_lossy());
            // A file that is being written has a name that is no key.
            if !Blobs::is_key(&key) || Blobs::is_for_own_use(&key) {
                continue;
            }
            let kind = entry.file_type().with_context(|| format!("look at the blob `{key}`"))?;
            if kind.is_dir() {
                folders.push((format!("{key}/"), entry.path()));
            } else if kind.is_file() {
                each(&key, &entry.path())?;
            }
        }
    }
    Ok(())
}

/// Waits until everything in the file system of this folder is on the disk.
pub(crate) fn sync(folder: &Path) -> anyhow::Result<()> {
    let opened = File::open(folder).with_context(|| format!("open `{}`", folder.display()))?;
    rustix::fs::syncfs(&opened).with_context(|| format!("write `{}` to the disk", folder.display()))
}
