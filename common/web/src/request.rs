//! What goes around every request: a span, and an answer even where our code panics.

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

use super::Problem;

const TRACEPARENT: &str = "traceparent";

/// The span names the route and not the path, and never the query: they can hold a number or a key. The
/// trace begins here; one that the sender has is only linked, since anybody can send that header.
pub(super) async fn observed(request: Request, answer: impl AsyncFnOnce(Request) -> Response) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str);
    let status = tracing::field::Empty;
    let span = tracing::info_span!("request", method = %request.method(), route, status);
    if let Some(theirs) = request.headers().get(TRACEPARENT).and_then(|text| text.to_str().ok()) {
        link(&span, theirs);
    }
    let answering = AssertUnwindSafe(answer(request)).catch_unwind().instrument(span.clone());
    let response = answering.await.unwrap_or_else(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this is a mistake of ours; the log says more")
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
