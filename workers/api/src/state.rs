//! The parts of a process that answering requests needs.

use std::sync::Arc;

use platform::blobs::Blobs;
use platform::config::Installation;
use platform::seal::Sealer;
use queue_topology::broker::Broker;
use store::Store;
use tokio_util::sync::CancellationToken;
use web::Access;

#[derive(Clone)]
pub struct Api {
    pub store: Store,
    pub broker: Arc<dyn Broker>,
    pub blobs: Blobs,
    pub sealer: Sealer,
    pub access: Arc<Access>,
    pub installation: Arc<Installation>,
    /// What this process runs, by the names of its roles.
    pub roles: Vec<&'static str>,
    /// The services that `/health` lists, and whether each of them is configured.
    pub services: Vec<(&'static str, bool)>,
    /// Cancelled when the process is asked to stop. From then on the process is not ready.
    pub stopping: CancellationToken,
}
