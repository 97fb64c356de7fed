//! The events of a session: what came after the number that a listener has, at once or as soon as there is something.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use domain::moment::Moment;
use futures::stream;
use serde::Serialize;
use serde_json::Value;
use store::live::LiveEvent;
use utoipa::ToSchema;
use web::{Authorized, Params, Problem, ReadOwn};

use crate::hub::Follower;
use crate::service::{Live, SessionId, away};
use crate::told;

/// The longest wait for the next event.
const MAX_WAIT_S: i64 = 25;
/// How often a stream without events shows that it lives.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

#[derive(Serialize, ToSchema)]
pub(crate) struct Events {
    events: Vec<EventView>,
    /// The number to ask with next.
    last: i64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct EventView {
    seq: i64,
    #[serde(rename = "type")]
    kind: String,
    #[schema(value_type = String, format = DateTime)]
    at: Moment,
    #[schema(value_type = Object)]
    data: Value,
}

impl From<LiveEvent> for EventView {
    fn from(event: LiveEvent) -> Self {
        let (seq, kind, at) = (event.seq, event.kind.clone(), event.at);
        Self { seq, kind, at, data: told::numbered(event) }
    }
}

/// The events of a session after a number. With `Accept: text/event-stream` they come as they are stored, and a client that
/// comes back sends the last number as `Last-Event-ID`.
#[utoipa::path(get, path = "/api/calls/{session_id}/events", operation_id = "liveEvents", tag = "live",
    security(("key" = ["read"])),
    params(("session_id" = String, Path, description = "The sender's id of the session"),
        ("after" = Option<i64>, Query, minimum = 0, description = "The number of the last event that the listener has"),
        ("wait" = Option<i64>, Query, minimum = 0, maximum = 25, description = "How many seconds to wait for the next event")),
    responses((status = 200, content((Events = "application/json"), (String = "text/event-stream"))),
        (status = 404, description = "There is no such session", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn events(
    who: Authorized<ReadOwn>,
    State(state): State<Live>,
    SessionId(id): SessionId,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut params = Params::of_query(&uri);
    let after = params.whole("after", 0, i64::MAX);
    let wait = params.whole("wait", 0, MAX_WAIT_S).map_or(0, i64::unsigned_abs);
    params.check()?;
    let after = match after {
        Some(after) => after,
        None => resumed_after(&headers)?,
    };
    let (session, _) = state.session(&who, &id).await?;
    let mut follower = state.hub.follow(&state.store, session.workspace, session.call, after);
    let accepts = headers.get("accept").and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/event-stream") {
        return Ok(streamed(state, follower));
    }
    let mut events = follower.ready().await.map_err(|error| away(&error))?;
    if events.is_empty() && wait > 0 {
        let next = tokio::time::timeout(Duration::from_secs(wait), follower.next());
        if let Some(Ok(next)) = state.stopping.run_until_cancelled(next).await {
            events = next.map_err(|error| away(&error))?;
        }
    }
    let events = events.into_iter().map(EventView::from).collect();
    Ok(Json(Events { events, last: follower.after }).into_response())
}

/// The number that a client of a stream has, which comes back after its connection broke.
fn resumed_after(headers: &HeaderMap) -> Result<i64, Problem> {
    let Some(id) = headers.get("last-event-id") else { return Ok(0) };
    let number = id.to_str().ok().and_then(|text| text.trim().parse().ok()).filter(|number| *number >= 0);
    number.ok_or_else(|| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Last-Event-ID must be a number of 0 or more")
    })
}

/// The events as they are stored, for as long as the client reads.
fn streamed(state: Live, follower: Follower) -> Response {
    let events = stream::unfold((state, follower, Vec::new()), async |(state, mut follower, mut ready)| {
        if ready.is_empty() {
            let next = state.stopping.run_until_cancelled(follower.next()).await?;
            match next {
                Ok(events) => ready.extend(events.into_iter().rev()),
                Err(error) => {
                    // The client comes back where it was.
                    tracing::warn!(%error, "failed to read the events of a live call");
                    return None;
                }
            }
        }
        let event: LiveEvent = ready.pop()?;
        let (seq, kind) = (event.seq, event.kind.clone());
        let data = told::numbered(event).to_string();
        let sent = Event::default().id(seq.to_string()).event(kind).data(data);
        Some((Ok::<_, Infallible>(sent), (state, follower, ready)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE_EVERY)).into_response()
}
