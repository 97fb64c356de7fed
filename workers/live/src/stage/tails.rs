//! The audio of each session that was heard and is not cut into turns yet.
//!
//! It is kept in memory between two runs. Where it is not there, because another process worked on the session before, it
//! is made again from the last pieces.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::call::CallId;

use crate::progress::Progress;

/// How long the audio of a session is kept that nobody asks for.
const KEPT_FOR: Duration = Duration::from_mins(2);

/// The audio of the channels of a session that is not cut yet.
pub(super) type Tail = BTreeMap<i64, Vec<f32>>;

#[derive(Default)]
pub(super) struct Tails(Mutex<HashMap<CallId, Kept>>);

struct Kept {
    /// Where each channel was when this was kept: its samples, and how many of them are cut.
    at: BTreeMap<i64, (u64, u64)>,
    tail: Tail,
    since: Instant,
}

impl Tails {
    /// Takes the audio of a session out, if it is that of this progress.
    pub(super) fn take(&self, call: CallId, progress: &Progress) -> Option<Tail> {
        let kept = self.all().remove(&call)?;
        (kept.at == at(progress)).then_some(kept.tail)
    }

    pub(super) fn keep(&self, call: CallId, progress: &Progress, tail: Tail) {
        let mut all = self.all();
        all.retain(|_, kept| kept.since.elapsed() < KEPT_FOR);
        all.insert(call, Kept { at: at(progress), tail, since: Instant::now() });
    }

    fn all(&self) -> MutexGuard<'_, HashMap<CallId, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn at(progress: &Progress) -> BTreeMap<i64, (u64, u64)> {
    progress.tracks.iter().map(|(channel, track)| (*channel, (track.samples, track.cut))).collect()
}
