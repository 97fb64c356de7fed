//! What people say about the speakers of a call.

use domain::call::Role;
use domain::speakers::Correction;
use domain::transcript::{Segment, Transcript};
use store::{Action, Again, RunKey, RunState, Settled, Settlement, Store, Write};
use uuid::Uuid;

use crate::databases::{WORKSPACE, arrival, on_both, request, run, take, take_in};

fn said(speaker: &str) -> Transcript {
    let segment = Segment {
        id: 1,
        speaker: Some(speaker.into()),
        role: None,
        start_ms: None,
        end_ms: None,
        text: "Hello.".into(),
        confidence: None,
    };
    Transcript { segments: vec![segment], ..Transcript::default() }
}

fn is(speaker: &str, name: Option<&str>, role: Option<Role>) -> Correction {
    Correction { speaker: speaker.into(), name: name.map(str::to_owned), role }
}

async fn transcribed(store: &Store, generation: i64, speaker: &str) {
    let call = arrival("a", None).call;
    let claim = take(store, run(call, "transcription", generation)).await.1;
    let child = store::NewRun { stage: "analysis", generation, lane: "live".into(), input: String::new() };
    let done = Settlement::Done { writes: &[Write::Transcript(said(speaker))], children: &[child] };
    assert_eq!(store.settle_run(&claim, &done).await.unwrap(), Settled::Yes);
}

async fn correct(store: &Store, correction: Correction) -> store::Corrected {
    let call = arrival("a", None).call;
    let asked = request(Action::CorrectSpeakers);
    let input = |run: &RunKey| format!("input {}", run.generation);
    let again = Again { stages: &["analysis"], input_of: input };
    store.correct_speakers(&asked, call, &[correction], again).await.unwrap()
}

async fn speaker(store: &Store) -> (Option<String>, Option<Role>) {
    let read = store.transcript(WORKSPACE, arrival("a", None).call).await.unwrap().unwrap();
    let segment = read.segments.into_iter().next().unwrap();
    (segment.speaker, segment.role)
}

#[tokio::test]
async fn a_correction_holds_for_the_transcript_and_for_one_that_is_made_again() {
    on_both(|store| async move {
        take_in(&store, &arrival("a", Some("a"))).await;
        transcribed(&store, 1, "A").await;
        let corrected = correct(&store, is("A", Some("Dana Ortiz"), None)).await;
        assert_eq!(corrected.runs.first().map(|run| (run.stage, run.generation)), Some(("analysis", 2)));
        assert_eq!(speaker(&store).await, (Some("Dana Ortiz".into()), None));
        correct(&store, is("A", None, Some(Role::Agent))).await;
        assert_eq!(speaker(&store).await, (Some("Dana Ortiz".into()), Some(Role::Agent)));

        let mut newer = arrival("a", Some("b"));
        newer.event_id = Uuid::new_v4();
        take_in(&store, &newer).await;
        transcribed(&store, 4, "A").await;
        assert_eq!(speaker(&store).await, (Some("Dana Ortiz".into()), Some(Role::Agent)));
    })
    .await;
}

#[tokio::test]
async fn what_follows_from_the_speakers_waits_to_be_done_again_and_the_audit_says_who_asked() {
    on_both(|store| async move {
        take_in(&store, &arrival("a", Some("a"))).await;
        transcribed(&store, 1, "A").await;
        let call = arrival("a", None).call;
        let done = take(&store, run(call, "analysis", 1)).await.1;
        let nothing = Settlement::Done { writes: &[], children: &[] };
        assert_eq!(store.settle_run(&done, &nothing).await.unwrap(), Settled::Yes);
        let corrected = correct(&store, is("A", Some("Dana"), None)).await;
        let runs = store.runs(WORKSPACE, call).await.unwrap();
        let analysis = runs.iter().find(|run| run.stage == "analysis").unwrap();
        assert_eq!((analysis.generation, analysis.state.as_str()), (2, RunState::Waiting.name()));
        let (rows, _) = store.audit(WORKSPACE, store::Page { offset: 0, limit: 10 }).await.unwrap();
        assert_eq!((rows[0].batch, rows[0].action.as_str()), (corrected.batch, "speakers_correct"));
    })
    .await;
}

#[tokio::test]
async fn before_the_call_came_to_its_analysis_only_the_correction_is_kept() {
    on_both(|store| async move {
        take_in(&store, &arrival("a", Some("a"))).await;
        assert_eq!(correct(&store, is("A", Some("Dana"), None)).await.runs, []);
        transcribed(&store, 1, "A").await;
        assert_eq!(speaker(&store).await.0.as_deref(), Some("Dana"));
    })
    .await;
}
