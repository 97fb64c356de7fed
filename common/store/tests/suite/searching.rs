//! Calls are found by what was said in them, by what is written about them, and by their names and numbers.

use domain::analysis::{Analysis, Category, Metrics, Priority, Resolution, Sentiment, Tone};
use domain::call::{CallId, WorkspaceId};
use domain::moment::Moment;
use domain::principal::{AgentIdentity, Sees};
use domain::search::Query;
use domain::speakers::Correction;
use domain::transcript::{Segment, Transcript};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use store::{
    Action, Again, Arrival, FoundCall, NewRun, RunKey, Search, Settled, Settlement, Store, Walk, Write,
};
use uuid::Uuid;

use crate::databases::{WORKSPACE, arrival, on_both, postgres, request, run, take, take_in};

pub(crate) fn said(texts: &[&str]) -> Transcript {
    let segment = |text: &&str| Segment {
        id: 0,
        speaker: Some("A".into()),
        role: None,
        start_ms: Some(1000),
        end_ms: Some(2000),
        text: (*text).to_owned(),
        confidence: None,
    };
    Transcript { segments: texts.iter().map(segment).collect(), ..Transcript::default() }.numbered()
}

pub(crate) fn analysis(summary: &str) -> Analysis {
    Analysis {
        analyzer: "builtin".into(),
        summary: summary.into(),
        key_points: Vec::new(),
        topics: vec!["billing".into()],
        sentiment: Sentiment::Neutral,
        tone: Tone::Negative,
        concern: None,
        category: Category::Billing,
        action_items: Vec::new(),
        customer_requests: Vec::new(),
        resolution: Resolution::Resolved,
        priority: Priority::Low,
        contacts: Vec::new(),
        metrics: Metrics {
            talk_ms: [("A".to_owned(), 3000), ("B".to_owned(), 1000)].into(),
            talk_ratio: Some(0.75),
            silence_ms: 500,
            interruptions: 2,
            ..Metrics::default()
        },
        usage: None,
    }
}

pub(crate) async fn settle(store: &Store, call: CallId, stage: &'static str, generation: i64, write: Write) {
    let claim = take(store, run(call, stage, generation)).await.1;
    let child = |stage| NewRun { stage, generation, lane: "live".into(), input: String::new() };
    let children: Vec<NewRun> = if stage == "transcription" { vec![child("analysis")] } else { Vec::new() };
    let done = Settlement::Done { writes: &[write], children: &children };
    assert_eq!(store.settle_run(&claim, &done).await.unwrap(), Settled::Yes);
}

/// A call of which this was said.
async fn heard(store: &Store, arrival: &Arrival, texts: &[&str]) {
    take_in(store, arrival).await;
    settle(store, arrival.call, "transcription", 1, Write::Transcript(said(texts))).await;
}

async fn found(store: &Store, query: &str) -> Vec<FoundCall> {
    let search = Search { query: Query::read(query).unwrap(), from: None, to: None, limit: 10 };
    store.search(WORKSPACE, &search, &Sees::All).await.unwrap()
}

pub(crate) async fn ids(store: &Store, query: &str) -> Vec<String> {
    let mut ids: Vec<String> =
        found(store, query).await.into_iter().map(|found| found.call.external_id).collect();
    ids.sort();
    ids
}

/// Somebody who sees only the calls of this agent.
pub(crate) fn only_of(agent: &str) -> Sees {
    Sees::OnlyOf(AgentIdentity::new(agent).unwrap())
}

#[tokio::test]
async fn words_quotes_beginnings_and_accents_are_found_in_many_languages() {
    on_both(|store| async move {
        let calls: [(&str, &[&str]); 6] = [
            ("english", &["I want my refund.", "Next Friday, please."]),
            ("german", &["Ich hätte gern eine Rückerstattung."]),
            ("hindi", &["मुझे पैसे वापस चाहिए"]),
            ("arabic", &["أُرِيدُ استرداد المبلغ"]),
            ("chinese", &["我想要退款，谢谢"]),
            ("japanese", &["東京都の返金をお願いします"]),
        ];
        for (name, texts) in calls {
            heard(&store, &arrival(name, Some(name)), texts).await;
        }
        for (query, expected) in [
            ("refund", &["english"][..]),
            ("REFUND friday", &["english"]),
            ("\"next friday\"", &["english"]),
            ("\"friday next\"", &[]),
            ("\"refund next\"", &[]),
            ("refu*", &["english"]),
            ("ruckerstattung", &["german"]),
            ("HÄTTE", &["german"]),
            ("वापस", &["hindi"]),
            ("اريد استرداد", &["arabic"]),
            ("退款", &["chinese"]),
            ("款", &["chinese"]),
            ("返金", &["japanese"]),
            ("京都", &["japanese"]),
            ("refund 退款", &[]),
        ] {
            assert_eq!(ids(&store, query).await, expected, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn names_numbers_ids_and_the_summary_are_found_together_with_what_was_said() {
    on_both(|store| async move {
        let mut one = arrival("CALL-17", Some("a"));
        one.details.agent_name = Some("Dana Ortiz".into());
        one.details.from_number = Some("+44 20 7946 0123".into());
        heard(&store, &one, &["My headset is broken."]).await;
        settle(
            &store,
            one.call,
            "analysis",
            1,
            Write::Analysis(Box::new(analysis("A repair was promised."))),
        )
        .await;
        for query in [
            "dana",
            "ortiz headset",
            "CALL-17",
            "020 7946 0123",
            "+442079460123",
            "79460123",
            "repair headset dana",
            "billing",
            &one.call.to_string(),
        ] {
            assert_eq!(ids(&store, query).await, ["CALL-17"], "{query}");
        }
        assert!(ids(&store, "\"ortiz my\"").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_found_call_shows_the_moments_with_what_was_found_marked() {
    on_both(|store| async move {
        let one = arrival("a", Some("a"));
        heard(&store, &one, &["Hello.", "The refund, and again the refund!", "Bye."]).await;
        let found = found(&store, "refund").await;
        let moment = &found[0].moments[0];
        assert_eq!((moment.segment, moment.start_ms, moment.speaker.as_str()), (2, Some(1000), "Speaker A"));
        assert_eq!(moment.text.marks, [(4, 10), (26, 32)]);
        assert_eq!(found[0].snippet, moment.text);
    })
    .await;
}

#[tokio::test]
async fn what_was_made_again_and_what_a_person_corrected_is_what_is_found() {
    on_both(|store| async move {
        let one = arrival("a", Some("a"));
        heard(&store, &one, &["An old sentence."]).await;
        let is = Correction { speaker: "A".into(), name: Some("Ines Ferreira".into()), role: None };
        let asked = request(Action::CorrectSpeakers);
        store
            .correct_speakers(
                &asked,
                one.call,
                &[is],
                Again { stages: &["analysis"], input_of: |_: &RunKey| String::new() },
            )
            .await
            .unwrap();
        assert_eq!(ids(&store, "ferreira old").await, ["a"]);
        take_in(&store, &Arrival { event_id: Uuid::new_v4(), ..arrival("a", Some("b")) }).await;
        settle(&store, one.call, "transcription", 3, Write::Transcript(said(&["A newer one."]))).await;
        assert_eq!(ids(&store, "old").await, Vec::<String>::new());
        assert_eq!(ids(&store, "ferreira newer").await, ["a"]);
    })
    .await;
}

#[tokio::test]
async fn a_search_keeps_to_its_workspace_its_agent_its_time_and_its_limit_and_begins_with_the_newest() {
    on_both(|store| async move {
        let now = store.now().micros();
        let day = |number: i64| Moment::from_micros(now - number * 86_400_000_000);
        for number in 1..=5 {
            let name = number.to_string();
            let mut call = arrival(&name, Some(&name));
            call.details.started_at = Some(day(number));
            call.details.agent_name = Some(if number == 3 { "Ann" } else { "Bob" }.into());
            heard(&store, &call, &["The same words."]).await;
        }
        let search = |from, to, limit| Search { query: Query::read("same").unwrap(), from, to, limit };
        let names = async |search: Search, sees: Sees, workspace| {
            let found = store.search(workspace, &search, &sees).await.unwrap();
            found.into_iter().map(|found| found.call.external_id).collect::<Vec<_>>()
        };
        assert_eq!(names(search(None, None, 3), Sees::All, WORKSPACE).await, ["1", "2", "3"]);
        let two = search(Some(day(4)), Some(day(3)), 9);
        assert_eq!(names(two, Sees::All, WORKSPACE).await, ["3", "4"]);
        let anns = only_of("Ann");
        assert_eq!(names(search(None, None, 9), anns, WORKSPACE).await, ["3"]);
        let other = WorkspaceId(Uuid::new_v4());
        assert!(names(search(None, None, 9), Sees::All, other).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_long_call_is_found_by_its_last_words_together_with_its_names() {
    on_both(|store| async move {
        let mut one = arrival("long", Some("a"));
        one.details.agent_name = Some("Dana Ortiz".into());
        let filler = "word ".repeat(900);
        let mut texts = vec![filler.as_str(); 12];
        texts.push("the needle at the end");
        heard(&store, &one, &texts).await;
        assert_eq!(ids(&store, "dana \"needle at the end\"").await, ["long"]);
        assert_eq!(found(&store, "word").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn calls_that_were_there_before_the_index_are_added_to_it() {
    let indexed = async |store: &Store| {
        for name in ["a", "b"] {
            heard(store, &arrival(name, Some(name)), &["The same words."]).await;
        }
    };
    let walked = async |store: &Store| {
        assert!(ids(store, "same").await.is_empty());
        while store.catch_up_index().await.unwrap() == Walk::GoesOn {}
        assert_eq!(ids(store, "same").await, ["a", "b"]);
        let changed = store.changed_calls(WORKSPACE, 0, 10).await.unwrap();
        assert_eq!(changed.calls.len(), 2);
    };
    let forget =
        ["call_search", "call_facts", "call_changes"].map(|table| format!("DELETE FROM {table};")).concat();

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_embedded(folder.path()).await.unwrap();
    indexed(&store).await;
    let file = format!("sqlite://{}", folder.path().join("debrief.db").display());
    let mut raw = SqliteConnection::connect(&file).await.unwrap();
    let words = "INSERT INTO call_words (call_words) VALUES ('delete-all')";
    raw.execute(AssertSqlSafe(format!("{forget}{words}"))).await.unwrap();
    walked(&store).await;

    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    indexed(&store).await;
    let mut raw = PgConnection::connect(&url).await.unwrap();
    raw.execute(AssertSqlSafe(forget)).await.unwrap();
    walked(&store).await;
    raw.close().await.unwrap();
    store.close().await;
    drop_it.await;
}
