//! Replays of dead letters, and what the audit says about them.

use std::time::Duration;

use domain::call::CallStatus;
use domain::moment::Moment;
use store::{
    Action, Claim, DeadFilter, DeadLetter, ErrorText, NewRun, Page, RunKey, Settled, Settlement, Store,
};
use uuid::Uuid;

use crate::databases::{WORKSPACE, arrival, on_both, request, run, take, take_in};

const FIRST: Page = Page { offset: 0, limit: 100 };

/// Claims the transcription of the call at `generation`.
async fn claim(store: &Store, call: &str, generation: i64) -> Claim {
    take(store, run(arrival(call, None).call, "transcription", generation)).await.1
}

async fn die(store: &Store, call: &str, generation: i64) {
    let claim = claim(store, call, generation).await;
    let error = ErrorText { code: "recording_not_found", text: "the answer was 404" };
    let dead = Settlement::Dead { error, group: "recording_not_found-1" };
    assert_eq!(store.settle_run(&claim, &dead).await.unwrap(), Settled::Yes);
}

async fn letters(store: &Store) -> Vec<DeadLetter> {
    store.next_dead(WORKSPACE, &DeadFilter::default(), 100).await.unwrap()
}

#[tokio::test]
async fn a_letter_is_replayed_once_and_counted_once() {
    on_both(|store| async move {
        take_in(&store, &arrival("a", Some("a"))).await;
        die(&store, "a", 1).await;
        let letter = letters(&store).await.remove(0);
        let died = run(arrival("a", None).call, "transcription", 1);
        let audit = store.begin_audit(&request(Action::ReplayDeadLetters), store.now()).await.unwrap();
        let input = |run: &RunKey| format!("input {}", run.generation);
        let replay = || store.replay_letter(&audit, &letter, &died, input);
        assert_eq!((replay().await.unwrap(), replay().await.unwrap()), (true, false));
        assert_eq!(store.call(WORKSPACE, died.call).await.unwrap().unwrap().status, CallStatus::Queued);
        let (rows, total) = store.audit(WORKSPACE, FIRST).await.unwrap();
        assert_eq!((total, rows[0].done, rows[0].ended_at), (1, 1, None));
        assert_eq!((rows[0].actor.as_str(), rows[0].asked.as_str()), ("cli:test", r#"{"by":"a test"}"#));
    })
    .await;
}

#[tokio::test]
async fn a_letter_whose_run_is_not_dead_any_more_starts_nothing() {
    on_both(|store| async move {
        take_in(&store, &arrival("a", Some("a"))).await;
        die(&store, "a", 1).await;
        let mut newer = arrival("a", Some("b"));
        newer.event_id = Uuid::new_v4();
        take_in(&store, &newer).await;
        let done = claim(&store, "a", 2).await;
        let settlement = Settlement::Done { writes: &[], children: &[] };
        store.settle_run(&done, &settlement).await.unwrap();
        let letter = letters(&store).await.remove(0);
        let audit = store.begin_audit(&request(Action::ReplayDeadLetters), store.now()).await.unwrap();
        let died = RunKey { generation: 1, ..done.run };
        assert!(!store.replay_letter(&audit, &letter, &died, |_| String::new()).await.unwrap());
        assert!(letters(&store).await.is_empty(), "the letter is marked");
        assert!(store.is_done(&done.run).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_message_that_was_replayed_and_died_again_is_listed_again() {
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
        let audit = store.begin_audit(&request(Action::ReplayDeadLetters), store.now()).await.unwrap();
        assert!(store.requeue_letter(&audit, &first).await.unwrap());
        store.bury(&first).await.unwrap();
        assert!(letters(&store).await.is_empty(), "it is the same death, reported twice");
        store.bury(&died(store.now().plus(Duration::from_secs(1)))).await.unwrap();
        assert_eq!(letters(&store).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_request_continues_a_batch_that_was_cut_off_and_begins_a_new_one_after_its_end() {
    on_both(|store| async move {
        let begin = |action| {
            let store = store.clone();
            async move { store.begin_audit(&request(action), store.now()).await.unwrap() }
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
async fn a_call_that_waited_for_a_destination_goes_on_once_it_is_back() {
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
                    claims.push(take(&store, RunKey { stage, ..first.run }).await.1);
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
