//! Connections to PostgreSQL: who gets them next, and what becomes of work that its caller gives up half-way. A
//! caller does so when a client hangs up, when a lease is lost or when the time is over.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use store::Store;

use crate::databases::{arrival, postgres, take_in};

/// More polls than a transaction needs.
const POLLS: usize = 40;

/// Polls `work` as many times as `polls` says, and then drops it.
async fn given_up_after(polls: usize, work: impl Future) {
    let (mut work, mut left) = (pin!(work), polls);
    poll_fn(|cx| {
        left -= 1;
        match work.as_mut().poll(cx) {
            Poll::Pending if left > 0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_given_up_leaves_no_connection_in_it() {
    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    let mut observer = PgConnection::connect(&url).await.unwrap();
    for polls in 1..POLLS {
        let arrival = arrival(&format!("call-{polls}"), None);
        given_up_after(polls, take_in(&store, &arrival)).await;
        // The server may need a moment to notice that the transaction has ended.
        let mut open = i64::MAX;
        for _ in 0..100 {
            let sql = "SELECT COUNT(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
            open = sqlx::query_scalar(sql).fetch_one(&mut observer).await.unwrap();
            if open == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(open, 0, "given up after {polls} polls, a connection is left in a transaction");
    }
    store.close().await;
    drop(observer);
    drop_it.await;
}

async fn connections(observer: &mut PgConnection) -> i64 {
    let sql = "SELECT COUNT(*) FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    sqlx::query_scalar(sql).fetch_one(observer).await.unwrap()
}

#[tokio::test]
async fn callers_one_after_the_other_use_the_same_connection_until_the_store_is_closed() {
    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    let mut observer = PgConnection::connect(&url).await.unwrap();
    for name in ["a", "b", "c", "d"] {
        take_in(&store, &arrival(name, None)).await;
        store.ping().await.unwrap();
    }
    let at_work = connections(&mut observer).await;
    store.close().await;
    assert!(store.ping().await.is_err(), "the store is closed");
    let mut left = at_work;
    for _ in 0..100 {
        left = connections(&mut observer).await;
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The connection that opened the store may not have been back in the pool yet.
    assert!(at_work <= 2, "{at_work} connections for callers one after the other");
    assert_eq!(left, 0);
    drop(observer);
    drop_it.await;
}

#[tokio::test]
async fn if_all_connections_break_together_only_one_operation_fails() {
    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    let mut observer = PgConnection::connect(&url).await.unwrap();
    // Fast callers may all get the same connection, so this is repeated until there are two.
    for _ in 0..100 {
        futures::future::try_join_all((0..16).map(|_| store.ping())).await.unwrap();
        if connections(&mut observer).await >= 2 {
            break;
        }
    }
    let sql = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let ended: i64 = sqlx::query_scalar(sql).fetch_one(&mut observer).await.unwrap();
    assert!(ended >= 2, "{ended}");
    let mut failed = 0;
    for _ in 0..=ended {
        failed += usize::from(store.ping().await.is_err());
    }
    assert!(failed <= 1, "{failed} operations failed");
    store.close().await;
    drop(observer);
    drop_it.await;
}
