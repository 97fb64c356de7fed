//! The parts of a process that the console needs.

use std::sync::Arc;

use platform::blobs::Blobs;
use platform::config::{Installation, Known, Values};
use platform::seal::Sealer;
use queue_topology::broker::Broker;
use queue_topology::intake::Intake;
use store::Store;
use tokio_util::sync::CancellationToken;
use web::{Access, Guarded};

use crate::updates::Updates;

#[derive(Clone)]
pub struct Console {
    pub store: Store,
    pub broker: Arc<dyn Broker>,
    pub blobs: Blobs,
    pub sealer: Sealer,
    /// The way in for the calls that people bring in a browser.
    pub intake: Intake,
    pub access: Arc<Access>,
    pub installation: Arc<Installation>,
    /// Every setting that was given, and every setting that there is.
    pub values: Arc<Values>,
    pub known: Arc<Known>,
    /// What this process runs, by the names of its roles.
    pub roles: Vec<&'static str>,
    /// The services that can be configured, and whether each of them is.
    pub services: Vec<(&'static str, bool)>,
    pub updates: Updates,
    /// Cancelled when the process is asked to stop. From then on no page is told about changes.
    pub stopping: CancellationToken,
}

impl Guarded for Console {
    fn access(&self) -> &Access {
        &self.access
    }
}
