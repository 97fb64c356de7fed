//! `POST /language`: keeps the language that the visitor chose.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use axum::routing::post;

use crate::frame::go_to;
use crate::texts::{COOKIE, Language};
use crate::visitor::Guest;
use crate::{Answer, Console, Posted};

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/language", post(choose))
}

/// Keeps the language that the visitor chose.
async fn choose(guest: Guest, Posted(fields): Posted) -> Answer {
    let language = Language::from_tag(fields.text("language")).unwrap_or(guest.language);
    let mut response: Response = go_to(local_path(fields.text("back")));
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax", language.tag());
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The path, if it leads to a page of ours, else the first page. A browser reads `//host` and `/\host` as another
/// site's address.
pub(crate) fn local_path(path: &str) -> &str {
    let is_ours = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(|c: char| c == '\\' || c.is_control());
    if is_ours { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_sends_the_browser_to_no_other_site() {
        assert_eq!(local_path("/calls?status=failed"), "/calls?status=failed");
        for elsewhere in
            ["//evil.example.com", "/\\evil.example.com", "https://evil.example.com", "", "calls", "/a\r\nb"]
        {
            assert_eq!(local_path(elsewhere), "/", "{elsewhere}");
        }
    }
}
