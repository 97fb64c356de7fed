//! Socket.IO, with the events of seed 001. A socket shows its key in the handshake, joins sessions that it may read, and
//! gets their events by their numbers.
//!
//! Each join is a follower of its own, so there is no broadcast: a socket that does not read is dropped alone, and it can
//! come back where it was.

mod member;

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::header::AUTHORIZATION;
use domain::principal::Principal;
use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler as _;
use store::live::LiveState;
use tokio::sync::mpsc;
use web::{Door, Problem};

use crate::service::Live;
use crate::stage::transcribing::with_words;
use crate::told;
use member::{Joined, Member};

/// The largest message of a client.
const MAX_MESSAGE_BYTES: u64 = 64 * 1024;
/// How many events may wait for a socket that does not read. Then the socket is dropped.
const WAITING_EVENTS: usize = 512;
/// How many requests of a socket may wait for their answers.
const WAITING_REQUESTS: usize = 256;
/// A client that opens a connection has to show its key within this time.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How often the key of a socket is looked at again.
const CHECK_EVERY: Duration = Duration::from_millis(400);

/// The route of Socket.IO.
pub(crate) fn router(live: Live) -> Router {
    let (service, io) = SocketIo::builder()
        .req_path("/socket.io")
        .max_payload(MAX_MESSAGE_BYTES)
        .ws_max_message_size(usize::try_from(MAX_MESSAGE_BYTES).unwrap_or(usize::MAX))
        .max_buffer_size(WAITING_EVENTS)
        .connect_timeout(CONNECT_WITHIN)
        .build_svc();
    let live = Arc::new(live);
    let admitting = Arc::clone(&live);
    let admit = move |socket: SocketRef, TryData(auth): TryData<Value>| {
        let live = Arc::clone(&admitting);
        async move { admitted(&live, &socket, &auth.unwrap_or_default()).await.map_err(|problem| problem.detail) }
    };
    let connected = async move |socket: SocketRef| connected(&live, &socket);
    io.ns("/", connected.with(admit));
    Router::new().route_service("/socket.io/", service.clone()).route_service("/socket.io", service)
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
                send(&socket, "error", &json!({"message": "this socket asks too much at once"}));
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
    send(
        socket,
        "connection_status",
        &json!({"status": "connected", "message": "Connected to the live calls"}),
    );
    tokio::spawn(answer(Arc::clone(live), socket.clone(), Arc::clone(&member), asked));
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
    while let Some(Some((request, data))) = member.ended().run_until_cancelled(asked.recv()).await {
        let session_id = match data.get("session_id") {
            Some(Value::String(id)) if !id.trim().is_empty() => id.trim().to_owned(),
            Some(Value::Number(id)) => id.to_string(),
            _ => {
                send(&socket, "error", &json!({"message": "session_id is required"}));
                continue;
            }
        };
        let (live, member, socket) = (Arc::clone(&live), Arc::clone(&member), socket.clone());
        let asked = Asked { live, member, socket, session_id, data };
        let answered = match request {
            Request::Join => join(&asked).await,
            Request::Leave => {
                leave(&asked);
                Ok(())
            }
            Request::Status => status(&asked).await,
        };
        if let Err(message) = answered {
            send(&asked.socket, "error", &json!({"message": message}));
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
    send(socket, "joined_session", &answer);
    // However often a socket joins a session, it is there once.
    let Joined::Now(stay) = joined else { return Ok(()) };
    let after = after.unwrap_or(session.last_event);
    let mut follower = live.hub.follow(&live.store, session.workspace, session.call, after);
    let (socket, member) = (socket.clone(), Arc::clone(member));
    tokio::spawn(async move {
        while let Some(next) = stay.left.run_until_cancelled(follower.next()).await {
            let events = match next {
                Ok(events) => events,
                Err(error) => {
                    tracing::warn!(%error, "failed to read the events of a live call for a socket");
                    send(&socket, "error", &json!({"message": "the events cannot be read; join again"}));
                    break;
                }
            };
            for event in events {
                let kind = event.kind.clone();
                if !send(&socket, &kind, &told::numbered(event)) {
                    member.end();
                    return;
                }
            }
        }
        member.forget(&stay);
    });
    Ok(())
}

fn leave(asked: &Asked) {
    asked.member.leave(&asked.session_id);
    let answer = json!({"session_id": asked.session_id, "message": "Left the session"});
    send(&asked.socket, "left_session", &answer);
}

async fn status(asked: &Asked) -> Result<(), String> {
    let who = asked.who().await?;
    let Ok((session, call)) = asked.live.session(who, &asked.session_id).await else {
        send(
            &asked.socket,
            "session_status",
            &json!({"session_id": asked.session_id, "status": "not_found"}),
        );
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
    send(&asked.socket, "session_status", &answer);
    Ok(())
}

/// Sends an event. A socket that does not read is dropped. Returns whether the socket goes on.
fn send(socket: &SocketRef, event: &str, data: &Value) -> bool {
    let sent = socket.emit(event, data);
    if let Err(error) = &sent {
        tracing::debug!(%error, "a socket does not read, or is gone");
        socket.clone().disconnect().ok();
    }
    sent.is_ok()
}

/// Drops a socket whose key was revoked.
async fn watch(live: Arc<Live>, socket: SocketRef, member: Arc<Member>) {
    while member.ended().run_until_cancelled(tokio::time::sleep(CHECK_EVERY)).await.is_some() {
        if !live.access.is_still_admitted(Door::ReadOwn, &member.head).await {
            send(&socket, "error", &json!({"message": "the key is not valid any more"}));
            socket.clone().disconnect().ok();
            return member.end();
        }
    }
}
