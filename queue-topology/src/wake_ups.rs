//! A message that only says: look at this row.
//!
//! The keeper sends one when a row is due, and ingest when a provider says it is done. It proves nothing;
//! the row decides.

use bytes::Bytes;
use domain::call::{CallId, WorkspaceId};
use domain::event::{Envelope, Event};
use domain::moment::Moment;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::broker::{Lane, Message, Route};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunWoken {
    /// What the run waits for is said to have happened: look even before its time.
    pub nudge: bool,
}

impl Event for RunWoken {
    const KEY: &'static str = "run.woken.v1";
}

/// A wake-up for one run.
pub fn message(
    stage: &'static str,
    (workspace, call, generation): (WorkspaceId, CallId, i64),
    nudge: bool,
    lane: Lane,
) -> Message {
    let envelope = Envelope {
        id: Uuid::now_v7(),
        workspace,
        call,
        generation,
        time: Moment::now(),
        traceparent: None,
        data: RunWoken { nudge },
    };
    Message { route: Route::Stage { stage }, lane, id: envelope.id, body: Bytes::from(envelope.encode()) }
}
