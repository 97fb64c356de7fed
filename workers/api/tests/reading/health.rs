use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::event::MaterialAt;
use futures::FutureExt as _;
use futures::future::{BoxFuture, pending};
use platform::blobs::Blobs;
use platform::blobs::testing::TestBucket;
use queue_topology::broker::{Broker, BrokerError, Consumer, Depth, Lane, Message, State};
use queue_topology::table::QueueSpec;
use serde_json::{Value, json};

use crate::world::{World, recording};

/// A broker that says that it is short of memory. If `hangs` is set, it also never answers how long its queues are.
pub(crate) struct BlockedBroker {
    inner: Arc<dyn Broker>,
    hangs: bool,
}

impl BlockedBroker {
    pub(crate) fn hanging(inner: Arc<dyn Broker>) -> Self {
        Self { inner, hangs: true }
    }
}

impl Broker for BlockedBroker {
    fn declare(&self) -> BoxFuture<'_, Result<(), BrokerError>> {
        self.inner.declare()
    }

    fn publish(&self, message: Message) -> BoxFuture<'_, Result<(), BrokerError>> {
        self.inner.publish(message)
    }

    fn consume(
        &self,
        queue: &QueueSpec,
        lane: Lane,
        prefetch: u16,
    ) -> BoxFuture<'_, Result<Consumer, BrokerError>> {
        self.inner.consume(queue, lane, prefetch)
    }

    fn consume_dead(&self, prefetch: u16) -> BoxFuture<'_, Result<Consumer, BrokerError>> {
        self.inner.consume_dead(prefetch)
    }

    fn depth(&self, stage: &str, lane: Lane) -> BoxFuture<'_, Result<Depth, BrokerError>> {
        if self.hangs { pending().boxed() } else { self.inner.depth(stage, lane) }
    }

    fn dead_depth(&self) -> BoxFuture<'_, Result<Depth, BrokerError>> {
        if self.hangs { pending().boxed() } else { self.inner.dead_depth() }
    }

    fn purge(&self, stage: &str, lane: Lane) -> BoxFuture<'_, Result<u64, BrokerError>> {
        self.inner.purge(stage, lane)
    }

    fn state(&self) -> State {
        State::Blocked
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

#[tokio::test]
async fn a_healthy_process_reports_its_health_its_counts_and_its_services() {
    let world = World::new().await;
    world.completed("CALL-1").await;
    let health = world.json("/health").await;
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["stats"], json!({"total_processed": 1, "successfully_posted": 1, "failed": 0}));
    assert_eq!(health["services"], json!({"transcription": "enabled", "slack": "disabled"}));
    for part in ["database", "broker", "blobs"] {
        assert_eq!(health[part], "connected");
    }
    assert_eq!(world.get("/ready").await.status, 200);
}

#[tokio::test]
async fn a_process_without_its_database_answers_that_it_is_degraded() {
    let world = World::new().await;
    world.store.close().await;
    let start = Instant::now();
    let health = world.json("/health").await;
    assert_eq!((&health["status"], &health["database"]), (&json!("degraded"), &json!("unreachable")));
    assert_eq!(health["stats"]["total_processed"], Value::Null);
    world.get("/ready").await.is_problem(503);
    assert!(start.elapsed() < Duration::from_secs(3));
    world.get("/api/calls/history").await.is_problem(503);
}

#[tokio::test]
async fn a_process_with_a_blocked_broker_or_without_its_blobs_folder_is_degraded_too() {
    let world = World::with(&[], |inner| Arc::new(BlockedBroker { inner, hangs: false })).await;
    let health = world.json("/health").await;
    assert_eq!((&health["status"], &health["broker"]), (&json!("degraded"), &json!("blocked")));
    world.get("/ready").await.is_problem(503);

    let world = World::new().await;
    let blobs = world.dir.path().join("blobs");
    std::fs::remove_dir_all(&blobs).unwrap();
    std::fs::write(&blobs, "a file where the folder was").unwrap();
    let health = world.json("/health").await;
    assert_eq!((&health["status"], &health["blobs"]), (&json!("degraded"), &json!("unreachable")));
    let answer = world.get("/ready").await;
    answer.is_problem(503);
    assert_eq!(answer.json()["detail"], "these parts do not work: blobs; see /health");
}

#[tokio::test]
async fn a_process_whose_bucket_vanishes_is_degraded_until_the_bucket_is_back() {
    let Some(bucket) = TestBucket::make().await else { return };
    let world = World::on(Blobs::bucket(bucket.settings(), 0).unwrap()).await;
    assert_eq!(world.get("/ready").await.status, 200);
    bucket.remove().await;
    world.until(async |world| world.get("/ready").await.status == 503).await;
    let health = world.json("/health").await;
    assert_eq!((&health["status"], &health["blobs"]), (&json!("degraded"), &json!("unreachable")));
    let upload = recording(MaterialAt::Blob("w/c/aa11".into()));
    let path = format!("/api/calls/{}/recording", world.arrived("CALL-1", vec![upload]).await);
    world.get(&path).await.is_problem(503);
    bucket.create().await;
    world.until(async |world| world.get("/ready").await.status == 200).await;
    world.get(&path).await.is_problem(404);
    bucket.remove().await;
}

#[tokio::test]
async fn a_process_is_not_ready_from_the_moment_when_it_is_asked_to_stop() {
    let world = World::new().await;
    assert_eq!(world.get("/ready").await.status, 200);
    world.stopping.cancel();
    world.get("/ready").await.is_problem(503);
    assert_eq!(world.get("/health").await.status, 200);
}

#[tokio::test]
async fn metrics_are_answered_as_text() {
    let metrics = World::new().await.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
}
