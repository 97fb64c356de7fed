//! The order in which calls changed, for programs that follow it.

use std::time::Duration;

use domain::call::{CallDetails, CallId};
use sqlx::{Connection as _, Executor as _, PgConnection};
use store::Store;

use crate::databases::{WORKSPACE, arrival, on_both, postgres, take_in};

/// Reads everything after `cursor`, and moves the cursor.
async fn read(store: &Store, cursor: &mut i64) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let changes = store.changed_calls(WORKSPACE, *cursor, 2).await.unwrap();
        *cursor = changes.cursor;
        if changes.calls.is_empty() {
            return ids;
        }
        ids.extend(changes.calls.into_iter().map(|call| call.external_id));
    }
}

async fn rename(store: &Store, call: &str) {
    let facts = CallDetails { topic: Some("Renamed".into()), ..CallDetails::default() };
    store.add_facts(WORKSPACE, CallId::derive(WORKSPACE, "exotel", call), &facts).await.unwrap();
}

#[tokio::test]
async fn each_call_comes_once_in_the_order_of_the_changes_and_again_when_it_changes() {
    on_both(|store| async move {
        for call in ["a", "b", "c"] {
            take_in(&store, &arrival(call, Some(call))).await;
        }
        let mut cursor = 0;
        assert_eq!(read(&store, &mut cursor).await, ["a", "b", "c"]);
        assert_eq!(read(&store, &mut cursor).await, Vec::<String>::new());
        rename(&store, "b").await;
        rename(&store, "a").await;
        rename(&store, "b").await;
        assert_eq!(read(&store, &mut cursor).await, ["b", "a"]);
        assert_eq!(read(&store, &mut 0).await, ["c", "b", "a"]);
    })
    .await;
}

#[tokio::test]
async fn a_delivery_that_changes_nothing_is_no_change() {
    on_both(|store| async move {
        let one = arrival("a", Some("a"));
        take_in(&store, &one).await;
        let mut cursor = 0;
        assert_eq!(read(&store, &mut cursor).await, ["a"]);
        take_in(&store, &one).await;
        assert_eq!(read(&store, &mut cursor).await, Vec::<String>::new());
    })
    .await;
}

const CHANGE: &str = "UPDATE calls SET updated_at = clock_timestamp() WHERE external_id = ";

#[tokio::test]
async fn a_transaction_that_began_early_and_commits_late_is_not_missed() {
    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    for call in ["a", "b", "c"] {
        take_in(&store, &arrival(call, Some(call))).await;
    }
    // `a` is numbered before the transactions begin, and `b` is not.
    let mut cursor = store.changed_calls(WORKSPACE, 0, 1).await.unwrap().cursor;
    read(&store, &mut cursor).await;
    rename(&store, "b").await;
    let (mut early, mut later) =
        (PgConnection::connect(&url).await.unwrap(), PgConnection::connect(&url).await.unwrap());
    early.execute("BEGIN").await.unwrap();
    early.execute(sqlx::AssertSqlSafe(format!("{CHANGE}'a'"))).await.unwrap();
    early.execute(sqlx::AssertSqlSafe(format!("{CHANGE}'b'"))).await.unwrap();
    later.execute("BEGIN").await.unwrap();
    later.execute(sqlx::AssertSqlSafe(format!("{CHANGE}'c'"))).await.unwrap();
    assert_eq!(read(&store, &mut cursor).await, Vec::<String>::new(), "nothing is committed but what waits");
    later.execute("COMMIT").await.unwrap();
    assert_eq!(read(&store, &mut cursor).await, ["c"]);
    early.execute("COMMIT").await.unwrap();
    let mut late = read(&store, &mut cursor).await;
    late.sort();
    assert_eq!(late, ["a", "b"]);
    early.close().await.unwrap();
    later.close().await.unwrap();
    store.close().await;
    drop_it.await;
}

#[tokio::test]
async fn a_reader_who_reads_while_others_write_sees_every_call() {
    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    let writing = futures::future::join_all((0..8).map(|writer| {
        let store = store.clone();
        async move {
            for number in 0..20 {
                let call = format!("{writer}-{number}");
                take_in(&store, &arrival(&call, Some(&call))).await;
            }
        }
    }));
    let seen = async {
        let (mut cursor, mut seen) = (0, std::collections::BTreeSet::new());
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        while seen.len() < 160 {
            assert!(tokio::time::Instant::now() < deadline, "only {} of 160 calls were seen", seen.len());
            seen.extend(read(&store, &mut cursor).await);
        }
    };
    futures::join!(writing, seen);
    store.close().await;
    drop_it.await;
}
