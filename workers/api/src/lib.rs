//! The read side over HTTP: calls and what became of them, queues, dead letters, effects, health, and the
//! document that describes all of it.
//!
//! It reads the store and the broker and writes nothing but replays. Every answer with a person's data
//! needs the API key; what tells a load balancer or a reader of the documentation something does not.

mod ask;
mod calls;
mod health;
mod once;
mod openapi;
mod operations;
mod recording;
mod transcripts;
pub mod view;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use platform::blobs::Blobs;
use platform::seal::Sealer;
use queue_topology::broker::Broker;
use store::Store;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::Access;

pub use health::health;
pub use openapi::document;

/// What the read side needs of a process.
#[derive(Clone)]
pub struct Api {
    pub store: Store,
    pub broker: Arc<dyn Broker>,
    pub blobs: Blobs,
    pub sealer: Sealer,
    pub access: Arc<Access>,
    /// What `/health` lists, and whether it is configured.
    pub services: Vec<(&'static str, bool)>,
    /// Cancelled when the process is asked to stop: from then on it is not ready.
    pub stopping: CancellationToken,
}

/// Everything that is read over HTTP but [`health`], and `document`. [`web::finish`] goes around the routes of all
/// roles together.
pub fn router(api: Api, document: OpenApi) -> Router {
    let (routes, _) = routes().split_for_parts();
    routes.layer(from_fn(ask::in_time)).with_state(api).merge(openapi::pages(document))
}

/// The routes, each with its part of the document.
fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::Part::openapi())
        .routes(routes!(calls::stats))
        .routes(routes!(calls::by_source_id))
        .routes(routes!(calls::history))
        .routes(routes!(calls::one))
        .routes(routes!(calls::timeline))
        .routes(routes!(calls::replay))
        .routes(routes!(transcripts::negotiated))
        .routes(routes!(transcripts::json))
        .routes(routes!(transcripts::vtt))
        .routes(routes!(transcripts::srt))
        .routes(routes!(transcripts::txt))
        .routes(routes!(recording::recording))
        .routes(routes!(operations::queues))
        .routes(routes!(operations::dead_letters))
        .routes(routes!(operations::dead_letter))
        .routes(routes!(operations::replay))
        .routes(routes!(operations::effects))
        .routes(routes!(operations::audit))
}
