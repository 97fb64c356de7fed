//! Tells open pages that something changed, so that they fetch their live parts again.
//!
//! A page gets an event without data: it asks for itself again, with the rights of its visitor, so nothing is told to
//! anybody who may not read it.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::stream::unfold;
use web::ReadOwn;

use crate::{Console, Visitor};

const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// `GET /updates`: one event `changed` for each time that something changed, at most one a second.
pub(crate) async fn stream(
    State(console): State<Console>,
    _: Visitor<ReadOwn>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = console.updates.subscribe();
    let events = unfold((changes, console.stopping), async |(mut changes, end)| {
        let is_changed = tokio::select! {
            outcome = changes.changed() => outcome.is_ok(),
            () = end.cancelled() => false,
        };
        let event = Event::default().event("changed").data("");
        is_changed.then_some((Ok(event), (changes, end)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
