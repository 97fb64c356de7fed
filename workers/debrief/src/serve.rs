//! Takes connections and serves them, each in a task of its own. Nobody can keep others out by opening connections
//! and then doing nothing, or almost nothing, with them.

mod bodies;
mod connection;
mod pace;
mod refusals;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use web::{Access, Peer};

use crate::doors::Doors;

/// The pause after a connection could not be taken. This mostly happens when too many files are open, and some of
/// them are closed after the pause.
const TRY_AGAIN_IN: Duration = Duration::from_secs(1);

/// Serves until `closing`, and then until the requests in progress have ended.
pub(crate) async fn serve(
    socket: TcpListener,
    doors: Doors,
    access: Arc<Access>,
    router: Router,
    closing: impl Future<Output = ()>,
) {
    let connections = TaskTracker::new();
    let end = CancellationToken::new();
    tokio::pin!(closing);
    loop {
        let (stream, address) = tokio::select! {
            accepted = accept(&socket) => accepted,
            () = &mut closing => break,
        };
        let peer = Peer::new(address.ip());
        let Some((place, room)) = doors.place(&peer, !access.is_open()) else { continue };
        let (router, end) = (router.clone(), end.clone());
        connections.spawn(connection::serve(stream, peer, place, room, router, end));
    }
    drop(socket);
    end.cancel();
    connections.close();
    connections.wait().await;
}

async fn accept(socket: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match socket.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "failed to take a connection");
                tokio::time::sleep(TRY_AGAIN_IN).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
