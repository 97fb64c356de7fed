//! Salesforce: signing in, and the contacts of one org.
//!
//! An org refuses a record as a whole when one of its fields is unknown or too long. An error of the data API is an
//! array, and an error of signing in is an object. No answer says when an access token ends.

mod contacts;
mod describe;
mod org;
mod pattern;
mod refusal;
mod signin;
mod sobjects;
mod soql;

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::provider::{Provider, Setting, Site};
use org::Org;
use refusal::refusal;

pub static PROVIDER: Provider =
    Provider { name: "salesforce", made_once: &["contact"], routes, refusal, settings };

fn settings(address: &str) -> Vec<Setting> {
    vec![
        ("SALESFORCE_LOGIN_URL", address.to_owned()),
        ("SALESFORCE_CONSUMER_KEY", "simulated".to_owned()),
        ("SALESFORCE_CONSUMER_SECRET", "simulated".to_owned()),
    ]
}

fn routes(site: &Site<'_>) -> Router {
    let org = Arc::new(Org::new(site.base, site.control.clone(), &site.options.contact_fields));
    let data = Router::new()
        .route("/services/data/{version}/query", get(sobjects::query))
        .route("/services/data/{version}/query/", get(sobjects::query))
        .route("/services/data/{version}/sobjects", get(describe::all))
        .route("/services/data/{version}/sobjects/", get(describe::all))
        .route("/services/data/{version}/sobjects/Contact", post(sobjects::create).get(describe::basics))
        .route("/services/data/{version}/sobjects/Contact/", post(sobjects::create).get(describe::basics))
        .route("/services/data/{version}/sobjects/Contact/describe", get(describe::contact))
        .route(
            "/services/data/{version}/sobjects/Contact/{id}",
            get(sobjects::read).patch(sobjects::update).delete(sobjects::delete),
        )
        .route(
            "/services/data/{version}/sobjects/Contact/{field}/{value}",
            get(sobjects::read_by).patch(sobjects::upsert).delete(sobjects::delete_by),
        )
        .layer(from_fn_with_state(org.clone(), only_signed_in));
    Router::new()
        .route("/services/oauth2/token", post(signin::token))
        .route("/services/data", get(versions))
        .route("/_control/expire", post(expire))
        .route("/_control/fields", put(set_fields))
        .route("/_control/contacts", get(list))
        .merge(data)
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(org)
}

/// Refuses a request without the token of a session.
async fn only_signed_in(State(org): State<Arc<Org>>, request: Request, next: Next) -> Response {
    if bearer_token(request.headers()).is_none_or(|token| !org.has_session(token)) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let mut answer = next.run(request).await;
    let used = HeaderValue::from_static("api-usage=1/100000");
    answer.headers_mut().insert("sforce-limit-info", used);
    answer
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("OAuth "))
}

/// The versions of the API that are served. The list needs no token.
async fn versions() -> Json<Value> {
    let version = |number: u32| {
        let version = format!("{number}.0");
        json!({ "label": "A release", "url": format!("/services/data/v{version}"), "version": version })
    };
    Json((41..=68).map(version).collect())
}

/// Ends every session. The next request with an old token is refused with `INVALID_SESSION_ID`.
async fn expire(State(org): State<Arc<Org>>) -> StatusCode {
    org.end_sessions();
    StatusCode::NO_CONTENT
}

/// Replaces the fields that a contact has.
async fn set_fields(State(org): State<Arc<Org>>, Json(fields): Json<HashSet<String>>) -> StatusCode {
    org.set_fields(fields);
    StatusCode::NO_CONTENT
}

async fn list(State(org): State<Arc<Org>>) -> Json<Value> {
    let contacts = org.contacts();
    Json(contacts.iter().map(|contact| Value::Object(contact.clone())).collect())
}
