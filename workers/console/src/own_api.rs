//! The routes of live calls and of practice, asked from inside the process.
//!
//! A page asks the same routes as a program does. So both have the same rules, and a page needs no second copy of them. The
//! process wires the routes in, because a worker knows no other worker.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use domain::principal::Principal;
use hyper::upgrade::OnUpgrade;
use serde_json::Value;
use tower::ServiceExt as _;
use url::form_urlencoded::byte_serialize;
use web::{FieldProblem, OnBehalfOf, Problem};

pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// The routes that the pages ask. They need no key here, because each request says in whose name it is sent.
#[derive(Clone)]
pub struct OwnApi(Router);

impl OwnApi {
    pub fn new(routes: Router) -> Self {
        Self(routes)
    }

    /// Sends a request in the name of a visitor who was let in and whose form was checked.
    pub(crate) async fn send(&self, who: &Principal, mut request: Request) -> Response {
        request.extensions_mut().insert(OnBehalfOf(who.clone()));
        self.0.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    /// Sends JSON. `once` names the request, so that a form that is sent twice is one request.
    pub(crate) async fn post(
        &self,
        who: &Principal,
        path: &str,
        (body, once): (&Value, Option<&str>),
    ) -> Result<Value, Problem> {
        read(self.send(who, posted(path, body, once)?).await).await
    }

    /// Deletes what stands at `path`.
    pub(crate) async fn delete(&self, who: &Principal, path: &str) -> Result<Value, Problem> {
        let request = Request::delete(path).body(Body::empty()).map_err(|_| unusable())?;
        read(self.send(who, request).await).await
    }

    /// Opens the WebSocket at `path` over the connection of a visitor who was let in. The caller has checked that a page of
    /// ours asks for it.
    pub(crate) async fn open_socket(
        &self,
        who: &Principal,
        path: &str,
        mut asked: Request,
    ) -> Result<Response, Problem> {
        let mut request = Request::get(path).body(Body::empty()).map_err(|_| unusable())?;
        *request.headers_mut() = std::mem::take(asked.headers_mut());
        *request.version_mut() = asked.version();
        // The connection alone is passed on of what the outer request carries. The parts of its path would be taken for those of
        // `path`.
        if let Some(connection) = asked.extensions_mut().remove::<OnUpgrade>() {
            request.extensions_mut().insert(connection);
        }
        Ok(self.send(who, request).await)
    }
}

/// The request that posts JSON.
pub(crate) fn posted(path: &str, body: &Value, once: Option<&str>) -> Result<Request, Problem> {
    let mut request = Request::post(path).header(CONTENT_TYPE, "application/json");
    if let Some(once) = once.filter(|once| !once.is_empty()) {
        request = request.header(IDEMPOTENCY_KEY, key(once)?);
    }
    request.body(Body::from(body.to_string())).map_err(|_| unusable())
}

/// The name of a request, as the header has it.
pub(crate) fn key(once: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(once).map_err(|_| unusable())
}

fn unusable() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the form was not made by one of our pages")
}

/// The body of an answer, or the problem that it tells.
pub(crate) async fn read(response: Response) -> Result<Value, Problem> {
    let status = response.status();
    let broken =
        || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this is an error in Debrief; its log says more");
    let body = to_bytes(response.into_body(), MAX_ANSWER_BYTES).await.map_err(|_| broken())?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(body);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut problem = Problem::new(status, text(&body["detail"]));
    problem.errors = body["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|error| FieldProblem { pointer: text(&error["pointer"]), detail: text(&error["detail"]) })
        .collect();
    Err(problem)
}

/// What is wrong, in a sentence for whoever sent the form.
pub(crate) fn said(problem: &Problem) -> String {
    let named = |error: &FieldProblem| {
        let name = error.pointer.trim_start_matches('/').replace('_', " ");
        if name.is_empty() { error.detail.clone() } else { format!("{name}: {}", error.detail) }
    };
    let errors: Vec<_> = problem.errors.iter().map(named).collect();
    if errors.is_empty() { problem.detail.clone() } else { errors.join("; ") }
}

/// A text as one part of a path.
pub(crate) fn segment(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_one_part_of_a_path() {
        assert_eq!(segment("a b/c?d+é%"), "a%20b%2Fc%3Fd%2B%C3%A9%25");
    }

    #[test]
    fn a_problem_names_the_fields_that_cannot_be_used() {
        let problem = Problem::field("/meeting_goal", "is missing or empty");
        assert_eq!(said(&problem), "meeting goal: is missing or empty");
        assert_eq!(said(&Problem::new(StatusCode::CONFLICT, "it is over")), "it is over");
    }
}
