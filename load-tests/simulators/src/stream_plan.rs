//! What simulated streams of speech say, and what goes wrong with them, as whoever drives the simulator wants it.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::http::StatusCode;
use serde::Deserialize;
use tokio::sync::watch;

use crate::state::lock;

/// What goes wrong on one connection.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StreamFault {
    /// The connection is refused with this status.
    pub(crate) refuse: Option<u16>,
    /// The connection breaks off without a word when this much audio has come.
    pub(crate) break_after_ms: Option<u64>,
    /// No turn ends, whatever is asked.
    pub(crate) never_ends: bool,
}

/// What simulated streams say, and what goes wrong with them.
#[derive(Debug, Default)]
pub(crate) struct StreamPlan {
    lines: Mutex<VecDeque<String>>,
    faults: Mutex<VecDeque<StreamFault>>,
    /// Each stream that is open looks whether it is to break off.
    open: watch::Sender<()>,
}

impl StreamPlan {
    pub(crate) fn set_lines(&self, lines: Vec<String>) {
        *lock(&self.lines) = lines.into();
    }

    /// Each of the next connections gets one of these faults.
    pub(crate) fn set_faults(&self, faults: Vec<StreamFault>) {
        *lock(&self.faults) = faults.into();
    }

    /// Counts a stream as open until what is returned is dropped, and tells the stream when it is to break off.
    pub(crate) fn open(&self) -> watch::Receiver<()> {
        self.open.subscribe()
    }

    /// Breaks off the streams that are open, without a word. Returns how many there are.
    #[cfg(feature = "testing")]
    pub(crate) fn break_off(&self) -> usize {
        let open = self.open.receiver_count();
        self.open.send_replace(());
        open
    }

    pub(crate) fn next_line(&self) -> Option<String> {
        lock(&self.lines).pop_front()
    }

    /// What goes wrong on a new connection. An error is the status with which it is refused.
    pub(crate) fn next_fault(&self) -> Result<StreamFault, StatusCode> {
        let fault = lock(&self.faults).pop_front().unwrap_or_default();
        match fault.refuse.map(StatusCode::from_u16) {
            Some(status) => Err(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE)),
            None => Ok(fault),
        }
    }
}
