//! The routes of live calls.

mod audio;
mod end;
mod events;
mod form;
mod start;
mod summary;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Live;
use crate::streams::own;

#[derive(utoipa::OpenApi)]
#[openapi(tags((name = "live", description = "Calls while they are spoken (role `live`)")))]
struct Part;

fn all() -> OpenApiRouter<Live> {
    OpenApiRouter::with_openapi(Part::openapi())
        .routes(routes!(start::start))
        .routes(routes!(audio::audio))
        .routes(routes!(end::end))
        .routes(routes!(summary::summary))
        .routes(routes!(events::events))
        .routes(routes!(own::stream))
}

/// The routes that the document describes.
pub(crate) fn router(live: Live) -> Router {
    let longest = form::longest(&live.settings);
    let (routes, _) = all().split_for_parts();
    routes.layer(DefaultBodyLimit::max(usize::try_from(longest).unwrap_or(usize::MAX))).with_state(live)
}

/// The part of the OpenAPI document that describes the routes of live calls.
pub fn document() -> OpenApi {
    all().into_openapi()
}
