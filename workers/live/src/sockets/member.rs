//! A socket that was let in: who it is, and which sessions it listens to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::request::Parts;
use domain::call::CallId;
use domain::principal::Principal;
use tokio_util::sync::CancellationToken;

/// The most sessions to which one socket listens.
const MAX_SESSIONS: usize = 1_000;

pub(super) struct Member {
    pub(super) principal: Principal,
    /// The head of the handshake, with the key that the socket showed.
    pub(super) head: Parts,
    ended: CancellationToken,
    stays: AtomicU64,
    joined: Mutex<HashMap<CallId, Room>>,
}

struct Room {
    session_id: String,
    /// Tells one stay in a session from the next one.
    stay: u64,
    left: CancellationToken,
}

/// What became of a request to join.
pub(super) enum Joined {
    Now(Stay),
    /// The socket listens already.
    Before,
    /// The socket listens to too many sessions.
    TooMany,
}

/// A stay in a session. It ends when `left` is cancelled.
pub(super) struct Stay {
    pub(super) left: CancellationToken,
    call: CallId,
    number: u64,
}

impl Member {
    pub(super) fn new(principal: Principal, head: Parts, ended: CancellationToken) -> Self {
        Self { principal, head, ended, stays: AtomicU64::default(), joined: Mutex::default() }
    }

    pub(super) fn join(&self, call: CallId, session_id: &str) -> Joined {
        let mut joined = self.joined();
        if joined.contains_key(&call) {
            return Joined::Before;
        }
        if joined.len() >= MAX_SESSIONS {
            return Joined::TooMany;
        }
        let left = self.ended.child_token();
        let stay = self.stays.fetch_add(1, Ordering::Relaxed);
        joined.insert(call, Room { session_id: session_id.to_owned(), stay, left: left.clone() });
        Joined::Now(Stay { left, call, number: stay })
    }

    pub(super) fn leave(&self, session_id: &str) {
        self.joined().retain(|_, room| {
            let leaves = room.session_id == session_id;
            if leaves {
                room.left.cancel();
            }
            !leaves
        });
    }

    /// Does something for a stay, unless it has ended. It cannot end meanwhile.
    pub(super) fn during<T>(&self, stay: &Stay, act: impl FnOnce() -> T) -> Option<T> {
        let joined = self.joined();
        let is_there = joined.get(&stay.call).is_some_and(|room| room.stay == stay.number);
        is_there.then(act)
    }

    /// Notes that nothing of this session is followed any more.
    pub(super) fn forget(&self, stay: &Stay) {
        let mut joined = self.joined();
        if joined.get(&stay.call).is_some_and(|room| room.stay == stay.number) {
            joined.remove(&stay.call);
        }
    }

    pub(super) fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Ends everything that the socket listens to.
    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    fn joined(&self) -> MutexGuard<'_, HashMap<CallId, Room>> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
