//! One connection, from its first byte until it is closed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::Router;
use futures::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use web::{Peer, Problem};

use super::bodies::{Answer, InHand, Sent};
use super::refusals;
use super::socket::{Ended, Socket};
use crate::doors::{Place, Room};

/// How long the head of a request may take. The time begins with the connection or with the answer before.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// How many bytes of requests or of answers are in memory. hyper wants to hold some 400 KiB, which is much where there
/// are many connections. It must be more than the longest address, which has 64 KiB.
const BUFFER_BYTES: usize = 128 * 1024;
/// How many bytes of answers the system holds that were not sent yet. Without this it holds some megabytes for each
/// connection whose client does not read.
const UNSENT_BYTES: u32 = 256 * 1024;
/// How long a connection may take that is only told that there is no room.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// What a connection may ask for which there is no place. Somebody who looks after the process has to get an answer
/// especially when too much is going on.
const ALWAYS_ANSWERED: [&str; 2] = ["/health", "/ready"];
const COME_BACK_IN: Duration = Duration::from_secs(5);

/// Serves one connection. After `closing` a request in progress is still answered.
pub(super) async fn serve(
    stream: TcpStream,
    peer: Peer,
    place: Place,
    room: Room,
    router: Router,
    closing: CancellationToken,
) {
    if let Err(error) = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES) {
        tracing::debug!(%error, "failed to limit what the system holds for a connection");
    }
    // The messages of a WebSocket are short, and the next one must not wait until the client has acknowledged the last.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to send short messages at once");
    }
    let (activity, place) = (place.activity(), Arc::new(place));
    let service = service_fn({
        let activity = Arc::clone(&activity);
        move |request: hyper::Request<Incoming>| {
            let in_hand = InHand::new(Arc::clone(&activity));
            let mut request: Request = request.map(|body| Body::new(Sent::new(body, Arc::clone(&activity))));
            request.extensions_mut().insert(peer.clone());
            let answer = answer(router.clone(), room, request);
            let activity = Arc::clone(&activity);
            answer
                .map(move |response| {
                    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                        // From here on the connection belongs to its handler until it is closed. So it never waits for a
                        // request again.
                        activity.taken();
                    }
                    Ok::<_, Infallible>(response.map(|body| Answer::new(body, in_hand)))
                })
                .boxed()
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).max_buf_size(BUFFER_BYTES).half_close(true);
    let within = match room {
        Room::Served => {
            http.header_read_timeout(HEAD_WITHIN);
            Duration::MAX
        }
        Room::Told => {
            http.header_read_timeout(TOLD_WITHIN).keep_alive(false);
            TOLD_WITHIN
        }
    };
    // The socket holds the place, too: after an upgrade it lives on without this task.
    let socket = Socket::new(stream, activity).holding(Arc::clone(&place));
    let mut connection = http.serve_connection(TokioIo::new(socket), service).with_upgrades();
    let until_ended = async {
        let mut is_closing = false;
        loop {
            tokio::select! {
                ended = &mut connection => return ended,
                () = closing.cancelled(), if !is_closing => {
                    is_closing = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout(within, until_ended) => ended.ok(),
        () = place.given_away() => None,
    };
    drop(place);
    // A connection that was upgraded is closed by whoever has it now.
    let Some(parts) = connection.into_parts() else { return };
    let Ended { mut stream, kept_back, is_stuck } = parts.io.into_inner().end();
    if is_stuck {
        return forget(&stream);
    }
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "a connection broke");
        if let Some(problem) = refusals::refusal(&error, kept_back, &parts.read_buf) {
            refusals::tell(&mut stream, problem).await;
        }
    }
    refusals::close(stream).await;
}

async fn answer(router: Router, room: Room, request: Request) -> Response {
    if room == Room::Told && !ALWAYS_ANSWERED.contains(&request.uri().path()) {
        let detail = "there are too many connections at the moment; nothing was accepted, send it again";
        let refusal = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        return refusal.retry_after(COME_BACK_IN).into_response();
    }
    router.oneshot(request).await.unwrap_or_else(|never| match never {})
}

/// Makes the system throw away what the client did not read, when the stream is closed.
fn forget(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "failed to reset a connection");
    }
}
