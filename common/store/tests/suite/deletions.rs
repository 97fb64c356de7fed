//! Calls that are deleted, and the sample calls.

use domain::call::{CallDetails, CallId, CallKind, WorkspaceId};
use domain::period::Period;
use domain::principal::Sees;
use domain::search::Query;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use store::live::{NewLiveEvent, NewLiveSession};
use store::{
    Action, Audit, ErrorText, ListFilter, Page, SampleCall, SamplesLoaded, Scope, Search, Settlement, Store,
    Write,
};
use uuid::Uuid;

use crate::counting::call;
use crate::databases::{WORKSPACE, arrival, on_both, postgres, request, run, take, take_in};
use crate::searching::{analysis, said, settle};

async fn begun(store: &Store) -> Audit {
    store.begin_audit(&request(Action::RemoveSamples), store.now()).await.unwrap()
}

fn id(name: &str) -> CallId {
    CallId::derive(WORKSPACE, "exotel", name)
}

/// How many calls are listed, found, counted, and told to whoever follows the changes.
async fn known(store: &Store) -> [usize; 4] {
    let listed = store.call_list(WORKSPACE, &ListFilter::default(), &Sees::All, None, 9).await.unwrap();
    let query = Query::read("hello").unwrap();
    let search = Search { query, from: None, to: None, limit: 9 };
    let found = store.search(WORKSPACE, &search, &Sees::All).await.unwrap();
    let period = Period::usual(store.now(), chrono_tz::Tz::UTC);
    let scope = Scope { period, agent: None, team: None, source: None, direction: None };
    let counted = store.dashboard(WORKSPACE, &scope, &Sees::All).await.unwrap().sums.calls;
    let changed = store.changed_calls(WORKSPACE, 0, 9).await.unwrap().calls;
    [listed.len(), found.len(), usize::try_from(counted).unwrap(), changed.len()]
}

#[tokio::test]
async fn a_deleted_call_is_listed_found_counted_and_followed_no_more() {
    on_both(|store| async move {
        call(&store, "a", "Ann", 1).await;
        call(&store, "b", "Bob", 2).await;
        while store.roll_up_facts(1, std::time::Duration::ZERO).await.unwrap() > 0 {}
        assert_eq!(known(&store).await, [2, 2, 2, 2]);
        let audit = begun(&store).await;
        let elsewhere = WorkspaceId(Uuid::from_u128(7));
        assert_eq!(store.delete_call(&audit, elsewhere, id("a")).await.unwrap(), None);
        let blobs = store.delete_call(&audit, WORKSPACE, id("a")).await.unwrap().unwrap();
        assert_eq!(blobs, [format!("recordings/{}/digest of a", id("a"))]);
        assert_eq!(store.delete_call(&audit, WORKSPACE, id("a")).await.unwrap(), None);
        assert_eq!(known(&store).await, [1, 1, 1, 1]);
        assert_eq!(store.call(WORKSPACE, id("a")).await.unwrap(), None);
        let (rows, _) = store.audit(WORKSPACE, Page { offset: 0, limit: 9 }).await.unwrap();
        assert_eq!(rows[0].done, 1);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_ends_after_its_call_was_deleted_leaves_nothing_behind() {
    on_both(|store| async move {
        take_in(&store, &arrival("a", Some("a"))).await;
        let claim = take(&store, run(id("a"), "transcription", 1)).await.1;
        store.delete_call(&begun(&store).await, WORKSPACE, id("a")).await.unwrap().unwrap();
        let write = Write::Transcript(said(&["Hello."]));
        let done = Settlement::Done { writes: &[write], children: &[] };
        assert_eq!(store.settle_run(&claim, &done).await.unwrap(), store::Settled::NotOurs);
        assert_eq!(store.transcript(WORKSPACE, id("a")).await.unwrap(), None);
        take_in(&store, &arrival("a", Some("a"))).await;
        assert_eq!(store.call(WORKSPACE, id("a")).await.unwrap().unwrap().generation, 1, "it begins anew");
    })
    .await;
}

/// A call with as much as a call can have.
async fn full(store: &Store) {
    call(store, "a", "Ann", 1).await;
    let new = arrival("live", Some("b"));
    take_in(store, &new).await;
    let event = NewLiveEvent { kind: "told", data: serde_json::json!({}) };
    let session = NewLiveSession { workspace: WORKSPACE, call: new.call, session_id: "s".into() };
    store.start_live_session(&session, &event, &|_| "input".to_owned()).await.unwrap();
    let claim = take(store, run(new.call, "transcription", 1)).await.1;
    let error = ErrorText { code: "recording_not_found", text: "it is gone" };
    store.settle_run(&claim, &Settlement::Dead { error, group: "g" }).await.unwrap();
    store.doubt_unfinished_calls(store.now(), &[]).await.unwrap();
}

/// Deletes both calls of [`full`].
async fn emptied(store: &Store) {
    let audit = begun(store).await;
    for name in ["a", "live"] {
        store.delete_call(&audit, WORKSPACE, id(name)).await.unwrap().unwrap();
    }
}

// A meeting stays, without its call.
const STAYS: &str = "practice_meetings";

#[tokio::test]
async fn no_table_of_the_embedded_store_has_a_row_of_a_deleted_call() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_embedded(folder.path()).await.unwrap();
    full(&store).await;
    emptied(&store).await;
    store.close().await;
    let url = format!("sqlite://{}", folder.path().join("debrief.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let tables =
        "SELECT tables.name FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns
                  WHERE tables.type = 'table' AND columns.name = 'call_id' UNION ALL SELECT 'call_words'";
    let tables = sqlx::query(tables).fetch_all(&mut connection).await.unwrap();
    assert!(tables.len() > 20, "{}", tables.len());
    for table in tables.iter().map(|row| row.get::<String, _>(0)).filter(|table| table != STAYS) {
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let rows: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

#[tokio::test]
async fn no_table_on_postgresql_has_a_row_of_a_deleted_call() {
    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    full(&store).await;
    emptied(&store).await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let tables = "SELECT CAST(table_name AS TEXT) FROM information_schema.columns
                  WHERE column_name = 'call_id' AND table_schema = 'public'";
    let tables = sqlx::query(tables).fetch_all(&mut connection).await.unwrap();
    assert!(tables.len() > 20, "{}", tables.len());
    for table in tables.iter().map(|row| row.get::<String, _>(0)).filter(|table| table != STAYS) {
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let rows: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    store.close().await;
    drop_it.await;
}

fn sample(name: &str) -> SampleCall {
    SampleCall {
        external_id: name.into(),
        kind: CallKind::Phone,
        details: CallDetails { agent_name: Some("Ann".into()), ..CallDetails::default() },
        transcript: said(&["Hello."]),
        analysis: analysis("A sample."),
    }
}

#[tokio::test]
async fn samples_are_loaded_once_into_an_empty_workspace_and_are_whole_calls() {
    on_both(|store| async move {
        let samples = [sample("one"), sample("two")];
        let load = async || store.load_samples(&request(Action::LoadSamples), &samples).await.unwrap();
        assert_eq!(load().await, SamplesLoaded::Loaded);
        assert_eq!(load().await, SamplesLoaded::NotEmpty);
        assert_eq!(known(&store).await, [2, 2, 2, 2]);
        let calls = store.samples(WORKSPACE).await.unwrap();
        assert_eq!(calls.len(), 2);
        let shown = store.call(WORKSPACE, calls[0]).await.unwrap().unwrap();
        assert_eq!((shown.status.name(), shown.source.as_str()), ("completed", "sample"));
        assert_eq!(store.analysis(WORKSPACE, calls[1]).await.unwrap().unwrap().summary, "A sample.");
        assert_eq!(store.runs(WORKSPACE, calls[0]).await.unwrap(), [], "no stage works on it");
        let (rows, _) = store.audit(WORKSPACE, Page { offset: 0, limit: 9 }).await.unwrap();
        assert_eq!((rows.len(), rows[0].action.as_str(), rows[0].done), (1, "samples_load", 2));
    })
    .await;
}

#[tokio::test]
async fn only_the_samples_of_the_workspace_are_removed() {
    on_both(|store| async move {
        store.load_samples(&request(Action::LoadSamples), &[sample("one"), sample("two")]).await.unwrap();
        let theirs = WorkspaceId(Uuid::from_u128(7));
        let of_theirs = store::OperatorRequest { workspace: theirs, ..request(Action::LoadSamples) };
        store.load_samples(&of_theirs, &[sample("one")]).await.unwrap();
        // A real call whose source has the same name.
        let real = store::Arrival { source: "sample".into(), ..arrival("real", Some("real")) };
        take_in(&store, &real).await;
        settle(&store, real.call, "transcription", 1, Write::Transcript(said(&["Hello."]))).await;
        store.remove_samples(&request(Action::RemoveSamples)).await.unwrap();
        assert_eq!(store.samples(WORKSPACE).await.unwrap(), []);
        assert_eq!(known(&store).await, [1, 1, 1, 1]);
        assert_eq!(store.samples(theirs).await.unwrap().len(), 1);
        let (rows, _) = store.audit(WORKSPACE, Page { offset: 0, limit: 9 }).await.unwrap();
        assert_eq!((rows[0].action.as_str(), rows[0].done), ("samples_remove", 2));
        assert!(rows[0].ended_at.is_some());
        store.remove_samples(&request(Action::RemoveSamples)).await.unwrap();
        let again = store.audit(WORKSPACE, Page { offset: 0, limit: 9 }).await.unwrap().1;
        assert_eq!(again, 2, "nothing was removed, so nothing is on record");
    })
    .await;
}
