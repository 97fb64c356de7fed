//! Sending dead letters on, and what the audit says of it.

use std::time::Duration;

use domain::call::CallStatus;
use domain::moment::Moment;
use store::{
    Action, Begun, Claim, DeadFilter, DeadLetter, ErrorText, NewRun, Page, Settled, Settlement, Store,
};
use uuid::Uuid;

use crate::databases::{WORKSPACE, arrival, asked, instance, on_both, take_in};

const FIRST: Page = Page { offset: 0, limit: 100 };

/// A call whose transcription is in hand at `generation`.
async fn claim(store: &Store, call: &str, generation: i64) -> Claim {
    let (id, owner) = (arrival(call, None).call, instance(store).await);
    let begun = store.begin_run(WORKSPACE, id, "transcription", generation, false, owner).await.unwrap();
    let Begun::Mine(run) = begun else { panic!("not taken: {begun:?}") };
    Claim { workspace: WORKSPACE, call: id, stage: "transcription", owner, fence: run.fence }
}

async fn dies(store: &Store, call: &str, generation: i64) {
    let claim = claim(store, call, generation).await;
    let error = ErrorText { code: "recording_not_found", text: "the answer was 404" };
    let dead = Settlement::Dead { error, group: "recording_not_found-1" };
    assert_eq!(store.settle_run(&claim, &dead).await.unwrap(), Settled::Yes);
}

async fn letters(store: &Store) -> Vec<DeadLetter> {
    store.next_dead(WORKSPACE, &DeadFilter::default(), 100).await.unwrap()
}

#[tokio::test]
async fn a_letter_is_sent_on_once_and_counted_once() {
    on_both(|store| async move {
        take_in(&store, &arrival("a", Some("a"))).await;
        dies(&store, "a", 1).await;
        let letter = letters(&store).await.remove(0);
        let to = (WORKSPACE, arrival("a", None).call);
        let audit = store.begin_audit(&asked(Action::ReplayDeadLetters), store.now()).await.unwrap();
        let send = || store.replay_letter(&audit, &letter, to, "transcription", |n| format!("input {n}"));
        assert_eq!((send().await.unwrap(), send().await.unwrap()), (true, false));
        assert_eq!(store.call(WORKSPACE, to.1).await.unwrap().unwrap().status, CallStatus::Queued);
        let (rows, total) = store.audit(WORKSPACE, FIRST).await.unwrap();
        assert_eq!((total, rows[0].done, rows[0].ended_at), (1, 1, None));
        assert_eq!((rows[0].actor.as_str(), rows[0].asked.as_str()), ("cli:test", r#"{"by":"a test"}"#));
    })
    .await;
}

#[tokio::test]
async fn a_letter_whose_run_is_not_dead_any_more_does_nothing_again() {
    on_both(|store| async move {
        take_in(&store, &arrival("a", Some("a"))).await;
        dies(&store, "a", 1).await;
        let mut newer = arrival("a", Some("b"));
        newer.event_id = Uuid::new_v4();
        take_in(&store, &newer).await;
        let done = claim(&store, "a", 2).await;
        let settlement = Settlement::Done { writes: &[], children: &[] };
        store.settle_run(&done, &settlement).await.unwrap();
        let letter = letters(&store).await.remove(0);
        let audit = store.begin_audit(&asked(Action::ReplayDeadLetters), store.now()).await.unwrap();
        let to = (WORKSPACE, done.call);
        assert!(!store.replay_letter(&audit, &letter, to, "transcription", |_| String::new()).await.unwrap());
        assert!(letters(&store).await.is_empty(), "it is done with");
        assert!(store.is_done(done.call, "transcription", 2).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_message_that_was_sent_on_and_died_again_is_listed_again() {
    on_both(|store| async move {
        let died = |at: Moment| DeadLetter {
            id: Uuid::from_u128(7),
            workspace: None,
            call_id: None,
            stage: "dedup".into(),
            generation: 0,
            attempts: 0,
            error_code: "undecodable".into(),
            error_text: "it is not JSON".into(),
            error_group: "undecodable-1".into(),
            body: "{".into(),
            died_at: at,
            replayed_at: None,
        };
        let first = died(store.now());
        store.bury(&first).await.unwrap();
        let audit = store.begin_audit(&asked(Action::ReplayDeadLetters), store.now()).await.unwrap();
        assert!(store.requeue_letter(&audit, &first).await.unwrap());
        store.bury(&first).await.unwrap();
        assert!(letters(&store).await.is_empty(), "the same death, told twice");
        store.bury(&died(store.now().plus(Duration::from_secs(1)))).await.unwrap();
        assert_eq!(letters(&store).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn who_asks_for_what_was_cut_off_goes_on_with_it_and_who_asks_after_its_end_begins_anew() {
    on_both(|store| async move {
        let begin = |action| {
            let store = store.clone();
            async move { store.begin_audit(&asked(action), store.now()).await.unwrap() }
        };
        let first = begin(Action::ReplayDeadLetters).await;
        let other = begin(Action::ResolveEffects).await;
        let second = begin(Action::ReplayDeadLetters).await;
        assert_eq!((first.resumed, second.resumed, other.resumed), (false, true, false));
        assert_eq!((second.batch, second.bound), (first.batch, first.bound));
        store.end_audit(&second).await.unwrap();
        let third = begin(Action::ReplayDeadLetters).await;
        assert!(!third.resumed && third.batch != first.batch);
        assert_eq!(store.audit(WORKSPACE, FIRST).await.unwrap().1, 4);
    })
    .await;
}

#[tokio::test]
async fn a_call_that_waited_for_a_destination_is_at_work_again_once_it_is_back() {
    on_both(|store| async move {
        let status = async |store: &Store, call| store.call(WORKSPACE, call).await.unwrap().unwrap().status;
        for (name, stages) in [("a", &["transcription"][..]), ("b", &["crm", "slack"])] {
            let arrived = arrival(name, Some(name));
            store.take_in(&arrived, &["transcription"], "live", |_| String::new()).await.unwrap();
            let mut claims = vec![claim(&store, name, 1).await];
            if stages.len() > 1 {
                let child = |stage: &&'static str| NewRun {
                    stage,
                    generation: 1,
                    lane: "live".into(),
                    input: String::new(),
                };
                let children: Vec<_> = stages.iter().map(child).collect();
                let done = Settlement::Done { writes: &[], children: &children };
                let first = claims.remove(0);
                store.settle_run(&first, &done).await.unwrap();
                for stage in stages {
                    let begun =
                        store.begin_run(WORKSPACE, first.call, stage, 1, false, first.owner).await.unwrap();
                    let Begun::Mine(run) = begun else { panic!("not taken") };
                    claims.push(Claim { stage, fence: run.fence, ..first });
                }
            }
            for claim in claims {
                let error = ErrorText { code: "unreachable", text: "it is away" };
                let probe_at = store.now().plus(Duration::from_mins(10));
                let parked = Settlement::Parked { destination: "there", probe_at, error };
                assert_eq!(store.settle_run(&claim, &parked).await.unwrap(), Settled::Yes);
            }
            assert_eq!(status(&store, arrived.call).await, CallStatus::Waiting);
        }
        assert_eq!(store.unpark(WORKSPACE, "elsewhere").await.unwrap(), 0);
        assert_eq!(store.unpark(WORKSPACE, "there").await.unwrap(), 3);
        for call in ["a", "b"] {
            let call = arrival(call, None).call;
            assert!(matches!(status(&store, call).await, CallStatus::Queued | CallStatus::Processing));
        }
    })
    .await;
}
