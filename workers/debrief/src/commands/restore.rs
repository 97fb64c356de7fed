//! `debrief restore`: puts a back-up into an empty data folder.
//!
//! A file in the data folder says that a restore has begun, until it is over. No other command uses such a folder, so a
//! restore that was cut off cannot be taken for a deployment.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use domain::call::CallId;
use domain::event::{CallReceived, Envelope};
use platform::config::{ConfigError, Values};
use platform::private;
use queue_topology::broker::Embedded;
use store::{Store, copies};

use super::backup::files;
use super::backup::manifest::{BLOBS, Listed, Manifest, QUEUE, STORE, read_sums};
use super::backup::{BLOB_URL, refuse_servers, size};
use crate::deployment::{self, SEAL_KEY, SEAL_KEY_SECRET, UNFINISHED_RESTORE, data_folder};
use crate::outcome::Ended;

pub(crate) async fn restore(values: &Values, from: &Path) -> Ended {
    refuse_servers(values, "restore")?;
    deployment::check_data_folder(values)?;
    let folder = data_folder(values);
    let manifest = Manifest::read(from)?;
    let listed = read_sums(from, &manifest)?;
    check_blobs(values, &manifest)?;
    check_key(values, from).await?;
    let held = copies::inspect_copy(&from.join(STORE), |_| ()).await.map_err(anyhow::Error::from)?;
    let waiting = waiting_calls(from).await?;

    refuse_unless_empty(&folder)?;
    private::make_folder(&folder).map_err(|error| deployment::not_made(&folder, error))?;
    let _lock = deployment::lock(&folder)?;
    let marker = folder.join(UNFINISHED_RESTORE);
    File::create_new(&marker).with_context(|| format!("make `{}`", marker.display()))?;
    let (source, target) = (from.to_owned(), folder.clone());
    let copied = tokio::task::spawn_blocking(move || copy_all(&source, &target, &listed)).await;
    let copied = copied.map_err(anyhow::Error::from).flatten();
    let bytes = match copied {
        Ok(bytes) => bytes,
        Err(error) => {
            remove_what_was_copied(&folder);
            return Err(error.context("nothing was restored, and the data folder is empty again").into());
        }
    };
    let doubted = doubt(&folder, &manifest, &waiting).await?;
    fs::remove_file(&marker).with_context(|| format!("remove `{}`", marker.display()))?;
    files::sync(&folder)?;
    say!(
        "restored the back-up of {} into `{}`: {} calls, {} messages in the queue, {} blobs, {} in all",
        manifest.began_at,
        folder.display(),
        held.calls,
        manifest.messages,
        manifest.blobs,
        size(bytes)
    );
    say!(
        "{doubted} calls were not finished and go on with the next `debrief run`. What was done for them after the \
         back-up is not known here, so each destination is asked first; where it cannot be asked, the effect is shown \
         by `debrief effects list` as unknown until you decide"
    );
    if !manifest.problems.is_empty() {
        say!("{} blobs were missing or damaged before the back-up was made", manifest.problems.len());
    }
    Ok(ExitCode::SUCCESS)
}

/// The calls whose events nobody had taken in yet.
async fn waiting_calls(from: &Path) -> anyhow::Result<Vec<CallId>> {
    let mut calls = Vec::new();
    let mut add = |body: &[u8]| {
        if let Ok(event) = Envelope::<CallReceived>::decode(body) {
            calls.push(event.call);
        }
    };
    for body in copies::waiting_events(&from.join(STORE)).await? {
        add(body.as_bytes());
    }
    if from.join(QUEUE).exists() {
        Embedded::inspect_copy(&from.join(QUEUE), add).await?;
    }
    Ok(calls)
}

/// Opens the restored store, which migrates it, and notes which calls were not finished.
async fn doubt(folder: &Path, manifest: &Manifest, waiting: &[CallId]) -> anyhow::Result<u64> {
    let store = Store::open_embedded(folder).await?;
    let doubted = store.doubt_unfinished_calls(manifest.began_at, waiting).await;
    store.close().await;
    Ok(doubted?)
}

/// The restored deployment has to look for its blobs where they are.
fn check_blobs(values: &Values, manifest: &Manifest) -> Result<(), ConfigError> {
    let problem = match (manifest.blobs_in_bucket, values.text(BLOB_URL).is_some()) {
        (true, false) => "is not set, and the blobs of this back-up are in a bucket: name that bucket",
        (false, true) => {
            "is set, and this back-up has the blobs in itself: leave the setting out for the restore"
        }
        _ => return Ok(()),
    };
    Err(ConfigError::new(BLOB_URL, problem))
}

/// Another key than the one in the back-up could not open what was sealed.
async fn check_key(values: &Values, from: &Path) -> Result<(), deployment::StartError> {
    let Some(given) = values.text(SEAL_KEY) else { return Ok(()) };
    let given = deployment::seal_key(&given)?;
    let kept =
        copies::secret_in_copy(&from.join(STORE), SEAL_KEY_SECRET).await.map_err(anyhow::Error::from)?;
    let kept = kept.map(|kept| deployment::seal_key(&kept)).transpose()?;
    if kept.is_some_and(|kept| kept != given) {
        let problem = "is not the key of the back-up, so addresses that were sealed could not be opened: leave the \
                       setting out, because the back-up holds its key, or set that key";
        return Err(ConfigError::new(SEAL_KEY, problem).into());
    }
    Ok(())
}

fn refuse_unless_empty(folder: &Path) -> Result<(), deployment::StartError> {
    deployment::refuse_unfinished_restore(folder)?;
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(deployment::not_made(folder, error).into()),
    };
    for entry in entries {
        let entry = entry.with_context(|| format!("read the folder `{}`", folder.display()))?;
        if !private::is_harmless(&entry) {
            let problem = format!(
                "`{}` is not empty (it has `{}`): a back-up is restored only into an empty or a new folder",
                folder.display(),
                entry.file_name().to_string_lossy()
            );
            return Err(ConfigError::new("DEBRIEF_DATA_DIR", problem).into());
        }
    }
    Ok(())
}

/// Copies each file of the list, and compares it with its digest. Returns the size of all files.
fn copy_all(from: &Path, to: &Path, listed: &[Listed]) -> anyhow::Result<u64> {
    if !listed.iter().any(|file| file.path == STORE) {
        bail!("the list of the back-up does not have `{STORE}`");
    }
    let mut bytes = 0;
    for Listed { digest, path } in listed {
        let measured = files::copy(&from.join(path), &to.join(path)).map_err(|error| {
            let problem = if error.kind() == io::ErrorKind::NotFound {
                anyhow!("the back-up lacks `{path}`, which its list names")
            } else {
                anyhow!(error)
            };
            problem.context(format!("copy `{path}`"))
        })?;
        if measured.digest != *digest {
            bail!("`{path}` of the back-up is damaged: its content is not what was saved");
        }
        bytes += measured.bytes;
    }
    files::sync(to)?;
    Ok(bytes)
}

/// The folder was empty, so everything in it with one of our names was copied by this restore.
fn remove_what_was_copied(folder: &Path) {
    for name in [STORE, QUEUE] {
        fs::remove_file(folder.join(name)).ok();
    }
    fs::remove_dir_all(folder.join(BLOBS)).ok();
    fs::remove_file(folder.join(deployment::LOCK)).ok();
    // The file that marks the folder goes last.
    fs::remove_file(folder.join(UNFINISHED_RESTORE)).ok();
}
