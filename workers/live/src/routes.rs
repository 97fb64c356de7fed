//! The routes of live calls.

mod audio;
mod end;
mod events;
mod form;
mod session;
mod start;
mod summary;

pub(crate) use session::{SessionId, check, ended};

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use domain::call::CallDetails;
use platform::blobs::Blobs;
use queue_topology::broker::Broker;
use serde_json::Value;
use store::Store;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::{Access, Guarded, Problem};

use crate::hub::Hub;
use crate::metrics;
use crate::settings::Settings;
use crate::sockets;
use crate::streams;

/// Reads the metadata of a session, which may hold the fields of the Zapier webhook. Returns who issued the session's id,
/// where the metadata says it, and the details of the call. The `&str` is the JSON pointer to the metadata.
pub type ReadMetadata =
    Arc<dyn Fn(Value, &str) -> Result<(Option<String>, CallDetails), Problem> + Send + Sync>;

/// What the routes of live calls need. The process that serves them fills this in.
#[derive(Clone)]
pub struct Live {
    pub store: Store,
    pub broker: Arc<dyn Broker>,
    pub blobs: Blobs,
    pub access: Arc<Access>,
    pub settings: Settings,
    pub read_metadata: ReadMetadata,
    pub hub: Hub,
    pub stopping: CancellationToken,
}

impl Guarded for Live {
    fn access(&self) -> &Access {
        &self.access
    }
}

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
        .routes(routes!(streams::stream))
}

/// The routes of live calls. [`web::finish`] adds the layers that are common to the routes of all roles.
pub fn router(live: Live) -> Router {
    metrics::declare();
    let longest = form::longest(&live.settings);
    let (routes, _) = all().split_for_parts();
    let sockets = sockets::router(live.clone());
    let limit = DefaultBodyLimit::max(usize::try_from(longest).unwrap_or(usize::MAX));
    routes.layer(limit).with_state(live.clone()).merge(sockets).merge(streams::router(live))
}

/// The part of the OpenAPI document that describes the routes of live calls.
pub fn document() -> OpenApi {
    all().into_openapi()
}
