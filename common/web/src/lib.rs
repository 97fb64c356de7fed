//! What all our HTTP listeners share: the bodies of errors, the reading of JSON bodies, who asks and what they may do,
//! and the check that protects a process without a key.

mod access;
mod authorized;
mod body;
mod credentials;
mod directory;
pub mod key;
mod lenient;
pub mod openapi;
mod problem;
mod request;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::Router;

pub use access::{Access, Door, INSTALLATION, Settings};
pub use authorized::{Authorized, BringIn, BringInUnsigned, Guarded, Needs, Operate, Read, ReadInstallation};
pub use body::{check_length, idempotency_key, json, media_type, parse, raw};
pub use directory::KeyDirectory;
pub use problem::{FieldProblem, Problem};

/// Adds to a listener's routes what all of them need: a span for each request, and problem details for unknown paths,
/// unknown methods and panics. While there is no key, a request is refused unless it addresses this machine by a loopback
/// name. Call this last, on the routes of all roles together.
pub fn finish(router: Router, access: &Arc<Access>) -> Router {
    let router = router
        .fallback(|uri: Uri| async move {
            Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not take this method; the Allow header names those that it takes",
            )
        });
    router.layer(from_fn_with_state(Arc::clone(access), handle))
}

/// Does everything that [`finish`] adds. It is a single layer, because axum copies what is inside a layer for every
/// request.
async fn handle(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let answer = async |request: Request| {
        let remote = if access.is_open() { remote_header(request.headers(), request.uri()) } else { None };
        match remote {
            Some(name) => refusal(name),
            None => next.run(request).await,
        }
    };
    request::answer_in_span(request, answer).await
}

/// A web page in a browser on this machine can send requests to it, and by DNS rebinding it could read the answers.
/// But the browser always sends the true `Host` and the true `Origin`, so these headers show such a request.
fn refusal(name: &str) -> Response {
    let detail = format!(
        "no key is set, so only this machine may send requests, but the header {name} names another machine; \
         set DEBRIEF_API_KEY"
    );
    Problem::new(StatusCode::FORBIDDEN, detail).into_response()
}

/// The header that names another machine than this one, if there is one.
fn remote_header(headers: &HeaderMap, uri: &Uri) -> Option<&'static str> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = uri.authority().map(Authority::as_str).or(text(HOST));
    if host.is_some_and(|host| !host.parse::<Authority>().is_ok_and(|host| is_loopback(host.host()))) {
        return Some("Host");
    }
    let local = |origin: &str| {
        let url = url::Url::parse(origin).ok()?;
        url.host_str().map(is_loopback)
    };
    text(ORIGIN).is_some_and(|origin| !local(origin).unwrap_or(false)).then_some("Origin")
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use domain::principal::{Principal, Scopes};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_handler_is_answered_with_status_500() {
        async fn broken() -> StatusCode {
            panic!("broken on purpose")
        }
        let router = Router::new().route("/broken", axum::routing::get(broken));
        let request = Request::get("/broken").body(Body::empty()).unwrap();
        let everybody =
            Principal { workspace: INSTALLATION, actor: "no key".into(), scopes: Scopes::default() };
        let access = Arc::new(Access::of(everybody));
        let response = finish(router, &access).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }

    fn refused(host: &str, origin: Option<&str>) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        remote_header(&headers, &Uri::from_static("/health"))
    }

    #[test]
    fn without_a_key_a_request_must_address_this_machine_by_a_loopback_name() {
        for host in ["localhost", "localhost:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000"] {
            assert_eq!(refused(host, None), None, "{host}");
        }
        for host in
            ["evil.example.com", "evil.example.com:8000", "192.168.1.5:8000", "localhost.evil.com", ""]
        {
            assert_eq!(refused(host, None), Some("Host"), "{host}");
        }
    }

    #[test]
    fn without_a_key_a_web_page_of_another_machine_is_refused_because_of_its_origin() {
        assert_eq!(refused("localhost:8000", Some("http://localhost:3000")), None);
        for origin in ["https://evil.example.com", "null", "file://"] {
            assert_eq!(refused("localhost:8000", Some(origin)), Some("Origin"), "{origin}");
        }
    }
}
