//! Makes RabbitMQ match the table, or says where it does not.
//!
//! Over AMQP a process can declare exchanges, queues and bindings, and see whether they exist with the
//! arguments they should have. Bindings and policies can be read, and policies set, only through the
//! management API.

use std::fmt;
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection, ExchangeKind};
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use crate::broker::BrokerError;
use crate::broker::amqp::failed;
use crate::layout::{Argument, Binding, Layout, Limit, QueueDefinition};

/// Something that is not as the table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// `queue debrief.crm`
    Missing(String),
    /// It exists otherwise. A queue's arguments cannot be changed: it has to be emptied and deleted.
    Other { what: String, found: String },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "{what} is missing"),
            Self::Other { what, found } => write!(f, "{what} is not as it should be: {found}"),
        }
    }
}

pub(crate) async fn declare(channel: &Channel, layout: &Layout) -> Result<(), BrokerError> {
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

pub(crate) async fn check(connection: &Connection, layout: &Layout) -> Result<Vec<Difference>, BrokerError> {
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
        // First whether it exists: declaring it with its arguments would make it.
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

/// A refusal closes its channel, so each question has its own.
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

/// The management API, for what AMQP cannot do.
pub struct Management {
    client: Client,
    /// With its credentials: the client makes a header of them.
    address: Url,
    vhost: String,
}

impl Management {
    /// `address` as `http://user:password@host:15672`; `vhost` as in `AMQP_URL`, `/` where that has none.
    pub fn new(address: &SecretString, vhost: &str) -> Result<Self, BrokerError> {
        let wrong = || BrokerError::Refused("read the management API's address".into());
        let mut address = Url::parse(address.expose_secret()).map_err(|_| wrong())?;
        if address.username().is_empty() {
            address
                .set_username("guest")
                .and_then(|()| address.set_password(Some("guest")))
                .map_err(|()| wrong())?;
        }
        let client = platform::http::client(Duration::from_secs(10));
        Ok(Self { client, address, vhost: vhost.to_owned() })
    }

    /// Sets the limits. Existing queues and messages stay.
    pub async fn apply(&self, layout: &Layout) -> Result<(), BrokerError> {
        for limit in &layout.limits {
            let put = self.client.put(self.at(&["policies", &self.vhost, &limit.name])?);
            self.send(put.json(&limit.policy())).await?;
        }
        Ok(())
    }

    /// The bindings and limits that are missing or other.
    pub async fn check(&self, layout: &Layout) -> Result<Vec<Difference>, BrokerError> {
        let mut differences = Vec::new();
        let bindings = self.get(&["bindings", &self.vhost]).await?.unwrap_or_default();
        for binding in &layout.bindings {
            if !has_binding(&bindings, binding) {
                let Binding { exchange, queue, key } = binding;
                differences.push(Difference::Missing(format!("binding {exchange} -> {queue} ({key})")));
            }
        }
        for limit in &layout.limits {
            let found = self.get(&["policies", &self.vhost, &limit.name]).await?;
            differences.extend(limit_difference(limit, found.as_ref()));
        }
        Ok(differences)
    }

    fn at(&self, path: &[&str]) -> Result<Url, BrokerError> {
        let mut url = self.address.clone();
        url.path_segments_mut()
            .map_err(|()| BrokerError::Refused("read the management API's address".into()))?
            .pop_if_empty()
            .push("api")
            .extend(path);
        Ok(url)
    }

    async fn get(&self, path: &[&str]) -> Result<Option<Value>, BrokerError> {
        self.send(self.client.get(self.at(path)?)).await
    }

    /// `None` for what does not exist.
    async fn send(&self, request: RequestBuilder) -> Result<Option<Value>, BrokerError> {
        let answer = platform::http::send_any(request).await.map_err(|_| BrokerError::Disconnected)?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(serde_json::from_slice(&answer.body).ok()),
            status => Err(BrokerError::Refused(format!("use the management API: it answered {status}"))),
        }
    }
}

fn has_binding(found: &Value, wanted: &Binding) -> bool {
    found.as_array().into_iter().flatten().any(|binding| {
        binding["source"] == wanted.exchange
            && binding["destination"] == wanted.queue
            && binding["destination_type"] == "queue"
            && binding["routing_key"] == wanted.key
    })
}

/// An operator may have chosen another limit; the policy only has to be there and cover the queues.
fn limit_difference(limit: &Limit, found: Option<&Value>) -> Option<Difference> {
    let what = format!("policy {}", limit.name);
    let Some(found) = found else { return Some(Difference::Missing(what)) };
    let covers = found["pattern"] == limit.pattern && found["definition"]["max-length"].is_u64();
    (!covers).then(|| Difference::Other { what, found: found.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn another_limit_than_ours_is_the_operators_choice() {
        let layout = Layout::new("debrief");
        let limit = &layout.limits[0];
        let mut policy = limit.policy();
        policy["definition"]["max-length"] = json!(5000);
        assert_eq!(limit_difference(limit, Some(&policy)), None);
        policy["pattern"] = json!("^other$");
        assert!(limit_difference(limit, Some(&policy)).is_some());
        let missing = limit_difference(limit, None).unwrap();
        assert_eq!(missing.to_string(), "policy debrief.dedup.limit is missing");
    }

    #[test]
    fn the_management_address_keeps_its_path() {
        rustls::crypto::ring::default_provider().install_default().ok();
        let address = "http://ann:s%40crt@127.0.0.1:1/rabbit/".to_owned().into();
        let url = Management::new(&address, "/").unwrap().at(&["policies", "/", "a b"]).unwrap();
        assert_eq!(url.path(), "/rabbit/api/policies/%2F/a%20b");
    }
}
