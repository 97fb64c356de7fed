//! What every broker must do, as tests over the trait. `tests/brokers` runs each test on every broker.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::join_all;
use uuid::Uuid;

use super::{Broker, BrokerError, Consumer, Delivery, Depth, Message, Route};
use crate::table::{ANALYSIS, CRM, Lane, QueueSpec, SLACK};

/// Far longer than a broker needs, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// A place where brokers with the same queues can be opened, one after the other.
pub trait Site {
    fn open(&self) -> impl Future<Output = Arc<dyn Broker>>;
}

fn message(route: Route, lane: Lane, body: &str) -> Message {
    Message { route, lane, id: Uuid::new_v4(), body: Bytes::copy_from_slice(body.as_bytes()) }
}

fn to_crm(body: &str) -> Message {
    message(Route::Stage { stage: CRM.spec.stage }, Lane::Live, body)
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:04}")).collect()
}

async fn publish_all(broker: &dyn Broker, bodies: &[String]) {
    for body in bodies {
        broker.publish(to_crm(body)).await.expect("published");
    }
}

async fn crm(broker: &dyn Broker, prefetch: u16) -> Consumer {
    broker.consume(&CRM.spec, Lane::Live, prefetch).await.expect("a consumer")
}

async fn next(consumer: &mut Consumer) -> Delivery {
    tokio::time::timeout(DEADLINE, consumer.next()).await.expect("a delivery in time").expect("a delivery")
}

async fn take(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    for _ in 0..count {
        taken.push(next(consumer).await);
    }
    taken
}

fn bodies(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| String::from_utf8_lossy(&delivery.body).into_owned()).collect()
}

async fn ack_all(deliveries: Vec<Delivery>) {
    for delivery in deliveries {
        delivery.ack().await.expect("acknowledged");
    }
}

/// Repeats `look` until it finds `expected`.
async fn until<T, F>(expected: T, mut look: impl FnMut() -> F)
where
    T: PartialEq + std::fmt::Debug,
    F: Future<Output = T>,
{
    let start = tokio::time::Instant::now();
    loop {
        let found = look().await;
        if found == expected {
            return;
        }
        assert!(start.elapsed() < DEADLINE, "found {found:?}, waited for {expected:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_ready(broker: &dyn Broker, spec: &QueueSpec, ready: u64) {
    until(ready, || async { broker.depth(spec.stage, Lane::Live).await.expect("a depth").ready }).await;
}

pub async fn a_published_message_is_there_after_a_restart(site: &impl Site) {
    let broker = site.open().await;
    publish_all(&*broker, &numbered(20)).await;
    broker.close().await;
    let broker = site.open().await;
    until_ready(&*broker, &CRM.spec, 20).await;
    let mut consumer = crm(&*broker, 20).await;
    assert_eq!(bodies(&take(&mut consumer, 20).await), numbered(20));
}

pub async fn an_acknowledged_message_is_gone_after_a_restart(site: &impl Site) {
    let broker = site.open().await;
    publish_all(&*broker, &numbered(5)).await;
    let mut consumer = crm(&*broker, 5).await;
    ack_all(take(&mut consumer, 4).await).await;
    drop(consumer);
    broker.close().await;
    let broker = site.open().await;
    let mut consumer = crm(&*broker, 5).await;
    let left = take(&mut consumer, 1).await;
    assert_eq!(bodies(&left), ["0004"]);
    until_ready(&*broker, &CRM.spec, 0).await;
}

pub async fn a_message_arrives_as_it_was_sent(site: &impl Site) {
    let broker = site.open().await;
    let sent = message(Route::Event { key: CRM.spec.key }, Lane::Live, "{\"naïve\":\0}");
    broker.publish(sent.clone()).await.expect("published");
    let delivery = next(&mut crm(&*broker, 1).await).await;
    assert_eq!(delivery.body, sent.body);
    assert_eq!(delivery.message_id, Some(sent.id));
    assert_eq!(delivery.key.as_deref(), Some(CRM.spec.key));
    assert_eq!((delivery.redelivered, delivery.rejected_by.as_deref()), (false, None));
}

pub async fn an_event_reaches_each_of_its_consumers_and_a_wake_up_only_one(site: &impl Site) {
    let broker = site.open().await;
    let event = message(Route::Event { key: CRM.spec.key }, Lane::Live, "event");
    broker.publish(event).await.expect("published");
    broker.publish(to_crm("wake-up")).await.expect("published");
    let mut consumer = crm(&*broker, 2).await;
    let taken = take(&mut consumer, 2).await;
    assert_eq!(bodies(&taken), ["event", "wake-up"]);
    assert_eq!(taken[1].key, None);
    until_ready(&*broker, &SLACK.spec, 1).await;
    until_ready(&*broker, &ANALYSIS.spec, 0).await;
}

pub async fn order_is_kept_for_one_consumer(site: &impl Site) {
    let broker = site.open().await;
    let mut consumer = crm(&*broker, 3).await;
    // These are more messages than a broker reads ahead, and they are published while somebody consumes.
    let (sent, received) = tokio::join!(publish_all(&*broker, &NUMBERS), async {
        let mut received = Vec::new();
        for _ in 0..NUMBERS.len() {
            let delivery = next(&mut consumer).await;
            received.extend(bodies(std::slice::from_ref(&delivery)));
            delivery.ack().await.expect("acknowledged");
        }
        received
    });
    let () = sent;
    assert_eq!(received, *NUMBERS);
}

static NUMBERS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| numbered(600));

pub async fn a_backlog_is_delivered_in_order(site: &impl Site) {
    let broker = site.open().await;
    publish_all(&*broker, &NUMBERS).await;
    let mut consumer = crm(&*broker, 1000).await;
    let taken = take(&mut consumer, NUMBERS.len()).await;
    assert_eq!(bodies(&taken), *NUMBERS);
    ack_all(taken).await;
    until_ready(&*broker, &CRM.spec, 0).await;
}

pub async fn many_publishers_at_once_lose_no_message(site: &impl Site) {
    let broker = site.open().await;
    let outcomes = join_all(NUMBERS.iter().map(|body| broker.publish(to_crm(body)))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let mut consumer = crm(&*broker, 1000).await;
    let mut received = bodies(&take(&mut consumer, NUMBERS.len()).await);
    received.sort();
    assert_eq!(received, *NUMBERS);
}

pub async fn a_message_that_is_dropped_unsettled_is_delivered_again(site: &impl Site) {
    let broker = site.open().await;
    publish_all(&*broker, &numbered(3)).await;
    let mut consumer = crm(&*broker, 3).await;
    drop(take(&mut consumer, 3).await);
    let mut again = take(&mut consumer, 3).await;
    assert!(again.iter().all(|delivery| delivery.redelivered));
    again.sort_by(|a, b| a.body.cmp(&b.body));
    assert_eq!(bodies(&again), numbered(3));
}

pub async fn a_message_that_a_process_held_when_it_ended_is_delivered_again(site: &impl Site) {
    let broker = site.open().await;
    publish_all(&*broker, &numbered(3)).await;
    let mut consumer = crm(&*broker, 3).await;
    let held = take(&mut consumer, 3).await;
    broker.close().await;
    let broker = site.open().await;
    let again = take(&mut crm(&*broker, 3).await, 3).await;
    assert!(again.iter().all(|delivery| delivery.redelivered));
    let mut again = bodies(&again);
    again.sort();
    assert_eq!(again, numbered(3));
    drop(held);
}

pub async fn a_rejected_message_goes_to_the_dead_queue(site: &impl Site) {
    let broker = site.open().await;
    let sent = message(Route::Event { key: ANALYSIS.spec.key }, Lane::Bulk, "not JSON");
    broker.publish(sent.clone()).await.expect("published");
    let mut consumer = broker.consume(&ANALYSIS.spec, Lane::Bulk, 1).await.expect("a consumer");
    next(&mut consumer).await.reject().await.expect("rejected");
    until(1, || async { broker.dead_depth().await.expect("a depth").ready }).await;
    let dead = next(&mut broker.consume_dead(10).await.expect("a consumer")).await;
    assert_eq!((dead.body.clone(), dead.message_id), (sent.body, Some(sent.id)));
    assert_eq!(dead.key.as_deref(), Some(ANALYSIS.spec.key));
    assert_eq!(dead.rejected_by.as_deref(), Some("analysis"));
    dead.ack().await.expect("acknowledged");
    until(0, || async { broker.dead_depth().await.expect("a depth").ready }).await;
}

pub async fn the_depth_counts_the_messages_that_nobody_holds_and_the_consumers(site: &impl Site) {
    let broker = site.open().await;
    publish_all(&*broker, &numbered(5)).await;
    let look = || async { broker.depth("crm", Lane::Live).await.expect("a depth") };
    until(Depth { ready: 5, consumers: 0 }, look).await;
    let mut consumer = crm(&*broker, 2).await;
    let held = take(&mut consumer, 2).await;
    until(Depth { ready: 3, consumers: 1 }, look).await;
    drop((held, consumer));
    until(Depth { ready: 5, consumers: 0 }, look).await;
}

pub async fn a_consumer_holds_no_more_than_its_prefetch(site: &impl Site) {
    let broker = site.open().await;
    publish_all(&*broker, &numbered(10)).await;
    let mut consumer = crm(&*broker, 3).await;
    let mut held = take(&mut consumer, 3).await;
    until_ready(&*broker, &CRM.spec, 7).await;
    assert!(consumer.next().now_or_never().is_none(), "a fourth delivery");
    held.remove(1).ack().await.expect("acknowledged");
    assert_eq!(bodies(&[next(&mut consumer).await]), ["0003"]);
}

pub async fn the_bulk_lane_is_a_queue_of_its_own(site: &impl Site) {
    let broker = site.open().await;
    for body in numbered(3) {
        let route = Route::Event { key: CRM.spec.key };
        broker.publish(message(route, Lane::Bulk, &body)).await.expect("published");
    }
    until(3, || async { broker.depth("crm", Lane::Bulk).await.expect("a depth").ready }).await;
    publish_all(&*broker, &["live".to_owned()]).await;
    assert_eq!(bodies(&[next(&mut crm(&*broker, 1).await).await]), ["live"]);
    let mut bulk = broker.consume(&CRM.spec, Lane::Bulk, 3).await.expect("a consumer");
    let taken = take(&mut bulk, 3).await;
    assert_eq!(bodies(&taken), numbered(3));
    assert_eq!(taken[0].key.as_deref(), Some(CRM.spec.key), "the key does not name the lane");
}

pub async fn a_worker_that_stops_finishes_what_it_holds_and_gives_back_the_rest(site: &impl Site) {
    let broker = site.open().await;
    publish_all(&*broker, &numbered(10)).await;
    let mut consumer = crm(&*broker, 10).await;
    let mut held = take(&mut consumer, 3).await;
    drop(consumer);
    // Messages that were sent ahead are free for others, while somebody still works on the three.
    until_ready(&*broker, &CRM.spec, 7).await;
    held.remove(0).give_back().await.expect("given back");
    ack_all(held).await;
    until_ready(&*broker, &CRM.spec, 8).await;
    let mut left = bodies(&take(&mut crm(&*broker, 10).await, 8).await);
    left.sort();
    assert_eq!(left, ["0000", "0003", "0004", "0005", "0006", "0007", "0008", "0009"]);
}

pub async fn a_message_that_no_queue_takes_is_refused(site: &impl Site) {
    let broker = site.open().await;
    let nobody = [Route::Event { key: "nobody.asked.v1" }, Route::Stage { stage: "nowhere" }];
    for route in nobody {
        let refused = broker.publish(message(route, Lane::Live, "x")).await;
        assert_eq!(refused, Err(BrokerError::Unroutable), "{route:?}");
    }
    publish_all(&*broker, &numbered(1)).await;
}

pub async fn a_queue_that_does_not_exist_is_named(site: &impl Site) {
    let broker = site.open().await;
    let nowhere = QueueSpec { stage: "nowhere", ..CRM.spec };
    let consumed = broker.consume(&nowhere, Lane::Live, 1).await.err();
    let looked = broker.depth("nowhere", Lane::Live).await.err();
    let purged = broker.purge("nowhere", Lane::Live).await.err();
    for error in [consumed, looked, purged] {
        let Some(BrokerError::Missing(name)) = error else { panic!("{error:?}") };
        assert!(name.contains("nowhere"), "{name}");
    }
    publish_all(&*broker, &numbered(1)).await;
    assert_eq!(bodies(&[next(&mut crm(&*broker, 1).await).await]), numbered(1));
}

pub async fn a_purge_leaves_the_messages_that_somebody_holds(site: &impl Site) {
    let broker = site.open().await;
    publish_all(&*broker, &numbered(6)).await;
    let mut consumer = crm(&*broker, 2).await;
    let held = take(&mut consumer, 2).await;
    until_ready(&*broker, &CRM.spec, 4).await;
    assert_eq!(broker.purge("crm", Lane::Live).await, Ok(4));
    until_ready(&*broker, &CRM.spec, 0).await;
    drop(held);
    let again = take(&mut consumer, 2).await;
    let mut left = bodies(&again);
    left.sort();
    assert_eq!(left, numbered(2));
    publish_all(&*broker, &["after".to_owned()]).await;
    until_ready(&*broker, &CRM.spec, 1).await;
}

pub async fn declaring_again_changes_nothing(site: &impl Site) {
    let broker = site.open().await;
    publish_all(&*broker, &numbered(2)).await;
    broker.declare().await.expect("declared");
    until_ready(&*broker, &CRM.spec, 2).await;
    assert!(broker.healthy());
}

pub async fn a_closed_broker_says_so_and_its_consumers_end(site: &impl Site) {
    let broker = site.open().await;
    let mut consumer = crm(&*broker, 1).await;
    broker.close().await;
    let ended = tokio::time::timeout(DEADLINE, consumer.next()).await.expect("an end in time");
    assert!(ended.is_none());
    assert_eq!(broker.publish(to_crm("late")).await, Err(BrokerError::Disconnected));
    assert!(!broker.healthy());
}
