//! The read side over HTTP: calls and what became of them, queues, dead letters, effects, health, and the
//! document that describes all of it.
//!
//! It reads the store and the broker and writes nothing but replays. Every answer with a person's data
//! needs a key that may read; what tells a load balancer or a reader of the documentation something does not.

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
use axum::routing::{get, post};
use platform::blobs::Blobs;
use platform::seal::Sealer;
use queue_topology::broker::Broker;
use store::Store;
use tokio_util::sync::CancellationToken;
use web::{Access, Guarded};

pub use health::health;

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

impl Guarded for Api {
    fn access(&self) -> &Access {
        &self.access
    }
}

/// Everything that is read over HTTP but [`health`]. [`web::finish`] goes around the routes of all
/// roles together.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/stats", get(calls::stats))
        .route("/call/{call_id}", get(calls::by_source_id))
        .route("/api/calls/history", get(calls::history))
        .route("/api/calls/{id}", get(calls::one))
        .route("/api/calls/{id}/timeline", get(calls::timeline))
        .route("/api/calls/{id}/replay", post(calls::replay))
        .route("/api/calls/{id}/transcript", get(transcripts::negotiated))
        .route("/api/calls/{id}/transcript.json", get(transcripts::json))
        .route("/api/calls/{id}/transcript.vtt", get(transcripts::vtt))
        .route("/api/calls/{id}/transcript.srt", get(transcripts::srt))
        .route("/api/calls/{id}/transcript.txt", get(transcripts::txt))
        .route("/api/calls/{id}/recording", get(recording::recording))
        .route("/api/queues", get(operations::queues))
        .route("/api/dead-letters", get(operations::dead_letters))
        .route("/api/dead-letters/replay", post(operations::replay))
        .route("/api/dead-letters/{id}", get(operations::dead_letter))
        .route("/api/effects", get(operations::effects))
        .route("/api/audit", get(operations::audit))
        .layer(from_fn(ask::in_time))
        .with_state(api)
        .merge(openapi::routes())
}
