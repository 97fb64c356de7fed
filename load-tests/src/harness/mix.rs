//! Webhooks for an open loop. Each announces a call of its own, except for a share that repeats an earlier one. The size
//! of their bodies can be set.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::http::Connection;
use super::open_loop::{Answered, Asker};
use super::webhook::{PATH, body};

/// The number of requests in a group. A request repeats one of its own group, so that it is repeated soon.
const GROUP: u64 = 100;

/// What a run sends, and which of it was accepted.
#[derive(Clone)]
pub struct Mix {
    address: SocketAddr,
    key: Option<String>,
    /// The number of requests in a hundred that repeat one of the others.
    duplicates: u64,
    /// The length to which bodies are filled up.
    bytes: usize,
    /// A random number that keeps the ids of this run apart from those of other runs.
    run: u64,
    /// The numbers of the calls that were accepted.
    accepted: Arc<Mutex<BTreeSet<u64>>>,
}

impl Mix {
    /// `duplicates` is a percentage below 100. A body is at least as long as the fields of a webhook.
    pub fn new(address: SocketAddr, key: Option<String>, duplicates: u64, bytes: usize) -> Self {
        let duplicates = duplicates.min(GROUP - 1);
        Self { address, key, duplicates, bytes, run: rand::random(), accepted: Arc::default() }
    }

    /// Makes as many connections; each is opened with its first request.
    pub fn askers(&self, connections: usize) -> Vec<MixConnection> {
        (0..connections).map(|_| MixConnection { mix: self.clone(), connection: None }).collect()
    }

    /// Returns the ids of the calls of which a webhook was answered with 2xx.
    pub fn accepted(&self) -> BTreeSet<String> {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.iter().map(|number| self.id(*number).to_string()).collect()
    }

    /// Returns the number of the call that request number `nth` announces. `dice` chooses the call that is repeated.
    fn call_of(&self, nth: u64, dice: u64) -> u64 {
        let new = GROUP - self.duplicates;
        let within = nth % GROUP;
        if within < new { nth } else { nth - within + dice % new }
    }

    fn id(&self, call: u64) -> Uuid {
        Uuid::from_u64_pair(self.run, call)
    }

    fn body(&self, call: u64) -> String {
        let mut body = body(self.id(call));
        let filled = body.len() + r#","filled":"""#.len();
        if filled < self.bytes {
            body.truncate(body.len() - 1);
            body += r#","filled":""#;
            body.extend(std::iter::repeat_n('x', self.bytes - filled));
            body += r#""}"#;
        }
        body
    }
}

/// One connection of the load.
pub struct MixConnection {
    mix: Mix,
    /// `None` while a request is under way, so that a request that was given up does not leave half an answer behind.
    connection: Option<Connection>,
}

impl Asker for MixConnection {
    async fn ask(&mut self, nth: u64) -> anyhow::Result<Answered> {
        let call = self.mix.call_of(nth, rand::random());
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.mix.address).await?.with_key(self.mix.key.as_deref()),
        };
        let answer = connection.post_json(PATH, &self.mix.body(call)).await?;
        // A server that has no room closes the connection after its answer.
        if !answer.closes {
            self.connection = Some(connection);
        }
        if (200..300).contains(&answer.status) {
            self.mix.accepted.lock().unwrap_or_else(PoisonError::into_inner).insert(call);
        }
        Ok(Answered { status: answer.status, has_retry_after: answer.has_retry_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(duplicates: u64, bytes: usize) -> Mix {
        Mix::new(([127, 0, 0, 1], 1).into(), None, duplicates, bytes)
    }

    #[test]
    fn a_share_of_the_requests_repeats_a_call_of_its_group() {
        let mix = mix(30, 0);
        let calls: Vec<u64> = (0..1000).map(|nth| mix.call_of(nth, nth * 7)).collect();
        assert_eq!(calls.iter().collect::<BTreeSet<_>>().len(), 700);
        assert!(calls.iter().zip(0_u64..).all(|(call, nth)| call / GROUP == nth / GROUP && *call <= nth));
    }

    #[test]
    fn a_body_is_filled_up_to_its_length_and_stays_json() {
        for bytes in [0, 600, 5000] {
            let text = mix(0, bytes).body(7);
            let body: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(body["call_id"].is_string() && body["agent_name"].is_string());
            assert!(text.len() == bytes || bytes < 500, "{bytes}: {}", text.len());
        }
    }
}
