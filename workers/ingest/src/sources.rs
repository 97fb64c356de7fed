//! The sources. Each source has a file of its own. A new source needs its file and one line in [`all`]. The routes,
//! their limits and the OpenAPI document all follow from that list.

mod assemblyai;
mod exotel;
pub mod meeting;
pub mod recording;
pub mod session;
mod twilio;
mod zapier;
pub mod zoom;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use chrono_tz::Tz;
use domain::call::CallDetails;
use queue_topology::intake;
use serde_json::Value;
use tower::ServiceBuilder;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::Problem;

use crate::Ingest;
use crate::overload::{self, Places};

pub(crate) use assemblyai::secret as assemblyai_secret;
pub use twilio::Account as TwilioAccount;

#[derive(utoipa::OpenApi)]
#[openapi(tags((name = "bringing in", description = "What the outside sends (role `ingest`)")))]
struct Part;

/// Reads the body of a telephony provider as its door does, and says whether it brings a call. For the fuzzer.
#[cfg(feature = "testing")]
pub async fn is_telephony(media_type: &str, body: Vec<u8>) -> bool {
    let Ok(request) = axum::http::Request::post("/").header("content-type", media_type).body(body.into())
    else {
        return false;
    };
    let Ok(read) = crate::pairs::of_body(crate::door::Sent::of(request)).await else { return false };
    exotel::arrival(read.clone(), true).is_ok() | twilio::arrival(read).is_ok()
}

/// Reads the fields of the Zapier webhook where they stand beside something else, such as in the metadata of a live session.
/// Returns who issued the id of the call, where the fields say it. A `call_id` among them is kept in the metadata of the
/// call, because there the call has its id already.
pub fn details(
    metadata: Value,
    pointer: &str,
    timezone: Tz,
) -> Result<(Option<String>, CallDetails), Problem> {
    let names_source = metadata
        .get("source")
        .is_some_and(|source| source.as_str().is_some_and(|text| !text.trim().is_empty()));
    let zapier::CallFields { source, call_id, mut details, .. } =
        zapier::read(metadata, pointer, false, timezone)?;
    if let Some(call_id) = call_id {
        details.metadata.insert("call_id".into(), call_id.into());
    }
    Ok((Some(source).filter(|_| names_source), details))
}

/// Every source, with its route and its part of the document.
fn all() -> OpenApiRouter<Arc<Ingest>> {
    OpenApiRouter::with_openapi(Part::openapi())
        .routes(routes!(zapier::zapier))
        .routes(routes!(exotel::callback, exotel::passthru))
        .routes(routes!(twilio::recording))
        .routes(routes!(zoom::zoom))
        .routes(routes!(assemblyai::assemblyai))
        .routes(routes!(meeting::meetings))
        .routes(routes!(recording::calls))
        .routes(routes!(session::sessions))
}

/// The routes of ingest. [`web::finish`] adds the layers that are common to the routes of all roles.
pub fn router(ingest: Ingest) -> Router {
    overload::declare_metrics();
    intake::declare_metrics();
    let longest = ingest.settings.longest_form();
    let places = Places::new(ingest.settings.max_requests);
    let (routes, _) = all().split_for_parts();
    routes
        .layer(
            // One layer does all of this. Each further layer would copy everything below it, for every request.
            ServiceBuilder::new()
                .layer(from_fn_with_state(places, overload::guarded))
                .layer(DefaultBodyLimit::max(usize::try_from(longest).unwrap_or(usize::MAX))),
        )
        .with_state(Arc::new(ingest))
}

/// The part of the OpenAPI document that describes the routes of ingest.
pub fn document() -> OpenApi {
    all().into_openapi()
}
