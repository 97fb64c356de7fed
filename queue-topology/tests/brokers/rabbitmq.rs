//! What only RabbitMQ can show: limits, lost connections, and queues that differ from the layout.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use queue_topology::broker::suite::Site;
use queue_topology::broker::{Amqp, Broker, BrokerError, Lane, Message, Route, State};
use queue_topology::layout::{Argument, Difference, Layout};
use queue_topology::table::CRM;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use url::Url;
use uuid::Uuid;

/// Every test makes its own queues, and a small broker can make only some at the same time.
static ROOM: Semaphore = Semaphore::const_new(3);
/// A consumer that gets nothing asks the broker after ten seconds, and a second time ten seconds later. Each answer may take
/// ten seconds.
const DEADLINE: Duration = Duration::from_mins(1);

fn address() -> String {
    #[expect(clippy::disallowed_methods, reason = "a test is told where its broker is")]
    std::env::var("DEBRIEF_TEST_AMQP_URL").expect(
        "DEBRIEF_TEST_AMQP_URL is not set: these tests need a RabbitMQ. `make test` starts one and sets it",
    )
}

struct Vhost {
    prefix: String,
}

impl Vhost {
    fn broker_at(&self, address: &str) -> Amqp {
        Amqp::start(&address.to_owned().into(), &self.prefix).unwrap()
    }

    async fn declared(&self) -> Amqp {
        let broker = self.broker_at(&address());
        broker.declare().await.unwrap();
        broker
    }

    async fn channel(&self) -> (Connection, Channel) {
        let connection = Connection::connect(&address(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    async fn delete_all(&self) {
        let layout = Layout::new(&self.prefix);
        let (_connection, channel) = self.channel().await;
        for queue in &layout.queues {
            channel.queue_delete(queue.name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        }
        for exchange in &layout.exchanges {
            channel
                .exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default())
                .await
                .unwrap();
        }
    }
}

impl Site for Vhost {
    async fn open(&self) -> Arc<dyn Broker> {
        Arc::new(self.declared().await)
    }
}

async fn run(test: impl AsyncFnOnce(&Vhost)) {
    let _room = ROOM.acquire().await.unwrap();
    let vhost = Vhost { prefix: format!("test-{}", Uuid::new_v4().simple()) };
    let outcome = std::panic::AssertUnwindSafe(test(&vhost)).catch_unwind().await;
    vhost.delete_all().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

crate::suite!(super::run);

fn to_crm(body: &'static str) -> Message {
    let body = Bytes::from_static(body.as_bytes());
    Message { route: Route::Stage { stage: "crm" }, lane: Lane::Live, id: Uuid::new_v4(), body }
}

/// Deletes the queue of the crm stage.
async fn delete_crm(vhost: &Vhost) {
    let queue = Layout::new(&vhost.prefix).queue("crm", Lane::Live);
    let (_connection, channel) = vhost.channel().await;
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
}

/// Deletes the queue of the crm stage and makes it again with one argument that differs from the layout.
async fn make_with(vhost: &Vhost, other: &str, value: i64) {
    delete_crm(vhost).await;
    let layout = Layout::new(&vhost.prefix);
    let queue = layout.queue("crm", Lane::Live);
    let mut arguments = FieldTable::default();
    for (name, value) in &layout.queues.iter().find(|definition| definition.name == queue).unwrap().arguments
    {
        let value = match value {
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
        };
        arguments.insert((*name).into(), value);
    }
    arguments.insert(other.into(), AMQPValue::LongLongInt(value));
    let (_connection, channel) = vhost.channel().await;
    channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), arguments).await.unwrap();
}

async fn until(mut reached: impl AsyncFnMut() -> bool) {
    let polling = async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, polling).await.expect("reached in time");
}

#[tokio::test]
async fn a_full_queue_refuses_publishers() {
    run(async |vhost: &Vhost| {
        let broker = vhost.declared().await;
        make_with(vhost, "x-max-length", 2).await;
        // RabbitMQ overshoots its limit a little.
        until(async || match broker.publish(to_crm("x")).await {
            Ok(()) => false,
            Err(refused) => {
                assert_eq!(refused, BrokerError::Full);
                true
            }
        })
        .await;
        broker.purge("crm", Lane::Live).await.unwrap();
        until(async || broker.publish(to_crm("room again")).await.is_ok()).await;
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_differs_from_the_layout_is_named() {
    run(async |vhost: &Vhost| {
        let broker = vhost.broker_at(&address());
        let missing = broker.check().await.unwrap();
        assert_eq!(missing.len(), 2 + 15);
        assert!(missing.iter().all(|difference| matches!(difference, Difference::Missing(_))), "{missing:?}");

        broker.declare().await.unwrap();
        assert_eq!(broker.check().await.unwrap(), []);

        make_with(vhost, "x-delivery-limit", 7).await;
        let differences = broker.check().await.unwrap();
        let [Difference::Other { what, found }] = &differences[..] else { panic!("{differences:?}") };
        assert_eq!(*what, format!("queue {}.crm", vhost.prefix));
        assert!(found.contains("x-delivery-limit"), "{found}");
        let refused = broker.declare().await.unwrap_err();
        assert!(
            matches!(&refused, BrokerError::Refused(why) if why.contains("x-delivery-limit")),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_consumer_ends_with_its_queue_and_can_be_made_again() {
    run(async |vhost: &Vhost| {
        let broker = vhost.declared().await;
        let mut consumer = broker.consume(&CRM.spec, Lane::Live, 5).await.unwrap();
        delete_crm(vhost).await;
        let ended = tokio::time::timeout(DEADLINE, consumer.next()).await.expect("an end in time");
        assert!(ended.is_none());
        assert_eq!(broker.publish(to_crm("nowhere")).await, Err(BrokerError::Unroutable));
        broker.declare().await.unwrap();
        broker.publish(to_crm("again")).await.unwrap();
        let mut consumer = broker.consume(&CRM.spec, Lane::Live, 5).await.unwrap();
        assert_eq!(consumer.next().await.unwrap().body, "again");
    })
    .await;
}

/// RabbitMQ does not promise what becomes of such a consumer: mostly it cancels the consumer, and sometimes it forgets it
/// without a word. Whatever it does, a message of the new queue must reach somebody.
#[tokio::test]
async fn a_consumer_whose_queue_is_deleted_and_made_again_ends_or_gets_the_messages_of_the_new_queue() {
    run(async |vhost: &Vhost| {
        let broker = vhost.declared().await;
        let mut consumer = broker.consume(&CRM.spec, Lane::Live, 5).await.unwrap();
        make_with(vhost, "x-delivery-limit", 7).await;
        broker.publish(to_crm("in the new queue")).await.unwrap();
        let next =
            tokio::time::timeout(DEADLINE, consumer.next()).await.expect("an end or a message in time");
        let message = if let Some(message) = next {
            message
        } else {
            let mut consumer = broker.consume(&CRM.spec, Lane::Live, 5).await.unwrap();
            consumer.next().await.unwrap()
        };
        assert_eq!(message.body, "in the new queue");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_published_if_the_exchange_is_gone() {
    run(async |vhost: &Vhost| {
        let broker = vhost.declared().await;
        let events = Layout::new(&vhost.prefix).events();
        let (_connection, channel) = vhost.channel().await;
        channel.exchange_delete(events.as_str().into(), ExchangeDeleteOptions::default()).await.unwrap();
        let event = || Message { route: Route::Event { key: CRM.spec.key }, ..to_crm("x") };
        assert_eq!(broker.publish(event()).await, Err(BrokerError::Unroutable));
        broker.declare().await.unwrap();
        broker.publish(event()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_unsettled_messages_are_delivered_again() {
    run(async |vhost: &Vhost| {
        vhost.declared().await.close().await;
        let proxy = Proxy::start().await;
        let broker = vhost.broker_at(&proxy.address);
        broker.publish(to_crm("unsettled")).await.unwrap();
        let mut consumer = broker.consume(&CRM.spec, Lane::Live, 5).await.unwrap();
        let held = consumer.next().await.unwrap();

        proxy.wire.send_replace(Wire::Cut);
        let ended = tokio::time::timeout(DEADLINE, consumer.next()).await.expect("an end in time");
        assert!(ended.is_none());
        until(async || broker.state() == State::Disconnected).await;
        assert_eq!(broker.publish(to_crm("lost")).await, Err(BrokerError::Disconnected));
        assert_eq!(held.ack().await, Err(BrokerError::Disconnected));

        proxy.wire.send_replace(Wire::Whole);
        until(async || broker.healthy()).await;
        broker.publish(to_crm("after")).await.unwrap();
        let mut consumer = broker.consume(&CRM.spec, Lane::Live, 5).await.unwrap();
        let again = consumer.next().await.unwrap();
        assert_eq!((&again.body[..], again.redelivered), (&b"unsettled"[..], true));
        assert_eq!(consumer.next().await.unwrap().body, "after");
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_is_absent_and_one_that_refuses_us_give_different_errors() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let absent = Amqp::start(&format!("amqp://{nobody}").into(), "test-absent").unwrap();
    assert_eq!(absent.publish(to_crm("x")).await, Err(BrokerError::Disconnected));

    let mut wrong = Url::parse(&address()).unwrap();
    wrong.set_password(Some("not the password")).unwrap();
    wrong.set_username("nobody").unwrap();
    let stranger = Amqp::start(&wrong.to_string().into(), "test-stranger").unwrap();
    let refused = stranger.declare().await.unwrap_err();
    assert!(matches!(refused, BrokerError::Refused(_)), "{refused:?}");

    let nonsense = Amqp::start(&"http://user:s3cret@host".to_owned().into(), "test").err().unwrap();
    assert!(!nonsense.to_string().contains("s3cret"), "{nonsense}");
}

#[tokio::test]
async fn a_publish_to_a_broker_that_hangs_fails_in_time_and_its_message_can_still_arrive() {
    run(async |vhost: &Vhost| {
        let proxy = Proxy::start().await;
        let broker = vhost.broker_at(&proxy.address);
        broker.declare().await.unwrap();
        broker.publish(to_crm("before")).await.unwrap();

        proxy.wire.send_replace(Wire::Frozen);
        let hanging = tokio::time::timeout(DEADLINE, broker.publish(to_crm("meanwhile")));
        assert_eq!(hanging.await.expect("an answer in time"), Err(BrokerError::Timeout));

        proxy.wire.send_replace(Wire::Whole);
        broker.publish(to_crm("after")).await.unwrap();
        let mut consumer = broker.consume(&CRM.spec, Lane::Live, 5).await.unwrap();
        for body in ["before", "meanwhile", "after"] {
            assert_eq!(consumer.next().await.unwrap().body, body);
        }
    })
    .await;
}

/// Passes bytes between a client and the broker, and can stop to do so.
struct Proxy {
    address: String,
    wire: watch::Sender<Wire>,
}

#[derive(Clone, Copy)]
enum Wire {
    Whole,
    /// No byte passes, and no connection ends.
    Frozen,
    Cut,
}

impl Proxy {
    async fn start() -> Self {
        let mut url = Url::parse(&address()).unwrap();
        let target = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5672));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let (wire, state) = watch::channel(Wire::Whole);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (target, mut state) = (target.clone(), state.clone());
                tokio::spawn(async move {
                    // How this connection ends does not matter, because that is what the tests change.
                    let relay = async {
                        let mut broker = TcpStream::connect(target).await?;
                        copy_bidirectional(&mut client, &mut broker).await
                    };
                    tokio::pin!(relay);
                    loop {
                        let now = *state.borrow_and_update();
                        let relaying = async {
                            match now {
                                Wire::Whole => drop((&mut relay).await),
                                Wire::Frozen => std::future::pending().await,
                                Wire::Cut => {}
                            }
                        };
                        tokio::select! {
                            () = relaying => break,
                            changed = state.changed() => if changed.is_err() { break },
                        }
                    }
                });
            }
        });
        Self { address: url.to_string(), wire }
    }
}
