//! A form whose sender is not signed in any more. What she typed comes back, so that nothing of it is lost.

use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::csrf::MAX_FORM_BYTES;
use crate::frame::Frame;
use crate::texts::{AccountTexts, FrameTexts};
use crate::{Console, Fields, Refusal};

/// Fields that are not shown again, because they are secrets or belong to the form itself.
const HIDDEN: [&str; 4] = ["csrf", "password", "old", "key"];

#[derive(Template)]
#[template(path = "accounts/ended.html")]
struct Page {
    texts: &'static AccountTexts,
    typed: Vec<(String, String)>,
}

/// Keeps what a form holds while it is carried out, and shows it when nobody is signed in.
pub(crate) async fn keep_typed(State(console): State<Console>, request: Request, next: Next) -> Response {
    let says_form = |kind: &str| kind.starts_with("application/x-www-form-urlencoded");
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let signs_in = matches!(request.uri().path(), "/login" | "/register");
    if *request.method() != Method::POST || signs_in || !kind.is_some_and(says_form) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = match web::raw(&head.headers, body, MAX_FORM_BYTES).await {
        Ok(body) => body,
        Err(problem) => return Refusal::of_head(&head, problem).into_response(),
    };
    let frame = Frame::of(&head, &console);
    let fields = Fields::parse(&body);
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    if response.status() != StatusCode::UNAUTHORIZED {
        return response;
    }
    let typed = fields.iter().filter(|(name, value)| !HIDDEN.contains(name) && !value.is_empty());
    let typed = typed.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let content = Page { texts: AccountTexts::of(frame.language), typed };
    let title = FrameTexts::of(frame.language).sign_in_first;
    let page = frame.page(StatusCode::UNAUTHORIZED, None, title, &content);
    page.unwrap_or_else(|error| Refusal::failed(&frame, &error).into_response())
}
