//! The envelopes of the events that our own stages emit.

use domain::event::{Envelope, Event};
use domain::moment::Moment;
use platform::telemetry;
use store::RunKey;
use uuid::Uuid;

/// The envelope of an event about the call and generation of `run`. Its id is a hash of what it says, so an event
/// that is emitted twice is the same event.
pub(crate) fn envelope<E: Event>(run: &RunKey, time: Moment, data: E) -> Envelope<E> {
    let name = format!("{}:{}", E::KEY, run.generation);
    Envelope {
        id: Uuid::new_v5(&run.call.0, name.as_bytes()),
        workspace: run.workspace,
        call: run.call,
        generation: run.generation,
        time,
        traceparent: telemetry::traceparent(),
        data,
    }
}

/// The event that starts `run`, as its waiting row keeps it. Only an event that says nothing beyond its envelope can be
/// made in this way.
pub(crate) fn input<E: Event + Default>(run: &RunKey, time: Moment) -> String {
    text(&envelope(run, time, E::default()))
}

/// An event as a row keeps it.
pub(crate) fn text<E: Event>(event: &Envelope<E>) -> String {
    String::from_utf8_lossy(&event.encode()).into_owned()
}
