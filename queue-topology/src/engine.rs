//! What every stage of a process runs on.

use std::sync::Arc;
use std::time::Duration;

use store::Store;

use crate::broker::Broker;
use crate::lease::Lease;
use crate::memory::Memory;
use crate::retry::Schedule;
use crate::waits::Waits;

/// What every stage of a process runs on. Cloning it is cheap.
#[derive(Clone)]
pub struct Engine {
    pub store: Store,
    pub broker: Arc<dyn Broker>,
    pub lease: Lease,
    pub schedule: Schedule,
    /// How long the runs of a process may take to end when the process has to stop.
    pub drain_timeout: Duration,
    /// Bounds the memory that the runs of this process take together.
    pub memory: Memory,
    /// What the runs of this process wait for.
    pub waits: Waits,
    /// The optional stages that are switched on.
    pub also: &'static [&'static str],
}
