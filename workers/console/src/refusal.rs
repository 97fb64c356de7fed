//! Why a page cannot be shown, as a page.

use std::fmt::Display;

use askama::Template;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use store::StoreError;
use web::Problem;

use crate::frame::Frame;

/// A problem, and the frame of the page that tells it.
pub(crate) struct Refusal(Box<(Frame, Problem)>);

#[derive(Template)]
#[template(path = "refusal.html")]
struct Page<'a> {
    frame: &'a Frame,
    problem: &'a Problem,
}

impl Refusal {
    pub(crate) fn new(frame: Frame, problem: Problem) -> Self {
        Self(Box::new((frame, problem)))
    }

    pub(crate) fn of_head(head: &Parts, problem: Problem) -> Self {
        Self::new(Frame::without_visitor(head), problem)
    }

    pub(crate) fn of_store(frame: &Frame, error: &StoreError) -> Self {
        tracing::warn!(%error, "failed to read the store for a page");
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, frame.texts().store_unavailable);
        Self::new(frame.clone(), problem)
    }

    /// A fault of our own program.
    pub(crate) fn failed(frame: &Frame, error: &dyn Display) -> Self {
        tracing::error!(%error, "failed to write a page");
        let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, frame.texts().page_failed);
        Self::new(frame.clone(), problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (frame, problem) = *self.0;
        let title = frame.texts().refusal_title(problem.status);
        let page = frame.page(problem.status, None, title, &Page { frame: &frame, problem: &problem });
        page.unwrap_or_else(|_| problem.into_response())
    }
}
