//! The read side over HTTP.

use std::sync::Arc;

use axum::Router;
use common::blobs::Blobs;
use common::seal::Sealer;
use common::store::Store;
use common::web::Access;
use queue_topology::broker::Broker;
use tokio_util::sync::CancellationToken;

/// What the read side needs of a process.
#[derive(Clone)]
pub struct Api {
    pub store: Store,
    pub broker: Arc<dyn Broker>,
    pub blobs: Blobs,
    pub sealer: Sealer,
    pub access: Arc<Access>,
    /// Provider roles, and whether each is configured.
    pub services: Vec<(&'static str, bool)>,
    /// Cancelled when the process starts to stop: `/ready` turns red at once.
    pub stopping: CancellationToken,
}

pub fn health(api: Api) -> Router {
    drop(api);
    Router::new()
}

pub fn router(api: Api) -> Router {
    drop(api);
    Router::new()
}
