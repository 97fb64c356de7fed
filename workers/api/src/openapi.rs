//! The OpenAPI document of the whole system, and a page that shows it.
//!
//! Each crate that has routes describes them where they stand; here the parts become one document. Neither the
//! document nor the page holds a secret, so neither needs a key. The page is in the binary; its policy lets a
//! browser ask nobody but us.

use std::future::ready;

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use serde_json::Value;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};
use utoipa_swagger_ui::{Config, SwaggerUi};
use web::Problem;

use crate::{health, home};

const PAGE_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Debrief",
        description = "Calls and meetings come in; a transcript, an analysis, a CRM update and a Slack message come out. \
            Times are RFC 3339 in UTC. Where a body of ours says `call_id` it is our id; the source's own is `external_id`."
    ),
    components(schemas(Problem)),
    security(("key" = ["read"]))
)]
struct Document;

/// What the routes of this crate are called in the document.
#[derive(utoipa::OpenApi)]
#[openapi(tags(
    (name = "calls", description = "What became of it"),
    (name = "operations", description = "Queues, dead letters, effects, and who had what done again"),
    (name = "health", description = "The process itself; every process serves these"),
))]
pub(crate) struct Part;

/// The document of every route that there is, whichever roles this process runs: those of this crate, and
/// `others`, the parts of the other crates.
pub fn document(others: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let ours =
        [crate::routes().into_openapi(), health::routes().into_openapi(), home::routes().into_openapi()];
    let mut document = others.into_iter().chain(ours).fold(Document::openapi(), OpenApi::merge_from);
    Keys.modify(&mut document);
    Responses.modify(&mut document);
    document
}

/// How a key is shown.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = |scheme, description| {
            SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(description)).build())
        };
        let components = document.components.get_or_insert_default();
        let key = "`DEBRIEF_API_KEY`, which may do everything; `DEBRIEF_WEBHOOK_KEY`, which can only bring in; or a key that was \
             made with `debrief keys create`. Each operation names the scope that it needs. A key reads and changes only what \
             belongs to its workspace; the two of the configuration belong to `default`. Where there is no key at all, the \
             process answers this machine only and needs none.";
        components.add_security_scheme("key", scheme(HttpAuthScheme::Bearer, key));
        let password = "A key that can only bring in as the password, for products that can send no header of our choice. They \
             may also put it into the address, as `?key=`.";
        components.add_security_scheme("password", scheme(HttpAuthScheme::Basic, password));
    }
}

/// Every error of every operation is a problem. A response has to have a description, where none is better
/// than its status.
struct Responses;

impl Modify for Responses {
    fn modify(&self, document: &mut OpenApi) {
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            let response = ResponseBuilder::new()
                .description("Anything else: why not")
                .content("application/problem+json", content)
                .build();
            operation.responses.responses.insert("default".to_owned(), response.into());
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    let status = StatusCode::from_bytes(status.as_bytes()).ok();
                    let reason = status.and_then(|status| status.canonical_reason());
                    reason.unwrap_or("An answer").clone_into(&mut response.description);
                }
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
        .into_iter()
        .filter_map(Option::as_mut)
}

/// `/openapi.json` and `/docs`. The text of the document is made once: it is long, and anybody may ask for it without
/// a key, as often as they like.
pub(crate) fn pages(document: &Value) -> Router {
    let text = Bytes::from(document.to_string());
    let json = get(move || ready(([(CONTENT_TYPE, "application/json")], text.clone())));
    // By default the page sends the document's address to a validator on the internet.
    let config = Config::from("/openapi.json").validator_url("none").try_it_out_enabled(true);
    let page = SwaggerUi::new("/docs").config(config);
    Router::from(page).route("/openapi.json", json).layer(from_fn(around_page))
}

async fn around_page(uri: Uri, request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        let detail = format!("there is nothing at {}", uri.path());
        return Problem::new(StatusCode::NOT_FOUND, detail).into_response();
    }
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    response
}
