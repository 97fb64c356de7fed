//! Declares the exchanges, queues and bindings of the layout, or says where the broker differs from it.
//!
//! Over AMQP a process can see whether an exchange or a queue exists with the arguments that it should have. It cannot
//! see bindings and policies: see [`crate::management`].

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection, ExchangeKind};

use super::failure::failed;
use crate::broker::BrokerError;
use crate::layout::{Argument, Binding, Difference, Layout, QueueDefinition};

pub(super) async fn declare(channel: &Channel, layout: &Layout) -> Result<(), BrokerError> {
    for name in &layout.exchanges {
        exchange(channel, name, false).await.map_err(|error| failed(&error, name))?;
    }
    for definition in &layout.queues {
        queue(channel, definition, false).await.map_err(|error| failed(&error, &definition.name))?;
    }
    for Binding { exchange, queue, key } in &layout.bindings {
        let (name, exchange, key) = (queue.as_str(), exchange.as_str().into(), key.as_str().into());
        channel
            .queue_bind(name.into(), exchange, key, QueueBindOptions::default(), FieldTable::default())
            .await
            .map_err(|error| failed(&error, name))?;
    }
    Ok(())
}

pub(super) async fn check(connection: &Connection, layout: &Layout) -> Result<Vec<Difference>, BrokerError> {
    let mut differences = Vec::new();
    for name in &layout.exchanges {
        let what = format!("exchange {name}");
        for passive in [true, false] {
            let channel = new_channel(connection).await?;
            let outcome = exchange(&channel, name, passive).await;
            if let Some(difference) = difference(outcome, &what)? {
                differences.push(difference);
                break;
            }
        }
    }
    for definition in &layout.queues {
        let what = format!("queue {}", definition.name);
        // The first question is whether the queue exists, because to declare it with its arguments would make it.
        for passive in [true, false] {
            let channel = new_channel(connection).await?;
            let outcome = queue(&channel, definition, passive).await;
            if let Some(difference) = difference(outcome, &what)? {
                differences.push(difference);
                break;
            }
        }
    }
    Ok(differences)
}

/// Each question has a channel of its own, because a refusal closes its channel.
async fn new_channel(connection: &Connection) -> Result<Channel, BrokerError> {
    connection.create_channel().await.map_err(|error| failed(&error, "a channel"))
}

fn difference(outcome: lapin::Result<()>, what: &str) -> Result<Option<Difference>, BrokerError> {
    match outcome.map_err(|error| failed(&error, what)) {
        Ok(()) => Ok(None),
        Err(BrokerError::Missing(_)) => Ok(Some(Difference::Missing(what.to_owned()))),
        Err(BrokerError::Refused(found)) => Ok(Some(Difference::Other { what: what.to_owned(), found })),
        Err(other) => Err(other),
    }
}

async fn exchange(channel: &Channel, name: &str, passive: bool) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, passive, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(name.into(), ExchangeKind::Topic, options, FieldTable::default()).await
}

async fn queue(channel: &Channel, queue: &QueueDefinition, passive: bool) -> lapin::Result<()> {
    let mut arguments = FieldTable::default();
    for (name, value) in &queue.arguments {
        let value = match value {
            Argument::Text(text) => AMQPValue::LongString(LongString::from(text.as_str())),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
        };
        arguments.insert((*name).into(), value);
    }
    let options = QueueDeclareOptions { durable: true, passive, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.name.as_str().into(), options, arguments).await?;
    Ok(())
}
