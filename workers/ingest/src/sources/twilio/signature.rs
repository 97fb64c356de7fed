//! Checks the signature of a request from Twilio.
//!
//! Twilio signs the address that it was told to call, and behind it each name and value of the form, in the order of the
//! names. For another body it signs the address only, and the address holds the hash of the body. Sometimes it adds the
//! default port to the address, and sometimes it does not.
//! <https://www.twilio.com/docs/usage/webhooks/webhooks-security>

use std::collections::{BTreeMap, BTreeSet};

use axum::http::header::HOST;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use platform::http::join;
use platform::seal::same_secret;
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

const BODY_HASH: &str = "bodySHA256";

/// Whether this is the signature of a request with this head and body. `public` is our own address, where it is
/// configured: behind a proxy, the request itself does not say which address Twilio called.
pub(super) fn is_right(
    token: &SecretString,
    public: Option<&Url>,
    head: &Parts,
    body: &[u8],
    signature: &str,
) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.expose_secret().as_bytes());
    let form = match body_hash(head) {
        // The form is not signed then, so it must have the hash that is.
        Some(hash) => {
            if !same_secret(&hash.to_ascii_lowercase(), &hex::encode(Sha256::digest(body))) {
                return false;
            }
            String::new()
        }
        None if web::media_type(&head.headers) == "application/x-www-form-urlencoded" => signed_form(body),
        None if body.is_empty() => String::new(),
        // Nothing would prove such a body.
        None => return false,
    };
    addresses(public, head).into_iter().any(|address| {
        // `verify` takes the same time wherever the signatures differ.
        hmac::verify(&key, format!("{address}{form}").as_bytes(), &signature).is_ok()
    })
}

fn body_hash(head: &Parts) -> Option<String> {
    let query = head.uri.query()?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == BODY_HASH).map(|(_, hash)| hash.into_owned())
}

/// The names and values of a form as they are signed. A value that comes twice under one name is signed once.
fn signed_form(body: &[u8]) -> String {
    let mut form: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        form.entry(name.into_owned()).or_default().insert(value.into_owned());
    }
    let pairs = form.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    pairs.flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect()
}

/// The addresses that Twilio may have called and signed.
fn addresses(public: Option<&Url>, head: &Parts) -> Vec<String> {
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    if let Some(public) = public {
        return with_and_without_port(&join(public, path));
    }
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| head.uri.authority().map(axum::http::uri::Authority::as_str));
    let Some(host) = host else { return Vec::new() };
    // Nobody tells us whether a proxy took the request over https. Whoever does not know the token can sign neither.
    ["https", "http"]
        .iter()
        .flat_map(|scheme| with_and_without_port(&format!("{scheme}://{host}{path}")))
        .collect()
}

/// The address as it is, without its port, and with the default port of its scheme.
fn with_and_without_port(address: &str) -> Vec<String> {
    let Some((scheme, rest)) = address.split_once("://") else { return Vec::new() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let end_of_name = authority.rfind(']').map_or_else(|| authority.find(':'), |bracket| Some(bracket + 1));
    let name = &authority[..end_of_name.unwrap_or(authority.len())];
    let port = if scheme == "https" { 443 } else { 80 };
    let mut all = vec![address.to_owned(), format!("{scheme}://{name}{path}")];
    if name.len() == authority.len() || authority[name.len()..] == format!(":{port}") {
        all.push(format!("{scheme}://{name}:{port}{path}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::Value;

    use super::*;

    /// The vectors that Twilio publishes with its own client.
    const VECTORS: &str = include_str!("../../../tests/samples/twilio_signatures.json");

    fn vectors() -> Vec<Value> {
        serde_json::from_str(VECTORS).unwrap()
    }

    fn text(value: &Value) -> &str {
        value.as_str().unwrap_or_default()
    }

    /// The body of a vector and its media type.
    fn body(all: &[Value], vector: &Value) -> (String, &'static str) {
        let form = "application/x-www-form-urlencoded";
        let mut written = form_urlencoded::Serializer::new(String::new());
        if let Some(same) = vector["same_form_as"].as_u64() {
            return body(all, &all[usize::try_from(same).unwrap()]);
        }
        match vector {
            _ if vector["form"].is_object() => {
                let pairs = vector["form"].as_object().unwrap();
                written.extend_pairs(pairs.iter().map(|(name, value)| (name, text(value))));
                (written.finish(), form)
            }
            _ if vector["form_pairs"].is_array() => {
                let pairs = vector["form_pairs"].as_array().unwrap();
                written.extend_pairs(pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]))));
                (written.finish(), form)
            }
            _ => (text(&vector["body"]).to_owned(), "application/json"),
        }
    }

    fn head(url: &Url, media_type: &str, host: &str) -> Parts {
        let path = &url[url::Position::BeforePath..];
        let request = Request::post(path).header("host", host).header("content-type", media_type);
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn every_published_signature_is_right_by_the_public_address_and_by_the_host() {
        let all = vectors();
        assert_eq!(all.len(), 5);
        for vector in &all {
            let url = if vector["url"].is_string() { &vector["url"] } else { &vector["url_received"] };
            let url = Url::parse(text(url)).unwrap();
            let (body, media_type) = body(&all, vector);
            let (token, signature) =
                (text(&vector["auth_token"]).into(), text(&vector["x_twilio_signature"]));
            let public = Url::parse(&url[..url::Position::BeforePath]).unwrap();
            let behind_a_proxy = head(&url, media_type, "10.0.0.7:8000");
            let direct = head(&url, media_type, url.host_str().unwrap());
            let is_right = |public: Option<&Url>, head: &Parts, body: &str, signature: &str| {
                is_right(&token, public, head, body.as_bytes(), signature)
            };
            assert!(is_right(Some(&public), &behind_a_proxy, &body, signature), "{vector}");
            assert!(is_right(None, &direct, &body, signature), "{vector}");
            assert!(!is_right(None, &behind_a_proxy, &body, signature), "{vector}");
            for forged in ["", "AAAA", "RSOYDt4T1cUTdK1PDd93/VVr8B9="] {
                assert!(!is_right(None, &direct, &body, forged), "{vector}");
            }
            let changed = format!("{body}&x=1");
            assert!(!is_right(None, &direct, &changed, signature), "{vector}");
        }
    }

    #[test]
    fn a_body_that_is_no_form_needs_its_hash_in_the_address() {
        let url = Url::parse("https://mycompany.com/myapp.php?foo=1&bar=2").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345");
        let signature = STANDARD.encode(hmac::sign(&key, url.as_str().as_bytes()));
        let head = head(&url, "application/json", "mycompany.com");
        assert!(!is_right(&"12345".into(), None, &head, b"{}", &signature));
        assert!(is_right(&"12345".into(), None, &head, b"", &signature));
    }

    #[test]
    fn an_address_of_ours_with_a_path_of_its_own_stands_before_the_path() {
        let public = Url::parse("https://example.com/base/").unwrap();
        let url = Url::parse("http://x/webhooks/twilio/recording?a=1").unwrap();
        let all = addresses(Some(&public), &head(&url, "", "10.0.0.7"));
        assert_eq!(
            all,
            [
                "https://example.com/base/webhooks/twilio/recording?a=1",
                "https://example.com/base/webhooks/twilio/recording?a=1",
                "https://example.com:443/base/webhooks/twilio/recording?a=1",
            ]
        );
        let other = with_and_without_port("https://[::1]:8443/a");
        assert_eq!(other, ["https://[::1]:8443/a", "https://[::1]/a"]);
    }
}
