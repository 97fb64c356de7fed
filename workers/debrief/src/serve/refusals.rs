//! The answers to what is no request. hyper finds these faults before our code sees a request, so they are written to
//! the stream of the connection directly.

use std::time::Duration;

use axum::body::to_bytes;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use web::Problem;

/// How long the client may take to read such an answer, and to close the connection after the last answer.
const READ_WITHIN: Duration = Duration::from_secs(1);
/// How many connections are kept open for a moment after their last answer. Further ones are closed at once.
const CLOSING_AT_ONCE: usize = 128;

static CLOSING: Semaphore = Semaphore::const_new(CLOSING_AT_ONCE);

/// The answer to bytes that are no request, where there is one. `kept_back` is the status with which hyper wanted to
/// answer, and `unread` are the bytes that it could not read.
pub(super) fn refusal(error: &hyper::Error, kept_back: Option<StatusCode>, unread: &[u8]) -> Option<Problem> {
    const TOO_LARGE: StatusCode = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    let (status, detail) = match kept_back {
        // The limit was reached in the first line, so it is the address that is too long.
        Some(TOO_LARGE) if !unread.contains(&b'\n') && error.is_parse_too_large() => {
            (StatusCode::URI_TOO_LONG, TOO_LONG)
        }
        Some(TOO_LARGE) => (TOO_LARGE, "the head of the request is too long, or it has too many headers"),
        Some(StatusCode::URI_TOO_LONG) => (StatusCode::URI_TOO_LONG, TOO_LONG),
        Some(status) if unread.first() == Some(&TLS_HANDSHAKE) => {
            (status, "this listener speaks HTTP without TLS: use http:// and not https://")
        }
        Some(status) => (status, "the request is not valid HTTP/1.1"),
        None if error.is_parse_version_h2() => {
            (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "this listener speaks HTTP/1.1, and not HTTP/2")
        }
        None if error.is_timeout() && !unread.is_empty() => {
            (StatusCode::REQUEST_TIMEOUT, "the head of the request did not come in time")
        }
        None if error.is_incomplete_message() && !unread.is_empty() => {
            (StatusCode::BAD_REQUEST, "the request broke off before the end of its head")
        }
        None => return None,
    };
    Some(Problem::new(status, detail))
}

const TOO_LONG: &str = "the address of the request is too long";
/// The first byte of a TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;

/// Writes a problem as the last answer of a connection.
pub(super) async fn tell(stream: &mut TcpStream, problem: Problem) {
    let (head, body) = problem.into_response().into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { return };
    let reason = head.status.canonical_reason().unwrap_or_default();
    let mut answer = format!("HTTP/1.1 {} {reason}\r\n", head.status.as_u16()).into_bytes();
    for (name, value) in &head.headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            answer.extend_from_slice(piece);
        }
    }
    answer
        .extend_from_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes());
    answer.extend_from_slice(&body);
    if !matches!(timeout(READ_WITHIN, stream.write_all(&answer)).await, Ok(Ok(()))) {
        tracing::debug!("the answer to what is no request could not be sent");
    }
}

/// Closes our side of a connection, and waits a moment until the client closes its side. A connection that is closed
/// while bytes are unread is reset, and a reset can destroy the last answer on its way.
pub(super) async fn close(mut stream: TcpStream) {
    let Ok(_place) = CLOSING.try_acquire() else { return };
    let until_closed = async {
        stream.shutdown().await?;
        let mut unread = [0; 4096];
        while stream.read(&mut unread).await? > 0 {}
        std::io::Result::Ok(())
    };
    if !matches!(timeout(READ_WITHIN, until_closed).await, Ok(Ok(()))) {
        tracing::debug!("a client did not close its side of the connection in time");
    }
}
