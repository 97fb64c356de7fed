//! `debrief backup`: copies an embedded deployment into a new folder, while it runs.
//!
//! The order makes the parts fit together: first the outbox is read, then the queue is copied, then the store, then the
//! blobs. See [`store::copies`] for the first three. Blobs are written before the event that names them and are never
//! changed, so the blobs that a copied row names are there when they are copied last.

pub(crate) mod files;
pub(crate) mod manifest;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use domain::event::{CallReceived, Envelope};
use domain::moment::Moment;
use platform::config::{ConfigError, Values};
use queue_topology::broker::Embedded;
use store::Store;
use store::copies::{self, BegunCopy};
use uuid::Uuid;

use self::files::Measured;
use self::manifest::{BLOBS, FORMAT, Manifest, QUEUE, STORE, SumsWriter};
use crate::deployment::{self, SEAL_KEY, SEAL_KEY_SECRET, StartError, data_folder};
use crate::outcome::{Ended, FAILED};

/// The setting that names the bucket of the blobs, where they are in one.
pub(crate) const BLOB_URL: &str = "BLOB_URL";
/// How many problems are shown one by one.
const SHOWN_PROBLEMS: usize = 5;

pub(crate) async fn backup(values: &Values, to: &Path) -> Ended {
    refuse_servers(values, "backup")?;
    let folder = data_folder(values);
    deployment::refuse_unfinished_restore(&folder)?;
    if !Store::is_in(&folder) {
        return Err(deployment::no_store(&folder).into());
    }
    let seal_key = values.text(SEAL_KEY);
    if let Some(key) = &seal_key {
        deployment::seal_key(key)?;
    }
    let to = new_folder(&folder, to)?;
    let in_bucket = values.text(BLOB_URL).is_some();
    let made = match save(&folder, to.path(), seal_key.as_deref(), in_bucket).await {
        Ok(made) => made,
        Err(error) => {
            to.remove();
            return Err(error.context("the back-up was not made").into());
        }
    };
    Ok(report(&made, to.path()))
}

/// Commands that copy an embedded deployment are of no use on servers.
pub(crate) fn refuse_servers(values: &Values, command: &str) -> Result<(), ConfigError> {
    for (name, advice) in [
        ("AMQP_URL", "RabbitMQ keeps nothing that has to be saved except calls that nobody took in yet"),
        ("DATABASE_URL", "save the database with `pg_dump` and restore it with `pg_restore`"),
    ] {
        if values.text(name).is_some() {
            let problem = format!(
                "is set, and `debrief {command}` works only on the data folder of an embedded deployment: {advice}; \
                 docs/backup.md has the order, and deploy/drill.sh shows it"
            );
            return Err(ConfigError::new(name, problem));
        }
    }
    Ok(())
}

/// The folder of a back-up that is being made.
struct NewFolder {
    path: PathBuf,
    /// Whether the folder was there before, and was empty.
    was_there: bool,
}

impl NewFolder {
    fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what was written, because it is of no use. Without a manifest it is recognisable where this fails.
    fn remove(&self) {
        for name in [STORE, QUEUE, manifest::SUMS] {
            fs::remove_file(self.path.join(name)).ok();
        }
        fs::remove_dir_all(self.path.join(BLOBS)).ok();
        if !self.was_there {
            fs::remove_dir(&self.path).ok();
        }
    }
}

fn new_folder(data: &Path, to: &Path) -> Result<NewFolder, StartError> {
    let refused = |problem: String| ConfigError::new("TO", format!("`{}` {problem}", to.display()));
    let was_there = match fs::create_dir(to) {
        Ok(()) => false,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut entries =
                fs::read_dir(to).map_err(|error| refused(format!("cannot be used: {error}")))?;
            if entries.next().is_some() {
                return Err(refused("is not empty: a back-up needs a new folder".to_owned()).into());
            }
            true
        }
        Err(error) => return Err(refused(format!("cannot be made: {error}")).into()),
    };
    let made = NewFolder { path: to.to_owned(), was_there };
    let real = |path: &Path| path.canonicalize().with_context(|| format!("find `{}`", path.display()));
    if real(to)?.starts_with(real(data)?) {
        made.remove();
        return Err(refused("is in the data folder: a back-up has to stand elsewhere".to_owned()).into());
    }
    Ok(made)
}

async fn save(
    folder: &Path,
    to: &Path,
    seal_key: Option<&str>,
    blobs_in_bucket: bool,
) -> anyhow::Result<Manifest> {
    let began_at = Moment::now();
    let begun = BegunCopy::begin(folder).await?;
    let (store, queue) = (to.join(STORE), to.join(QUEUE));
    let has_queue = folder.join(QUEUE).exists();
    if has_queue {
        Embedded::copy(&folder.join(QUEUE), &queue).await?;
    }
    // A key of the configuration takes the place of the key in the store, because it is the one that sealed.
    let secrets: Vec<_> = seal_key.iter().map(|key| (SEAL_KEY_SECRET, *key)).collect();
    begun.write(&store, &secrets).await?;

    let databases = if has_queue { vec![QUEUE, STORE] } else { vec![STORE] };
    let from = (!blobs_in_bucket).then(|| folder.join(BLOBS));
    let target = to.to_owned();
    let copied = tokio::task::spawn_blocking(move || copy_files(from.as_deref(), &target, &databases)).await;
    let Copied { blobs, bytes, sums_sha256, damaged } = copied.context("copy the blobs")??;

    // Everything is read back, and each blob that a call names has to be there.
    let blobs_folder = to.join(BLOBS);
    let mut problems = BTreeSet::new();
    let mut look_at = |key: &str| {
        if damaged.contains(key) {
            problems.insert(format!("the blob `{key}` is damaged: its content is not what arrived"));
        } else if !blobs_in_bucket && !blobs_folder.join(key).exists() {
            problems.insert(format!("the blob `{key}` is missing, and a call names it"));
        }
    };
    let held = copies::inspect_copy(&store, &mut look_at).await?;
    let mut look_at_event = |body: &[u8]| {
        if let Ok(event) = Envelope::<CallReceived>::decode(body) {
            event.data.blobs().for_each(&mut look_at);
        }
    };
    for body in copies::waiting_events(&store).await? {
        look_at_event(body.as_bytes());
    }
    let messages = if has_queue { Embedded::inspect_copy(&queue, &mut look_at_event).await? } else { 0 };
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        began_at,
        ended_at: Moment::now(),
        migration: held.migration,
        calls: held.calls,
        open_runs: held.open_runs,
        messages,
        blobs,
        blobs_in_bucket,
        bytes,
        sums_sha256,
        problems: problems.into_iter().collect(),
    };
    manifest.write(to)?;
    files::sync(to)?;
    Ok(manifest)
}

struct Copied {
    blobs: u64,
    bytes: u64,
    sums_sha256: String,
    /// The keys of blobs whose content is not what arrived.
    damaged: HashSet<String>,
}

/// Copies the blobs from their folder, where they are in one, and lists all files with their digests.
fn copy_files(from: Option<&Path>, to: &Path, databases: &[&str]) -> anyhow::Result<Copied> {
    let mut sums = SumsWriter::create(to).context("make the list of files")?;
    let mut copied = Copied { blobs: 0, bytes: 0, sums_sha256: String::new(), damaged: HashSet::new() };
    for name in databases {
        let measured =
            files::measure(&to.join(name)).with_context(|| format!("read the copy of `{name}`"))?;
        sums.add(&measured.digest, name).context("write the list of files")?;
        copied.bytes += measured.bytes;
    }
    let copy_blob = |key: &str, path: &Path| {
        let Measured { bytes, digest } = match files::copy(path, &to.join(BLOBS).join(key)) {
            Ok(measured) => measured,
            // Whoever removed it meanwhile needs it no more, or it shows later as missing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(anyhow!(error).context(format!("copy the blob `{key}`"))),
        };
        if content_is_wrong(key, &digest) {
            copied.damaged.insert(key.to_owned());
        }
        sums.add(&digest, &format!("{BLOBS}/{key}")).context("write the list of files")?;
        copied.blobs += 1;
        copied.bytes += bytes;
        Ok(())
    };
    from.map_or(Ok(()), |from| files::each_blob(from, copy_blob))?;
    copied.sums_sha256 = sums.end().context("write the list of files")?;
    files::sync(to)?;
    Ok(copied)
}

/// Material that arrived has a key of its workspace, its call and its own SHA-256. Other keys say nothing about the
/// content.
fn content_is_wrong(key: &str, digest: &str) -> bool {
    let [workspace, _, name] = key.split('/').collect::<Vec<_>>()[..] else { return false };
    let is_digest = name.len() == digest.len() && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest && workspace.parse::<Uuid>().is_ok() && name != digest
}

fn report(made: &Manifest, to: &Path) -> ExitCode {
    say!(
        "the back-up `{}` is complete: {} calls, {} messages in the queue, {} blobs, {} in all",
        to.display(),
        made.calls,
        made.messages,
        made.blobs,
        size(made.bytes)
    );
    if made.blobs_in_bucket {
        say!("the blobs are not in it: save the bucket that {BLOB_URL} names with the tools of its server");
    }
    say!("every call that was accepted before {} is in it", made.began_at);
    say!(
        "it holds what people said, and the key that opens sealed addresses: keep it as secret as the data folder"
    );
    if made.problems.is_empty() {
        return ExitCode::SUCCESS;
    }
    for problem in made.problems.iter().take(SHOWN_PROBLEMS) {
        complain!("debrief: {problem}");
    }
    complain!(
        "debrief: {} blobs were missing or damaged before this back-up was made; `{}` lists them. An older back-up \
         may still have them",
        made.problems.len(),
        manifest::MANIFEST
    );
    ExitCode::from(FAILED)
}

/// A number of bytes in words that people read.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    #[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
    let (mut shown, mut unit) = (bytes as f64 / 1000.0, 0);
    while shown >= 999.95 && unit + 1 < UNITS.len() {
        shown /= 1000.0;
        unit += 1;
    }
    format!("{shown:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_said_with_one_digit_behind_the_point() {
        for (bytes, said) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (999_999, "1.0 MB"),
            (2_450_000_000, "2.5 GB"),
        ] {
            assert_eq!(size(bytes), said);
        }
    }

    #[test]
    fn a_blob_is_compared_with_its_name_only_where_the_name_is_a_digest() {
        let (digest, other) = ("a".repeat(64), "b".repeat(64));
        let of_call = |name: &str| format!("{}/{}/{name}", Uuid::nil(), Uuid::nil());
        assert!(content_is_wrong(&of_call(&other), &digest));
        assert!(!content_is_wrong(&of_call(&digest), &digest));
        assert!(!content_is_wrong(&of_call("details-1"), &digest));
        // The name of a fetched recording is the digest of its address.
        assert!(!content_is_wrong(&format!("recordings/{}/{other}", Uuid::nil()), &digest));
    }
}
