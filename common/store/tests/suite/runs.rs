//! Who may run what, and what a run leaves behind.

use std::time::{Duration, Instant};

use domain::call::{CallId, CallStatus};
use domain::moment::Moment;
use store::{
    Action, Begun, BegunRun, Claim, DeadFilter, ErrorText, InstanceId, NewRun, Page, Settled, Settlement,
    Store, TakenIn, Taking,
};

use crate::databases::{WORKSPACE, arrival, asked, instance, on_both, take_in};

const NOTHING: Settlement<'static> = Settlement::Done { writes: &[], children: &[] };
const ERROR: ErrorText<'static> = ErrorText { code: "recording_not_found", text: "the answer was 404" };

/// A call whose transcription waits at generation 1.
async fn accepted(store: &Store) -> CallId {
    let arrival = arrival("a", Some("https://r.example.com/a.mp3"));
    take_in(store, &arrival).await;
    arrival.call
}

async fn begin(
    store: &Store,
    call: CallId,
    stage: &'static str,
    generation: i64,
    owner: InstanceId,
) -> Begun {
    store.begin_run(WORKSPACE, call, stage, generation, false, owner).await.unwrap()
}

async fn take(store: &Store, call: CallId, stage: &'static str, generation: i64) -> (BegunRun, Claim) {
    let owner = instance(store).await;
    let Begun::Mine(run) = begin(store, call, stage, generation, owner).await else { panic!("not taken") };
    let claim = Claim { workspace: WORKSPACE, call, stage, owner, fence: run.fence };
    (run, claim)
}

fn child(stage: &'static str, generation: i64) -> NewRun {
    NewRun { stage, generation, lane: "live".into(), input: format!("input of {stage}") }
}

async fn status(store: &Store, call: CallId) -> CallStatus {
    store.call(WORKSPACE, call).await.unwrap().unwrap().status
}

#[tokio::test]
async fn one_of_two_takes_a_run_and_its_end_starts_what_follows() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (run, claim) = take(&store, call, "transcription", 1).await;
        assert_eq!((run.attempts, run.input.as_str()), (1, "input 1"));
        let other = instance(&store).await;
        assert_eq!(begin(&store, call, "transcription", 1, other).await, Begun::NothingToDo);
        let children = [child("analysis", 1)];
        let done = Settlement::Done { writes: &[], children: &children };
        assert_eq!(store.settle_run(&claim, &done).await.unwrap(), Settled::Yes);
        assert!(store.is_done(call, "transcription", 1).await.unwrap());
        assert_eq!(store.waiting_runs(call, &["analysis"], 1).await.unwrap(), children);
        assert_eq!(status(&store, call).await, CallStatus::Processing);
    })
    .await;
}

#[tokio::test]
async fn two_last_stages_that_end_at_the_same_time_complete_the_call() {
    on_both(|store| async move {
        for round in 0..10 {
            let mut arrived = arrival(&round.to_string(), Some("https://r.example.com/a.mp3"));
            arrived.materials[0].digest = round.to_string();
            take_in(&store, &arrived).await;
            let (_, claim) = take(&store, arrived.call, "transcription", 1).await;
            let children = [child("crm", 1), child("slack", 1)];
            store.settle_run(&claim, &Settlement::Done { writes: &[], children: &children }).await.unwrap();
            let (_, crm) = take(&store, arrived.call, "crm", 1).await;
            let (_, slack) = take(&store, arrived.call, "slack", 1).await;
            let (crm, slack) =
                tokio::join!(store.settle_run(&crm, &NOTHING), store.settle_run(&slack, &NOTHING));
            assert_eq!((crm.unwrap(), slack.unwrap()), (Settled::Yes, Settled::Yes));
            assert_eq!(status(&store, arrived.call).await, CallStatus::Completed);
        }
    })
    .await;
}

#[tokio::test]
async fn a_run_whose_owner_is_dead_is_taken_over_and_the_dead_one_can_change_nothing() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, lost) = take(&store, call, "transcription", 1).await;
        store.end_instance(lost.owner).await.unwrap();
        let due = store.due_runs(10).await.unwrap();
        assert_eq!((due.len(), due[0].call_id), (1, call));
        assert!(
            store.due_runs(10).await.unwrap().is_empty(),
            "a second keeper does not wake it again at once"
        );
        let (run, _) = take(&store, call, "transcription", 1).await;
        assert_eq!((run.attempts, run.crashes), (2, 1));
        assert_eq!(store.settle_run(&lost, &NOTHING).await.unwrap(), Settled::NotOurs);
        assert!(!store.is_done(call, "transcription", 1).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_run_that_came_due_while_nobody_could_be_told_was_not_announced() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, claim) = take(&store, call, "transcription", 1).await;
        let not_before = store.now().minus(Duration::from_mins(5));
        let later = Settlement::Again { not_before, spent: false, error: None };
        store.settle_run(&claim, &later).await.unwrap();
        for _ in 0..2 {
            let due = store.due_runs(10).await.unwrap();
            assert_eq!(
                due.iter().map(|run| (run.call_id, run.announced)).collect::<Vec<_>>(),
                [(call, false)]
            );
            assert!(store.due_runs(10).await.unwrap().is_empty(), "it is postponed");
            // The broker did not take it.
            store.wake_soon(call, "transcription", 1).await.unwrap();
        }
    })
    .await;
}

/// Of the first run of transcription, by who has nothing else in hand and knows who is dead.
fn taking(call: CallId, owner: InstanceId, asked_at: Moment) -> Taking {
    let (stage, generation, judges_in) = ("transcription", 1, Duration::ZERO);
    Taking {
        asked_at,
        workspace: WORKSPACE,
        call,
        stage,
        generation,
        nudge: false,
        owner,
        alone: true,
        judges_in,
    }
}

#[tokio::test]
async fn who_does_not_know_whether_others_are_dead_takes_nothing_over_and_has_it_woken_when_it_does() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, lost) = take(&store, call, "transcription", 1).await;
        store.end_instance(lost.owner).await.unwrap();
        assert!(store.due_runs_seen_by(false, 10).await.unwrap().is_empty());
        assert_eq!(store.due_runs_seen_by(true, 10).await.unwrap().len(), 1);
        let (owner, now) = (instance(&store).await, store.now());
        let ask = async |judges_in| {
            let taking = Taking { judges_in, ..taking(call, owner, now) };
            store.begin_run_asked(&taking).await
        };
        assert_eq!(ask(Duration::from_millis(50)).await.unwrap(), Begun::NothingToDo);
        let deadline = Instant::now() + Duration::from_secs(20);
        while store.due_runs(10).await.unwrap().is_empty() {
            assert!(Instant::now() < deadline, "it is not woken");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let Begun::Mine(run) = ask(Duration::ZERO).await.unwrap() else { panic!("not taken") };
        assert_eq!((run.attempts, run.crashes), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn a_run_whose_process_lost_its_lease_and_lives_is_not_to_blame() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        for _ in 0..4 {
            let (run, claim) = take(&store, call, "transcription", 1).await;
            assert_eq!((run.attempts, run.crashes), (1, 0));
            store.end_instance(claim.owner).await.unwrap();
            assert_eq!(store.release_runs(claim.owner).await.unwrap(), 1);
            assert_eq!(store.settle_run(&claim, &NOTHING).await.unwrap(), Settled::NotOurs);
            assert_eq!(store.due_runs(10).await.unwrap().len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_run_that_may_have_killed_two_processes_is_begun_only_by_one_that_does_nothing_else() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        for _ in 0..2 {
            let (_, claim) = take(&store, call, "transcription", 1).await;
            store.end_instance(claim.owner).await.unwrap();
        }
        let owner = instance(&store).await;
        let now = store.now();
        let ask = async |alone| store.begin_run_asked(&Taking { alone, ..taking(call, owner, now) }).await;
        assert_eq!(ask(false).await.unwrap(), Begun::Suspect);
        assert_eq!(ask(false).await.unwrap(), Begun::Suspect, "being asked for is no crash");
        let Begun::Mine(run) = ask(true).await.unwrap() else { panic!("not taken") };
        assert_eq!((run.crashes, run.attempts), (2, 3));
    })
    .await;
}

#[tokio::test]
async fn a_run_that_kills_its_third_process_is_dead_and_shown_as_poison() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        for _ in 0..3 {
            let (_, claim) = take(&store, call, "transcription", 1).await;
            store.end_instance(claim.owner).await.unwrap();
        }
        let owner = instance(&store).await;
        assert_eq!(begin(&store, call, "transcription", 1, owner).await, Begun::Poison);
        let page = Page { offset: 0, limit: 10 };
        let (letters, _) = store.dead_letters(WORKSPACE, &DeadFilter::default(), page).await.unwrap();
        assert_eq!((letters[0].error_code.as_str(), letters[0].call_id), ("poison", Some(call)));
        assert_eq!(store.dead_letters_of(WORKSPACE, call).await.unwrap(), letters);
        let another = CallId::derive(WORKSPACE, "exotel", "nobody");
        assert_eq!(store.dead_letters_of(WORKSPACE, another).await.unwrap(), []);
        assert_eq!(status(&store, call).await, CallStatus::Failed);
    })
    .await;
}

#[tokio::test]
async fn a_failed_run_waits_until_it_is_due_and_a_nudge_does_not_wait() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, claim) = take(&store, call, "transcription", 1).await;
        let later = store.now().plus(Duration::from_hours(1));
        let again = Settlement::Again { not_before: later, spent: false, error: Some(ERROR) };
        store.settle_run(&claim, &again).await.unwrap();
        let owner = instance(&store).await;
        assert_eq!(begin(&store, call, "transcription", 1, owner).await, Begun::NothingToDo);
        assert_eq!(store.next_wake().await.unwrap(), Some(later));
        let nudged = store.begin_run(WORKSPACE, call, "transcription", 1, true, owner).await.unwrap();
        let Begun::Mine(run) = nudged else { panic!("a nudge takes it") };
        assert_eq!(run.attempts, 1, "what is not spent does not count");
    })
    .await;
}

#[tokio::test]
async fn material_that_arrives_while_a_run_works_starts_the_run_again_when_it_ends() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, claim) = take(&store, call, "transcription", 1).await;
        take_in(&store, &arrival("a", Some("https://r.example.com/b.mp3"))).await;
        let children = [child("analysis", 1)];
        let done = Settlement::Done { writes: &[], children: &children };
        assert_eq!(store.settle_run(&claim, &done).await.unwrap(), Settled::NewerWaits { generation: 2 });
        assert!(
            store.waiting_runs(call, &["analysis"], 1).await.unwrap().is_empty(),
            "it would be out of date"
        );
        let (run, _) = take(&store, call, "transcription", 2).await;
        assert_eq!((run.input.as_str(), run.attempts), ("input 2", 1));
    })
    .await;
}

#[tokio::test]
async fn material_that_arrives_while_a_run_ends_and_the_run_do_not_wait_for_each_other() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        for generation in 1..10 {
            let (_, claim) = take(&store, call, "transcription", generation).await;
            let arriving = arrival("a", Some(&format!("https://r.example.com/{generation}.mp3")));
            let children = [child("analysis", generation)];
            let done = Settlement::Done { writes: &[], children: &children };
            let (ended, arrived) = tokio::join!(store.settle_run(&claim, &done), take_in(&store, &arriving));
            assert_ne!(ended.unwrap(), Settled::NotOurs);
            assert_eq!(arrived, TakenIn::Accepted { generation: generation + 1 });
        }
    })
    .await;
}

#[tokio::test]
async fn runs_that_are_woken_and_a_run_that_makes_them_anew_do_not_wait_for_each_other() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        for generation in 1..10 {
            let (_, claim) = take(&store, call, "transcription", generation).await;
            let children = [child("slack", generation)];
            let done = Settlement::Done { writes: &[], children: &children };
            let (ended, woken) =
                tokio::join!(store.settle_run(&claim, &done), store.unpark(WORKSPACE, "slack.com"));
            assert_eq!((ended.unwrap(), woken.is_ok()), (Settled::Yes, true));
            let (_, claim) = take(&store, call, "slack", generation).await;
            let probe_at = store.now().plus(Duration::from_hours(1));
            let parked = Settlement::Parked { destination: "slack.com", probe_at, error: ERROR };
            store.settle_run(&claim, &parked).await.unwrap();
            take_in(&store, &arrival("a", Some(&format!("https://r.example.com/{generation}.mp3")))).await;
        }
    })
    .await;
}

#[tokio::test]
async fn runs_that_wait_for_a_destination_go_on_together_when_it_is_back() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, claim) = take(&store, call, "transcription", 1).await;
        let probe_at = store.now().plus(Duration::from_hours(1));
        let parked = Settlement::Parked { destination: "assemblyai", probe_at, error: ERROR };
        store.settle_run(&claim, &parked).await.unwrap();
        assert_eq!(status(&store, call).await, CallStatus::Waiting);
        assert_eq!(store.unpark(WORKSPACE, "slack").await.unwrap(), 0);
        assert_eq!(store.unpark(WORKSPACE, "assemblyai").await.unwrap(), 1);
        assert_eq!(store.due_runs(10).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn one_run_probes_a_destination_for_all_that_wait_for_it() {
    on_both(|store| async move {
        let mut wakes = Vec::new();
        for name in ["a", "b", "c"] {
            let mut arrived = arrival(name, Some("https://r.example.com/a.mp3"));
            arrived.materials[0].digest = name.into();
            take_in(&store, &arrived).await;
            let (_, claim) = take(&store, arrived.call, "transcription", 1).await;
            let probe_at = store.now().plus(Duration::from_secs(30));
            let parked = Settlement::Parked { destination: "assemblyai", probe_at, error: ERROR };
            store.settle_run(&claim, &parked).await.unwrap();
            let runs = store.runs(WORKSPACE, arrived.call).await.unwrap();
            wakes.push(runs[0].not_before.since(store.now()).as_secs());
        }
        assert!(wakes[0] <= 30 && wakes[1] > 500 && wakes[2] > 500, "{wakes:?}");
        assert_eq!(store.unpark(WORKSPACE, "assemblyai").await.unwrap(), 3);
        assert_eq!(store.due_runs(10).await.unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_dead_run_is_listed_with_its_reason_and_a_replay_starts_it_as_a_newer_generation() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, claim) = take(&store, call, "transcription", 1).await;
        let dead = Settlement::Dead { error: ERROR, group: "recording_not_found-1" };
        store.settle_run(&claim, &dead).await.unwrap();
        assert_eq!(status(&store, call).await, CallStatus::Failed);
        let groups = store.dead_groups(WORKSPACE).await.unwrap();
        assert_eq!((groups[0].letters, groups[0].stage.as_str()), (1, "transcription"));
        let (run, _) = store
            .replay_call(&asked(Action::ReplayCall), call, "transcription", |n| format!("input {n}"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(run.generation, 2);
        assert_eq!(status(&store, call).await, CallStatus::Queued);
        assert!(store.dead_groups(WORKSPACE).await.unwrap().is_empty());
        let (begun, _) = take(&store, call, "transcription", 2).await;
        assert_eq!((begun.attempts, begun.input.as_str()), (1, "input 2"));
        let ended = store.ended_runs(WORKSPACE, call).await.unwrap();
        assert_eq!((ended.len(), ended[0].state.as_str()), (1, "dead"));
    })
    .await;
}

#[tokio::test]
async fn a_message_that_never_arrives_is_made_up_for_by_the_keeper() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let wake = store.next_wake().await.unwrap().expect("a waiting run is looked after");
        assert!(wake > store.now(), "not before its message is overdue");
        assert!(wake < store.now().plus(Duration::from_mins(2)));
        let counts = store.stage_counts().await.unwrap();
        assert_eq!((counts[0].stage.as_str(), counts[0].waiting_due), ("transcription", 1));
        assert!(counts[0].oldest_due <= Some(store.now()));
        assert_eq!(store.runs(WORKSPACE, call).await.unwrap().len(), 1);
        assert!(Moment::now() > Moment::from_micros(0));
    })
    .await;
}
