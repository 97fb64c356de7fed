//! How the process is: for people, for load balancers and for Prometheus.
//!
//! It never says healthy when database, broker or blobs are not well, and a provider that is off says
//! nothing about it. It answers when the database hangs: everything is asked at the same time and given up
//! after [`WITHIN`]. Whoever asks often is told what was found less than [`FRESH`] ago, since these routes
//! need no key and asking costs a count of calls and a synced write.
//!
//! Since anybody may ask, the numbers of [`show`] are those of the workspace that the installation began with: no other
//! workspace's calls are counted in them, not even in a sum.

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
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;
use web::{Access, Authorized, Guarded, INSTALLATION, Problem, ReadInstallation};

use crate::Api;
use crate::ask::Answer;

const WITHIN: Duration = Duration::from_millis(1500);
const FRESH: Duration = Duration::from_millis(500);

/// `/health`, `/ready` and `/metrics`: every process serves them.
pub fn health(api: Api) -> Router {
    Router::new()
        .route("/health", get(show))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Monitor { api, last: Arc::default() })
}

#[derive(Clone)]
struct Monitor {
    api: Api,
    last: Arc<Mutex<Option<(Instant, Found)>>>,
}

impl Guarded for Monitor {
    fn access(&self) -> &Access {
        self.api.access()
    }
}

/// What was found the last time somebody looked.
#[derive(Clone, Copy)]
struct Found {
    database: bool,
    blobs: bool,
    /// Absent where the database did not count in time.
    stats: Option<Stats>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthView {
    /// `healthy`, or `degraded` when database, broker or blobs are not well.
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Moment,
    /// `connected` or `unreachable`.
    database: &'static str,
    /// `connected`, `blocked` (short of memory or disk) or `disconnected`.
    broker: &'static str,
    /// `connected` or `unreachable`.
    blobs: &'static str,
    stats: StatsView,
    /// By name: `enabled`, or `disabled` where nothing is configured for it.
    services: BTreeMap<&'static str, &'static str>,
}

/// The calls of one workspace, counted; null where the database did not say. In `/health`, which needs no key, it is the
/// workspace `default`.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = Stats)]
pub(crate) struct StatsView {
    /// All of them, whatever became of them.
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
            successfully_posted: Some(stats.posted),
            failed: Some(stats.failed),
        }
    }
}

impl Monitor {
    async fn look(&self) -> Found {
        // Whoever comes while somebody looks waits for what that finds.
        let mut last = self.last.lock().await;
        if let Some((at, found)) = *last
            && at.elapsed() < FRESH
        {
            return found;
        }
        let Api { store, blobs, .. } = &self.api;
        let (database, stats, blobs) = tokio::join!(
            timeout(WITHIN, store.ping()),
            timeout(WITHIN, store.stats(INSTALLATION)),
            timeout(WITHIN, blobs.healthy()),
        );
        let found = Found {
            database: matches!(database, Ok(Ok(()))),
            blobs: matches!(blobs, Ok(true)),
            stats: stats.ok().and_then(Result::ok),
        };
        *last = Some((Instant::now(), found));
        found
    }

    fn is_well(&self, found: Found) -> bool {
        found.database && found.blobs && self.api.broker.healthy()
    }
}

pub(crate) fn broker_state(state: broker::State) -> &'static str {
    match state {
        broker::State::Up => "connected",
        broker::State::Blocked => "blocked",
        broker::State::Disconnected => "disconnected",
    }
}

/// How the process is.
///
/// Always 200: the status says how.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "health", security(()), responses((status = 200, body = HealthView)))]
async fn show(State(monitor): State<Monitor>) -> Json<HealthView> {
    let found = monitor.look().await;
    let reached = |well| if well { "connected" } else { "unreachable" };
    let on = |on| if on { "enabled" } else { "disabled" };
    Json(HealthView {
        status: if monitor.is_well(found) { "healthy" } else { "degraded" },
        timestamp: Moment::now(),
        database: reached(found.database),
        broker: broker_state(monitor.api.broker.state()),
        blobs: reached(found.blobs),
        stats: found.stats.map(StatsView::from).unwrap_or_default(),
        services: monitor.api.services.iter().map(|(name, is_on)| (*name, on(*is_on))).collect(),
    })
}

/// Whether requests should come here.
///
/// 503 when the process is degraded, and as soon as it is asked to stop.
#[utoipa::path(get, path = "/ready", operation_id = "ready", tag = "health", security(()), responses((status = 200, body = ReadyView),
    (status = 503, description = "Not now", body = crate::view::ProblemView, content_type = "application/problem+json")))]
async fn ready(State(monitor): State<Monitor>) -> Answer<Json<ReadyView>> {
    let not_ready = |why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why);
    if monitor.api.stopping.is_cancelled() {
        return Err(not_ready("the process is stopping").into());
    }
    let found = monitor.look().await;
    if monitor.is_well(found) {
        Ok(Json(ReadyView { status: "ready" }))
    } else {
        Err(not_ready("database, broker or blobs are not well; see /health").into())
    }
}

/// Every metric of this process.
///
/// They count over all workspaces, so this takes a key of the workspace `default`.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "health",
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain; version=0.0.4")))]
async fn metrics(_: Authorized<ReadInstallation>) -> Answer<impl IntoResponse> {
    let text = telemetry::metrics_text().map_err(|error| {
        tracing::error!(%error, "failed to gather metrics");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be gathered")
    })?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
