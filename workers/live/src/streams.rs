//! Audio that comes as a stream over a WebSocket: our own protocol, Twilio's Media Streams and Exotel's `AgentStream`.
//!
//! A stream is held by one process. What it heard goes into pieces as it comes, each of them acknowledged when it is on
//! disk. So a stream that breaks off loses nothing of what was acknowledged, and any process takes it up again.

mod exotel;
mod format;
pub(crate) mod own;
mod recorder;
mod speech;
mod telephony;
mod twilio;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use axum::routing::any;

use crate::service::Live;

/// The largest message of a stream.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// The routes of the streams of telephony providers. They show their key inside the stream, or in the address.
pub(crate) fn router(live: Live) -> Router {
    Router::new()
        .route("/streams/twilio", any(twilio::stream))
        .route("/streams/exotel", any(exotel::stream))
        .with_state(live)
}

/// Why a stream is closed from our side.
#[derive(Debug)]
struct Closing {
    code: u16,
    why: String,
}

impl Closing {
    /// The other side did not keep to the protocol.
    fn protocol(why: impl Into<String>) -> Self {
        Self { code: close_code::PROTOCOL, why: why.into() }
    }

    /// The other side may not do this.
    fn policy(why: impl Into<String>) -> Self {
        Self { code: close_code::POLICY, why: why.into() }
    }

    /// We cannot go on, and the other side may come again.
    fn again(why: impl Into<String>) -> Self {
        Self { code: close_code::AGAIN, why: why.into() }
    }
}

/// Closes a stream and says why. A reason has at most 123 bytes.
async fn close(mut socket: WebSocket, closing: Closing) {
    let mut why = closing.why;
    while why.len() > 120 {
        why.pop();
    }
    tracing::debug!(code = closing.code, why, "a stream is closed");
    let frame = CloseFrame { code: closing.code, reason: why.into() };
    // Whoever is gone need not be told.
    socket.send(Message::Close(Some(frame))).await.ok();
}
