//! What a sender is told who is refused, and that the sender hears it.
//!
//! Who is still sending when the connection is closed may never read why. A TCP stack that is closed with bytes unread
//! resets the connection, and the reset destroys the answer on its way. So what is left of a body that was refused is
//! read first and thrown away, for a while.

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

/// The sender of a body that is longer, or that takes longer, does not wait for an answer.
const MAX_BYTES: usize = 64 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(5);

/// Nothing was kept, whatever it was that failed.
pub(crate) fn not_kept(not_kept: NotKept) -> Problem {
    come_back(not_kept.to_string())
}

/// 503, and when another try is worth its while.
pub(crate) fn come_back(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(NotKept::COME_BACK_IN)
}

/// Answers a request so that its sender hears a refusal.
pub(crate) async fn until_heard(request: Request, answer: impl AsyncFnOnce(Request) -> Response) -> Response {
    // A sender that waits for our `100 Continue` has sent nothing of the body.
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

/// The one body. The handler reads it first, and what the handler left is read here.
#[derive(Clone)]
struct Shared(Arc<Mutex<BodyDataStream>>);

impl Stream for Shared {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(cx)
    }
}
