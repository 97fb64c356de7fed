//! Tests which events start work and what they add to a call, with an embedded store.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should end")]

use std::time::Duration;

use bytes::Bytes;
use dedup::{Dedup, Rules};
use domain::agents::{Agent, Agents};
use domain::call::{Call, CallDetails, CallId, CallKind, CallStatus, WorkspaceId};
use domain::event::{CallReceived, Envelope, Kept, Material, MaterialAt, MaterialKind};
use domain::fault::Fault;
use domain::filters::Filters;
use domain::moment::Moment;
use platform::blobs::Blobs;
use queue_topology::broker::Lane;
use queue_topology::{Cx, Outcome, Run, Stage as _, StageError};
use store::{CallFilter, InstanceId, Page, Store};
use uuid::Uuid;

const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;

struct World {
    _folder: tempfile::TempDir,
    stage: Dedup,
}

impl World {
    async fn new() -> Self {
        Self::with(Rules::default()).await
    }

    async fn with(rules: Rules) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_embedded(folder.path()).await.unwrap();
        let blobs = Blobs::local(&folder.path().join("blobs")).unwrap();
        Self { stage: Dedup { store, blobs, rules }, _folder: folder }
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

/// An event with a recording that was announced by its address.
fn announced(details: CallDetails) -> Envelope<CallReceived> {
    let mut event = event(Kept::Inline(details), Some("a"));
    event.data.materials[0].at = MaterialAt::SealedUrl("s1.sealed".into());
    event
}

fn took(seconds: i64) -> CallDetails {
    CallDetails { duration_ms: Some(seconds * 1000), ..CallDetails::default() }
}

fn at_least_ten_seconds() -> Rules {
    let filters = Filters { min_duration: Some(Duration::from_secs(10)), ..Filters::default() };
    Rules { filters, ..Rules::default() }
}

async fn known(world: &World) -> Call {
    let call = CallId::derive(WORKSPACE, "exotel", "CALL-1");
    world.stage.store.call(WORKSPACE, call).await.unwrap().unwrap()
}

fn codes(call: &Call) -> Vec<&str> {
    call.details.notes.iter().map(|note| note.code.as_str()).collect()
}

#[tokio::test]
async fn a_call_that_is_not_wanted_is_kept_and_says_why_and_goes_on_when_its_facts_change() {
    let world = World::with(at_least_ten_seconds()).await;
    assert_eq!(world.handle(&announced(took(3))).await.unwrap(), Outcome::Done);
    let call = known(&world).await;
    assert_eq!((call.status, call.generation), (CallStatus::Filtered, 0));
    assert_eq!(codes(&call), ["call_filtered"]);
    assert!(call.details.notes[0].text.contains("it took 3 s, and MIN_DURATION is 10 s"));
    let listed = async |status| {
        let filter = CallFilter { status: Some(status), ..CallFilter::default() };
        world.stage.store.calls(WORKSPACE, &filter, Page { offset: 0, limit: 10 }).await.unwrap().1
    };
    assert_eq!((listed(CallStatus::Filtered).await, listed(CallStatus::NoRecording).await), (1, 0));
    // The same again changes nothing, and the final length lets the call go on.
    assert_eq!(world.handle(&announced(took(4))).await.unwrap(), Outcome::Done);
    let longer = event(Kept::Inline(took(64)), None);
    assert!(matches!(world.handle(&longer).await.unwrap(), Outcome::Emit(_)));
    let call = known(&world).await;
    assert_eq!((call.status, call.generation), (CallStatus::Queued, 1));
    assert!(codes(&call).is_empty());
}

#[tokio::test]
async fn a_call_that_was_begun_is_not_filtered_later_and_an_upload_by_hand_is_never_filtered() {
    let world = World::with(at_least_ten_seconds()).await;
    assert!(matches!(world.handle(&announced(CallDetails::default())).await.unwrap(), Outcome::Emit(_)));
    assert_eq!(world.handle(&announced(took(3))).await.unwrap(), Outcome::Done);
    assert_eq!((known(&world).await.status, codes(&known(&world).await).len()), (CallStatus::Queued, 0));
    let world = World::with(at_least_ten_seconds()).await;
    let uploaded = event(Kept::Inline(took(3)), Some("a"));
    assert!(matches!(world.handle(&uploaded).await.unwrap(), Outcome::Emit(_)));
}

#[tokio::test]
async fn the_directory_fills_in_what_a_call_lacks_and_its_department_counts_for_the_filter() {
    let dana = Agent {
        name: Some("Dana Ortiz".into()),
        phone: Some("+12025550111".into()),
        department: Some("Sales".into()),
        ..Agent::default()
    };
    let rules = Rules {
        agents: Agents::new(vec![dana], "US".parse().unwrap()).unwrap(),
        filters: Filters { departments: vec!["sales".into()], ..Filters::default() },
        ..Rules::default()
    };
    let world = World::with(rules).await;
    let of_dana = CallDetails { from_number: Some("202 555 0111".into()), ..CallDetails::default() };
    assert!(matches!(world.handle(&announced(of_dana)).await.unwrap(), Outcome::Emit(_)));
    let call = known(&world).await;
    assert_eq!(call.details.agent_name.as_deref(), Some("Dana Ortiz"));
    assert_eq!(call.details.department.as_deref(), Some("Sales"));
}
