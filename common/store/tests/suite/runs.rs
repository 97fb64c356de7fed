//! Who may take a run, and what a run leaves behind.

use std::time::{Duration, Instant};

use domain::call::{CallDetails, CallId, CallStatus, Participant, WorkspaceId};
use domain::moment::Moment;
use domain::transcript::{Segment, Transcript};
use store::{
    Action, Begun, Claim, DeadFilter, ErrorText, NewRun, Page, RunRequest, Settled, Settlement, Store,
    StoredTranscript, TakenIn, Write,
};

use crate::databases::{WORKSPACE, arrival, begin, instance, on_both, request, run, take, take_in};

const NOTHING: Settlement<'static> = Settlement::Done { writes: &[], children: &[] };
const ERROR: ErrorText<'static> = ErrorText { code: "recording_not_found", text: "the answer was 404" };

/// A call whose transcription waits at generation 1.
async fn accepted(store: &Store) -> CallId {
    let arrival = arrival("a", Some("https://r.example.com/a.mp3"));
    take_in(store, &arrival).await;
    arrival.call
}

fn child(stage: &'static str, generation: i64) -> NewRun {
    NewRun { stage, generation, lane: "live".into(), input: format!("input of {stage}") }
}

async fn status(store: &Store, call: CallId) -> CallStatus {
    store.call(WORKSPACE, call).await.unwrap().unwrap().status
}

#[tokio::test]
async fn only_one_process_takes_a_run_and_the_end_of_the_run_starts_what_follows() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (begun, claim) = take(&store, run(call, "transcription", 1)).await;
        assert_eq!((begun.attempts, begun.input.as_str()), (1, "input 1"));
        let other = instance(&store).await;
        assert_eq!(begin(&store, run(call, "transcription", 1), other).await, Begun::NothingToDo);
        let children = [child("analysis", 1)];
        let done = Settlement::Done { writes: &[], children: &children };
        assert_eq!(store.settle_run(&claim, &done).await.unwrap(), Settled::Yes);
        assert!(store.is_done(&run(call, "transcription", 1)).await.unwrap());
        assert_eq!(
            store.waiting_runs(&run(call, "transcription", 1), &["analysis"]).await.unwrap(),
            children
        );
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
            let (_, claim) = take(&store, run(arrived.call, "transcription", 1)).await;
            let children = [child("crm", 1), child("slack", 1)];
            store.settle_run(&claim, &Settlement::Done { writes: &[], children: &children }).await.unwrap();
            let (_, crm) = take(&store, run(arrived.call, "crm", 1)).await;
            let (_, slack) = take(&store, run(arrived.call, "slack", 1)).await;
            let (crm, slack) =
                tokio::join!(store.settle_run(&crm, &NOTHING), store.settle_run(&slack, &NOTHING));
            assert_eq!((crm.unwrap(), slack.unwrap()), (Settled::Yes, Settled::Yes));
            assert_eq!(status(&store, arrived.call).await, CallStatus::Completed);
        }
    })
    .await;
}

#[tokio::test]
async fn a_run_whose_owner_is_dead_is_taken_over_and_the_old_owner_can_change_nothing() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, lost) = take(&store, run(call, "transcription", 1)).await;
        store.end_instance(lost.owner).await.unwrap();
        let due = store.due_runs(10, true).await.unwrap();
        assert_eq!((due.len(), due[0].call_id), (1, call));
        assert!(
            store.due_runs(10, true).await.unwrap().is_empty(),
            "a second keeper does not wake the run again at once"
        );
        let (begun, _) = take(&store, run(call, "transcription", 1)).await;
        assert_eq!((begun.attempts, begun.crashes), (2, 1));
        assert_eq!(store.settle_run(&lost, &NOTHING).await.unwrap(), Settled::NotOurs);
        assert!(!store.is_done(&run(call, "transcription", 1)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_run_that_came_due_and_got_no_message_counts_as_not_announced() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, claim) = take(&store, run(call, "transcription", 1)).await;
        let not_before = store.now().minus(Duration::from_mins(5));
        let later = Settlement::Again { not_before, spent: false, error: None };
        store.settle_run(&claim, &later).await.unwrap();
        for _ in 0..2 {
            let due = store.due_runs(10, true).await.unwrap();
            assert_eq!(
                due.iter().map(|run| (run.call_id, run.announced)).collect::<Vec<_>>(),
                [(call, false)]
            );
            assert!(store.due_runs(10, true).await.unwrap().is_empty(), "the run is postponed");
            // The broker did not take the message.
            store.wake_soon(&run(call, "transcription", 1)).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_process_that_may_not_judge_takes_nothing_over_and_has_the_run_woken_when_it_may() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, lost) = take(&store, run(call, "transcription", 1)).await;
        store.end_instance(lost.owner).await.unwrap();
        assert!(store.due_runs(10, false).await.unwrap().is_empty());
        assert_eq!(store.due_runs(10, true).await.unwrap().len(), 1);
        let (owner, now) = (instance(&store).await, store.now());
        let ask = async |may_judge_in| {
            let request = RunRequest::new(run(call, "transcription", 1), owner, now);
            store.begin_run(&RunRequest { may_judge_in, ..request }).await
        };
        assert_eq!(ask(Duration::from_millis(50)).await.unwrap(), Begun::NothingToDo);
        let deadline = Instant::now() + Duration::from_secs(20);
        while store.due_runs(10, true).await.unwrap().is_empty() {
            assert!(Instant::now() < deadline, "the run is not woken");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let Begun::Mine(begun) = ask(Duration::ZERO).await.unwrap() else { panic!("not taken") };
        assert_eq!((begun.attempts, begun.crashes), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn a_run_counts_no_crash_if_its_process_lost_its_lease_and_lives() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        for _ in 0..4 {
            let (begun, claim) = take(&store, run(call, "transcription", 1)).await;
            assert_eq!((begun.attempts, begun.crashes), (1, 0));
            store.end_instance(claim.owner).await.unwrap();
            assert_eq!(store.release_runs(claim.owner).await.unwrap(), 1);
            assert_eq!(store.settle_run(&claim, &NOTHING).await.unwrap(), Settled::NotOurs);
            assert_eq!(store.due_runs(10, true).await.unwrap().len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_run_that_may_have_killed_two_processes_is_begun_only_by_a_process_that_does_nothing_else() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        for _ in 0..2 {
            let (_, claim) = take(&store, run(call, "transcription", 1)).await;
            store.end_instance(claim.owner).await.unwrap();
        }
        let owner = instance(&store).await;
        let request = RunRequest::new(run(call, "transcription", 1), owner, store.now());
        let ask = async |alone| store.begin_run(&RunRequest { alone, ..request }).await;
        assert_eq!(ask(false).await.unwrap(), Begun::Suspect);
        assert_eq!(ask(false).await.unwrap(), Begun::Suspect, "a request alone counts no crash");
        let Begun::Mine(begun) = ask(true).await.unwrap() else { panic!("not taken") };
        assert_eq!((begun.crashes, begun.attempts), (2, 3));
    })
    .await;
}

#[tokio::test]
async fn a_run_that_kills_its_third_process_is_dead_and_shown_as_poison() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        for _ in 0..3 {
            let (_, claim) = take(&store, run(call, "transcription", 1)).await;
            store.end_instance(claim.owner).await.unwrap();
        }
        let owner = instance(&store).await;
        assert_eq!(begin(&store, run(call, "transcription", 1), owner).await, Begun::Poison);
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
        let (_, claim) = take(&store, run(call, "transcription", 1)).await;
        let later = store.now().plus(Duration::from_hours(1));
        let again = Settlement::Again { not_before: later, spent: false, error: Some(ERROR) };
        store.settle_run(&claim, &again).await.unwrap();
        let owner = instance(&store).await;
        assert_eq!(begin(&store, run(call, "transcription", 1), owner).await, Begun::NothingToDo);
        assert_eq!(store.next_wake().await.unwrap(), Some(later));
        let request = RunRequest::new(run(call, "transcription", 1), owner, store.now());
        let nudged = store.begin_run(&RunRequest { nudge: true, ..request }).await.unwrap();
        let Begun::Mine(begun) = nudged else { panic!("the nudge does not take the run") };
        assert_eq!(begun.attempts, 1, "an attempt that is not spent does not count");
    })
    .await;
}

#[tokio::test]
async fn material_that_arrives_while_a_run_works_starts_the_run_again_when_it_ends() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, claim) = take(&store, run(call, "transcription", 1)).await;
        take_in(&store, &arrival("a", Some("https://r.example.com/b.mp3"))).await;
        let children = [child("analysis", 1)];
        let done = Settlement::Done { writes: &[], children: &children };
        assert_eq!(store.settle_run(&claim, &done).await.unwrap(), Settled::NewerWaits { generation: 2 });
        assert!(
            store.waiting_runs(&run(call, "transcription", 1), &["analysis"]).await.unwrap().is_empty(),
            "its input would be out of date"
        );
        let (begun, _) = take(&store, run(call, "transcription", 2)).await;
        assert_eq!((begun.input.as_str(), begun.attempts), ("input 2", 1));
    })
    .await;
}

#[tokio::test]
async fn an_arrival_and_a_run_that_ends_at_the_same_time_do_not_wait_for_each_other() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        for generation in 1..10 {
            let (_, claim) = take(&store, run(call, "transcription", generation)).await;
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
async fn a_wake_up_and_a_run_that_makes_the_same_runs_again_do_not_wait_for_each_other() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        for generation in 1..10 {
            let (_, claim) = take(&store, run(call, "transcription", generation)).await;
            let children = [child("slack", generation)];
            let done = Settlement::Done { writes: &[], children: &children };
            let (ended, woken) =
                tokio::join!(store.settle_run(&claim, &done), store.unpark(WORKSPACE, "slack.com"));
            assert_eq!((ended.unwrap(), woken.is_ok()), (Settled::Yes, true));
            let (_, claim) = take(&store, run(call, "slack", generation)).await;
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
        let (_, claim) = take(&store, run(call, "transcription", 1)).await;
        let probe_at = store.now().plus(Duration::from_hours(1));
        let parked = Settlement::Parked { destination: "assemblyai", probe_at, error: ERROR };
        store.settle_run(&claim, &parked).await.unwrap();
        assert_eq!(status(&store, call).await, CallStatus::Waiting);
        assert_eq!(store.unpark(WORKSPACE, "slack").await.unwrap(), 0);
        assert_eq!(store.unpark(WORKSPACE, "assemblyai").await.unwrap(), 1);
        assert_eq!(store.due_runs(10, true).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn one_run_probes_a_destination_for_all_runs_that_wait_for_it() {
    on_both(|store| async move {
        let mut wakes = Vec::new();
        for name in ["a", "b", "c"] {
            let mut arrived = arrival(name, Some("https://r.example.com/a.mp3"));
            arrived.materials[0].digest = name.into();
            take_in(&store, &arrived).await;
            let (_, claim) = take(&store, run(arrived.call, "transcription", 1)).await;
            let probe_at = store.now().plus(Duration::from_secs(30));
            let parked = Settlement::Parked { destination: "assemblyai", probe_at, error: ERROR };
            store.settle_run(&claim, &parked).await.unwrap();
            let runs = store.runs(WORKSPACE, arrived.call).await.unwrap();
            wakes.push(runs[0].not_before.since(store.now()).as_secs());
        }
        assert!(wakes[0] <= 30 && wakes[1] > 500 && wakes[2] > 500, "{wakes:?}");
        assert_eq!(store.unpark(WORKSPACE, "assemblyai").await.unwrap(), 3);
        assert_eq!(store.due_runs(10, true).await.unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_dead_run_is_listed_with_its_reason_and_a_replay_starts_it_as_a_newer_generation() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, claim) = take(&store, run(call, "transcription", 1)).await;
        let dead = Settlement::Dead { error: ERROR, group: "recording_not_found-1" };
        store.settle_run(&claim, &dead).await.unwrap();
        assert_eq!(status(&store, call).await, CallStatus::Failed);
        let groups = store.dead_groups(WORKSPACE).await.unwrap();
        assert_eq!((groups[0].letters, groups[0].stage.as_str()), (1, "transcription"));
        let (replayed, _) = store
            .replay_call(&request(Action::ReplayCall), call, "transcription", |run| {
                format!("input {}", run.generation)
            })
            .await
            .unwrap()
            .unwrap();
        assert_eq!(replayed.generation, 2);
        assert_eq!(status(&store, call).await, CallStatus::Queued);
        assert!(store.dead_groups(WORKSPACE).await.unwrap().is_empty());
        let (begun, _) = take(&store, run(call, "transcription", 2)).await;
        assert_eq!((begun.attempts, begun.input.as_str()), (1, "input 2"));
        let ended = store.ended_runs(WORKSPACE, call).await.unwrap();
        assert_eq!((ended.len(), ended[0].state.as_str()), (1, "dead"));
    })
    .await;
}

#[tokio::test]
async fn the_keeper_wakes_a_run_whose_message_never_arrives() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let wake = store.next_wake().await.unwrap().expect("a waiting run has a time at which it is woken");
        assert!(wake > store.now(), "the keeper waits until the message is overdue");
        assert!(wake < store.now().plus(Duration::from_mins(2)));
        let counts = store.stage_counts().await.unwrap();
        assert_eq!((counts[0].stage.as_str(), counts[0].waiting_due), ("transcription", 1));
        assert!(counts[0].oldest_due <= Some(store.now()));
        assert_eq!(store.runs(WORKSPACE, call).await.unwrap().len(), 1);
        assert!(Moment::now() > Moment::from_micros(0));
    })
    .await;
}

#[tokio::test]
async fn whoever_holds_a_run_shows_what_it_waits_for_and_nobody_else_does() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, claim) = take(&store, run(call, "transcription", 1)).await;
        let waits = async || {
            let running = store.running_runs(10).await.unwrap();
            running.into_iter().find(|run| run.call_id == call).and_then(|run| run.waits_for)
        };
        store.show_wait(&claim, Some("rec.example.com")).await.unwrap();
        assert_eq!(waits().await.as_deref(), Some("rec.example.com"));
        let late = Claim { fence: claim.fence - 1, ..claim };
        store.show_wait(&late, None).await.unwrap();
        assert_eq!(waits().await.as_deref(), Some("rec.example.com"));
        store.show_wait(&claim, None).await.unwrap();
        assert_eq!(waits().await, None);
        store.settle_run(&claim, &NOTHING).await.unwrap();
        assert!(store.running_runs(10).await.unwrap().iter().all(|run| run.call_id != call));
    })
    .await;
}

#[tokio::test]
async fn a_long_transcript_is_not_read_before_its_length_is_known() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, claim) = take(&store, run(call, "transcription", 1)).await;
        // Words that no database can compress to nothing.
        let words: Vec<String> =
            (0..2_000_u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
        let text = words.join(" ");
        let segment = Segment {
            id: 1,
            speaker: None,
            role: None,
            start_ms: None,
            end_ms: None,
            text: format!("{text}\0"),
            confidence: None,
        };
        let transcript = Transcript { segments: vec![segment], ..Transcript::default() };
        let writes = [Write::Transcript(transcript)];
        store.settle_run(&claim, &Settlement::Done { writes: &writes, children: &[] }).await.unwrap();
        let found = |max| store.transcript_up_to(WORKSPACE, call, max);
        let Some(StoredTranscript::Longer { bytes }) = found(5_000).await.unwrap() else {
            panic!("it is long")
        };
        assert!((10_000..200_000).contains(&bytes), "{bytes}");
        let Some(StoredTranscript::Read(read)) = found(1_000_000).await.unwrap() else {
            panic!("it is short")
        };
        assert!(read.segments[0].text.ends_with('\u{fffd}'), "NUL is kept by no database");
        let other = WorkspaceId(uuid::Uuid::from_u128(9));
        assert_eq!(store.transcript_up_to(other, call, 1_000_000).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_a_stage_finds_out_about_a_call_is_merged_into_what_its_sources_said() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let before = store.call(WORKSPACE, call).await.unwrap().unwrap().details;
        let (_, claim) = take(&store, run(call, "transcription", 1)).await;
        let who = Participant { name: Some("Ann Lee\0".into()), ..Participant::default() };
        let found = CallDetails { participants: vec![who], ..CallDetails::default() };
        let writes = [Write::Details(Box::new(found))];
        store.settle_run(&claim, &Settlement::Done { writes: &writes, children: &[] }).await.unwrap();
        let known = store.call(WORKSPACE, call).await.unwrap().unwrap().details;
        assert_eq!(known.participants[0].name.as_deref(), Some("Ann Lee\u{fffd}"));
        assert_eq!(CallDetails { participants: Vec::new(), ..known }, before);
    })
    .await;
}
