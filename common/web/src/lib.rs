//! What all our HTTP listeners share: the bodies of errors, the reading of JSON bodies, who asks and what they may do,
//! and the check that protects a process without a key.

pub mod accept;
mod access;
pub mod accounts;
mod authorized;
mod body;
mod credentials;
mod directory;
pub mod files;
pub mod key;
mod lenient;
mod loopback;
pub mod openapi;
mod params;
mod passwords;
mod peer;
mod problem;
pub mod recording;
mod request;
pub mod session;
mod wrong_keys;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::Router;

use loopback::remote_header;

pub use access::{Access, Admitted, Door, INSTALLATION, OnBehalfOf, Settings};
pub use accounts::{AccountError, Accounts};
pub use authorized::{
    Administer, Authorized, BringIn, BringInUnsigned, Guarded, Needs, Operate, Practise, Read,
    ReadInstallation, ReadOwn,
};
pub use body::{
    TooSlow, broke_off, check_length, idempotency_key, json, key_of_another_request, media_type, parse, raw,
};
pub use directory::KeyDirectory;
pub use params::Params;
pub use peer::Peer;
pub use problem::{FieldProblem, Problem};

/// Adds to a listener's routes what all of them need: a span for each request, and problem details for unknown paths,
/// unknown methods and panics. A body with a content coding is refused. While there is no key, a request is refused unless it addresses this machine by a loopback
/// name. Call this last, on the routes of all roles together.
pub fn finish(router: Router, access: &Arc<Access>) -> Router {
    with_fallbacks(router).layer(from_fn_with_state(Arc::clone(access), handle))
}

/// Adds the same to routes that everybody may ask who reaches the listener. A request may address any host.
pub fn finish_open(router: Router) -> Router {
    with_fallbacks(router).layer(from_fn(async |request: Request, next: Next| {
        request::answer_in_span(request, async |request: Request| next.run(request).await).await
    }))
}

fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(|uri: Uri| async move {
            Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not take this method; the Allow header names those that it takes",
            )
        })
}

/// Does everything that [`finish`] adds. It is a single layer, because axum copies what is inside a layer for every
/// request.
async fn handle(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let answer = async |request: Request| {
        if request.headers().get_all(HOST).iter().nth(1).is_some() {
            let detail = "a request names one host, and this one has several Host headers";
            return Problem::new(StatusCode::BAD_REQUEST, detail).into_response();
        }
        if access.is_open()
            && let Some(name) = remote_header(request.headers(), request.uri())
        {
            return refusal(name);
        }
        if let Some(refusal) = body::refused_encoding(&request) {
            return refusal;
        }
        next.run(request).await
    };
    request::answer_in_span(request, answer).await
}

fn refusal(name: &str) -> Response {
    let detail = format!(
        "no key is set, so only this machine may send requests, but the header {name} names another machine; \
         set DEBRIEF_API_KEY"
    );
    Problem::new(StatusCode::FORBIDDEN, detail).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use domain::principal::{Principal, Scopes, Sees};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_handler_is_answered_with_status_500() {
        async fn broken() -> StatusCode {
            panic!("broken on purpose")
        }
        let router = Router::new().route("/broken", axum::routing::get(broken));
        let request = Request::get("/broken").body(Body::empty()).unwrap();
        let everybody = Principal {
            workspace: INSTALLATION,
            actor: "no key".into(),
            scopes: Scopes::default(),
            sees: Sees::All,
        };
        let access = Arc::new(Access::of(everybody));
        let response = finish(router, &access).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
