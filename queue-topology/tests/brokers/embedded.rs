//! What only the embedded broker has to do: it survives a kill, and it is alone on its file.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use queue_topology::broker::suite::Site;
use queue_topology::broker::{Broker, BrokerError, Embedded, Lane, Message, Route};
use queue_topology::table::CRM;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use uuid::Uuid;

/// The variable that tells the child process of the crash test where its file is.
const CHILD_FILE: &str = "DEBRIEF_TEST_QUEUE_FILE";

struct Folder(tempfile::TempDir);

impl Site for Folder {
    async fn open(&self) -> Arc<dyn Broker> {
        Arc::new(Embedded::open(&self.0.path().join("queue.db")).await.unwrap())
    }
}

async fn run(test: impl AsyncFnOnce(&Folder)) {
    test(&Folder(tempfile::tempdir().unwrap())).await;
}

crate::suite!(super::run);

#[tokio::test]
async fn a_second_process_is_told_that_the_file_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let first = Embedded::open(&path).await.unwrap();
    let second = Embedded::open(&path).await.err().unwrap();
    assert_eq!(second, BrokerError::Locked(path.display().to_string()));
    first.close().await;
    assert!(Embedded::open(&path).await.is_ok());
}

#[tokio::test]
async fn a_file_that_is_no_queue_file_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    std::fs::write(&path, "somebody's letters, much longer than a header".repeat(50)).unwrap();
    let refused = Embedded::open(&path).await.err().unwrap();
    let said = refused.to_string();
    assert!(matches!(refused, BrokerError::Refused(_)), "{said}");
    assert!(said.contains(path.to_str().unwrap()) && said.contains("restore"), "{said}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("somebody's letters"));
}

#[tokio::test]
async fn a_database_of_another_program_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut theirs = options.connect().await.unwrap();
    sqlx::query("CREATE TABLE bookmarks (url TEXT)").execute(&mut theirs).await.unwrap();
    let said = Embedded::open(&path).await.err().unwrap().to_string();
    assert!(said.contains("another program") && said.contains(path.to_str().unwrap()), "{said}");
    let tables: Vec<(String,)> =
        sqlx::query_as("SELECT name FROM sqlite_master").fetch_all(&mut theirs).await.unwrap();
    assert_eq!(tables, [("bookmarks".to_owned(),)]);
}

/// SQLite ends a transaction by itself when the disk is full, and for some other reasons.
#[tokio::test]
async fn after_sqlite_ended_a_transaction_by_itself_the_next_one_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let broker = Embedded::open(&path).await.unwrap();
    let message = || Message {
        route: Route::Stage { stage: CRM.spec.stage },
        lane: Lane::Live,
        id: Uuid::new_v4(),
        body: Bytes::from_static(b"{}"),
    };
    let mut beside = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON messages BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
    sqlx::raw_sql(full).execute(&mut beside).await.unwrap();
    assert!(broker.publish(message()).await.is_err());
    sqlx::raw_sql("DROP TRIGGER full").execute(&mut beside).await.unwrap();
    assert_eq!(broker.publish(message()).await, Ok(()));
    let depth = broker.depth(CRM.spec.stage, Lane::Live).await.unwrap();
    assert_eq!((depth.ready, broker.healthy()), (1, true));
}

#[tokio::test]
async fn every_confirmed_message_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let confirmed = publish_until_killed(&path, 500);
    assert!(confirmed.len() >= 500, "only {}", confirmed.len());

    let broker = Embedded::open(&path).await.unwrap();
    let mut consumer = broker.consume(&CRM.spec, Lane::Live, u16::MAX).await.unwrap();
    let mut found = HashSet::new();
    for _ in 0..broker.depth("crm", Lane::Live).await.unwrap().ready {
        let delivery = consumer.next().await.unwrap();
        found.insert(delivery.message_id.unwrap());
        delivery.ack().await.unwrap();
    }
    let lost: Vec<&Uuid> = confirmed.difference(&found).collect();
    assert!(lost.is_empty(), "lost {lost:?}");
}

/// Starts this test binary once more and lets it publish. Kills it when it has reported as many confirms as `enough`
/// says. Returns every confirm that it reported.
fn publish_until_killed(path: &Path, enough: usize) -> HashSet<Uuid> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["embedded::publishes_until_it_is_killed", "--exact", "--ignored", "--nocapture"])
        .env(CHILD_FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut confirmed = HashSet::new();
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        confirmed.extend(line.unwrap().strip_prefix("confirmed ").and_then(|id| id.parse::<Uuid>().ok()));
        if confirmed.len() >= enough && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    assert!(killed, "the child ended by itself: {:?}", child.wait());
    child.wait().unwrap();
    confirmed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child process of `every_confirmed_message_survives_a_kill`"]
async fn publishes_until_it_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "the parent test says where the file is")]
    let path = std::env::var_os(CHILD_FILE).unwrap();
    let broker = Embedded::open(Path::new(&path)).await.unwrap();
    let publishing = (0..16).map(|_| publish_on(&broker));
    futures::future::join_all(publishing).await;
}

async fn publish_on(broker: &Embedded) {
    loop {
        let id = Uuid::new_v4();
        let route = Route::Stage { stage: "crm" };
        let body = Bytes::from_static(&[b'x'; 2048]);
        broker.publish(Message { route, lane: Lane::Live, id, body }).await.unwrap();
        println!("confirmed {id}");
    }
}
