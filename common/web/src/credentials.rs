//! Reads a key from the places of a request where it can stand.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use base64::Engine as _;

/// Reads the bearer token.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    authorization(headers, "bearer")
}

/// Reads the password of basic auth. The user's name is ignored.
pub(crate) fn password(headers: &HeaderMap) -> Option<String> {
    basic(headers).map(|(_, password)| password)
}

/// Reads the name and the password of basic auth.
pub(crate) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let basic = authorization(headers, "basic")?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(basic).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned()))
}

/// Reads the parameter `?key=` of the address.
pub(crate) fn query_key(uri: &Uri) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.into_iter().find(|(name, _)| name == "key").map(|(_, key)| key.into_owned())
}

/// Returns the text after the scheme in `Authorization`.
fn authorization(headers: &HeaderMap, scheme: &str) -> Option<String> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (found, token) = text.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| token.trim().to_owned())
}
