//! Asks which keys are known, many in one question: what comes while one is on its way goes with the next. So a
//! busy process pays for a round trip and not for each key, and a quiet one waits for nothing.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::ConnectionManager;
use ::redis::{Pipeline, Value};
use tokio::sync::{mpsc, oneshot};

use super::Health;
use crate::batch;

/// Keys of one question.
const AT_ONCE: usize = 256;

pub(super) struct Seen {
    asks: mpsc::UnboundedSender<Ask>,
}

struct Ask {
    key: String,
    ttl: Duration,
    known: oneshot::Sender<bool>,
}

impl Seen {
    /// Its task ends when this is dropped.
    pub(super) fn start(connection: ConnectionManager, health: Arc<Health>) -> Self {
        // Who asks waits for the answer, so this holds what is in hand and no more.
        let (asks, asked) = mpsc::unbounded_channel();
        tokio::spawn(answer(asked, connection, health));
        Self { asks }
    }

    /// Sets `key` where it is absent, and says whether it was there. False where Redis cannot say.
    pub(super) async fn remember(&self, key: String, ttl: Duration) -> bool {
        let (known, answer) = oneshot::channel();
        if self.asks.send(Ask { key, ttl, known }).is_err() {
            return false;
        }
        answer.await.unwrap_or(false)
    }
}

async fn answer(
    mut asked: mpsc::UnboundedReceiver<Ask>,
    mut connection: ConnectionManager,
    health: Arc<Health>,
) {
    let mut asks = Vec::new();
    while asked.recv_many(&mut asks, AT_ONCE).await > 0 {
        batch::others_first().await;
        while asks.len() < AT_ONCE
            && let Ok(ask) = asked.try_recv()
        {
            asks.push(ask);
        }
        let mut question = Pipeline::with_capacity(asks.len());
        for Ask { key, ttl, .. } in &asks {
            question.cmd("SET").arg(key).arg(1).arg("NX").arg("EX").arg(ttl.as_secs().max(1));
        }
        let answers: Vec<Value> = health.ask(question.query_async(&mut connection)).await.unwrap_or_default();
        let mut answers = answers.into_iter();
        for ask in asks.drain(..) {
            // Nothing was set where it was there. Who asked may have gone away.
            ask.known.send(answers.next() == Some(Value::Nil)).ok();
        }
    }
}
