//! Corrections of words and of the summary.

use domain::call::CallId;
use store::{Action, Again, LineSaid, Rewritten, RunKey, Store, Write};

use crate::databases::{WORKSPACE, arrival, on_both, request, take_in};
use crate::searching::{analysis, ids, said, settle};

async fn call(store: &Store) -> CallId {
    let arrival = arrival("a", Some("a"));
    take_in(store, &arrival).await;
    settle(
        store,
        arrival.call,
        "transcription",
        1,
        Write::Transcript(said(&["Hello.", "I want a re fund."])),
    )
    .await;
    settle(store, arrival.call, "analysis", 1, Write::Analysis(Box::new(analysis("A re fund is wanted."))))
        .await;
    arrival.call
}

async fn line(store: &Store, call: CallId, segment: u32, shown: &str, text: &str) -> Rewritten {
    let again = Again { stages: &["analysis"], input_of: |run: &RunKey| format!("input {}", run.generation) };
    let line = LineSaid { segment, shown, text };
    store.correct_line(&request(Action::CorrectWords), call, line, again).await.unwrap()
}

async fn summary(store: &Store, call: CallId, shown: &str, text: &str) -> Rewritten {
    let again = Again { stages: &["crm", "analysis"], input_of: |_: &RunKey| String::new() };
    store.correct_summary(&request(Action::CorrectSummary), call, shown, text, again).await.unwrap()
}

#[tokio::test]
async fn the_words_of_a_line_are_corrected_and_found_and_the_call_is_analyzed_again() {
    on_both(|store| async move {
        let call = call(&store).await;
        let done = line(&store, call, 2, "I want a re fund.", "I want a refund.").await;
        let Rewritten::Done(corrected) = done else { panic!("{done:?}") };
        assert_eq!((corrected.runs[0].stage, corrected.runs[0].generation), ("analysis", 2));
        let read = store.transcript(WORKSPACE, call).await.unwrap().unwrap();
        assert_eq!(read.segments[1].text, "I want a refund.");
        assert_eq!(ids(&store, "refund").await, ["a"]);
        assert_eq!(line(&store, call, 9, "x", "y").await, Rewritten::Missing);
    })
    .await;
}

#[tokio::test]
async fn the_second_of_two_people_who_correct_the_same_words_is_told_what_the_first_one_wrote() {
    on_both(|store| async move {
        let call = call(&store).await;
        line(&store, call, 2, "I want a re fund.", "I want a refund.").await;
        let late = line(&store, call, 2, "I want a re fund.", "I want my refund.").await;
        assert_eq!(late, Rewritten::Changed { now: "I want a refund.".into() });
        assert!(matches!(
            line(&store, call, 2, "I want a refund.", "I want my refund.").await,
            Rewritten::Done(_)
        ));
        summary(&store, call, "A re fund is wanted.", "A refund is wanted.").await;
        let late = summary(&store, call, "A re fund is wanted.", "Somebody wants a refund.").await;
        assert_eq!(late, Rewritten::Changed { now: "A refund is wanted.".into() });
    })
    .await;
}

#[tokio::test]
async fn a_corrected_summary_holds_for_an_analysis_that_is_made_again() {
    on_both(|store| async move {
        let call = call(&store).await;
        let done = summary(&store, call, "A re fund is wanted.", "A refund is wanted.").await;
        let Rewritten::Done(corrected) = done else { panic!("{done:?}") };
        assert_eq!(corrected.runs.len(), 1, "a stage that the call never came to does not begin");
        assert_eq!(store.analysis(WORKSPACE, call).await.unwrap().unwrap().summary, "A refund is wanted.");
        settle(&store, call, "analysis", 2, Write::Analysis(Box::new(analysis("Something else.")))).await;
        assert_eq!(store.analysis(WORKSPACE, call).await.unwrap().unwrap().summary, "A refund is wanted.");
        assert_eq!(ids(&store, "\"a refund is wanted\"").await, ["a"]);
        let kept = store.corrections(WORKSPACE, call).await.unwrap();
        assert_eq!(kept.summary.as_deref(), Some("A refund is wanted."));
    })
    .await;
}
