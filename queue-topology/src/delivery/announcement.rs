//! Messages that announce runs that wait: what a run emits, and what wakes one run.
//!
//! The rows say already what is to be done. So a message that cannot be published is made up for by the keeper.

use bytes::Bytes;
use domain::call::CallKind;
use domain::event::{Envelope, Event};
use store::RunKey;

use crate::broker::{Message, Route};
use crate::engine::Engine;
use crate::table::{self, Lane};

/// The messages that bring an event to the queues that take it. If every queue that is bound to the event takes calls
/// of this kind, that is one message to all of them. Otherwise it is one message for each queue that does. The optional
/// stages of `also` get a message each.
pub(super) fn of_event<E: Event>(
    event: &Envelope<E>,
    kind: Option<CallKind>,
    lane: Lane,
    also: &[&'static str],
) -> Vec<Message> {
    let Some(kind) = kind else { return Vec::new() };
    let stages: Vec<_> = table::consumers(E::KEY, kind).map(|queue| queue.stage).collect();
    let all_take_it = table::bound_to(E::KEY).count() == stages.len();
    let mut routes = match &stages[..] {
        [] => Vec::new(),
        _ if all_take_it => vec![Route::Event { key: E::KEY }],
        some => some.iter().map(|stage| Route::Stage { stage }).collect(),
    };
    routes.extend(table::switched_on(E::KEY, kind, also).map(|queue| Route::Stage { stage: queue.stage }));
    let body = Bytes::from(event.encode());
    routes.into_iter().map(|route| Message { route, lane, id: event.id, body: body.clone() }).collect()
}

/// Publishes messages about the call and the generation of `run`. If one cannot be published, the keeper wakes the
/// runs that it was for, as soon as the broker is back.
pub(super) async fn publish(engine: &Engine, run: &RunKey, messages: Vec<Message>) {
    for message in messages {
        let route = message.route;
        platform::failpoint!("publish");
        let published = engine.broker.publish(message).await;
        platform::failpoint!("published");
        let Err(error) = published else { continue };
        tracing::warn!(%error, "failed to publish; the keeper will wake the run");
        let stages: Vec<_> = match route {
            Route::Event { key } => table::bound_to(key).map(|queue| queue.stage).collect(),
            Route::Stage { stage } => vec![stage],
        };
        for stage in stages {
            if let Err(error) = engine.store.wake_soon(&RunKey { stage, ..*run }).await {
                tracing::warn!(%error, stage, "failed to have a run woken soon; it is woken when its message counts as lost");
            }
        }
    }
}
