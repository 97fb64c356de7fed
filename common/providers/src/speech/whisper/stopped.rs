//! Why a recording was not transcribed, and how the work is cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::files::{ModelError, in_words};

/// Why a recording was not transcribed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The folder has to be mended.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Nobody can decode the recording.
    #[error("{0}")]
    Recording(String),
    /// The network itself failed.
    #[error("{0}")]
    Network(String),
    /// Nobody waits for the transcript any more.
    #[error("it was cancelled")]
    Cancelled,
}

impl From<candle_core::Error> for Failed {
    fn from(error: candle_core::Error) -> Self {
        Self::Network(in_words(&error))
    }
}

/// Says that nobody waits for the result any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Cancelled(Arc<AtomicBool>);

/// Cancels the work when it is dropped.
pub(super) struct CancelsOnDrop(Cancelled);

impl Cancelled {
    pub(super) fn on_drop(&self) -> CancelsOnDrop {
        CancelsOnDrop(self.clone())
    }

    pub(super) fn check(&self) -> Result<(), Failed> {
        if self.0.load(Ordering::Relaxed) { Err(Failed::Cancelled) } else { Ok(()) }
    }
}

impl Drop for CancelsOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
