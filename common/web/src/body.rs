//! Reads the JSON body and the idempotency key of a request. Anybody may have sent them, so their size is limited.

use std::error::Error;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use serde_json::Value;

use crate::lenient;
use crate::problem::Problem;

const MAX_DEPTH: usize = 64;
const MAX_KEY_CHARS: usize = 255;

/// Checks the `Content-Length`. The error has status 413 when it is more than `max` bytes.
pub fn check_length(headers: &HeaderMap, max: u64) -> Result<(), Problem> {
    let length = headers.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > max) { Err(too_long(max)) } else { Ok(()) }
}

/// The error of a body whose sender was too slow. The listener decides how slow is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body came too slowly")]
pub struct TooSlow;

/// The problem of a body that did not come to its end: 408 where its sender was too slow, else 400.
pub fn broke_off(error: &(dyn Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TooSlow>() {
            return Problem::new(StatusCode::REQUEST_TIMEOUT, TooSlow.to_string());
        }
        cause = error.source();
    }
    Problem::new(StatusCode::BAD_REQUEST, "the body broke off before its end")
}

/// The answer (415) to a body with a content coding. A compressed body can become a thousand times longer when it is
/// decoded, and no sender that we know compresses what it sends.
pub(crate) fn refused_encoding(request: &Request) -> Option<Response> {
    let headers = request.headers().get_all(CONTENT_ENCODING).iter();
    let mut codings = headers.flat_map(|value| value.to_str().unwrap_or("?").split(',').map(str::trim));
    let is_plain = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case("identity");
    let coding = codings.find(|coding| !is_plain(coding))?;
    if request.body().is_end_stream() {
        return None;
    }
    let shown: String = coding.chars().take(40).collect();
    let detail = format!("a body with the content coding `{shown}` is not accepted; send it without one");
    let mut refusal = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).into_response();
    refusal.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Some(refusal)
}

/// The media type of the body, without its parameters, in lower case.
pub fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a whole body without changing a byte. The error has status 413 for a body of more than `max` bytes, 400 for a
/// body that broke off, and 408 for a body that came too slowly.
pub async fn raw(headers: &HeaderMap, body: Body, max: u64) -> Result<Bytes, Problem> {
    check_length(headers, max)?;
    let mut pieces = body.into_data_stream();
    // Most bodies arrive in one piece, which is taken as it is. Several are joined.
    let (mut first, mut joined) = (Bytes::new(), Vec::new());
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| broke_off(&error))?;
        if (first.len().max(joined.len()) + piece.len()) as u64 > max {
            return Err(too_long(max));
        }
        if first.is_empty() {
            first = piece;
        } else {
            if joined.is_empty() {
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&piece);
        }
    }
    Ok(if joined.is_empty() { first } else { joined.into() })
}

/// Reads a JSON body. The error has status 415 for another media type, 413 for a body of more than `max` bytes, 400
/// for a body that broke off, and 422 for a body that is not JSON.
pub async fn json(headers: &HeaderMap, body: Body, max: u64) -> Result<Value, Problem> {
    let media_type = media_type(headers);
    if media_type != "application/json" && !media_type.ends_with("+json") {
        let detail = format!("the body must be application/json, not `{media_type}`");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let bytes = raw(headers, body, max).await?;
    parse(&bytes).map_err(|problem| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the body is not valid JSON: {problem}"))
    })
}

/// Reads JSON that somebody else wrote, with or without a byte order mark, and JSON that is [nearly right](lenient).
/// JSON that is nested too deeply is refused:
/// inside an event it would be nested even deeper, and then our own reader could not read the event.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    let value = lenient::read(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
        .map_err(|error| error.to_string())?;
    if depth(&value) > MAX_DEPTH {
        return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
    }
    Ok(value)
}

/// How deeply lists and objects are nested. This can be recursive, because the parser refuses more than 128 levels.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The `Idempotency-Key` header. A sender that repeats a request sends the same key again.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().map(str::trim);
    let usable = |key: &&str| {
        (1..=MAX_KEY_CHARS).contains(&key.len()) && !key.contains(|c: char| c.is_ascii_control())
    };
    let unusable =
        || Problem::field("/Idempotency-Key", format!("must be 1 to {MAX_KEY_CHARS} visible characters"));
    key.filter(usable).map(|key| Some(key.to_owned())).ok_or_else(unusable)
}

/// The answer (422) to a request whose `Idempotency-Key` stands for another request.
pub fn key_of_another_request() -> Problem {
    Problem::field(
        "/Idempotency-Key",
        "was sent with another request before; use a new key for a new request",
    )
}

fn too_long(max: u64) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {max} bytes"))
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_is_taken_byte_by_byte_in_however_many_pieces_it_comes() {
        let read = async |pieces: &'static [&'static str], max| {
            let pieces =
                pieces.iter().map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece.as_bytes())));
            raw(&HeaderMap::new(), Body::from_stream(stream::iter(pieces)), max).await
        };
        for (pieces, whole) in [(&[][..], ""), (&["{\n }"], "{\n }"), (&["", "ab", "c", "", "de"], "abcde")] {
            assert_eq!(read(pieces, 5).await.unwrap(), whole);
        }
        for pieces in [&["abcdef"][..], &["abc", "def"], &["a", "bc", "def"]] {
            assert_eq!(
                read(pieces, 5).await.unwrap_err().status,
                StatusCode::PAYLOAD_TOO_LARGE,
                "{pieces:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_body_that_came_too_slowly_is_told_from_one_that_broke_off() {
        let cut = |error: Box<dyn Error + Send + Sync>| {
            let pieces = stream::iter([Ok(Bytes::from_static(b"ab")), Err(error)]);
            async { raw(&HeaderMap::new(), Body::from_stream(pieces), 9).await.unwrap_err().status }
        };
        assert_eq!(cut(Box::new(TooSlow)).await, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(cut("gone".into()).await, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_body_with_a_content_coding_is_refused_and_the_answer_names_what_is_accepted() {
        let check = |codings: &[&str], body: &'static str| {
            let mut request = Request::post("/").body(Body::from(body)).unwrap();
            for coding in codings {
                request.headers_mut().append(CONTENT_ENCODING, coding.parse().unwrap());
            }
            refused_encoding(&request)
        };
        for codings in
            [&["gzip"][..], &["GZIP"], &["br"], &["identity, deflate"], &["identity", "zstd"], &["x"], &["*"]]
        {
            let refusal = check(codings, "body").unwrap();
            assert_eq!(refusal.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{codings:?}");
            assert_eq!(refusal.headers()[ACCEPT_ENCODING], "identity");
        }
        for codings in [&[][..], &[""], &["identity"], &["Identity, identity"]] {
            assert!(check(codings, "body").is_none(), "{codings:?}");
        }
        assert!(check(&["gzip"], "").is_none(), "there is nothing to decode");
    }

    #[test]
    fn json_with_a_byte_order_mark_is_read_and_json_that_is_nested_too_deeply_is_refused() {
        assert!(parse(b"\xef\xbb\xbf{\"a\":1}").is_ok());
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(parse(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err().contains("64 levels"));
        assert!(parse(nested(1000).as_bytes()).is_err());
    }

    #[test]
    fn an_idempotency_key_has_1_to_255_visible_characters() {
        let read = |text: &str| {
            let value =
                text.parse().map(|value| HeaderMap::from_iter([("idempotency-key".parse().unwrap(), value)]));
            value.ok().map(|headers| idempotency_key(&headers))
        };
        assert_eq!(read(" a b ").unwrap().unwrap().as_deref(), Some("a b"));
        for wrong in ["", "  ", "a\tb", &"x".repeat(256)] {
            assert!(read(wrong).unwrap().is_err(), "{wrong}");
        }
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }
}
