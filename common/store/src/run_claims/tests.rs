//! Claims of a process whose clock is behind, and of one that never got its answer.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::{Arrival, Settled};
use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::event::{Material, MaterialAt, MaterialKind};

const WORKSPACE: WorkspaceId = WorkspaceId::DEFAULT;

/// An embedded store with a call whose transcription waits.
async fn waiting(folder: &tempfile::TempDir) -> (Store, CallId, InstanceId) {
    let store = Store::open_embedded(folder.path()).await.unwrap();
    let call = CallId::derive(WORKSPACE, "switchboard", "a");
    let arrival = Arrival {
        event_id: Uuid::new_v4(),
        workspace: WORKSPACE,
        call,
        source: "switchboard".into(),
        external_id: "a".into(),
        kind: CallKind::Phone,
        details: CallDetails::default(),
        materials: vec![Material {
            kind: MaterialKind::Recording,
            digest: "d".into(),
            at: MaterialAt::SealedUrl("https://r.example.com/a.mp3".into()),
            media_type: None,
            starts_at: None,
        }],
    };
    store.take_in(&arrival, &["transcription"], "live", |_| "input".into()).await.unwrap();
    let owner = InstanceId::new();
    store.renew_instance(owner, Duration::from_mins(1)).await.unwrap();
    (store, call, owner)
}

fn transcription(call: CallId) -> RunKey {
    RunKey { workspace: WORKSPACE, call, stage: "transcription", generation: 1 }
}

fn request(store: &Store, call: CallId, owner: InstanceId) -> RunRequest {
    RunRequest::new(transcription(call), owner, store.now())
}

async fn begin(store: &Store, call: CallId, owner: InstanceId) -> Begun {
    store.begin_run(&request(store, call, owner)).await.unwrap()
}

/// Sets this process's reading of the store's clock back. Other processes have a better one.
fn fall_behind(store: &Store, by: Duration) {
    store.clock.set(store.now().minus(by), Duration::ZERO);
}

#[tokio::test]
async fn a_run_that_has_just_been_made_is_due_even_if_our_clock_is_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (store, call, owner) = waiting(&folder).await;
    fall_behind(&store, Duration::from_secs(1));
    assert!(matches!(begin(&store, call, owner).await, Begun::Mine(_)));
}

#[tokio::test]
async fn a_run_that_was_woken_a_moment_too_early_is_woken_again_when_it_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let (store, call, owner) = waiting(&folder).await;
    let Begun::Mine(run) = begin(&store, call, owner).await else { panic!("not taken") };
    let claim = request(&store, call, owner).claim(&run);
    let not_before = store.now();
    let again = Settlement::Again { not_before, spent: false, error: None };
    store.settle_run(&claim, &again).await.unwrap();
    assert_eq!(store.due_runs(10, true).await.unwrap().len(), 1);

    fall_behind(&store, Duration::from_secs(1));
    assert_eq!(begin(&store, call, owner).await, Begun::NothingToDo);
    assert_eq!(store.next_wake().await.unwrap(), Some(not_before));
}

#[tokio::test]
async fn a_run_whose_message_is_overdue_counts_as_announced() {
    let folder = tempfile::tempdir().unwrap();
    let (store, call, _) = waiting(&folder).await;
    assert!(store.due_runs(10, true).await.unwrap().is_empty());
    store.clock.set(store.now().plus(Duration::from_mins(2)), Duration::ZERO);
    let due = store.due_runs(10, true).await.unwrap();
    assert_eq!(due.iter().map(|run| (run.call_id, run.announced)).collect::<Vec<_>>(), [(call, true)]);
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_given_again_to_the_same_process() {
    let folder = tempfile::tempdir().unwrap();
    let (store, call, owner) = waiting(&folder).await;
    let request = RunRequest { alone: false, ..request(&store, call, owner) };
    let Begun::Mine(lost) = store.begin_run(&request).await.unwrap() else { panic!("not taken") };
    let Begun::Mine(run) = store.begin_run(&request).await.unwrap() else { panic!("not given again") };
    assert_eq!((run.attempts, run.crashes), (1, 0));
    let done = Settlement::Done { writes: &[], children: &[] };
    let settled = store.settle_run(&request.claim(&lost), &done).await.unwrap();
    assert_eq!(settled, Settled::NotOurs, "the second answer raised the fence");
    assert!(run.fence > lost.fence);
    assert_eq!(begin(&store, call, owner).await, Begun::NothingToDo, "this is another request");
}
