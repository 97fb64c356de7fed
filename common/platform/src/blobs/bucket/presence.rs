//! Uploads on their way in: who works on them, and who removes those that nobody completes.
//!
//! A process that is killed leaves parts and objects behind. Several processes share one bucket, so something may be
//! removed only when no process works on it any more. A bucket has no locks. So the name of each thing on its way in
//! begins with the name of the process that writes it, and the process rewrites an object of its own, its mark, every
//! minute while it has something on its way in. A mark that has not been written for a quarter of an hour belongs to a
//! process that has ended. All times are those of the bucket, so no clock of ours matters.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt as _;
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore as _, ObjectStoreExt as _, Result};
use tokio::time::Instant;
use uuid::Uuid;

use super::super::{INCOMING, Swept, UPLOADS, WRITERS, name_in, writer_of};
use super::Store;

/// How often a process rewrites its mark.
const MARK_EVERY: Duration = Duration::from_mins(1);
/// How long a process may not have written its mark before others take it for ended. It is so long because a process
/// whose mark could not be written, or that was paused, must not lose its uploads at once.
const ENDED_AFTER: TimeDelta = TimeDelta::minutes(15);
/// When the mark of a process is removed that has nothing on its way in.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(24);

pub(super) struct Presence {
    store: Store,
    /// The name of this process. It is different for each process and never used again.
    writer: String,
    state: Mutex<State>,
    ended_after: TimeDelta,
}

#[derive(Default)]
struct State {
    /// The names of what this process has on its way in.
    live: HashSet<String>,
    marked: Option<Instant>,
    /// Whether a task rewrites the mark.
    is_kept: bool,
}

impl Presence {
    pub(super) fn new(store: Store) -> Arc<Self> {
        Arc::new(Self {
            store,
            writer: Uuid::new_v4().simple().to_string(),
            state: Mutex::default(),
            ended_after: ENDED_AFTER,
        })
    }

    /// A name for something on its way in. It is in work until [`Self::ended`] is told its key.
    pub(super) fn new_name(&self) -> String {
        let name = format!("{}.{}", self.writer, Uuid::new_v4().simple());
        self.state().live.insert(name.clone());
        name
    }

    /// As [`Self::new_name`], until the answer is dropped.
    pub(super) fn live(self: &Arc<Self>) -> Live {
        Live { name: self.new_name(), presence: Arc::clone(self) }
    }

    pub(super) fn ended(&self, key: &str) {
        if let Some(name) = name_in(INCOMING, key) {
            self.state().live.remove(name);
        }
    }

    /// Makes sure that the mark of this process is fresh, and stays fresh while something is on its way in.
    pub(super) async fn be_known(self: &Arc<Self>) -> Result<()> {
        let is_fresh = self.state().marked.is_some_and(|at| at.elapsed() < MARK_EVERY);
        if !is_fresh {
            self.mark().await?;
        }
        let is_kept = std::mem::replace(&mut self.state().is_kept, true);
        if !is_kept {
            let presence = Arc::clone(self);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(MARK_EVERY).await;
                    {
                        let mut state = presence.state();
                        if state.live.is_empty() {
                            state.is_kept = false;
                            break;
                        }
                    }
                    if let Err(error) = presence.mark().await {
                        tracing::debug!(%error, "failed to mark in the bucket that this process is at work");
                    }
                }
            });
        }
        Ok(())
    }

    async fn mark(&self) -> Result<()> {
        self.store.put(&self.own_mark(), "at work".into()).await?;
        self.state().marked = Some(Instant::now());
        Ok(())
    }

    fn own_mark(&self) -> Path {
        Path::from(format!("{WRITERS}/{}", self.writer))
    }

    pub(super) async fn sweep(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        // Marks are read last: what is listed here was made by a process that had a mark before.
        let notes = self.things_in(UPLOADS).await?;
        let incoming = self.things_in(INCOMING).await?;
        let marks = self.things_in(WRITERS).await?;
        if notes.is_empty() && incoming.is_empty() && marks.is_empty() {
            return Ok(swept);
        }
        self.mark().await?;
        let now = self.store.head(&self.own_mark()).await?.last_modified;
        let marked: HashMap<&str, DateTime<Utc>> =
            marks.iter().filter_map(|mark| Some((mark.location.filename()?, mark.last_modified))).collect();
        let is_left = |thing: &ObjectMeta| {
            let name = thing.location.filename().unwrap_or_default();
            let writer = writer_of(name).unwrap_or_default();
            if writer == self.writer {
                return !self.state().live.contains(name);
            }
            let seen = marked.get(writer).copied().unwrap_or_default().max(thing.last_modified);
            now - seen > self.ended_after
        };
        for note in notes.iter().filter(|note| is_left(note)) {
            swept.files += u64::from(self.end_upload(&note.location).await?);
        }
        for object in incoming.iter().filter(|object| is_left(object)) {
            self.store.delete(&object.location).await.or_else(gone)?;
            swept.files += 1;
            swept.bytes += object.size;
        }
        for mark in marks.iter().filter(|mark| now - mark.last_modified > FORGOTTEN_AFTER) {
            self.store.delete(&mark.location).await.or_else(gone)?;
        }
        Ok(swept)
    }

    /// Ends the upload that a note is about, and removes its parts. Whoever made the note may have removed it meanwhile:
    /// then there is nothing to end.
    async fn end_upload(&self, note: &Path) -> Result<bool> {
        let text = match self.store.get(note).await {
            Ok(found) => found.bytes().await?,
            Err(error) => return gone(error).map(|()| false),
        };
        if let Some((path, id)) = String::from_utf8_lossy(&text).split_once('\n') {
            self.store.abort_multipart(&Path::from(path), &id.to_owned()).await.or_else(gone)?;
        }
        self.store.delete(note).await.or_else(gone)?;
        Ok(true)
    }

    async fn things_in(&self, room: &str) -> Result<Vec<ObjectMeta>> {
        self.store.list(Some(&Path::from(room))).try_collect().await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of something that this process has on its way in.
pub(super) struct Live {
    name: String,
    presence: Arc<Presence>,
}

impl Live {
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.presence.state().live.remove(&self.name);
    }
}

/// Another process may have removed it first. The error is the same where the bucket is gone, and then the next request
/// fails.
fn gone(error: Error) -> Result<()> {
    if matches!(error, Error::NotFound { .. }) { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use object_store::PutPayload;

    use super::super::{QUICK, client};
    use super::*;
    use crate::blobs::testing::TestBucket;

    /// Whoever sweeps with this time takes every other process for ended.
    const AT_ONCE: TimeDelta = TimeDelta::hours(-1);

    fn presence(bucket: &TestBucket, ended_after: TimeDelta) -> Arc<Presence> {
        let store = client(&bucket.settings(), Duration::from_secs(30), QUICK).unwrap();
        let presence = Presence::new(store);
        Arc::new(Presence { ended_after, ..Arc::into_inner(presence).unwrap() })
    }

    /// Begins an upload in parts and another one that waits for its key. Returns the id of the first.
    async fn begin(process: &Arc<Presence>) -> String {
        process.be_known().await.unwrap();
        let (path, store) = (Path::from("w/large"), &process.store);
        let id = store.create_multipart(&path).await.unwrap();
        let note = format!("{UPLOADS}/{}", process.new_name());
        store.put(&Path::from(note), format!("{path}\n{id}").into()).await.unwrap();
        store.put_part(&path, &id, 0, PutPayload::from_static(b"part")).await.unwrap();
        let incoming = format!("{INCOMING}/{}", process.new_name());
        store.put(&Path::from(incoming), "waits".into()).await.unwrap();
        id
    }

    async fn goes_on(process: &Presence, id: &str) -> bool {
        let (path, id) = (Path::from("w/large"), id.to_owned());
        process.store.put_part(&path, &id, 0, "part".into()).await.is_ok()
    }

    #[tokio::test]
    async fn what_a_process_left_is_removed_when_its_mark_is_old_and_not_before() {
        let Some(bucket) = TestBucket::make().await else { return };
        let (killed, next) = (presence(&bucket, ENDED_AFTER), presence(&bucket, ENDED_AFTER));
        let id = begin(&killed).await;
        assert_eq!(next.sweep().await.unwrap(), Swept::default());
        assert!(goes_on(&killed, &id).await, "nobody knows yet that the process has ended");
        let later = presence(&bucket, AT_ONCE);
        assert_eq!(later.sweep().await.unwrap(), Swept { files: 2, bytes: 5 });
        assert!(!goes_on(&killed, &id).await, "the parts are removed");
        let keys = bucket.keys().await;
        assert!(keys.iter().all(|key| key.starts_with("writers/")), "{keys:?}");
        assert_eq!(later.sweep().await.unwrap(), Swept::default());
        bucket.remove().await;
    }

    #[tokio::test]
    async fn what_this_process_has_in_work_stays_and_what_it_could_not_remove_goes() {
        let Some(bucket) = TestBucket::make().await else { return };
        let process = presence(&bucket, AT_ONCE);
        let id = begin(&process).await;
        assert_eq!(process.sweep().await.unwrap(), Swept::default());
        assert!(goes_on(&process, &id).await);
        // The uploads broke off, and the bucket was away when they were to be removed.
        process.state().live.clear();
        assert_eq!(process.sweep().await.unwrap().files, 2);
        assert!(!goes_on(&process, &id).await);
        bucket.remove().await;
    }
}
