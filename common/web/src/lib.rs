//! What every HTTP listener of ours shares: error bodies, who asks and what they may do, and who may speak to a process
//! that has no key.

mod access;
mod authorized;
mod body;
mod credentials;
mod directory;
pub mod key;
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
pub use body::{check_length, idempotency_key, json, media_type, parse};
pub use directory::KeyDirectory;
pub use problem::{FieldProblem, Problem};

/// Puts around a listener's routes what all of them need: a span for each request, problem details for
/// unknown paths, unknown methods and panics, and, while there is no key, a refusal of everybody who does not
/// address this machine as itself. Call it last, on the routes of all roles together.
pub fn finish(router: Router, access: &Arc<Access>) -> Router {
    let router = router
        .fallback(|uri: Uri| async move {
            Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path takes other methods; see the Allow header",
            )
        });
    router.layer(from_fn_with_state(Arc::clone(access), around))
}

/// One layer for all of it: each copies what it goes around, for every request.
async fn around(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let answer = async |request: Request| {
        let foreign = if access.is_open() { foreign(request.headers(), request.uri()) } else { None };
        match foreign {
            Some(name) => refusal(name),
            None => next.run(request).await,
        }
    };
    request::observed(request, answer).await
}

/// A web page that a browser shows can send requests to this machine, and DNS rebinding lets it read the
/// answers; it cannot lie about the `Host` it means and the `Origin` it has.
fn refusal(name: &str) -> Response {
    let detail =
        format!("no key is set, so only this machine may ask: the {name} is another; set DEBRIEF_API_KEY");
    Problem::new(StatusCode::FORBIDDEN, detail).into_response()
}

/// The header that names another machine.
fn foreign(headers: &HeaderMap, uri: &Uri) -> Option<&'static str> {
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
    async fn a_panic_of_ours_is_an_answer_too() {
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
        foreign(&headers, &Uri::from_static("/health"))
    }

    #[test]
    fn without_a_key_only_this_machine_by_its_own_name_may_ask() {
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
    fn a_page_from_elsewhere_is_refused_by_its_origin() {
        assert_eq!(refused("localhost:8000", Some("http://localhost:3000")), None);
        for origin in ["https://evil.example.com", "null", "file://"] {
            assert_eq!(refused("localhost:8000", Some(origin)), Some("Origin"), "{origin}");
        }
    }
}
