//! Reports the health of the process to people, load balancers and Prometheus.
//!
//! The process is healthy when the database, the broker and the blobs work. Providers do not matter. The answer comes
//! even when the database hangs, because all parts are checked at the same time, each for at most [`CHECK_TIMEOUT`].
//! A check writes to the disk, and these routes need no key. So an answer that is younger than [`MAX_AGE`] is given
//! again.
//!
//! The calls are counted only for [`show`], because a probe asks [`ready`] every few seconds in every process. The
//! database reads an entry for each call then, so a count is given again until the time of [`COUNTING_SHARE`] counts
//! has passed.
//!
//! Anybody may ask, so the numbers of [`show`] are those of the workspace that the installation began with. The calls of
//! the other workspaces are not counted in them, not even in a sum.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use domain::moment::Moment;
use platform::telemetry;
use queue_topology::broker;
use serde::Serialize;
use store::Stats;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::{Access, Authorized, Guarded, INSTALLATION, Problem, ReadInstallation};

use crate::kept::Kept;
use crate::request::Answer;
use crate::state::Api;
use crate::view::SLACK_POST;

const CHECK_TIMEOUT: Duration = Duration::from_millis(1500);
const MAX_AGE: Duration = Duration::from_millis(500);
/// The calls are counted for at most one part in so many of the time.
const COUNTING_SHARE: u32 = 20;

/// The routes `/health`, `/ready` and `/metrics`, each with its part of the document. Every process serves them.
pub(crate) fn routes() -> OpenApiRouter<Monitor> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(ready)).routes(routes!(metrics))
}

/// Looks at how the process is, and remembers it for a moment.
#[derive(Clone)]
pub(crate) struct Monitor {
    api: Api,
    checked: Arc<Kept<Checked>>,
    counted: Arc<Kept<Option<Stats>>>,
}

impl Guarded for Monitor {
    fn access(&self) -> &Access {
        self.api.access()
    }
}

/// The result of a check.
#[derive(Clone, Copy)]
struct Checked {
    database: bool,
    blobs: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthView {
    /// `healthy`, or `degraded` when the database, the broker or the blobs do not work.
    pub(crate) status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Moment,
    /// The version of this program.
    pub(crate) version: &'static str,
    /// What this process runs: `ingest`, `api`, `keeper` or the name of a stage.
    pub(crate) roles: Vec<&'static str>,
    /// `embedded` where everything is in this process and its data folder, else `servers`.
    pub(crate) deployment: &'static str,
    /// `connected` or `unreachable`.
    pub(crate) database: &'static str,
    /// `connected`, `blocked` (the broker is short of memory or disk space) or `disconnected`.
    pub(crate) broker: &'static str,
    /// `connected` or `unreachable`.
    pub(crate) blobs: &'static str,
    stats: StatsView,
    /// Each service by its name: `enabled`, or `disabled` when nothing is configured for it.
    pub(crate) services: BTreeMap<&'static str, &'static str>,
}

/// Counts of the calls of one workspace. They are null when the database did not answer. In `/health`, which needs no
/// key, it is the workspace `default`.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = Stats)]
pub(crate) struct StatsView {
    /// All calls, whatever their status.
    total_processed: Option<i64>,
    /// Calls whose Slack message is confirmed.
    successfully_posted: Option<i64>,
    failed: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Ready)]
pub(crate) struct ReadyView {
    status: &'static str,
}

impl From<Stats> for StatsView {
    fn from(stats: Stats) -> Self {
        Self {
            total_processed: Some(stats.total),
            successfully_posted: Some(stats.delivered),
            failed: Some(stats.failed),
        }
    }
}

impl Monitor {
    pub(crate) fn new(api: Api) -> Self {
        Self { api, checked: Arc::default(), counted: Arc::default() }
    }

    /// What `/health` says; `/` says no more.
    pub(crate) async fn health(&self) -> HealthView {
        let (checked, stats) = tokio::join!(self.check(), self.count());
        let connection = |works| if works { "connected" } else { "unreachable" };
        let service = |is_on| if is_on { "enabled" } else { "disabled" };
        HealthView {
            status: if self.is_healthy(checked) { "healthy" } else { "degraded" },
            timestamp: Moment::now(),
            version: env!("CARGO_PKG_VERSION"),
            roles: self.api.roles.clone(),
            deployment: if self.api.store.is_embedded() { "embedded" } else { "servers" },
            database: connection(checked.database),
            broker: broker_state(self.api.broker.state()),
            blobs: connection(checked.blobs),
            stats: stats.map(StatsView::from).unwrap_or_default(),
            services: self.api.services.iter().map(|(name, is_on)| (*name, service(*is_on))).collect(),
        }
    }

    async fn check(&self) -> Checked {
        let Api { store, blobs, .. } = &self.api;
        self.checked
            .or_find(async || {
                let (database, blobs) = tokio::join!(
                    timeout(CHECK_TIMEOUT, store.ping()),
                    timeout(CHECK_TIMEOUT, blobs.healthy())
                );
                (
                    Checked { database: matches!(database, Ok(Ok(()))), blobs: matches!(blobs, Ok(true)) },
                    MAX_AGE,
                )
            })
            .await
    }

    /// Absent when the database did not count the calls in time.
    async fn count(&self) -> Option<Stats> {
        self.counted
            .or_find(async || {
                let began = Instant::now();
                let counted = timeout(CHECK_TIMEOUT, self.api.store.stats(INSTALLATION, SLACK_POST)).await;
                (counted.ok().and_then(Result::ok), age_of_count(began.elapsed()))
            })
            .await
    }

    fn is_healthy(&self, checked: Checked) -> bool {
        self.broken(checked).is_empty()
    }

    /// The parts that do not work.
    fn broken(&self, checked: Checked) -> Vec<&'static str> {
        let parts =
            [("database", checked.database), ("broker", self.api.broker.healthy()), ("blobs", checked.blobs)];
        parts.into_iter().filter(|(_, works)| !works).map(|(name, _)| name).collect()
    }
}

pub(crate) fn broker_state(state: broker::State) -> &'static str {
    match state {
        broker::State::Up => "connected",
        broker::State::Blocked => "blocked",
        broker::State::Disconnected => "disconnected",
    }
}

/// The health of the process.
///
/// The HTTP status is always 200. The field `status` says how the process is.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "health", security(()), responses((status = 200, body = HealthView)))]
async fn show(State(monitor): State<Monitor>) -> Json<HealthView> {
    Json(monitor.health().await)
}

/// For how long a count is given again that took so long.
fn age_of_count(took: Duration) -> Duration {
    (took * COUNTING_SHARE).max(MAX_AGE)
}

/// Whether the process is ready for requests.
///
/// The answer has status 503 when the process is degraded, and from the moment when it is asked to stop.
#[utoipa::path(get, path = "/ready", operation_id = "ready", tag = "health", security(()), responses((status = 200, body = ReadyView),
    (status = 503, description = "The process is not ready", body = Problem, content_type = "application/problem+json")))]
async fn ready(State(monitor): State<Monitor>) -> Answer<Json<ReadyView>> {
    let not_ready = |why: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why);
    if monitor.api.stopping.is_cancelled() {
        return Err(not_ready("the process is stopping").into());
    }
    let checked = monitor.check().await;
    if monitor.is_healthy(checked) {
        Ok(Json(ReadyView { status: "ready" }))
    } else {
        let broken = monitor.broken(checked).join(", ");
        Err(not_ready(&format!("these parts do not work: {broken}; see /health")).into())
    }
}

/// All metrics of this process.
///
/// They count over all workspaces, so this takes a key of the workspace `default`.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "health",
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain; version=0.0.4")))]
async fn metrics(_: Authorized<ReadInstallation>) -> Answer<impl IntoResponse> {
    gathered()
}

/// The same routes for a listener of its own, where `/metrics` needs no key. Whoever may reach the listener may ask.
pub(crate) fn routes_without_a_key() -> Router<Monitor> {
    Router::new()
        .route("/health", get(show))
        .route("/ready", get(ready))
        .route("/metrics", get(async || gathered()))
}

fn gathered() -> Answer<impl IntoResponse> {
    let text = telemetry::metrics_text().map_err(|error| {
        tracing::error!(%error, "failed to gather metrics");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be gathered")
    })?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_are_counted_for_at_most_a_twentieth_of_the_time() {
        assert_eq!(age_of_count(Duration::from_millis(3)), MAX_AGE);
        assert_eq!(age_of_count(Duration::from_secs(1)), Duration::from_secs(20));
    }
}
