//! The HTTP API for reading: calls with their transcripts and analyses, queues, dead letters, effects, the health of
//! the process, and the OpenAPI document that describes all this.
//!
//! It reads the store and the broker. The only things that it writes are replays. Every answer that holds a person's
//! data needs the API key. The answers for a load balancer and the documentation need no key.

mod accept;
mod calls;
mod health;
mod home;
mod idempotency;
mod openapi;
mod operations;
mod recording;
mod request;
mod state;
mod transcripts;
pub mod view;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};

pub use state::Api;

/// What every process serves: `/health`, `/ready`, `/metrics`, and `/`, which says what runs here.
pub fn health(api: Api) -> Router {
    let monitor = health::Monitor::new(api);
    health::routes(monitor.clone()).merge(home::routes(monitor))
}

/// All routes of the API except those of [`health()`]. The caller has to pass the routes of all roles together to
/// [`web::finish`].
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
        .layer(from_fn(request::in_time))
        .with_state(api)
        .merge(openapi::routes())
}
