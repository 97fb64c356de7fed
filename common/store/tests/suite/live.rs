//! Live sessions: pieces in any order and twice, events without a gap, and work that nobody forgets.

use domain::call::CallId;
use serde_json::json;
use store::live::{
    EndAsked, LiveNotice, LiveState, LiveStep, NewLiveEvent, NewLivePiece, NewLiveSession, NewLiveTurn,
    PieceKept, STAGE, SessionStart, StreamId, StreamedKept, StreamedWords,
};
use store::{Begun, RunRequest, Settled, Settlement, Store};

use crate::databases::{WORKSPACE, arrival, begin, instance, on_both, run, take, take_in};

const INPUT: &(dyn Fn(i64) -> String + Sync) = &|generation| format!("input {generation}");

fn event(text: &str) -> NewLiveEvent {
    NewLiveEvent { kind: "told", data: json!({"text": text}) }
}

fn piece(sequence: Option<i64>, digest: &str) -> NewLivePiece {
    NewLivePiece {
        sequence,
        blob: format!("blob of {digest}"),
        digest: digest.into(),
        bytes: 3,
        media_type: None,
        filename: format!("{digest}.wav"),
        channel: None,
        speaker: None,
        request_key: None,
        is_streamed: false,
    }
}

async fn session(store: &Store) -> CallId {
    let new = arrival("a", None);
    take_in(store, &new).await;
    let session = NewLiveSession { workspace: WORKSPACE, call: new.call, session_id: "s".into() };
    let started = store.start_live_session(&session, &event("started"), INPUT).await.unwrap();
    assert_eq!(started, SessionStart::Started { generation: 1 });
    new.call
}

async fn add(store: &Store, call: CallId, piece: &NewLivePiece) -> PieceKept {
    store.add_live_piece((WORKSPACE, call), piece, &event(&piece.digest), INPUT).await.unwrap()
}

async fn events(store: &Store, call: CallId) -> Vec<(i64, String)> {
    let events = store.live_events(WORKSPACE, call, 0, 100).await.unwrap();
    events.into_iter().map(|event| (event.seq, event.data["text"].as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn a_session_begins_and_ends_once_and_its_id_belongs_to_its_workspace() {
    on_both(|store| async move {
        let call = session(&store).await;
        let again = NewLiveSession { workspace: WORKSPACE, call, session_id: "s".into() };
        let started = store.start_live_session(&again, &event("again"), INPUT).await.unwrap();
        assert_eq!(started, SessionStart::Active);
        let end = async || {
            let told = event("ended");
            store.end_live_session((WORKSPACE, call), ("asked", None), &told, INPUT).await.unwrap()
        };
        assert_eq!(end().await, EndAsked::Ended { generation: 2 });
        assert_eq!(end().await, EndAsked::Before);
        assert_eq!(events(&store, call).await, [(1, "started".into()), (2, "ended".into())]);
        let known = store.live_session(WORKSPACE, "s").await.unwrap().unwrap();
        assert_eq!((known.state, known.end_reason.as_deref()), (LiveState::Ended, Some("asked")));
        let other = domain::call::WorkspaceId(uuid::Uuid::new_v4());
        assert_eq!(store.live_session(other, "s").await.unwrap(), None);
        assert!(store.live_events(other, call, 0, 10).await.unwrap().is_empty());
        let ended = store.start_live_session(&again, &event("again"), INPUT).await.unwrap();
        assert_eq!(ended, SessionStart::Ended);
    })
    .await;
}

#[tokio::test]
async fn a_session_does_not_end_by_silence_when_audio_came_meanwhile() {
    on_both(|store| async move {
        let call = session(&store).await;
        let silent_since = store.live_session(WORKSPACE, "s").await.unwrap().unwrap().heard_at;
        let end = async |since| {
            let told = event("ended");
            store.end_live_session((WORKSPACE, call), ("silence", Some(since)), &told, INPUT).await.unwrap()
        };
        add(&store, call, &piece(None, "a")).await;
        assert_eq!(end(silent_since).await, EndAsked::Before);
        let heard_at = store.live_session(WORKSPACE, "s").await.unwrap().unwrap().heard_at;
        assert!(heard_at > silent_since);
        assert!(matches!(end(heard_at).await, EndAsked::Ended { .. }));
    })
    .await;
}

#[tokio::test]
async fn a_piece_is_kept_once_and_another_piece_never_takes_its_place() {
    on_both(|store| async move {
        let call = session(&store).await;
        let kept = add(&store, call, &piece(Some(4), "a")).await;
        assert_eq!(kept, PieceKept::New { pieces: 1, filename: "a.wav".into(), generation: 2 });
        assert_eq!(
            add(&store, call, &piece(Some(4), "a")).await,
            PieceKept::Known { pieces: 1, filename: "a.wav".into() }
        );
        assert_eq!(add(&store, call, &piece(Some(4), "b")).await, PieceKept::PlaceTaken { sequence: 4 });
        let keyed = NewLivePiece { request_key: Some("k".into()), ..piece(None, "c") };
        assert!(matches!(add(&store, call, &keyed).await, PieceKept::New { pieces: 2, .. }));
        let repeated = NewLivePiece { digest: "d".into(), ..keyed.clone() };
        assert!(matches!(add(&store, call, &repeated).await, PieceKept::Known { pieces: 2, .. }));
        let unheard = store.unheard_live_pieces(WORKSPACE, call, 9).await.unwrap();
        assert_eq!(unheard.iter().map(|piece| piece.sequence).collect::<Vec<_>>(), [4, 5]);
        store.end_live_session((WORKSPACE, call), ("asked", None), &event("ended"), INPUT).await.unwrap();
        assert!(matches!(add(&store, call, &piece(Some(4), "a")).await, PieceKept::Known { .. }));
        assert_eq!(add(&store, call, &piece(Some(9), "e")).await, PieceKept::Ended);
        let nobody = CallId(uuid::Uuid::new_v4());
        assert_eq!(add(&store, nobody, &piece(None, "a")).await, PieceKept::Unknown);
        assert_eq!(store.live_session(WORKSPACE, "s").await.unwrap().unwrap().pieces, 2);
        assert_eq!(store.last_live_piece(WORKSPACE, call, "k").await.unwrap().as_deref(), Some("c.wav"));
        assert_eq!(store.last_live_piece(WORKSPACE, call, "_").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_piece_that_comes_while_somebody_works_makes_the_run_start_again() {
    on_both(|store| async move {
        let call = session(&store).await;
        let (_, claim) = take(&store, run(call, STAGE, 1)).await;
        add(&store, call, &piece(None, "a")).await;
        let busy = begin(&store, run(call, STAGE, 2), instance(&store).await).await;
        assert_eq!(busy, Begun::NothingToDo, "one run at a time");
        let later = Settlement::Again { not_before: store.now(), spent: false, error: None };
        let settled = store.settle_run(&claim, &later).await.unwrap();
        assert_eq!(settled, Settled::NewerWaits { generation: 2 });
        let (begun, _) = take(&store, run(call, STAGE, 2)).await;
        assert_eq!(begun.input, "input 2");
    })
    .await;
}

#[tokio::test]
async fn a_step_is_stored_whole_and_not_by_somebody_who_lost_the_run() {
    on_both(|store| async move {
        let call = session(&store).await;
        add(&store, call, &piece(Some(0), "a")).await;
        let (_, claim) = take(&store, run(call, STAGE, 2)).await;
        let turn = NewLiveTurn {
            channel: 0,
            speaker: Some("agent".into()),
            start_ms: 0,
            end_ms: 900,
            blob: "turn".into(),
        };
        let step = LiveStep {
            progress: Some(json!({"heard": 1})),
            positions: vec![(0, 0)],
            turns: vec![turn],
            words: vec![(1, json!({"text": "hello"}))],
            events: vec![event("one"), event("two")],
            ..LiveStep::default()
        };
        assert_eq!(store.save_live_step(&claim, &step).await.unwrap(), Some(4));
        assert!(store.unheard_live_pieces(WORKSPACE, call, 9).await.unwrap().is_empty());
        assert_eq!(store.heard_live_pieces(WORKSPACE, call).await.unwrap()[0].position, Some(0));
        let turns = store.live_turns(WORKSPACE, call).await.unwrap();
        assert_eq!(turns[0].words, Some(json!({"text": "hello"})));
        let known = store.live_session_of(WORKSPACE, call).await.unwrap().unwrap();
        assert_eq!((known.progress, known.last_event), (json!({"heard": 1}), 4));
        store.end_instance(claim.owner).await.unwrap();
        let request = RunRequest::new(run(call, STAGE, 2), instance(&store).await, store.now());
        assert!(
            matches!(store.begin_run(&request).await.unwrap(), Begun::Mine(_)),
            "another one took it over"
        );
        let late = LiveStep { events: vec![event("late")], is_finished: true, ..LiveStep::default() };
        assert_eq!(store.save_live_step(&claim, &late).await.unwrap(), None);
        assert_eq!(events(&store, call).await.len(), 4);
        assert_eq!(store.live_session_of(WORKSPACE, call).await.unwrap().unwrap().finished_at, None);
    })
    .await;
}

#[tokio::test]
async fn events_that_are_stored_at_once_have_numbers_without_a_gap() {
    on_both(|store| async move {
        let call = session(&store).await;
        let adding = (0..10).map(|nth| {
            let (store, piece) = (store.clone(), piece(None, &format!("digest {nth}")));
            async move { add(&store, call, &piece).await }
        });
        let kept = futures::future::join_all(adding).await;
        assert!(kept.iter().all(|kept| matches!(kept, PieceKept::New { .. })), "{kept:?}");
        let numbers: Vec<i64> = events(&store, call).await.into_iter().map(|(seq, _)| seq).collect();
        assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn another_process_is_told_of_events_by_postgresql_and_an_embedded_store_has_no_other() {
    on_both(|store| async move {
        let Some(mut notices) = store.live_notices().await.unwrap() else {
            assert!(store.is_embedded());
            return;
        };
        let call = session(&store).await;
        let patience = std::time::Duration::from_secs(30);
        let notice = tokio::time::timeout(patience, notices.next()).await.expect("a notice").unwrap();
        assert_eq!(notice, LiveNotice::Of(call));
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_spoken_is_processing_and_the_work_on_it_does_not_hold_up_the_result() {
    on_both(|store| async move {
        let call = session(&store).await;
        let status = async || store.call(WORKSPACE, call).await.unwrap().unwrap().status.name();
        let (_, claim) = take(&store, run(call, STAGE, 1)).await;
        let later = |store: &Store| Settlement::Again { not_before: store.now(), spent: false, error: None };
        store.settle_run(&claim, &later(&store)).await.unwrap();
        assert_eq!(status().await, "processing");
        take_in(&store, &store::Arrival { call, ..arrival("a", Some("https://example.com/a")) }).await;
        let (_, transcription) = take(&store, run(call, "transcription", 1)).await;
        store.settle_run(&transcription, &Settlement::Done { writes: &[], children: &[] }).await.unwrap();
        assert_eq!(status().await, "completed");
    })
    .await;
}

#[tokio::test]
async fn the_words_of_a_stream_are_kept_once_and_by_the_last_stream_of_a_channel() {
    on_both(|store| async move {
        let call = session(&store).await;
        let said = |number, text: &str, times: (i64, i64)| StreamedWords {
            number,
            speaker: Some("agent".into()),
            start_ms: times.0,
            end_ms: times.1,
            words: json!({"parts": [{"text": text}]}),
        };
        let keep = async |stream: StreamId, said: &StreamedWords| {
            let told = |number: i64| {
                vec![NewLiveEvent { kind: "told", data: json!({"text": format!("turn {number}")}) }]
            };
            store
                .keep_streamed_words(stream, said, &told, &|generation| format!("input {generation}"))
                .await
                .unwrap()
        };
        let first = store.begin_stream((WORKSPACE, call), 0).await.unwrap();
        let number = store.begin_streamed_turn(first, Some("agent"), (0, 300)).await.unwrap().unwrap();
        store.tell_live(first, &[event("partial")]).await.unwrap();
        let kept = keep(first, &said(Some(number), "hello", (0, 900))).await;
        assert!(matches!(kept, StreamedKept::Kept { number: kept, .. } if kept == number), "{kept:?}");
        let turns = store.live_turns(WORKSPACE, call).await.unwrap();
        let turn = turns.iter().find(|turn| turn.number == number).unwrap();
        assert_eq!((turn.end_ms, turn.speaker.as_deref(), turn.blob.as_str()), (900, Some("agent"), ""));
        assert_eq!(turn.words, Some(json!({"parts": [{"text": "hello"}]})));

        let second = store.begin_stream((WORKSPACE, call), 0).await.unwrap();
        let other_channel = store.begin_stream((WORKSPACE, call), 1).await.unwrap();
        let before = events(&store, call).await.len();
        assert_eq!(keep(first, &said(None, "late", (900, 1_000))).await, StreamedKept::TakenOver);
        assert_eq!(store.begin_streamed_turn(first, None, (900, 1_000)).await.unwrap(), None);
        store.tell_live(first, &[event("late")]).await.unwrap();
        assert_eq!(events(&store, call).await.len(), before);
        let mut newest = 0;
        for stream in [second, other_channel] {
            let kept = keep(stream, &said(None, "more", (1_000, 2_000))).await;
            let StreamedKept::Kept { generation, .. } = kept else { panic!("it is not kept: {kept:?}") };
            newest = generation;
        }

        // The run cuts a turn out of the same audio, because the stream seemed to be gone.
        let (_, claim) = take(&store, run(call, STAGE, newest)).await;
        let turn =
            NewLiveTurn { channel: 0, speaker: None, start_ms: 2_500, end_ms: 3_500, blob: "turn".into() };
        store.save_live_step(&claim, &LiveStep { turns: vec![turn], ..LiveStep::default() }).await.unwrap();
        assert_eq!(keep(second, &said(None, "twice", (3_000, 4_000))).await, StreamedKept::TooLate);
        assert!(matches!(keep(second, &said(None, "new", (3_500, 4_000))).await, StreamedKept::Kept { .. }));
        let done = LiveStep { is_delivered: true, ..LiveStep::default() };
        store.save_live_step(&claim, &done).await.unwrap();
        assert_eq!(keep(second, &said(None, "after", (5_000, 6_000))).await, StreamedKept::TakenOver);
    })
    .await;
}
