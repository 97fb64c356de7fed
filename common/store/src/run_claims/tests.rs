//! What a clock that is behind, and an answer that is lost, do to a claim.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::{Arrival, Settled};
use domain::call::{CallDetails, CallKind};
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
        }],
    };
    store.take_in(&arrival, &["transcription"], "live", |_| "input".into()).await.unwrap();
    let owner = InstanceId::new();
    store.renew_instance(owner, Duration::from_mins(1)).await.unwrap();
    (store, call, owner)
}

async fn begin(store: &Store, call: CallId, owner: InstanceId) -> Begun {
    store.begin_run(WORKSPACE, call, "transcription", 1, false, owner).await.unwrap()
}

/// Makes this process's reading of the store's clock earlier: another process has a better one.
fn fall_behind(store: &Store, by: Duration) {
    store.clock.set(store.now().minus(by), Duration::ZERO);
}

#[tokio::test]
async fn what_was_just_handed_on_is_due_where_the_clock_is_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (store, call, owner) = waiting(&folder).await;
    fall_behind(&store, Duration::from_secs(1));
    assert!(matches!(begin(&store, call, owner).await, Begun::Mine(_)));
}

#[tokio::test]
async fn what_was_woken_a_moment_too_soon_is_woken_again_when_it_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let (store, call, owner) = waiting(&folder).await;
    let Begun::Mine(run) = begin(&store, call, owner).await else { panic!("not taken") };
    let claim = Claim { workspace: WORKSPACE, call, stage: "transcription", owner, fence: run.fence };
    let not_before = store.now();
    let again = Settlement::Again { not_before, spent: false, error: None };
    store.settle_run(&claim, &again).await.unwrap();
    assert_eq!(store.due_runs(10).await.unwrap().len(), 1);

    fall_behind(&store, Duration::from_secs(1));
    assert_eq!(begin(&store, call, owner).await, Begun::NothingToDo);
    assert_eq!(store.next_wake().await.unwrap(), Some(not_before));
}

#[tokio::test]
async fn a_run_that_was_handed_on_with_a_message_and_is_overdue_was_announced() {
    let folder = tempfile::tempdir().unwrap();
    let (store, call, _) = waiting(&folder).await;
    assert!(store.due_runs(10).await.unwrap().is_empty());
    store.clock.set(store.now().plus(Duration::from_mins(2)), Duration::ZERO);
    let due = store.due_runs(10).await.unwrap();
    assert_eq!(due.iter().map(|run| (run.call_id, run.announced)).collect::<Vec<_>>(), [(call, true)]);
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_given_again_to_who_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (store, call, owner) = waiting(&folder).await;
    let asked_at = store.now();
    let taking = Taking {
        asked_at,
        workspace: WORKSPACE,
        call,
        stage: "transcription",
        generation: 1,
        nudge: false,
        owner,
        alone: false,
        judges_in: Duration::ZERO,
    };
    let ask = || store.begin_run_asked(&taking);
    let Begun::Mine(lost) = ask().await.unwrap() else { panic!("not taken") };
    let Begun::Mine(run) = ask().await.unwrap() else { panic!("not given again") };
    assert_eq!((run.attempts, run.crashes), (1, 0));
    let late = Claim { workspace: WORKSPACE, call, stage: "transcription", owner, fence: lost.fence };
    let done = Settlement::Done { writes: &[], children: &[] };
    assert_eq!(store.settle_run(&late, &done).await.unwrap(), Settled::NotOurs, "its fence was raised");
    assert!(run.fence > lost.fence);
    assert_eq!(begin(&store, call, owner).await, Begun::NothingToDo, "another message is not who asked");
}
