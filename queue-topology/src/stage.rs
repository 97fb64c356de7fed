//! What a worker writes: a stage is a struct whose fields are its dependencies, and one method.

use std::future::Future;
use std::time::Duration;

use domain::event::{Envelope, Event};

pub use crate::context::{Cx, Run};
pub use crate::stage_error::{Sent, StageError};
use crate::table::Queue;

pub trait Stage: Send + Sync + 'static {
    type In: Event;
    /// The event that the stage emits. It is `Nothing` for a last stage: an event without a consumer is not published.
    type Out: Event;
    const QUEUE: Queue<Self::In>;

    /// Does the work of one run. It may be called again for the same event. So whatever the stage changes outside
    /// goes through [`Cx::once`], and its results go through [`Cx::keep`].
    fn handle(
        &self,
        cx: &Cx,
        event: &Envelope<Self::In>,
    ) -> impl Future<Output = Result<Outcome<Self::Out>, StageError>> + Send;
}

#[derive(Debug, PartialEq)]
pub enum Outcome<E> {
    /// The run is done, and the stages that consume the event can start.
    Emit(E),
    /// The run is done, and no stage follows.
    Done,
    /// Somebody else is working on it. The run is looked at again after this time, and spends no attempt.
    Later(Duration),
}
