//! Calls of which nothing was made: nobody wanted them, or their recording never came.

use domain::call::{CallDetails, CallId, CallStatus};
use domain::filters;
use domain::note::Note;
use store::{Action, Arrival, RunKey, Settlement, Store, TakenIn, Write};
use uuid::Uuid;

use crate::databases::{WORKSPACE, arrival, on_both, request, run, take, take_in};

async fn known(store: &Store, call: CallId) -> (CallStatus, Vec<String>) {
    let call = store.call(WORKSPACE, call).await.unwrap().unwrap();
    (call.status, call.details.notes.into_iter().map(|note| note.code).collect())
}

async fn take_in_long_ones(store: &Store, arrival: &Arrival) -> TakenIn {
    let is_short = |details: &CallDetails| details.duration_ms.is_some_and(|ms| ms < 10_000);
    let rules =
        move |details: &mut CallDetails| is_short(details).then(|| Note::new(filters::NOTE, "too short"));
    store.take_in_by(arrival, &["transcription"], "live", |_| String::new(), rules).await.unwrap()
}

fn took(ms: i64, recording: Option<&str>) -> Arrival {
    let mut arrival = Arrival { event_id: Uuid::new_v4(), ..arrival("a", recording) };
    arrival.details.duration_ms = Some(ms);
    arrival
}

#[tokio::test]
async fn a_call_that_nobody_wants_keeps_its_material_and_goes_on_when_its_facts_change() {
    on_both(|store| async move {
        let short = took(3000, Some("a"));
        assert_eq!(take_in_long_ones(&store, &short).await, TakenIn::Noted);
        let filtered = (CallStatus::Filtered, vec![filters::NOTE.to_owned()]);
        assert_eq!(known(&store, short.call).await, filtered);
        assert_eq!(
            take_in_long_ones(&store, &short).await,
            TakenIn::Repeated { generation: 0, waiting: false }
        );
        assert_eq!(known(&store, short.call).await, filtered);
        let settled = take_in_long_ones(&store, &took(64_000, None)).await;
        assert_eq!(settled, TakenIn::Accepted { generation: 1 });
        assert_eq!(known(&store, short.call).await, (CallStatus::Queued, vec![]));
        assert_eq!(take_in_long_ones(&store, &took(3000, None)).await, TakenIn::Noted);
        assert_eq!(known(&store, short.call).await, (CallStatus::Queued, vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_call_whose_recording_never_came_goes_on_when_it_is_announced_again_or_replayed() {
    on_both(|store| async move {
        let announced = arrival("a", Some("a"));
        take_in(&store, &announced).await;
        let ends_without = async |generation| {
            let (_, claim) = take(&store, run(announced.call, "transcription", generation)).await;
            let writes = [Write::NoRecording(Note::new("recording_never_came", "it never came"))];
            store.settle_run(&claim, &Settlement::Done { writes: &writes, children: &[] }).await.unwrap();
        };
        ends_without(1).await;
        let ended = (CallStatus::NoRecording, vec!["recording_never_came".to_owned()]);
        assert_eq!(known(&store, announced.call).await, ended);
        let facts_only = Arrival { event_id: Uuid::new_v4(), ..arrival("a", None) };
        assert_eq!(take_in(&store, &facts_only).await, TakenIn::Noted);
        assert_eq!(known(&store, announced.call).await, ended);
        let again = Arrival { event_id: Uuid::new_v4(), ..arrival("a", Some("a")) };
        assert_eq!(take_in(&store, &again).await, TakenIn::Accepted { generation: 2 });
        assert_eq!(known(&store, announced.call).await.0, CallStatus::Queued);
        ends_without(2).await;
        assert_eq!(known(&store, announced.call).await, ended);
        let asked = request(Action::ReplayCall);
        let input = |_: &RunKey| String::new();
        store.replay_call(&asked, announced.call, "transcription", input).await.unwrap().unwrap();
        let (_, claim) = take(&store, run(announced.call, "transcription", 3)).await;
        store.settle_run(&claim, &Settlement::Done { writes: &[], children: &[] }).await.unwrap();
        assert_eq!(known(&store, announced.call).await.0, CallStatus::Completed);
    })
    .await;
}

#[tokio::test]
async fn facts_that_somebody_was_asked_for_are_merged_and_start_nothing() {
    on_both(|store| async move {
        let announced = took(1000, None);
        take_in(&store, &announced).await;
        let facts = CallDetails { duration_ms: Some(64_000), ..CallDetails::default() };
        store.add_facts(WORKSPACE, announced.call, &facts).await.unwrap();
        let call = store.call(WORKSPACE, announced.call).await.unwrap().unwrap();
        assert_eq!((call.details.duration_ms, call.generation), (Some(64_000), 0));
        store.add_facts(WORKSPACE, CallId(Uuid::nil()), &facts).await.unwrap();
    })
    .await;
}
