//! Socket.IO, with the events of seed 001. A socket shows its key in the handshake, joins sessions that it may read, and
//! gets their events by their numbers.
//!
//! Each join is a follower of its own, so there is no broadcast: a socket that does not read holds up nobody else.

mod member;
mod sending;

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request as HttpRequest;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use domain::principal::Principal;
use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler as _;
use store::live::LiveState;
use tokio::sync::mpsc;
use web::{Door, Problem};

use crate::hub::Follower;
use crate::service::Live;
use crate::stage::transcribing::with_words;
use crate::told;
use member::{Joined, Member, Stay};
use sending::{once_there_is_room, put_out, send};

/// The largest message of a client.
const MAX_MESSAGE_BYTES: u64 = 64 * 1024;
/// How many events may wait for a socket that reads more slowly than they come.
const WAITING_EVENTS: usize = 512;
/// The longest answer to a client that polls. It is more than ever waits, because engineioxide 0.17 keeps an event that has no
/// place in an answer, and forgets it when the client goes on over a WebSocket.
const MAX_ANSWER_BYTES: u64 = 4 * 1024 * 1024;
/// How many requests of a socket may wait for their answers.
const WAITING_REQUESTS: usize = 256;
/// A client that opens a connection has to show its key within this time.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How often the key of a socket is looked at again.
const CHECK_EVERY: Duration = Duration::from_millis(400);
/// How long after the order to stop the connections are closed. The listener takes no new ones then. A client that came back
/// to this process after that would be refused, and a client that is refused does not come again by itself.
const CLOSE_AFTER: Duration = Duration::from_millis(500);

/// The route of Socket.IO.
pub(crate) fn router(live: Live) -> Router {
    let (service, io) = SocketIo::builder()
        .req_path("/socket.io")
        .max_payload(MAX_ANSWER_BYTES)
        .ws_max_message_size(usize::try_from(MAX_MESSAGE_BYTES).unwrap_or(usize::MAX))
        .max_buffer_size(WAITING_EVENTS)
        .connect_timeout(CONNECT_WITHIN)
        .build_svc();
    let stopping = live.stopping.clone();
    let live = Arc::new(live);
    let admitting = Arc::clone(&live);
    let admit = move |socket: SocketRef, TryData(auth): TryData<Value>| {
        let live = Arc::clone(&admitting);
        async move { admitted(&live, &socket, &auth.unwrap_or_default()).await.map_err(|problem| problem.detail) }
    };
    let connected = async move |socket: SocketRef| connected(&live, &socket);
    io.ns("/", connected.with(admit));
    // A client that polls waits for its answer, and without this a process that stops would wait with it.
    tokio::spawn(async move {
        stopping.cancelled().await;
        tokio::time::sleep(CLOSE_AFTER).await;
        io.close().await;
    });
    Router::new()
        .route_service("/socket.io/", service.clone())
        .route_service("/socket.io", service)
        .layer(from_fn(limited))
}

/// Refuses what is longer than a message. The library has one limit for what comes in and what goes out.
async fn limited(request: HttpRequest, next: Next) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let body = web::raw(&head.headers, body, MAX_MESSAGE_BYTES).await?;
    Ok(next.run(HttpRequest::from_parts(head, Body::from(body))).await)
}

/// Lets a socket in that shows a key which may read calls.
async fn admitted(live: &Live, socket: &SocketRef, auth: &Value) -> Result<(), Problem> {
    let mut head = socket.req_parts().clone();
    let token = ["token", "key"].iter().find_map(|name| auth.get(name)?.as_str());
    if let Some(token) = token
        && let Ok(value) = format!("Bearer {token}").parse()
    {
        head.headers.insert(AUTHORIZATION, value);
    }
    let principal = live.access.admit(Door::ReadOwn, &head).await?;
    let member = Arc::new(Member::new(principal, head, live.stopping.child_token()));
    register(socket, &member);
    socket.extensions.insert(member);
    Ok(())
}

/// Registers what a socket can ask. A client may ask as soon as it is told that it is in, so this comes before that: what
/// nobody is registered for is dropped.
fn register(socket: &SocketRef, member: &Arc<Member>) {
    let (asking, asked) = mpsc::channel(WAITING_REQUESTS);
    for (event, request) in [
        ("join_call_session", Request::Join),
        ("leave_call_session", Request::Leave),
        ("request_session_status", Request::Status),
    ] {
        let asking = asking.clone();
        socket.on(event, move |socket: SocketRef, TryData(data): TryData<Value>| {
            // This is called in the order in which the socket asks, and what it returns is not.
            if asking.try_send((request, data.unwrap_or_default())).is_err() {
                socket.emit("error", &json!({"message": "this socket asks too much at once"})).ok();
            }
            ready(())
        });
    }
    let gone = Arc::clone(member);
    socket.on_disconnect(async move |_: SocketRef| gone.end());
    socket.extensions.insert(Inbox(Arc::new(Mutex::new(Some(asked)))));
}

type Requests = mpsc::Receiver<(Request, Value)>;

/// What a socket asks, until somebody answers it.
#[derive(Clone)]
struct Inbox(Arc<Mutex<Option<Requests>>>);

/// Greets a socket, and answers it from now on.
fn connected(live: &Arc<Live>, socket: &SocketRef) {
    let Some(member) = socket.extensions.get::<Arc<Member>>() else { return };
    let Some(Inbox(inbox)) = socket.extensions.get::<Inbox>() else { return };
    let Some(asked) = inbox.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    // Nothing waits yet for a new socket, so there is room.
    let greeting = json!({"status": "connected", "message": "Connected to the live calls"});
    socket.emit("connection_status", &greeting).ok();
    let answering = answer(Arc::clone(live), socket.clone(), Arc::clone(&member), asked);
    tokio::spawn(member.ended().clone().run_until_cancelled_owned(answering));
    tokio::spawn(watch(Arc::clone(live), socket.clone(), member));
}

#[derive(Clone, Copy)]
enum Request {
    Join,
    Leave,
    Status,
}

/// Answers what a socket asks, one after the other.
async fn answer(live: Arc<Live>, socket: SocketRef, member: Arc<Member>, mut asked: Requests) {
    while let Some((request, data)) = asked.recv().await {
        let session_id = match data.get("session_id") {
            Some(Value::String(id)) if !id.trim().is_empty() => id.trim().to_owned(),
            Some(Value::Number(id)) => id.to_string(),
            _ => {
                send(&socket, "error", &json!({"message": "session_id is required"})).await;
                continue;
            }
        };
        let (live, member, socket) = (Arc::clone(&live), Arc::clone(&member), socket.clone());
        let asked = Asked { live, member, socket, session_id, data };
        let answered = match request {
            Request::Join => join(&asked).await,
            Request::Leave => {
                leave(&asked).await;
                Ok(())
            }
            Request::Status => status(&asked).await,
        };
        if let Err(message) = answered {
            send(&asked.socket, "error", &json!({"message": message})).await;
        }
    }
}

/// What a socket asks about a session.
struct Asked {
    live: Arc<Live>,
    member: Arc<Member>,
    socket: SocketRef,
    session_id: String,
    data: Value,
}

impl Asked {
    /// Who asks, if the key is still good. A connection that goes on for hours is asked again at every join.
    async fn who(&self) -> Result<&Principal, String> {
        let is_in = self.live.access.is_still_admitted(Door::ReadOwn, &self.member.head).await;
        if is_in { Ok(&self.member.principal) } else { Err("the key is not valid any more".to_owned()) }
    }
}

async fn join(asked: &Asked) -> Result<(), String> {
    let who = asked.who().await?;
    let found = asked.live.session(who, &asked.session_id).await;
    let (session, _) = found.map_err(|problem| format!("Failed to join session: {}", problem.detail))?;
    let after = asked.data.get("after").and_then(Value::as_i64).filter(|after| *after >= 0);
    let Asked { live, member, socket, session_id, .. } = asked;
    let joined = member.join(session.call, session_id);
    if matches!(joined, Joined::TooMany) {
        return Err("Failed to join session: this socket listens to too many sessions".to_owned());
    }
    let answer =
        json!({"session_id": session_id, "message": "Joined the session", "last": session.last_event});
    send(socket, "joined_session", &answer).await;
    // However often a socket joins a session, it is there once.
    let Joined::Now(stay) = joined else { return Ok(()) };
    let after = after.unwrap_or(session.last_event);
    let follower = live.hub.follow(&live.store, session.workspace, session.call, after);
    let (socket, member) = (socket.clone(), Arc::clone(member));
    tokio::spawn(async move {
        stay.left.run_until_cancelled(follow(&socket, &member, &stay, follower)).await;
        member.forget(&stay);
    });
    Ok(())
}

/// Sends the events of a session as they come, until the socket is gone or has left.
async fn follow(socket: &SocketRef, member: &Member, stay: &Stay, mut follower: Follower) {
    loop {
        let events = match follower.next().await {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(%error, "failed to read the events of a live call for a socket");
                return send(socket, "error", &json!({"message": "the events cannot be read; join again"}))
                    .await;
            }
        };
        for event in events {
            let kind = event.kind.clone();
            let data = told::numbered(event);
            if !once_there_is_room(|| member.during(stay, || socket.emit(&kind, &data))).await {
                return;
            }
        }
    }
}

async fn leave(asked: &Asked) {
    asked.member.leave(&asked.session_id);
    let answer = json!({"session_id": asked.session_id, "message": "Left the session"});
    send(&asked.socket, "left_session", &answer).await;
}

async fn status(asked: &Asked) -> Result<(), String> {
    let who = asked.who().await?;
    let Ok((session, call)) = asked.live.session(who, &asked.session_id).await else {
        let answer = json!({"session_id": asked.session_id, "status": "not_found"});
        send(&asked.socket, "session_status", &answer).await;
        return Ok(());
    };
    let turns = asked.live.store.live_turns(session.workspace, session.call).await;
    let turns = turns.map_err(|_| "the store cannot be used at the moment".to_owned())?;
    let status = match session.state {
        LiveState::Active => "active",
        LiveState::Ended if session.delivered_at.is_none() => "ended",
        LiveState::Ended => call.status.name(),
    };
    let answer = json!({
        "session_id": session.session_id,
        "status": status,
        "start_time": session.started_at,
        "dialog_turns_count": with_words(&turns),
        // Those in this process.
        "clients_count": asked.live.hub.listeners(session.call),
    });
    send(&asked.socket, "session_status", &answer).await;
    Ok(())
}

/// Drops a socket whose key was revoked.
async fn watch(live: Arc<Live>, socket: SocketRef, member: Arc<Member>) {
    while member.ended().run_until_cancelled(tokio::time::sleep(CHECK_EVERY)).await.is_some() {
        if !live.access.is_still_admitted(Door::ReadOwn, &member.head).await {
            member.end();
            send(&socket, "error", &json!({"message": "the key is not valid any more"})).await;
            return put_out(&socket).await;
        }
    }
}
