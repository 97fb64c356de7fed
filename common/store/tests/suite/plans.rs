//! How PostgreSQL carries out the queries in which conditions may be left out.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use store::{CallFilter, Page, Store, Walk};

use crate::databases::{WORKSPACE, arrival, postgres, take_in};

/// PostgreSQL makes a plan for each of the first five requests of a connection, and may take one for all values after that.
const REQUESTS: i64 = 12;
const CALLS: i64 = 20_000;
const OF_ONE_AGENT: i64 = 20;

#[tokio::test]
async fn however_often_a_connection_lists_the_calls_of_an_agent_it_reads_only_these() {
    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    take_in(&store, &arrival("the first one", None)).await;
    let mut database = PgConnection::connect(&url).await.unwrap();
    let more = "INSERT INTO calls (id, workspace, source, external_id, kind, status, generation, details, agent, received_at, updated_at)
        SELECT gen_random_uuid(), workspace, source, 'call ' || number, kind, status, generation, details,
            'agent ' || number % $1, received_at - number * interval '1 minute', updated_at
        FROM calls, generate_series(1, $2) AS number";
    sqlx::query(more).bind(CALLS / OF_ONE_AGENT).bind(CALLS).execute(&mut database).await.unwrap();
    sqlx::query("ANALYZE calls").execute(&mut database).await.unwrap();
    let before = rows_read(&mut database).await;
    // The list of all calls is what makes PostgreSQL take one plan for all values.
    let page = Page { offset: 0, limit: 50 };
    for _ in 0..REQUESTS {
        let (_, total) = store.calls(WORKSPACE, &CallFilter::default(), page).await.unwrap();
        assert_eq!(total, CALLS + 1);
    }
    let filter = CallFilter { agent: Some("agent 7".to_owned()), ..CallFilter::default() };
    for _ in 0..REQUESTS {
        let (page, total) = store.calls(WORKSPACE, &filter, page).await.unwrap();
        assert_eq!((page.len(), total), (20, OF_ONE_AGENT));
    }
    let read = rows_read_until_the_end_of(store, &mut database).await - before;
    // The list of all calls reads each of them once, to count them. A single request of the others that does so is too much.
    let of_all = REQUESTS * (CALLS + 1 + page.limit);
    assert!(read < of_all + CALLS, "{REQUESTS} requests read {} rows", read - of_all);
    database.close().await.unwrap();
    drop_it.await;
}

#[tokio::test]
async fn the_list_of_all_calls_is_counted_without_reading_them() {
    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    take_in(&store, &arrival("the first one", None)).await;
    let mut database = PgConnection::connect(&url).await.unwrap();
    for more in [
        "INSERT INTO calls (id, workspace, source, external_id, kind, status, generation, details, received_at, updated_at)
         SELECT gen_random_uuid(), workspace, source, 'call ' || number, kind, status, generation, details,
            received_at - number * interval '1 minute', updated_at FROM calls, generate_series(1, 20000) AS number",
        "INSERT INTO call_facts (call_id, workspace, at, day, zone, source, kind, topics, made_at)
         SELECT calls.id, fact.workspace, fact.at, fact.day, fact.zone, fact.source, fact.kind, fact.topics, fact.made_at
         FROM calls, call_facts AS fact WHERE calls.id <> fact.call_id",
        "ANALYZE",
    ] {
        sqlx::query(more).execute(&mut database).await.unwrap();
    }
    while store.catch_up_index().await.unwrap() == Walk::GoesOn {}
    while store.roll_up_facts(CALLS, Duration::ZERO).await.unwrap() > 0 {}
    store.close().await;
    let store = Store::open_postgres(&url).await.unwrap();
    let before = rows_read(&mut database).await;
    let page = Page { offset: 0, limit: 50 };
    for source in [None, Some("exotel".to_owned())] {
        let filter = CallFilter { source, ..CallFilter::default() };
        for _ in 0..REQUESTS {
            assert_eq!(store.calls(WORKSPACE, &filter, page).await.unwrap().1, CALLS + 1);
        }
    }
    let read = rows_read_until_the_end_of(store, &mut database).await - before;
    assert!(read < 3 * REQUESTS * page.limit, "the requests read {read} rows of calls");
    database.close().await.unwrap();
    drop_it.await;
}

/// As [`rows_read`]. A connection tells what it has read when it ends.
async fn rows_read_until_the_end_of(store: Store, database: &mut PgConnection) -> i64 {
    store.close().await;
    while others(database).await > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    rows_read(database).await
}

/// How many rows of calls were read, through an index or not, by the connections that have ended.
async fn rows_read(database: &mut PgConnection) -> i64 {
    // What this connection has read itself is told first, so that it is not counted later.
    for sql in ["SELECT pg_stat_force_next_flush()", "SELECT pg_stat_clear_snapshot()"] {
        sqlx::query(sql).execute(&mut *database).await.unwrap();
    }
    let sql =
        "SELECT seq_tup_read + COALESCE(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'calls'";
    sqlx::query_scalar(sql).fetch_one(database).await.unwrap()
}

/// How many other connections the database has.
async fn others(database: &mut PgConnection) -> i64 {
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    sqlx::query_scalar(sql).fetch_one(database).await.unwrap()
}
