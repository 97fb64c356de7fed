//! Tells open pages that something changed, so that they fetch their live parts again.
//!
//! One task for each process looks at the store once a second while at least one page is open. A page gets an event
//! without data: it asks for itself again, with the rights of its visitor, so nothing is told to anybody who may not
//! read it.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::stream::unfold;
use store::Store;
use tokio::sync::watch;
use web::Read;

use crate::{Console, Visitor};

const LOOK_EVERY: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The number of changes that this process has seen.
#[derive(Clone)]
pub struct Updates(watch::Sender<u64>);

impl Updates {
    pub fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Looks for changes as long as it is polled.
    pub async fn watch(&self, store: &Store) {
        let mut last = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if self.0.receiver_count() == 0 {
                continue;
            }
            match store.last_change().await {
                Ok(now) if last == Some(now) => {}
                Ok(now) => {
                    last = Some(now);
                    self.0.send_modify(|count| *count += 1);
                }
                Err(error) => tracing::debug!(%error, "failed to look for changes"),
            }
        }
    }
}

impl Default for Updates {
    fn default() -> Self {
        Self::new()
    }
}

/// `GET /updates`: one event `changed` for each time that something changed, at most one a second.
pub(crate) async fn stream(
    State(console): State<Console>,
    _: Visitor<Read>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = console.updates.0.subscribe();
    let events = unfold((changes, console.stopping), async |(mut changes, stopping)| {
        let goes_on = tokio::select! {
            seen = changes.changed() => seen.is_ok(),
            () = stopping.cancelled() => false,
        };
        let event = Event::default().event("changed").data("");
        goes_on.then_some((Ok(event), (changes, stopping)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
