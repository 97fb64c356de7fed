//! The token endpoint with the grants `password`, `client_credentials` and `jwt-bearer`.
//!
//! The simulator knows no passwords, so it accepts any. It checks that the request has everything that its grant
//! needs. It checks the claims of an assertion, and not the signature. The client's id and secret stand in the form or in
//! an `Authorization: Basic` header.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use serde_json::{Value, json};

use super::org::Org;
use crate::digest::digest;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest time that an assertion may still be valid.
const MAX_ASSERTION_SECONDS: i64 = 5 * 60;

pub(super) async fn token(State(org): State<Arc<Org>>, headers: HeaderMap, body: String) -> Response {
    let mut form: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    if let Some((id, secret)) = basic_credentials(&headers) {
        form.extend([("client_id".to_owned(), id), ("client_secret".to_owned(), secret)]);
    }
    if let Err((error, description)) = check_grant(&form) {
        let body = json!({ "error": error, "error_description": description });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    let token = org.begin_session(field(&form, "client_id").unwrap_or("assertion"));
    let issued_at = Utc::now().timestamp_millis().to_string();
    Json(json!({
        "access_token": token,
        "instance_url": org.base,
        "id": format!("{}/id/00D000000000001AAA/005000000000001AAA", org.base),
        "token_type": "Bearer",
        "issued_at": issued_at,
        "signature": digest(issued_at.as_bytes()),
    }))
    .into_response()
}

/// The id and the secret of a client in the header, as RFC 6749 section 2.3.1 describes them.
fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (id.to_owned(), secret.to_owned()))
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let pair = form.iter().find(|(known, value)| known == name && !value.is_empty());
    pair.map(|(_, value)| value.as_str())
}

/// Refuses a request that lacks something, with an error of OAuth and its description.
fn check_grant(form: &[(String, String)]) -> Result<(), (&'static str, &'static str)> {
    let has = |name: &str| field(form, name).is_some();
    match field(form, "grant_type") {
        Some(JWT_BEARER) => {
            let assertion = field(form, "assertion").and_then(claims);
            check_claims(&assertion.ok_or(("invalid_grant", "invalid assertion"))?)
        }
        Some(grant @ ("password" | "client_credentials")) => {
            if !has("client_id") {
                return Err(("invalid_client_id", "client identifier invalid"));
            }
            if !has("client_secret") {
                return Err(("invalid_client", "invalid client credentials"));
            }
            if grant == "password" && !(has("username") && has("password")) {
                return Err(("invalid_grant", "authentication failure"));
            }
            Ok(())
        }
        _ => Err(("unsupported_grant_type", "grant type not supported")),
    }
}

fn claims(assertion: &str) -> Option<Value> {
    let [_, claims, signature] = assertion.split('.').collect::<Vec<_>>()[..] else { return None };
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    (!signature.is_empty()).then(|| serde_json::from_slice(&claims).ok())?
}

fn check_claims(claims: &Value) -> Result<(), (&'static str, &'static str)> {
    if ["iss", "sub", "aud"].iter().any(|name| claims[*name].as_str().is_none_or(str::is_empty)) {
        return Err(("invalid_grant", "iss, sub and aud are required"));
    }
    let left = claims["exp"].as_i64().unwrap_or_default() - Utc::now().timestamp();
    if !(0..=MAX_ASSERTION_SECONDS).contains(&left) {
        return Err(("invalid_grant", "expired authorization code"));
    }
    Ok(())
}
