//! What a stage is given besides its event: the run, the store, and a place for its results.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::anyhow;
use domain::analysis::Analysis;
use domain::call::{Call, CallId, CallKind, WorkspaceId};
use domain::event::Event;
use domain::moment::Moment;
use domain::transcript::Transcript;
use store::{Claim, InstanceId, RunKey, Store, StoredTranscript, Write};

use crate::memory::{BYTES_PER_TEXT_BYTE, Memory, Room, SMALL_TEXT_BYTES};
use crate::places::{Place, Places, Whom};
use crate::requests::Requests;
use crate::stage_error::StageError;
use crate::table::{self, Lane};
use crate::waits::{Waiting, Waits};

/// The run that the stage works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub workspace: WorkspaceId,
    pub call: CallId,
    pub stage: &'static str,
    pub generation: i64,
    /// 1 for the first try of this generation.
    pub attempt: i64,
    /// Proves to the store that this process still holds the run.
    pub fence: i64,
    /// When this generation of the call began to wait at this stage.
    pub since: Moment,
    pub lane: Lane,
}

impl Run {
    pub fn key(&self) -> RunKey {
        let Self { workspace, call, stage, generation, .. } = *self;
        RunKey { workspace, call, stage, generation }
    }
}

/// What a stage is given besides its event.
pub struct Cx {
    pub run: Run,
    pub store: Store,
    pub(crate) claim: Claim,
    pub(crate) requests: Requests,
    /// Absent where no worker runs the stage.
    outside: Option<Outside>,
    /// The room for the texts of this run.
    room: Mutex<Option<Room>>,
    results: Mutex<Results>,
}

/// What bounds the run from outside: the places of its worker, and the memory of its process.
pub(crate) struct Outside {
    pub(crate) places: Arc<Places>,
    pub(crate) waits: Waits,
    pub(crate) memory: Memory,
}

/// A place in which the run waits for somebody, until it is dropped.
pub struct Held(#[expect(dead_code, reason = "what matters is when it is dropped")] Option<(Place, Waiting)>);

/// The results of a run so far.
#[derive(Default)]
struct Results {
    writes: Vec<Write>,
    /// The generation of the emitted event, if it is not the run's.
    generation: Option<i64>,
    /// The kind of the call, by which the consumers of the emitted event are chosen.
    kind: Option<CallKind>,
}

impl Cx {
    pub fn new(store: Store, run: Run, owner: InstanceId) -> Self {
        let claim = Claim { run: run.key(), owner, fence: run.fence };
        let (requests, room, results) = (Requests::default(), Mutex::default(), Mutex::default());
        Self { run, store, claim, requests, outside: None, room, results }
    }

    /// The same context, with requests that the runner watches and with the kind of the run's call.
    pub(crate) fn watched(self, requests: Requests, kind: Option<CallKind>) -> Self {
        self.results().kind = kind;
        Self { requests, ..self }
    }

    /// The same context, for a run whose places and memory are bounded.
    pub(crate) fn bounded(self, outside: Outside) -> Self {
        Self { outside: Some(outside), ..self }
    }

    /// Takes a place of the worker in which the run waits for somebody else's system. Whoever sends a request takes it
    /// first, and keeps it until the answer is here. [`Self::once`] does so by itself.
    ///
    /// # Errors
    /// The share of the places that may wait for `whom` is taken. The stage returns the error: the run comes again later,
    /// and spends no attempt.
    pub async fn wait_for(&self, whom: Whom<'_>) -> Result<Held, StageError> {
        let Some(outside) = &self.outside else { return Ok(Held(None)) };
        let waiting = outside.waits.begin(&self.claim, whom.name());
        match outside.places.take(whom).await {
            Ok(place) => Ok(Held(Some((place, waiting)))),
            Err(none) => Err(StageError::no_place(whom.name(), none.come_again_in)),
        }
    }

    /// Waits until the process has room in its memory for the work on a text of this length. The run keeps the room
    /// until it ends. Only the first call waits: whoever has room must not wait for more.
    pub async fn room_for(&self, text_bytes: u64) {
        let Some(outside) = &self.outside else { return };
        if self.room_slot().is_some() {
            return;
        }
        let waiting =
            outside.memory.is_full_for(text_bytes).then(|| outside.waits.begin(&self.claim, "memory"));
        let room = outside.memory.room_for(text_bytes).await;
        drop(waiting);
        *self.room_slot() = room;
    }

    /// Waits until the process has room in its memory for work that takes so many bytes altogether. It counts as the room
    /// for a text does, see [`Self::room_for`].
    pub async fn room_for_work(&self, bytes: u64) {
        self.room_for(bytes.div_ceil(BYTES_PER_TEXT_BYTE)).await;
    }

    fn room_slot(&self) -> MutexGuard<'_, Option<Room>> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Proves to the store that this process holds the run. Only a stage that stores steps of its work before the run
    /// ends needs it.
    pub fn claim(&self) -> Claim {
        self.claim
    }

    /// The time of the store's clock.
    pub fn now(&self) -> Moment {
        self.store.now()
    }

    /// The call of the run.
    pub async fn call(&self) -> Result<Call, StageError> {
        let call = self.store.call(self.run.workspace, self.run.call).await?;
        call.ok_or_else(|| StageError::permanent("call_not_found", anyhow!("the call is not in the store")))
    }

    /// The transcript of the call.
    pub async fn transcript(&self) -> Result<Transcript, StageError> {
        let (workspace, call) = (self.run.workspace, self.run.call);
        let transcript = match self.store.transcript_up_to(workspace, call, SMALL_TEXT_BYTES).await? {
            Some(StoredTranscript::Read(transcript)) => Some(transcript),
            Some(StoredTranscript::Longer { bytes }) => {
                self.room_for(bytes).await;
                self.store.transcript(workspace, call).await?
            }
            None => None,
        };
        let absent = || anyhow!("the transcript of the call is not in the store");
        transcript.ok_or_else(|| StageError::permanent("transcript_not_found", absent()))
    }

    /// The analysis of the call.
    pub async fn analysis(&self) -> Result<Analysis, StageError> {
        let analysis = self.store.analysis(self.run.workspace, self.run.call).await?;
        let absent = || anyhow!("the analysis of the call is not in the store");
        analysis.ok_or_else(|| StageError::permanent("analysis_not_found", absent()))
    }

    /// Keeps a result of this run. All results are stored in the transaction that ends the run, or none is.
    pub fn keep(&self, write: Write) {
        self.results().writes.push(write);
    }

    /// Takes out what was kept so far.
    pub(crate) fn take_writes(&self) -> Vec<Write> {
        std::mem::take(&mut self.results().writes)
    }

    /// Sets the generation that the emitted event carries and the kind of call that it is about. Only dedup calls
    /// this, because dedup decides the generation and has no row that tells the kind.
    pub fn emit_as(&self, kind: CallKind, generation: i64) {
        let mut results = self.results();
        results.kind = Some(kind);
        results.generation = Some(generation);
    }

    /// The key of the run, with the generation that the emitted event carries.
    pub(crate) fn emitting_run(&self) -> RunKey {
        let generation = self.results().generation.unwrap_or(self.run.generation);
        RunKey { generation, ..self.run.key() }
    }

    /// The stages that consume events of type `E` about calls of this kind.
    pub fn consumers<E: Event>(&self, kind: CallKind) -> Vec<&'static str> {
        table::consumers(E::KEY, kind).map(|queue| queue.stage).collect()
    }

    /// The kind of the call, if it is known.
    pub(crate) fn kind(&self) -> Option<CallKind> {
        self.results().kind
    }

    fn results(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "testing")]
impl Cx {
    /// Takes out what the stage has kept so far, for a test to look at.
    pub fn take_kept(&self) -> Vec<Write> {
        self.take_writes()
    }
}

#[cfg(test)]
mod tests {
    use domain::fault::Fault;
    use uuid::Uuid;

    use super::*;
    use crate::effect::tests::World;

    #[tokio::test]
    async fn whatever_a_stage_needs_and_the_store_does_not_have_is_named_by_one_code() {
        let world = World::new().await;
        let cx = world.cx();
        assert_eq!(cx.call().await.unwrap().id, world.run.call);
        let absent = [cx.transcript().await.err().unwrap(), cx.analysis().await.err().unwrap()];
        assert_eq!(absent.each_ref().map(|error| error.code), ["transcript_not_found", "analysis_not_found"]);

        let run = Run { call: CallId(Uuid::from_u128(7)), ..world.run.clone() };
        let unknown = Cx::new(world.store.clone(), run, world.owner);
        let error = unknown.call().await.unwrap_err();
        assert_eq!((error.code, error.fault), ("call_not_found", Fault::Permanent));
    }
}
