//! Tells the listeners in this process that a session has new events. The hub carries no events: a listener reads them from
//! the store, by their numbers. So it loses none and sees none twice, however the notices come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::call::{CallId, WorkspaceId};
use store::Store;
use store::live::{LiveEvent, LiveNotice};
use tokio::sync::watch;

use crate::metrics::Listener;

/// How many events are read at a time.
const BATCH: i64 = 200;
/// A listener looks by itself after this time, in case a notice of another process was lost.
const LOOK_AFTER: Duration = Duration::from_secs(15);
/// The pause before a process tries again to listen for the notices of others.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// The sessions that somebody in this process listens to. A copy is the same hub.
#[derive(Clone, Debug, Default)]
pub struct Hub(Arc<Mutex<HashMap<CallId, watch::Sender<()>>>>);

impl Hub {
    /// Tells the listeners of this session that there are new events in the store.
    pub(crate) fn tell(&self, call: CallId) {
        let mut rooms = self.rooms();
        if let Some(room) = rooms.get(&call)
            && room.send(()).is_err()
        {
            // Nobody listens any more.
            rooms.remove(&call);
        }
    }

    fn tell_all(&self) {
        self.rooms().retain(|_, room| room.send(()).is_ok());
    }

    /// How many listeners a session has in this process.
    pub(crate) fn listeners(&self, call: CallId) -> usize {
        self.rooms().get(&call).map_or(0, watch::Sender::receiver_count)
    }

    fn join(&self, call: CallId) -> watch::Receiver<()> {
        self.rooms().entry(call).or_default().subscribe()
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<CallId, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes the notices of other processes on, for ever. An embedded store has no other process.
    pub async fn watch(&self, store: &Store) {
        loop {
            match self.pass_on(store).await {
                Ok(()) => return std::future::pending().await,
                Err(error) => tracing::warn!(%error, "failed to listen for the events of live calls"),
            }
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }

    async fn pass_on(&self, store: &Store) -> store::Result<()> {
        let Some(mut notices) = store.live_notices().await? else { return Ok(()) };
        self.tell_all();
        loop {
            match notices.next().await? {
                LiveNotice::Of(call) => self.tell(call),
                LiveNotice::OfAny => self.tell_all(),
            }
        }
    }

    /// Follows a session from the event after `after` on.
    pub(crate) fn follow(&self, store: &Store, workspace: WorkspaceId, call: CallId, after: i64) -> Follower {
        let told = self.join(call);
        Follower { store: store.clone(), workspace, call, after, told, _listener: Listener::new() }
    }
}

/// Somebody who follows the events of one session.
pub(crate) struct Follower {
    store: Store,
    workspace: WorkspaceId,
    call: CallId,
    /// The number of the last event that was given out.
    pub(crate) after: i64,
    told: watch::Receiver<()>,
    _listener: Listener,
}

impl Follower {
    /// The next events, at least one. This waits until there are some, and it can be dropped at any time.
    pub(crate) async fn next(&mut self) -> store::Result<Vec<LiveEvent>> {
        loop {
            // The room is looked at before the store, so an event that is stored in between is seen the next time.
            self.told.borrow_and_update();
            let events = self.ready().await?;
            if !events.is_empty() {
                return Ok(events);
            }
            // The sender stays in the hub as long as somebody listens.
            tokio::time::timeout(LOOK_AFTER, self.told.changed()).await.ok();
        }
    }

    /// The next events that are there already.
    pub(crate) async fn ready(&mut self) -> store::Result<Vec<LiveEvent>> {
        let events = self.store.live_events(self.workspace, self.call, self.after, BATCH).await?;
        if let Some(last) = events.last() {
            self.after = last.seq;
        }
        Ok(events)
    }
}
