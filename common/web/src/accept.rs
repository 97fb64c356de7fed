//! What an `Accept` header asks for.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// The header, which may be sent in several lines, as one text; empty where it is not sent.
pub fn accepted(headers: &HeaderMap) -> String {
    let lines: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    lines.join(",")
}

/// The media ranges of the header with their weights, in its order. What is not wanted at all (`q=0`) is left out.
pub fn media_ranges(accept: &str) -> impl Iterator<Item = (&str, f32)> {
    accept.split(',').filter_map(|part| {
        let (range, parameters) = part.split_once(';').unwrap_or((part, ""));
        let weight = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
        let weight = weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0));
        (weight > 0.0).then_some((range.trim(), weight))
    })
}

/// Whether the sender would rather have HTML than JSON, as a browser would.
pub fn prefers_html(accept: &str) -> bool {
    let weight = |names: &[&str]| {
        let named = |range: &str| names.iter().any(|name| range.eq_ignore_ascii_case(name));
        media_ranges(accept).filter(|(range, _)| named(range)).map(|(_, weight)| weight).fold(0.0, f32::max)
    };
    let html = weight(&["text/html", "application/xhtml+xml"]);
    html > 0.0 && html >= weight(&["application/json"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_prefers_html_and_a_program_does_not() {
        for accept in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html",
            "TEXT/HTML;q=0.5, */*",
            "application/json;q=0.5, text/html;q=0.9",
        ] {
            assert!(prefers_html(accept), "{accept}");
        }
        for accept in ["", "*/*", "application/json", "application/json, text/html;q=0.5", "text/html;q=0"] {
            assert!(!prefers_html(accept), "{accept}");
        }
    }
}
