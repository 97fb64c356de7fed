//! The one way in. What arrived becomes an event that is on disk somewhere, or it is refused.
//!
//! Webhooks, uploads and imports all hand over an [`Arrival`]; so does whatever else brings calls in. The intake
//! knows no HTTP: whoever read what a sender sent also tells the sender what came of it. It asks no database
//! whether the call is known, and it waits for no stage.

mod arrival;
mod fingerprint;
mod publish;

use std::sync::Arc;
use std::time::Duration;

use platform::blobs::Blobs;
use platform::cache::Cache;
use platform::seal::Sealer;

pub use arrival::{Accepted, Arrival, NewMaterial};
pub use fingerprint::without_query;
pub use publish::{Nudge, Outbox};

use crate::broker::{Broker, Lane};
use crate::metrics;

/// Makes the counters of the intake appear, before the first event comes in.
pub fn declare_metrics() {
    metrics::declare_intake();
}

/// What the intake works with. The process that brings calls in fills this in.
#[derive(Clone)]
pub struct Intake {
    /// `None` where no broker is asked for a confirm: then every event goes to the outbox at once.
    pub broker: Option<Arc<dyn Broker>>,
    pub outbox: Arc<dyn Outbox>,
    pub blobs: Blobs,
    pub sealer: Sealer,
    pub cache: Arc<dyn Cache>,
    /// The lane of the events. Imports take the bulk lane, so that a backfill never stands before a live call.
    pub lane: Lane,
}

/// Why an arrival or a nudge was refused: nothing of it was kept, and the sender has to send it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this cannot be kept at the moment; nothing was accepted, send it again")]
pub struct NotKept;

impl NotKept {
    /// How long a sender should wait before the next try.
    pub const COME_BACK_IN: Duration = Duration::from_secs(5);
}

#[cfg(test)]
mod tests;
