//! `GET /`: what runs here, what is on and off, and where to look.
//!
//! Whoever has just started a process opens its address in a browser. A browser gets a page, a program JSON. Neither
//! needs a key, so neither says more than `/health` does. The page is one answer: nothing of it comes from
//! elsewhere, it runs no script, and a browser is told so.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::health::{HealthView, Monitor};
use web::accept::{accepted, prefers_html};

const SERVICE: &str = "debrief";
const DOCUMENTATION: &str = "/docs";

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6472;--line:#d9dee6;--back:#fff;--box:#f4f6f9;--on:#0b7a3e;--link:#0b57c2}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa4b2;--line:#323a46;--back:#14181e;--box:#1c222a;--on:#5fd38d;--link:#7db4ff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:46rem;background:var(--back);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
h1{margin:0;font-size:1.7rem}h1 small{color:var(--soft);font-size:1rem;font-weight:400}
h2{margin:2rem 0 .5rem;font-size:1.1rem}
table{width:100%;border-collapse:collapse}
th,td{padding:.35rem 1rem .35rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{width:11rem;font-weight:400;color:var(--soft)}
.on{color:var(--on);font-weight:600}.off{color:var(--soft)}
a{color:var(--link)}
pre{margin:.5rem 0;padding:.75rem 1rem;overflow-x:auto;background:var(--box);border:1px solid var(--line);border-radius:.4rem;font-size:.85rem}
p{margin:.5rem 0}
@media(max-width:30rem){th{width:8rem}}";

/// A browser may take the style of this page and nothing else, from anywhere.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

#[derive(Serialize, ToSchema)]
#[schema(as = Home)]
pub(crate) struct HomeView {
    /// `debrief`.
    service: &'static str,
    version: &'static str,
    /// `running`.
    status: &'static str,
    /// Where the documentation of the API is.
    documentation: &'static str,
}

pub(crate) fn routes() -> OpenApiRouter<Monitor> {
    OpenApiRouter::new().routes(routes!(show))
}

/// What runs here.
///
/// A page for a browser, else JSON.
#[utoipa::path(get, path = "/", operation_id = "home", tag = "health", security(()),
    responses((status = 200, content((HomeView = "application/json"), (String = "text/html")))))]
async fn show(State(monitor): State<Monitor>, headers: HeaderMap) -> Response {
    let health = monitor.health().await;
    let common = [
        (VARY, "accept"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    if !prefers_html(&accepted(&headers)) {
        let view = HomeView {
            service: SERVICE,
            version: health.version,
            status: "running",
            documentation: DOCUMENTATION,
        };
        return (common, Json(view)).into_response();
    }
    let page = page(&health, host(&headers));
    let of_page = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY.as_str())];
    (common, of_page, page).into_response()
}

/// How the reader addressed us, to stand in a command. A header that a shell would read as more than an address is
/// not shown.
fn host(headers: &HeaderMap) -> &str {
    let plain = |host: &&str| {
        let of_address = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        host.chars().all(of_address) && host.parse::<Authority>().is_ok()
    };
    headers.get(HOST).and_then(|host| host.to_str().ok()).filter(plain).unwrap_or("127.0.0.1:8000")
}

fn page(health: &HealthView, host: &str) -> String {
    let has = |role: &str| health.roles.contains(&role);
    let deployment = match health.deployment {
        "embedded" => "embedded: store and queue are in this process and its data folder",
        _ => "on servers: the processes share a database and a broker",
    };
    let facts = [
        ("Status", health.status.to_owned()),
        ("Roles here", health.roles.join(" ")),
        ("Runs", deployment.to_owned()),
        ("Database", health.database.to_owned()),
        ("Broker", health.broker.to_owned()),
        ("Recordings", health.blobs.to_owned()),
    ];
    let mut html = String::with_capacity(4096);
    let title = format!("Debrief {}", health.version);
    push(
        &mut html,
        format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Debrief <small>{}</small></h1>\n\
         <p>Debrief turns every call and meeting into a transcript, an analysis, a CRM update and a Slack \
         message.</p>\n<h2>What runs here</h2>\n<table>\n",
            Escaped(&title),
            Escaped(health.version),
        ),
    );
    for (name, value) in &facts {
        push(&mut html, format_args!("<tr><th>{name}</th><td>{}</td></tr>\n", Escaped(value)));
    }
    push(&mut html, format_args!("</table>\n<h2>What is on and off</h2>\n<table>\n"));
    for (service, state) in &health.services {
        let (class, word) = if *state == "enabled" { ("on", "on") } else { ("off", "off") };
        push(
            &mut html,
            format_args!(
                "<tr><th>{}</th><td class=\"{class}\">{word}</td></tr>\n",
                Escaped(&service.replace('_', " ")),
            ),
        );
    }
    push(
        &mut html,
        format_args!(
            "</table>\n<p>A service is on when its settings are there. <code>debrief check</code> says which settings \
         were read.</p>\n<h2>Where to look</h2>\n<table>\n"
        ),
    );
    let api = has("api");
    let places = [
        ("/docs", "every route of the API, to read and to try out", api),
        ("/health", "how this process is, as JSON", true),
        ("/metrics", "what it counts, for Prometheus", true),
        ("/api/calls/history", "the newest calls, as JSON", api),
    ];
    for (path, what, _) in places.iter().filter(|(_, _, is_here)| *is_here) {
        push(&mut html, format_args!("<tr><th><a href=\"{path}\">{path}</a></th><td>{what}</td></tr>\n"));
    }
    push(
        &mut html,
        format_args!(
            "</table>\n<p>Where a key is set, <code>/metrics</code> and the API ask for it, in the header \
         <code>Authorization: Bearer KEY</code>.</p>\n<h2>Commands to try</h2>\n\
         <p>On this machine, with the settings of this process:</p>\n<pre tabindex=\"0\">{}</pre>\n",
            Escaped(COMMANDS),
        ),
    );
    if has("ingest") {
        push(
            &mut html,
            format_args!(
                "<p>From anywhere that reaches it, to bring a call in:</p>\n<pre tabindex=\"0\">{}</pre>\n",
                Escaped(&bring_in(host)),
            ),
        );
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

const COMMANDS: &str = "\
debrief check --connect     # the configuration in words, and whether it works
debrief calls list          # the newest calls
debrief calls show ID       # one call on one page
debrief queues              # what waits where
debrief dead list           # what could not be done, and why";

fn bring_in(host: &str) -> String {
    format!(
        "curl -H 'Content-Type: application/json' \\\n  \
         -d '{{\"call_id\": \"TRY-1\", \"from_number\": \"+442079460991\", \"status\": \"completed\"}}' \\\n  \
         http://{host}/webhook/zapier"
    )
}

fn push(html: &mut String, text: std::fmt::Arguments<'_>) {
    html.write_fmt(text).unwrap_or_else(|_| unreachable!("writing to a string cannot fail"));
}

/// A text that shows as it is, between tags and in an attribute.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_as(host_name: &str) -> String {
        let headers = HeaderMap::from_iter([(HOST, host_name.parse().unwrap())]);
        host(&headers).to_owned()
    }

    #[test]
    fn a_header_that_is_no_address_is_not_shown() {
        assert_eq!(asked_as("calls.example.com:8443"), "calls.example.com:8443");
        for odd in ["<script>", "a b", "\"><b>", "", "x;reboot", "$(reboot)", "user@host"] {
            assert_eq!(asked_as(odd), "127.0.0.1:8000", "{odd}");
        }
    }

    #[test]
    fn markup_in_a_value_is_shown_and_not_obeyed() {
        assert_eq!(Escaped("<b a=\"x\" c='y'>&").to_string(), "&lt;b a=&quot;x&quot; c=&#39;y&#39;&gt;&amp;");
    }
}
