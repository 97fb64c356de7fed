//! RabbitMQ's management API, for what AMQP cannot do: it reads bindings and policies, and sets policies.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use crate::broker::BrokerError;
use crate::layout::{Binding, Difference, Layout, Limit};

/// A client of the management API.
pub struct Management {
    client: Client,
    /// The address with its credentials, from which the client makes a header.
    address: Url,
    vhost: String,
}

impl Management {
    /// `address` is like `http://user:password@host:15672`. `vhost` is the one of `AMQP_URL`, or `/` if that has none.
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

    /// Sets the limits. Queues and messages that exist stay.
    pub async fn apply(&self, layout: &Layout) -> Result<(), BrokerError> {
        for limit in &layout.limits {
            let put = self.client.put(self.at(&["policies", &self.vhost, &limit.name])?);
            self.send(put.json(&limit.policy())).await?;
        }
        Ok(())
    }

    /// The bindings and limits that are missing or not as the layout says.
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

    /// Sends a request. The answer is `None` if the object does not exist.
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

/// Compares a policy with the layout. The policy must exist and cover the queues, but an operator may have chosen another
/// limit.
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
