//! A bare AMQP client, with which Debrief is compared, and which looks at the queues from the outside.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeclareOptions,
    QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::load::Sender;

/// The time within which all accepted messages have to be in the queue.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);
/// The time after which a queue that has not changed is taken to be complete.
const QUIET: Duration = Duration::from_secs(2);
const PERSISTENT: u8 = 2;

/// The place to which the event of a webhook goes, and all queues and exchanges, as `debrief topology export` lists
/// them.
pub struct Topology {
    exchange: String,
    key: String,
    /// The first queue.
    queue: String,
    exchanges: Vec<String>,
    queues: Vec<String>,
}

impl Topology {
    pub fn read(exported: &[u8], prefix: &str) -> anyhow::Result<Self> {
        let exported: Value = serde_json::from_slice(exported).context("read the exported topology")?;
        let list = |of: &str| exported[of].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned).context("the topology lacks a name");
        let names = |of: &str| list(of).iter().map(|one| text(&one["name"])).collect::<Result<Vec<_>, _>>();
        let queue = format!("{prefix}.dedup");
        let bindings = list("bindings");
        let binding = bindings.iter().find(|binding| binding["destination"] == queue);
        let binding = binding.with_context(|| format!("nothing is bound to {queue}"))?;
        Ok(Self {
            exchange: text(&binding["source"])?,
            key: text(&binding["routing_key"])?,
            queue,
            exchanges: names("exchanges")?,
            queues: names("queues")?,
        })
    }
}

/// A connection with one channel, on which the server confirms each message.
pub struct Broker {
    _connection: Connection,
    channel: Channel,
    topology: Topology,
}

impl Broker {
    pub async fn connect(address: &str, topology: Topology) -> anyhow::Result<Self> {
        let properties = ConnectionProperties::default().with_connection_name("bench".into());
        let connection = Connection::connect(address, properties).await.context("connect to RabbitMQ")?;
        let channel = connection.create_channel().await.context("open a channel")?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.context("ask for confirms")?;
        Ok(Self { _connection: connection, channel, topology })
    }

    /// Makes as many publishers as there may be messages in flight. They share the channel and publish what Debrief
    /// publishes.
    pub fn publishers(&self, body: &[u8], in_flight: usize) -> Vec<Publisher> {
        let Topology { exchange, key, .. } = &self.topology;
        let publisher = || Publisher {
            channel: self.channel.clone(),
            exchange: exchange.clone(),
            key: key.clone(),
            body: body.to_vec(),
        };
        (0..in_flight).map(|_| publisher()).collect()
    }

    /// Takes the one message out of the first queue.
    pub async fn take_one(&self) -> anyhow::Result<Vec<u8>> {
        let taken = self
            .channel
            .basic_get(self.topology.queue.as_str().into(), BasicGetOptions { no_ack: true })
            .await
            .context("take a message")?;
        taken.map(|message| message.delivery.data).context("the queue is empty")
    }

    /// Returns the number of messages in the first queue that no consumer holds.
    pub async fn depth(&self) -> anyhow::Result<u64> {
        self.depth_of(&self.topology.queue).await
    }

    /// Returns the number of messages in the queue of a stage that no consumer holds.
    pub async fn depth_of_stage(&self, stage: &str) -> anyhow::Result<u64> {
        let queue = self.topology.queues.iter().find(|queue| queue.ends_with(&format!(".{stage}")));
        self.depth_of(queue.with_context(|| format!("find the queue of {stage}"))?).await
    }

    async fn depth_of(&self, queue: &str) -> anyhow::Result<u64> {
        let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
        let found = self.channel.queue_declare(queue.into(), passive, FieldTable::default()).await;
        Ok(u64::from(found.context("count the messages of a queue")?.message_count()))
    }

    /// Empties the first queue. Fails unless it holds as many messages as were accepted.
    pub async fn settle(&self, accepted: u64) -> anyhow::Result<()> {
        self.settle_with(accepted, 0, 0).await.map(drop)
    }

    /// Does the same as [`Self::settle`] when `in_outbox` of the accepted messages went to the outbox. Some of these may
    /// be in the queue too, because a confirm can come after Debrief has stopped waiting for it.
    pub async fn settle_beside(&self, accepted: u64, in_outbox: u64) -> anyhow::Result<()> {
        self.settle_with(accepted, in_outbox, 0).await.map(drop)
    }

    /// Does the same as [`Self::settle_beside`] when `others` more were sent, which may be in the queue although they
    /// were not accepted: the confirm took too long, or the answer did not arrive. Returns the number of messages.
    pub async fn settle_with(&self, accepted: u64, in_outbox: u64, others: u64) -> anyhow::Result<u64> {
        let expected = accepted.saturating_sub(in_outbox)..=accepted + others;
        let queue = self.topology.queue.as_str();
        let deadline = Instant::now() + SETTLED_WITHIN;
        let (mut depth, mut since) = (self.depth().await?, Instant::now());
        // A message in the outbox may still arrive, and would then be counted with the next measurement.
        let quiet = if in_outbox + others > 0 { QUIET } else { Duration::ZERO };
        while !expected.contains(&depth) || since.elapsed() < quiet {
            if depth > *expected.end() || Instant::now() > deadline {
                bail!(
                    "{accepted} messages were accepted, {in_outbox} of them are in the outbox, and the queue holds {depth}"
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.depth().await?;
            if now != depth {
                (depth, since) = (now, Instant::now());
            }
        }
        let purged = self.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await;
        let purged = u64::from(purged.context("empty the queue")?);
        ensure!(
            expected.contains(&purged),
            "{accepted} messages were accepted, {in_outbox} of them are in the outbox, and the queue held {purged}"
        );
        Ok(purged)
    }

    /// Deletes all queues and exchanges of the deployment.
    pub async fn remove(&self) -> anyhow::Result<()> {
        for queue in &self.topology.queues {
            let deleted = self.channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default());
            deleted.await.context("delete a queue")?;
        }
        for exchange in &self.topology.exchanges {
            let options = ExchangeDeleteOptions::default();
            let deleted = self.channel.exchange_delete(exchange.as_str().into(), options);
            deleted.await.context("delete an exchange")?;
        }
        Ok(())
    }
}

/// Publishes the same event again and again.
pub struct Publisher {
    channel: Channel,
    exchange: String,
    key: String,
    body: Vec<u8>,
}

impl Sender for Publisher {
    async fn send(&mut self) -> anyhow::Result<()> {
        let properties = BasicProperties::default()
            .with_content_type("application/cloudevents+json".into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(Uuid::new_v4().to_string().into());
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let (exchange, key) = (self.exchange.as_str().into(), self.key.as_str().into());
        let sent = self.channel.basic_publish(exchange, key, options, &self.body, properties).await;
        match sent.context("publish")?.await.context("wait for a confirm")? {
            Confirmation::Ack(None) => Ok(()),
            other => bail!("a message was not confirmed: {other:?}"),
        }
    }
}

/// Returns the version that the server names when a client greets it.
pub async fn version(address: &str) -> anyhow::Result<String> {
    let url: url::Url = address.parse().context("read the address of RabbitMQ")?;
    let host = url.host_str().context("the address of RabbitMQ has no host")?;
    let mut stream =
        TcpStream::connect((host, url.port().unwrap_or(5672))).await.context("reach RabbitMQ")?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await.context("greet RabbitMQ")?;
    let mut greeting = vec![0; 4096];
    let length = stream.read(&mut greeting).await.context("read the greeting of RabbitMQ")?;
    let greeting = &greeting[..length];
    // The table of server properties holds a name, then `S` for a long string, then four bytes of length.
    let name = b"\x07versionS";
    let at = greeting.windows(name.len()).position(|bytes| bytes == name);
    let at = at.context("RabbitMQ does not say its version")? + name.len();
    let text: Vec<u8> =
        greeting[at + 4..].iter().copied().take_while(|byte| b".0123456789".contains(byte)).collect();
    String::from_utf8(text).context("read the version of RabbitMQ")
}
