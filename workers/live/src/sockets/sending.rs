//! How a socket is sent something. Only so much may wait for a socket, and where it has no room, the sender waits with it.
//!
//! A socket that does not read at all has no room for the question of its heartbeat either. So its connection is closed
//! when the next one is due, and its client can come back where it was.

use std::time::Duration;

use serde_json::Value;
use socketioxide::extract::SocketRef;
use socketioxide::{SendError, SocketError};

/// The pause before somebody looks again whether there is room. Nobody is told when a socket reads.
const LOOK_AFTER: Duration = Duration::from_millis(50);

/// Sends an event as soon as there is room for it. A socket that is gone gets nothing.
pub(super) async fn send(socket: &SocketRef, event: &str, data: &Value) {
    once_there_is_room(|| Some(socket.emit(event, data))).await;
}

/// Tries to send something until there is room for it. Returns whether it was sent. It is not where the socket is gone, and
/// where `attempt` returns nothing.
pub(super) async fn once_there_is_room(mut attempt: impl FnMut() -> Option<Result<(), SendError>>) -> bool {
    loop {
        match attempt() {
            Some(Ok(())) => return true,
            Some(Err(SendError::Socket(SocketError::InternalChannelFull))) => {
                tokio::time::sleep(LOOK_AFTER).await;
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a socket is gone");
                return false;
            }
            None => return false,
        }
    }
}

/// Disconnects a socket. Its client is told so as soon as there is room.
pub(super) async fn put_out(socket: &SocketRef) {
    while let Err(SocketError::InternalChannelFull) = socket.clone().disconnect() {
        tokio::time::sleep(LOOK_AFTER).await;
    }
}
