//! The HTTP API for reading: calls with their transcripts and analyses, queues, dead letters, effects, the health of
//! the process, and the OpenAPI document that describes all this.
//!
//! It reads the store and the broker. The only things that it writes are replays and what people say about the speakers of a call. Every answer that holds a person's
//! data needs a key that may read. The answers for a load balancer and the documentation need no key.

mod analytics;
mod calls;
mod health;
mod home;
mod idempotency;
mod kept;
mod openapi;
mod operations;
mod recording;
mod request;
mod search;
mod speakers;
mod state;
mod transcripts;
mod usage;
pub mod view;
mod waveform;

use axum::Router;
use axum::middleware::from_fn;
use serde_json::Value;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::{Access, Guarded};

pub use openapi::document;
pub use state::Api;

/// What every process serves: `/health`, `/ready`, `/metrics`, and `/`, which says what runs here.
pub fn health(api: Api) -> Router {
    let (routes, _) = health::routes().merge(home::routes()).split_for_parts();
    routes.with_state(health::Monitor::new(api))
}

/// What the address for monitoring serves: `/health`, `/ready`, and `/metrics` without a key.
pub fn monitoring(api: Api) -> Router {
    health::routes_without_a_key().with_state(health::Monitor::new(api))
}

impl Guarded for Api {
    fn access(&self) -> &Access {
        &self.access
    }
}

/// All routes of the API except those of [`health()`], and `document`, the OpenAPI document as JSON. The caller has to pass the routes of all roles
/// together to [`web::finish`].
pub fn router(api: Api, document: &Value) -> Router {
    let (routes, _) = routes().split_for_parts();
    routes.layer(from_fn(request::in_time)).with_state(api).merge(openapi::pages(document))
}

/// The routes, each with its part of the document.
fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::Part::openapi())
        .routes(routes!(calls::stats))
        .routes(routes!(calls::by_source_id))
        .routes(routes!(calls::history))
        .routes(routes!(search::search))
        .routes(routes!(search::changes))
        .routes(routes!(analytics::dashboard))
        .routes(routes!(calls::one))
        .routes(routes!(calls::timeline))
        .routes(routes!(calls::replay))
        .routes(routes!(speakers::correct))
        .routes(routes!(transcripts::negotiated))
        .routes(routes!(transcripts::json))
        .routes(routes!(transcripts::vtt))
        .routes(routes!(transcripts::srt))
        .routes(routes!(transcripts::txt))
        .routes(routes!(recording::recording))
        .routes(routes!(waveform::waveform))
        .routes(routes!(operations::queues))
        .routes(routes!(operations::dead_letters))
        .routes(routes!(operations::dead_letter))
        .routes(routes!(operations::replay))
        .routes(routes!(operations::effects))
        .routes(routes!(operations::audit))
        .routes(routes!(usage::usage))
}
