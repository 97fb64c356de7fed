//! What a back-up says about itself: `SHA256SUMS` lists its files, and `manifest.json` is written last, so a back-up
//! without a manifest was cut off.
//!
//! `SHA256SUMS` has the format of the program `sha256sum`, so a back-up can be checked without Debrief too.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use domain::moment::Moment;
use platform::blobs::Blobs;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The version of the layout of a back-up that this program writes. It reads this version and older ones.
pub(crate) const FORMAT: u32 = 1;
pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const SUMS: &str = "SHA256SUMS";
pub(crate) const STORE: &str = "debrief.db";
pub(crate) const QUEUE: &str = "queue.db";
pub(crate) const BLOBS: &str = "blobs";

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    /// The version of the program that made the back-up.
    pub(crate) version: String,
    /// Every call that was accepted before this moment is in the back-up.
    pub(crate) began_at: Moment,
    pub(crate) ended_at: Moment,
    /// The newest migration that was applied to the store.
    pub(crate) migration: i64,
    pub(crate) calls: i64,
    /// Runs that are not done and not dead. They go on after a restore.
    pub(crate) open_runs: i64,
    /// Messages in the queue file.
    pub(crate) messages: u64,
    pub(crate) blobs: u64,
    /// Whether the blobs are in a bucket, and so not in the back-up.
    #[serde(default)]
    pub(crate) blobs_in_bucket: bool,
    /// The size of all files of the back-up that `SHA256SUMS` lists.
    pub(crate) bytes: u64,
    /// The SHA-256 of the file `SHA256SUMS`.
    pub(crate) sums_sha256: String,
    /// Blobs that calls name and that were missing or damaged before the back-up was made.
    pub(crate) problems: Vec<String>,
}

/// What every version of the program can read of a manifest.
#[derive(Deserialize)]
struct Layout {
    format: u32,
}

impl Manifest {
    /// Writes the manifest, whose presence says that the back-up is complete.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let new = folder.join("manifest.json.new");
        let mut file = File::create_new(&new).with_context(|| format!("make `{}`", new.display()))?;
        serde_json::to_writer_pretty(&mut file, self).context("write the manifest")?;
        file.write_all(b"\n").and_then(|()| file.sync_all()).context("write the manifest")?;
        std::fs::rename(&new, folder.join(MANIFEST)).context("name the manifest")
    }

    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let shown = folder.display();
        let text = match std::fs::read(folder.join(MANIFEST)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => bail!(
                "`{shown}` is no complete back-up: it has no {MANIFEST}, which is written last; take another back-up"
            ),
            Err(error) => return Err(anyhow!(error).context(format!("read the back-up `{shown}`"))),
        };
        let layout: Layout = serde_json::from_slice(&text)
            .with_context(|| format!("read `{MANIFEST}` of the back-up `{shown}`"))?;
        if layout.format > FORMAT {
            bail!(
                "the back-up `{shown}` was made by a newer version of Debrief: restore it with that version"
            );
        }
        serde_json::from_slice(&text).with_context(|| format!("read `{MANIFEST}` of the back-up `{shown}`"))
    }
}

/// Writes `SHA256SUMS`, one line for each file.
pub(crate) struct SumsWriter {
    file: BufWriter<File>,
    hash: Sha256,
}

impl SumsWriter {
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(File::create_new(folder.join(SUMS))?), hash: Sha256::new() })
    }

    pub(crate) fn add(&mut self, digest: &str, path: &str) -> io::Result<()> {
        let line = format!("{digest}  {path}\n");
        self.hash.update(&line);
        self.file.write_all(line.as_bytes())
    }

    /// Returns the SHA-256 of the file.
    pub(crate) fn end(mut self) -> io::Result<String> {
        self.file.flush()?;
        Ok(hex::encode(self.hash.finalize()))
    }
}

/// A file of a back-up, as `SHA256SUMS` lists it.
pub(crate) struct Listed {
    pub(crate) digest: String,
    /// The path below the folder of the back-up, and below the data folder.
    pub(crate) path: String,
}

/// Reads the list of a back-up. It is an error when the list is not the one that the manifest was written for.
pub(crate) fn read_sums(folder: &Path, manifest: &Manifest) -> anyhow::Result<Vec<Listed>> {
    let path = folder.join(SUMS);
    let mut lines = BufReader::new(File::open(&path).with_context(|| format!("open `{}`", path.display()))?);
    let (mut hash, mut listed, mut line) = (Sha256::new(), Vec::new(), String::new());
    while lines.read_line(&mut line).with_context(|| format!("read `{}`", path.display()))? > 0 {
        hash.update(&line);
        let (digest, file) = line.trim_end_matches('\n').split_once("  ").unwrap_or_default();
        if !may_be_listed(file) {
            bail!("`{}` lists `{}`, which is no file of a back-up", path.display(), file);
        }
        listed.push(Listed { digest: digest.to_owned(), path: file.to_owned() });
        line.clear();
    }
    if hex::encode(hash.finalize()) != manifest.sums_sha256 {
        bail!(
            "`{}` is not the list that belongs to the manifest: the back-up was changed or is damaged",
            path.display()
        );
    }
    Ok(listed)
}

fn may_be_listed(path: &str) -> bool {
    let is_blob = || path.strip_prefix("blobs/").is_some_and(Blobs::is_key);
    path == STORE || path == QUEUE || is_blob()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_can_name_no_file_outside_of_the_data_folder() {
        for path in ["debrief.db", "queue.db", "blobs/a/b/c", "blobs/details-1"] {
            assert!(may_be_listed(path), "{path}");
        }
        for path in
            ["", "lock", "/etc/passwd", "../debrief.db", "blobs/../../x", "blobs", "blobs/", "other/x"]
        {
            assert!(!may_be_listed(path), "{path}");
        }
    }
}
