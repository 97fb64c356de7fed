//! Messages that another program puts into Debrief's queues.

use anyhow::{Context as _, ensure};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};

use crate::world::World;

/// Publishes messages into the queues of these stages, and waits until RabbitMQ has confirmed each of them.
pub(crate) async fn publish(world: &World, messages: &[(&str, &[u8])]) -> anyhow::Result<()> {
    let properties = ConnectionProperties::default().with_connection_name("faults".into());
    let address = &world.addresses()?.amqp;
    let connection = Connection::connect(address, properties).await.context("connect to RabbitMQ")?;
    let channel = connection.create_channel().await.context("open a channel")?;
    channel.confirm_select(ConfirmSelectOptions::default()).await.context("ask for confirms")?;
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    for (stage, body) in messages {
        let queue = format!("{}.{stage}", world.prefix()?);
        let to = queue.as_str().into();
        let sent = channel.basic_publish("".into(), to, options, body, BasicProperties::default()).await;
        let confirmed = sent.context("publish")?.await.context("wait for a confirm")?;
        ensure!(matches!(confirmed, Confirmation::Ack(None)), "`{queue}` did not take a message");
    }
    connection.close(200, "done".into()).await.context("close the connection")
}
