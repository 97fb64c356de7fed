//! Recognises a request that addresses this machine by a loopback name.
//!
//! While there is no key, everybody on this machine may do everything. A web page in a browser on this machine can
//! send requests, too, and by DNS rebinding it could read the answers. But the browser always sends the true `Host`
//! and the true `Origin`, so these headers show such a request. The rule is strict: a name is accepted where it is
//! written in one of the usual ways, and everything else counts as another machine.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

/// The header that names another machine than this one, if there is one.
pub(crate) fn remote_header(headers: &HeaderMap, uri: &Uri) -> Option<&'static str> {
    let all = |name| headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default());
    let mut hosts = all(HOST).chain(uri.authority().map(Authority::as_str));
    if !hosts.all(is_this_machine) {
        return Some("Host");
    }
    let mut origins = all(ORIGIN);
    (!origins.all(is_page_of_this_machine)).then_some("Origin")
}

/// Whether an origin is `http://` or `https://` and a name of this machine. A browser writes nothing else into it.
fn is_page_of_this_machine(origin: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(is_this_machine)
}

/// Whether a text is a loopback name, and perhaps a port behind a colon.
pub(crate) fn is_this_machine(authority: &str) -> bool {
    // The colons of an IPv6 address stand in brackets.
    let end_of_name = authority.rfind(']').map_or_else(|| authority.find(':'), |bracket| Some(bracket + 1));
    let (name, port) = authority.split_at(end_of_name.unwrap_or(authority.len()));
    is_loopback(name) && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_loopback(name: &str) -> bool {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback());
    }
    name.eq_ignore_ascii_case("localhost")
        || name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(hosts: &[&[u8]], uri: &str, origins: &[&str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, axum::http::HeaderValue::from_bytes(host).unwrap());
        }
        for origin in origins {
            headers.append(ORIGIN, origin.parse().unwrap());
        }
        remote_header(&headers, &uri.parse().unwrap())
    }

    #[test]
    fn without_a_key_a_request_must_address_this_machine_by_a_loopback_name() {
        for (host, accepted) in [
            ("localhost", true),
            ("localhost:8000", true),
            ("LocalHost:8000", true),
            ("127.0.0.1:8000", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("[::1]:8000", true),
            ("[0:0:0:0:0:0:0:1]:8000", true),
            ("", false),
            (":8000", false),
            ("evil.example.com", false),
            ("evil.example.com:8000", false),
            ("localhost.evil.com", false),
            ("evil.localhost", false),
            // Who sends these tries to make two readers see two names.
            ("evil.com@localhost", false),
            ("evil.com:80@localhost", false),
            ("localhost@evil.com", false),
            ("localhost:80@evil.com", false),
            ("evil.com#@localhost", false),
            ("evil.com/localhost", false),
            ("localhost/", false),
            ("localhost,evil.com", false),
            ("localhost evil.com", false),
            ("localhost\tevil.com", false),
            ("localhost%00", false),
            ("[localhost]", false),
            ("[127.0.0.1]", false),
            ("[::1", false),
            ("::1", false),
            ("[::1]evil.com", false),
            ("evil.com[::1]", false),
            ("[[::1]]", false),
            ("[::1%lo]", false),
            // A name with a dot at its end is another origin for a browser, and we need no second way to write it.
            ("localhost.", false),
            ("localhost.:8000", false),
            ("127.0.0.1.", false),
            // A port is 0 to 65535 in digits.
            ("localhost:", false),
            ("127.0.0.1:", false),
            ("[::1]:", false),
            ("localhost:80:80", false),
            ("localhost:+80", false),
            ("localhost: 80", false),
            ("localhost:99999", false),
            ("localhost:http", false),
            // These addresses reach this machine on some systems, but they are not loopback addresses.
            ("0.0.0.0", false),
            ("0.0.0.0:8000", false),
            ("[::]:8000", false),
            ("[::ffff:127.0.0.1]", false),
            ("[::127.0.0.1]", false),
            ("192.168.1.5:8000", false),
            // Some programs read these as 127.0.0.1. Ours does not need to.
            ("127.1", false),
            ("2130706433", false),
            ("0x7f000001", false),
            ("0177.0.0.1", false),
            ("127.0.0.1.nip.io", false),
        ] {
            let found = refused(&[host.as_bytes()], "/health", &[]);
            assert_eq!(found, (!accepted).then_some("Host"), "Host: {host}");
            let page = format!("http://{host}");
            let found = refused(&[b"localhost"], "/health", &[&page]);
            assert_eq!(found, (!accepted).then_some("Origin"), "Origin: {page}");
        }
        assert_eq!(refused(&[b"localhost\xff"], "/health", &[]), Some("Host"));
    }

    #[test]
    fn every_host_and_every_origin_of_a_request_must_be_this_machine() {
        for (hosts, uri, origins, wanted) in [
            (&[][..], "/health", &[][..], None),
            (&["localhost", "localhost"], "/health", &[], None),
            (&["localhost", "evil.com"], "/health", &[], Some("Host")),
            (&["evil.com", "localhost"], "/health", &[], Some("Host")),
            (&["localhost"], "http://localhost/health", &[], None),
            (&["127.0.0.1:8000"], "http://localhost:8000/health", &[], None),
            (&["localhost"], "http://evil.com/health", &[], Some("Host")),
            (&["evil.com"], "http://localhost/health", &[], Some("Host")),
            (&["localhost"], "http://evil.com@localhost/health", &[], Some("Host")),
            (&[], "http://evil.com/health", &[], Some("Host")),
            (&["localhost"], "/", &["http://localhost:3000"], None),
            (&["localhost"], "/", &["https://127.0.0.1"], None),
            (&["localhost"], "/", &["http://localhost", "https://evil.com"], Some("Origin")),
            (&["localhost"], "/", &["null"], Some("Origin")),
            (&["localhost"], "/", &["file://"], Some("Origin")),
            (&["localhost"], "/", &["file://localhost"], Some("Origin")),
            (&["localhost"], "/", &["localhost"], Some("Origin")),
            (&["localhost"], "/", &["//localhost"], Some("Origin")),
            (&["localhost"], "/", &["http://localhost/"], Some("Origin")),
            (&["localhost"], "/", &["http://evil.com http://localhost"], Some("Origin")),
            (&["localhost"], "/", &[""], Some("Origin")),
        ] {
            let bytes: Vec<&[u8]> = hosts.iter().map(|host: &&str| host.as_bytes()).collect();
            assert_eq!(refused(&bytes, uri, origins), wanted, "{hosts:?} {uri} {origins:?}");
        }
    }
}
