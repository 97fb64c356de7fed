//! Decides whether an event is new, to which call it belongs, and what it adds to the call.
//!
//! Telephony providers send a webhook again when our answer is late, and people upload a recording that a webhook
//! already announced. An event that arrives a second time changes nothing. Another event about a known call adds to
//! the call. Work starts only for material that the call did not have. The database decides all this in one
//! transaction.

use anyhow::Context as _;
use domain::agents::Agents;
use domain::call::{CallDetails, CallKind};
use domain::event::{CallAccepted, CallReceived, Envelope, InvalidJson, Kept, MaterialAt};
use domain::filters::Filters;
use domain::note::Note;
use domain::parties::SupportLines;
use domain::refusal::Destination;
use platform::blobs::{BlobError, Blobs};
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Outcome, Stage, StageError};
use store::{Arrival, Store, TakenIn};

/// The largest blob with a call's details that is read.
const MAX_DETAILS_BYTES: u64 = 4 * 1024 * 1024;

pub struct Dedup {
    pub store: Store,
    pub blobs: Blobs,
    pub rules: Rules,
}

/// What the settings add to a call when it is taken in.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Our own people. They fill in what the call lacks of its agent.
    pub agents: Agents,
    /// Which telephone calls are transcribed.
    pub filters: Filters,
    /// They decide who called whom.
    pub lines: SupportLines,
}

impl Rules {
    /// Completes the facts of a call. Returns the note of a call that is not transcribed. What somebody uploaded by hand
    /// is always transcribed.
    fn apply(&self, kind: CallKind, by_hand: bool, details: &mut CallDetails) -> Option<Note> {
        self.agents.fill(details);
        if by_hand {
            return None;
        }
        self.filters.against(kind, details, &self.lines).map(|why| why.note())
    }
}

impl Stage for Dedup {
    type In = CallReceived;
    type Out = CallAccepted;
    const QUEUE: Queue<CallReceived> = table::DEDUP;

    async fn handle(
        &self,
        cx: &Cx,
        event: &Envelope<CallReceived>,
    ) -> Result<Outcome<CallAccepted>, StageError> {
        let kind = event.data.kind;
        let arrival = Arrival {
            event_id: event.id,
            workspace: event.workspace,
            call: event.call,
            source: event.data.source.clone(),
            external_id: event.data.external_id.clone(),
            kind,
            details: self.details(&event.data.details).await?,
            materials: event.data.materials.clone(),
        };
        let consumers = cx.consumers::<CallAccepted>(kind);
        let input = |generation| String::from_utf8_lossy(&accepted(event, generation).encode()).into_owned();
        let by_hand = event.data.materials.iter().any(|material| matches!(material.at, MaterialAt::Blob(_)));
        let rules = |details: &mut CallDetails| self.rules.apply(kind, by_hand, details);
        let lane = cx.run.lane.name();
        let taken_in = self.store.take_in_by(&arrival, &consumers, lane, input, rules).await?;
        tracing::info!(?taken_in, materials = arrival.materials.len(), "stored what an event brought");
        match taken_in {
            TakenIn::Accepted { generation } | TakenIn::Repeated { generation, waiting: true } => {
                cx.emit_as(kind, generation);
                Ok(Outcome::Emit(CallAccepted {}))
            }
            TakenIn::Repeated { waiting: false, .. } | TakenIn::Noted => Ok(Outcome::Done),
        }
    }
}

impl Dedup {
    async fn details(&self, kept: &Kept<CallDetails>) -> Result<CallDetails, StageError> {
        let key = match kept {
            Kept::Inline(details) => return Ok(details.clone()),
            Kept::Blob(key) => key,
        };
        let bytes = self.blobs.get(key, MAX_DETAILS_BYTES).await.map_err(|error| match error {
            BlobError::Store(_) => StageError::unavailable(Destination::BLOBS, "blobs_unavailable", error),
            missing => StageError::permanent("details_missing", missing),
        })?;
        serde_json::from_slice(&bytes)
            .map_err(InvalidJson::from)
            .with_context(|| format!("read the details in `{key}`"))
            .map_err(|error| StageError::permanent("details_unreadable", error))
    }
}

/// The event that starts work on `generation`. It is stored as the input of the run that waits for it.
fn accepted(event: &Envelope<CallReceived>, generation: i64) -> Envelope<CallAccepted> {
    Envelope {
        id: event.id,
        workspace: event.workspace,
        call: event.call,
        generation,
        time: event.time,
        traceparent: platform::telemetry::traceparent(),
        data: CallAccepted {},
    }
}
