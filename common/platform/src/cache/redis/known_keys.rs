//! Asks Redis which keys it knows, and asks for many keys in one round trip. Keys that are asked for while a round
//! trip is under way go together into the next one. So a busy process does not pay for a round trip for each key,
//! and a process with little work does not wait for others.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::ConnectionManager;
use ::redis::{Pipeline, Value};
use tokio::sync::{mpsc, oneshot};

use super::health::Health;
use crate::batch;

/// The highest number of keys in one round trip.
const MAX_KEYS: usize = 256;

pub(super) struct KnownKeys {
    lookups: mpsc::UnboundedSender<Lookup>,
}

struct Lookup {
    key: String,
    ttl: Duration,
    known: oneshot::Sender<bool>,
}

impl KnownKeys {
    /// Starts the task that asks Redis. The task ends when the returned value is dropped.
    pub(super) fn start(connection: ConnectionManager, health: Arc<Health>) -> Self {
        // The channel needs no limit: every caller waits for its answer, so it holds at most one lookup for each
        // caller.
        let (lookups, incoming) = mpsc::unbounded_channel();
        tokio::spawn(answer(incoming, connection, health));
        Self { lookups }
    }

    /// Sets `key` when it is absent, and returns whether it was there. The answer is false, too, when Redis does
    /// not work.
    pub(super) async fn remember(&self, key: String, ttl: Duration) -> bool {
        let (known, answer) = oneshot::channel();
        if self.lookups.send(Lookup { key, ttl, known }).is_err() {
            return false;
        }
        answer.await.unwrap_or(false)
    }
}

async fn answer(
    mut incoming: mpsc::UnboundedReceiver<Lookup>,
    mut connection: ConnectionManager,
    health: Arc<Health>,
) {
    let mut lookups = Vec::new();
    while incoming.recv_many(&mut lookups, MAX_KEYS).await > 0 {
        batch::let_ready_tasks_run().await;
        while lookups.len() < MAX_KEYS
            && let Ok(lookup) = incoming.try_recv()
        {
            lookups.push(lookup);
        }
        let mut commands = Pipeline::with_capacity(lookups.len());
        for Lookup { key, ttl, .. } in &lookups {
            commands.cmd("SET").arg(key).arg(1).arg("NX").arg("EX").arg(ttl.as_secs().max(1));
        }
        let answers: Vec<Value> = health.run(commands.query_async(&mut connection)).await.unwrap_or_default();
        let mut answers = answers.into_iter();
        for lookup in lookups.drain(..) {
            // Redis answers nil when it set nothing, because the key was there. Sending fails when the caller has
            // stopped waiting, and then nobody needs the answer.
            lookup.known.send(answers.next() == Some(Value::Nil)).ok();
        }
    }
}
