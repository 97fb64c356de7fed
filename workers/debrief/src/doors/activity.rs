//! Whether a connection waits for its client or for us, and since when.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// A connection waits for its client while no request is in hand, while the rest of a body is missing, and while the
/// client does not take what we write. In all other times we work, and the client waits.
#[derive(Debug)]
pub(crate) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// How many requests were taken and not yet answered to the last byte. HTTP/1 has at most one.
    in_hand: u32,
    /// Whether every answer was written to its end, and no request was taken since.
    is_between_requests: bool,
    waits_since: Option<Instant>,
}

impl Activity {
    /// A new connection, which waits for the first request.
    pub(crate) fn waiting() -> Self {
        let waits_since = Some(Instant::now());
        Self(Mutex::new(State { in_hand: 0, is_between_requests: true, waits_since }))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn waits_since(&self) -> Option<Instant> {
        self.state().waits_since
    }

    pub(crate) fn is_between_requests(&self) -> bool {
        self.state().is_between_requests
    }

    /// A request was taken.
    pub(crate) fn taken(&self) {
        let mut state = self.state();
        state.in_hand += 1;
        state.is_between_requests = false;
        state.waits_since = None;
    }

    /// The last byte of an answer was made. It may not be written yet.
    pub(crate) fn answered(&self) {
        let mut state = self.state();
        state.in_hand = state.in_hand.saturating_sub(1);
        state.waits_since = Some(Instant::now());
    }

    /// Everything was written that was made.
    pub(crate) fn flushed(&self) {
        let mut state = self.state();
        state.is_between_requests = state.in_hand == 0;
    }

    /// The client has to do something now.
    pub(crate) fn waits(&self) {
        self.state().waits_since.get_or_insert_with(Instant::now);
    }

    /// The client did something.
    pub(crate) fn moved(&self) {
        let mut state = self.state();
        state.waits_since = (state.in_hand == 0).then(Instant::now);
    }
}
