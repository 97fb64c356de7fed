//! Gives each request a span, and an answer even when our code panics.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::problem::Problem;

const TRACEPARENT: &str = "traceparent";

/// Answers a request within a span of its own. The span names the route, not the path or the query, because these
/// can hold a phone number or a key. A new trace begins here. The sender's trace is only linked to it, because anybody
/// can send its header.
pub(super) async fn answer_in_span(
    request: Request,
    answer: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str);
    let status = tracing::field::Empty;
    let span = tracing::info_span!("request", method = %request.method(), route, status);
    if let Some(sender) = request.headers().get(TRACEPARENT).and_then(|text| text.to_str().ok()) {
        link(&span, sender);
    }
    let answering = AssertUnwindSafe(answer(request)).catch_unwind().instrument(span.clone());
    let response = answering.await.unwrap_or_else(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this is an error in Debrief; its log says more")
            .into_response()
    });
    span.record("status", response.status().as_u16());
    response
}

fn link(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    span.add_link(context.span().span_context().clone());
}
