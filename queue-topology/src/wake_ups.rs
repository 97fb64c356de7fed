//! Wake-ups: messages that only tell a stage to look at one row.
//!
//! The keeper sends one when a row is due, and ingest sends one when a provider says that it is done. A wake-up proves
//! nothing, because the row decides.

use bytes::Bytes;
use domain::event::{Envelope, Event};
use domain::moment::Moment;
use serde::{Deserialize, Serialize};
use store::RunKey;
use uuid::Uuid;

use crate::broker::{Message, Route};
use crate::table::Lane;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunWoken {
    /// Somebody says that the run's reason to wait is over, so the stage looks at it before it is due.
    pub nudge: bool,
}

impl Event for RunWoken {
    const KEY: &'static str = "run.woken.v1";
}

/// The wake-up for one run.
pub fn message(run: &RunKey, nudge: bool, lane: Lane) -> Message {
    let envelope = Envelope {
        id: Uuid::now_v7(),
        workspace: run.workspace,
        call: run.call,
        generation: run.generation,
        time: Moment::now(),
        traceparent: None,
        data: RunWoken { nudge },
    };
    let route = Route::Stage { stage: run.stage };
    Message { route, lane, id: envelope.id, body: Bytes::from(envelope.encode()) }
}
