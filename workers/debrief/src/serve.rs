//! Serves connections as `axum::serve` does, but closes a connection that sends no request in time. Otherwise
//! somebody could open many connections, send nothing, and use up all file handles of the process.

use std::time::Duration;

use axum::extract::Request;
use axum::routing::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use crate::doors::Doors;

/// How long the head of a request may take. The time begins with the connection or with the answer before.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// The pause after a connection could not be taken. This mostly happens when too many files are open, and some of
/// them are closed after the pause.
const TRY_AGAIN_IN: Duration = Duration::from_secs(1);

/// Serves until `closing`, and then until the requests in progress have ended.
pub(crate) async fn serve(
    socket: TcpListener,
    doors: Doors,
    router: Router,
    closing: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    let open = GracefulShutdown::new();
    tokio::pin!(closing);
    loop {
        let stream = tokio::select! {
            stream = accept(&socket) => stream,
            () = &mut closing => break,
        };
        let Some(place) = doors.place() else {
            doors.turn_away(stream);
            continue;
        };
        let service = router
            .clone()
            .map_request(|request: hyper::Request<_>| -> Request { request.map(axum::body::Body::new) });
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = open.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
            drop(place);
        });
    }
    drop(socket);
    open.shutdown().await;
}

async fn accept(socket: &TcpListener) -> TcpStream {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "failed to take a connection");
                tokio::time::sleep(TRY_AGAIN_IN).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_says_nothing_is_closed_and_others_are_served() {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let closing = CancellationToken::new();
        let serving = tokio::spawn(serve(socket, Doors::new(8), router, closing.clone().cancelled_owned()));
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HT").await.unwrap();
        let mut asking = TcpStream::connect(address).await.unwrap();
        asking.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        asking.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        tokio::time::pause();
        let mut left = Vec::new();
        silent.read_to_end(&mut left).await.unwrap();
        slow.read_to_end(&mut left).await.unwrap();
        closing.cancel();
        serving.await.unwrap();
    }
    #[tokio::test]
    async fn a_connection_too_many_is_told_so_and_the_next_is_served_when_there_is_room() {
        async fn asked(address: std::net::SocketAddr) -> String {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        }
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
        tokio::spawn(serve(socket, Doors::new(1), router, std::future::pending()));
        let mut only = TcpStream::connect(address).await.unwrap();
        only.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        only.read_u8().await.unwrap();
        let refused = asked(address).await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 5"), "{refused}");
        assert!(refused.contains("application/problem+json") && refused.ends_with('}'), "{refused}");
        drop(only);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        while !asked(address).await.ends_with("here") {
            assert!(tokio::time::Instant::now() < deadline, "there is no room again");
        }
    }
}
