//! The sources, one file each. A new source is its file and its line in [`all`]: the routes, their limits and the
//! OpenAPI document all follow from that one list.

mod assemblyai;
pub mod meeting;
pub mod recording;
pub mod session;
mod zapier;

use std::sync::Arc;

use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Ingest;

pub(crate) use assemblyai::secret as assemblyai_secret;

#[derive(OpenApi)]
#[openapi(tags((name = "bringing in", description = "What the outside sends (role `ingest`)")))]
struct Part;

/// Every source, with its route and its part of the document.
pub(crate) fn all() -> OpenApiRouter<Arc<Ingest>> {
    OpenApiRouter::with_openapi(Part::openapi())
        .routes(routes!(zapier::zapier))
        .routes(routes!(assemblyai::assemblyai))
        .routes(routes!(meeting::meetings))
        .routes(routes!(recording::calls))
        .routes(routes!(session::sessions))
}
