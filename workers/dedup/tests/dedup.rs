//! Tests which events start work and what they add to a call, with an embedded store.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should end")]

use bytes::Bytes;
use dedup::Dedup;
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{CallReceived, Envelope, Kept, Material, MaterialAt, MaterialKind};
use domain::fault::Fault;
use domain::moment::Moment;
use platform::blobs::Blobs;
use queue_topology::broker::Lane;
use queue_topology::{Cx, Outcome, Run, Stage as _, StageError};
use store::{InstanceId, Store};
use uuid::Uuid;

const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;

struct World {
    _folder: tempfile::TempDir,
    stage: Dedup,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let blobs = Blobs::local(&folder.path().join("blobs")).unwrap();
        Self { stage: Dedup { store, blobs }, _folder: folder }
    }

    async fn handle(
        &self,
        event: &Envelope<CallReceived>,
    ) -> Result<Outcome<domain::event::CallAccepted>, StageError> {
        let run = Run {
            workspace: event.workspace,
            call: event.call,
            stage: "dedup",
            generation: 0,
            attempt: 1,
            fence: 0,
            since: Moment::now(),
            lane: Lane::Live,
        };
        self.stage.handle(&Cx::new(self.stage.store.clone(), run, InstanceId::new()), event).await
    }
}

fn event(details: Kept<CallDetails>, recording: Option<&str>) -> Envelope<CallReceived> {
    let materials = recording.map(|digest| Material {
        kind: MaterialKind::Recording,
        digest: digest.into(),
        at: MaterialAt::Blob(digest.into()),
        media_type: None,
        starts_at: None,
    });
    Envelope {
        id: Uuid::new_v4(),
        workspace: WORKSPACE,
        call: CallId::derive(WORKSPACE, "exotel", "CALL-1"),
        generation: 0,
        time: Moment::now(),
        traceparent: None,
        data: CallReceived {
            source: "exotel".into(),
            external_id: "CALL-1".into(),
            kind: CallKind::Phone,
            details,
            materials: materials.into_iter().collect(),
        },
    }
}

fn department(name: &str) -> CallDetails {
    CallDetails { department: Some(name.into()), ..CallDetails::default() }
}

#[tokio::test]
async fn an_announcement_adds_details_and_the_first_recording_starts_work() {
    let world = World::new().await;
    let announced = event(Kept::Inline(department("Sales")), None);
    assert_eq!(world.handle(&announced).await.unwrap(), Outcome::Done);
    let recorded = event(Kept::Inline(CallDetails::default()), Some("a"));
    assert!(matches!(world.handle(&recorded).await.unwrap(), Outcome::Emit(_)));
    let same_again = event(Kept::Inline(CallDetails::default()), Some("a"));
    assert_eq!(world.handle(&same_again).await.unwrap(), Outcome::Done);
    let call = world.stage.store.call(WORKSPACE, recorded.call).await.unwrap().unwrap();
    assert_eq!((call.details.department.as_deref(), call.generation), (Some("Sales"), 1));
}

#[tokio::test]
async fn details_that_are_too_long_for_an_event_are_read_from_their_blob() {
    let world = World::new().await;
    let long = serde_json::to_vec(&department("Customer Success")).unwrap();
    world.stage.blobs.put("details", Bytes::from(long)).await.unwrap();
    let stored = event(Kept::Blob("details".into()), None);
    world.handle(&stored).await.unwrap();
    let call = world.stage.store.call(WORKSPACE, stored.call).await.unwrap().unwrap();
    assert_eq!(call.details.department.as_deref(), Some("Customer Success"));
}

#[tokio::test]
async fn an_event_whose_blob_is_missing_is_a_permanent_failure() {
    let world = World::new().await;
    let error = world.handle(&event(Kept::Blob("missing".into()), None)).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Permanent, "details_missing"));
}
