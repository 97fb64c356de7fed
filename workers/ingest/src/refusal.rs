//! The answers to refused requests, and how a refused sender gets the answer for sure.
//!
//! A sender that is still sending when we close the connection may never read the answer. A TCP stack that closes a
//! connection with unread bytes resets it, and the reset destroys the answer on its way. So the rest of a refused
//! body is first read for a while and thrown away.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::EXPECT;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use queue_topology::intake::NotKept;
use web::Problem;

/// How many bytes of a refused body are read, and for how long. A sender that sends more, or that takes longer, does
/// not wait for an answer.
const MAX_BYTES: usize = 64 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(5);

/// The answer when a request could not be kept. It is the same for every cause.
pub(crate) fn not_kept(not_kept: NotKept) -> Problem {
    come_back(not_kept.to_string())
}

/// A 503 that says when another try makes sense.
pub(crate) fn come_back(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(NotKept::COME_BACK_IN)
}

/// Answers a request, and makes sure that a refused sender can read the answer.
pub(crate) async fn until_heard(request: Request, answer: impl AsyncFnOnce(Request) -> Response) -> Response {
    // A sender that waits for our `100 Continue` has not sent any part of the body.
    if request.headers().contains_key(EXPECT) {
        return answer(request).await;
    }
    let (parts, body) = request.into_parts();
    let mut rest = Shared(Arc::new(Mutex::new(body.into_data_stream())));
    let response = answer(Request::from_parts(parts, Body::from_stream(rest.clone()))).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        let read_on = async {
            let mut bytes = 0;
            while let Some(Ok(chunk)) = rest.next().await {
                bytes += chunk.len();
                if bytes > MAX_BYTES {
                    break;
                }
            }
        };
        if tokio::time::timeout(MAX_TIME, read_on).await.is_err() {
            tracing::debug!("a sender that was refused is still sending");
        }
    }
    response
}

/// The body of the request, which two readers share. The handler reads it first, and the rest is read here.
#[derive(Clone)]
struct Shared(Arc<Mutex<BodyDataStream>>);

impl Stream for Shared {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(cx)
    }
}
