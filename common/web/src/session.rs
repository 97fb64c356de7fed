//! How a browser shows its session, and how it proves that one of our own pages sent a request.
//!
//! The token of a session is a cookie that no script can read. A browser sends it with every request, also with one that
//! a page of somebody else made. So a request that changes something needs two proofs more. It holds a text that only our
//! own pages know. And it comes from our own origin, which every browser says.
//!
//! The text is a hash over a random cookie of the browser and over the token. So a form from before the sign-in, or of
//! another session, is refused.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::http::header::{COOKIE, HOST, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::loopback::is_this_machine;
use crate::peer::{Peer, network};
use crate::{Problem, credentials, key};

const TOKEN_PREFIX: &str = "session_";
const SESSION: &str = "debrief_session";
const FORM: &str = "debrief_form";
/// The name of a form's field, and in small letters of the header, that holds the text of our own pages.
pub const CSRF_FIELD: &str = "csrf";
pub const CSRF_HEADER: &str = "x-csrf-token";
const MAX_AGENT_CHARS: usize = 200;

/// Makes the token of a session.
pub(crate) fn generate() -> SecretString {
    key::generate_with(TOKEN_PREFIX)
}

pub(crate) fn is_token(text: &str) -> bool {
    key::has_form(text, TOKEN_PREFIX)
}

/// 32 random bytes, for a secret that a browser keeps for a while.
pub fn dice() -> [u8; 32] {
    rand::random()
}

/// The token that the browser sends as a cookie.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, &named(SESSION, headers)).filter(|token| is_token(token))
}

/// The header `Set-Cookie` that gives a browser its session.
pub fn set_token(headers: &HeaderMap, token: &SecretString, lifetime: Duration) -> String {
    set_cookie(headers, SESSION, token.expose_secret(), Some(lifetime), "Lax")
}

/// The header `Set-Cookie` that takes the session from a browser.
pub fn clear_token(headers: &HeaderMap) -> String {
    set_cookie(headers, SESSION, "", Some(Duration::ZERO), "Lax")
}

/// The header `Set-Cookie` for a cookie of ours. Without a lifetime it lives as long as the browser runs.
pub fn set_cookie(
    headers: &HeaderMap,
    name: &str,
    value: &str,
    lifetime: Option<Duration>,
    same_site: &str,
) -> String {
    let secure = if is_plain_loopback(headers) { "" } else { "; Secure" };
    let age = lifetime.map(|lifetime| format!("; Max-Age={}", lifetime.as_secs())).unwrap_or_default();
    let name = named(name, headers);
    format!("{name}={value}; Path=/{age}; HttpOnly; SameSite={same_site}{secure}")
}

/// The value of a cookie of ours.
pub fn our_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookie(headers, &named(name, headers))
}

/// The name of a cookie as the browser has it. With `__Host-` before it, no other host and no page without TLS can set it.
fn named(name: &str, headers: &HeaderMap) -> String {
    if is_plain_loopback(headers) { name.to_owned() } else { format!("__Host-{name}") }
}

/// Whether the browser addresses this machine by a loopback name. There a cookie need not be `Secure`, because nobody
/// else sees the traffic.
pub fn is_plain_loopback(headers: &HeaderMap) -> bool {
    headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(is_this_machine)
}

/// The name and the password of basic auth.
pub fn basic(headers: &HeaderMap) -> Option<(String, SecretString)> {
    credentials::basic(headers).map(|(name, password)| (name, password.into()))
}

/// The value of a cookie of the request.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter();
    let cookies = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
}

/// The random text of a browser, and the text in its forms.
#[derive(Clone, Debug)]
pub struct FormToken {
    secret: String,
    in_forms: String,
    is_new: bool,
}

impl FormToken {
    pub fn of(headers: &HeaderMap) -> Self {
        let known = our_cookie(headers, FORM)
            .filter(|secret| secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let is_new = known.is_none();
        let secret = known.map_or_else(|| hex::encode(rand::random::<[u8; 32]>()), ToOwned::to_owned);
        let session = token(headers).unwrap_or_default();
        let in_forms = hex::encode(Sha256::digest(format!("form:{secret}:{session}")));
        Self { secret, in_forms, is_new }
    }

    /// What stands in the forms, and what a script sends in the header `X-CSRF-Token`.
    pub fn in_forms(&self) -> &str {
        &self.in_forms
    }

    /// The header `Set-Cookie` for a browser that has none yet.
    pub fn set_cookie(&self, headers: &HeaderMap) -> Option<String> {
        self.is_new.then(|| set_cookie(headers, FORM, &self.secret, None, "Lax"))
    }
}

/// Refuses a request that our own page did not send. `given` is the text of the form or of the header.
pub fn check_form(head: &Parts, given: &str) -> Result<(), Problem> {
    check_origin(head)?;
    let token = FormToken::of(&head.headers);
    if token.is_new || !bool::from(token.in_forms.as_bytes().ct_eq(given.as_bytes())) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "the form is too old, or your browser keeps no cookies: go back, load the page again, and send the form again",
        ));
    }
    Ok(())
}

/// Refuses a request that a page of another origin made. A request that does not say where it comes from is refused too:
/// every browser says it of a request that changes something.
pub fn check_origin(head: &Parts) -> Result<(), Problem> {
    let says = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let host = says("host").or_else(|| head.uri.authority().map(axum::http::uri::Authority::as_str));
    let site = says("sec-fetch-site");
    let origin =
        says("origin").map(|origin| origin.split_once("://").is_some_and(|(_, from)| Some(from) == host));
    // Behind a proxy that changes `Host`, only the browser's own word can be right.
    let is_ours = match (site, origin) {
        (Some(site), _) => site == "same-origin" && says("origin") != Some("null"),
        (None, Some(is_ours)) => is_ours,
        (None, None) => false,
    };
    if is_ours {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "the form was sent by a page of another site"))
}

/// Where a sign-in comes from, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address, or for IPv6 the network of the site.
    pub network: String,
    pub user_agent: String,
}

impl Client {
    pub fn of(head: &Parts) -> Self {
        let says = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let peer = head.extensions.get::<Peer>().map(Peer::network);
        let forwarded = || {
            let last = says("x-forwarded-for")?.rsplit(',').next()?.trim();
            last.parse::<IpAddr>().ok().map(network)
        };
        let network = peer.map(|peer| if is_private(peer) { forwarded().unwrap_or(peer) } else { peer });
        let user_agent =
            says(USER_AGENT.as_str()).unwrap_or_default().chars().take(MAX_AGENT_CHARS).collect();
        Self { network: network.unwrap_or(Ipv4Addr::UNSPECIFIED.into()).to_string(), user_agent }
    }
}

/// Whether an address is of this machine or of a private network, where a proxy before us can be. Only from there the
/// header `X-Forwarded-For` counts, and of it only what the nearest proxy wrote.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::post("/keys");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    const PAGE: (&str, &str) = ("sec-fetch-site", "same-origin");

    #[test]
    fn away_from_this_machine_a_cookie_needs_tls_and_no_other_host_can_set_it() {
        let token = generate();
        let away = head(&[("host", "calls.example.com")]).headers;
        let set = set_token(&away, &token, Duration::from_mins(1));
        let wanted = format!(
            "__Host-debrief_session={}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure",
            token.expose_secret()
        );
        assert_eq!(set, wanted);
        let here = head(&[("host", "127.0.0.1:8000")]).headers;
        let set = set_token(&here, &token, Duration::from_mins(1));
        assert!(set.starts_with("debrief_session=") && !set.contains("Secure"), "{set}");
        let plain = format!("debrief_session={}", token.expose_secret());
        assert!(super::token(&head(&[("host", "localhost"), ("cookie", &plain)]).headers).is_some());
        assert!(super::token(&head(&[("host", "calls.example.com"), ("cookie", &plain)]).headers).is_none());
    }

    #[test]
    fn a_form_needs_the_text_of_its_own_browser_and_of_its_own_session() {
        let host = ("host", "localhost");
        let first = FormToken::of(&head(&[host]).headers);
        let form_cookie = first.set_cookie(&head(&[host]).headers).unwrap();
        let form_cookie = form_cookie.split(';').next().unwrap();
        let known = head(&[host, PAGE, ("cookie", form_cookie)]);
        let text = FormToken::of(&known.headers).in_forms().to_owned();
        assert!(check_form(&known, &text).is_ok());
        assert!(check_form(&known, "").is_err());
        assert!(check_form(&head(&[host, PAGE]), &text).is_err(), "without the cookie");
        let session = generate();
        let signed_in = format!("{form_cookie}; debrief_session={}", session.expose_secret());
        let signed_in = head(&[host, PAGE, ("cookie", &signed_in)]);
        assert!(check_form(&signed_in, &text).is_err(), "a form from before the sign-in");
        assert!(check_form(&signed_in, FormToken::of(&signed_in.headers).in_forms()).is_ok());
    }

    #[test]
    fn a_form_of_another_origin_is_refused_even_with_the_right_text() {
        let host = ("host", "calls.example.com");
        let cookie = format!("__Host-debrief_form={}", "a".repeat(64));
        for (name, value, is_ours) in [
            ("origin", "https://calls.example.com", true),
            ("origin", "https://evil.example.com", false),
            ("origin", "https://calls.example.com.evil.com", false),
            ("origin", "null", false),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "none", false),
            ("referer", "https://calls.example.com/keys", false),
        ] {
            let head = head(&[host, ("cookie", &cookie), (name, value)]);
            let text = FormToken::of(&head.headers).in_forms().to_owned();
            assert_eq!(check_form(&head, &text).is_ok(), is_ours, "{name}: {value}");
        }
    }

    #[test]
    fn only_a_proxy_of_a_private_network_says_for_whom_it_asks() {
        let from = |peer: &str, forwarded: &str| {
            let mut head = head(&[("x-forwarded-for", forwarded)]);
            head.extensions.insert(Peer::new(peer.parse().unwrap()));
            Client::of(&head).network
        };
        assert_eq!(from("10.0.0.7", "203.0.113.9, 198.51.100.4"), "198.51.100.4");
        assert_eq!(from("127.0.0.1", "unknown"), "127.0.0.1");
        assert_eq!(from("203.0.113.1", "198.51.100.4"), "203.0.113.1");
    }
}
