//! Connections: whose they are next, and what becomes of work that is given up half-way, as when a client hangs
//! up, a lease is lost or the time is up.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use store::Store;

use crate::databases::{arrival, postgres, take_in};

/// A transaction needs fewer.
const POLLS: usize = 40;

/// Polls so often, and drops it.
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
        // What was on its way comes to rest first.
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
async fn who_comes_one_after_the_other_has_the_same_connection_until_the_store_is_closed() {
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
    assert!(store.ping().await.is_err(), "it is closed");
    let mut left = at_work;
    for _ in 0..100 {
        left = connections(&mut observer).await;
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The one that opened the store may still have been on its way back.
    assert!(at_work <= 2, "{at_work} connections for one after the other");
    assert_eq!(left, 0);
    drop(observer);
    drop_it.await;
}

#[tokio::test]
async fn of_connections_that_broke_together_one_fails_its_operation_and_no_other() {
    let (url, drop_it) = postgres().await;
    Store::migrate_postgres(&url).await.unwrap();
    let store = Store::open_postgres(&url).await.unwrap();
    let mut observer = PgConnection::connect(&url).await.unwrap();
    // Who is fast enough leaves the others nothing to wait for: then all had the same one.
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
