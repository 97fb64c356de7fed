//! Practice: a salesperson rehearses a meeting with one to three representatives of a company.
//!
//! Deciding is pure: who answers ([`who`]), how somebody speaks ([`temperament`]), what is said without a model
//! ([`builtin`]), which questions are worth asking ([`questions`]), what a conversation is worth ([`score`]). The routes load, let
//! decide and store. A meeting has one floor, so its turns have an order however many send them. When it ends, it becomes a call
//! of the kind `practice` and goes through the pipeline, but never to a CRM and never to Slack.

pub mod brief;
pub mod builtin;
mod character;
mod companies;
pub mod company;
mod conversation;
mod ending;
mod fields;
mod growing;
mod hearing;
mod judge;
mod kept;
pub mod lift;
pub mod materials;
mod meetings;
mod metrics;
pub mod moves;
mod parts;
pub mod plan;
mod planning;
mod progress;
pub mod questions;
mod recording;
mod representatives;
mod request;
mod salespersons;
pub mod score;
pub mod sentences;
mod socket;
mod sounds;
mod state;
mod talk;
pub mod temperament;
pub mod terminal;
mod upload;
mod voices;
pub mod who;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use judge::Judge;
pub use state::Practice;
pub use voices::Voices;

#[derive(utoipa::OpenApi)]
#[openapi(tags((name = "practice", description = "Rehearsed meetings, and what they were worth")))]
struct Part;

/// The routes of practice.
pub fn router(practice: Practice) -> Router {
    metrics::declare();
    let (routes, _) = routes().split_for_parts();
    routes.layer(DefaultBodyLimit::max(upload::MAX_FORM_BYTES)).with_state(practice)
}

/// The part of the OpenAPI document that describes them.
pub fn document() -> OpenApi {
    routes().into_openapi()
}

fn routes() -> OpenApiRouter<Practice> {
    OpenApiRouter::with_openapi(Part::openapi())
        .routes(routes!(salespersons::create))
        .routes(routes!(salespersons::list))
        .routes(routes!(salespersons::one, salespersons::change, salespersons::delete))
        .routes(routes!(salespersons::delete_material))
        .routes(routes!(companies::create))
        .routes(routes!(companies::one, companies::delete))
        .routes(routes!(companies::refresh))
        .routes(routes!(representatives::create, representatives::list))
        .routes(routes!(representatives::change, representatives::delete))
        .routes(routes!(meetings::create))
        .routes(routes!(meetings::one, meetings::delete))
        .routes(routes!(meetings::of_salesperson))
        .routes(routes!(progress::progress))
        .routes(routes!(meetings::start))
        .routes(routes!(meetings::end))
        .routes(routes!(conversation::send))
        .routes(routes!(conversation::history))
        .routes(routes!(conversation::analytics))
        .routes(routes!(sounds::audio))
        .routes(routes!(socket::socket))
}
