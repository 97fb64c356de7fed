//! Publishes an event so that it is on disk somewhere, or says that it is not, in two seconds.
//!
//! The broker gets one second to confirm. When it does not confirm, or takes no messages at all, the event goes to
//! the store's outbox, from where it is published later. A confirm that comes late leaves the event in both places:
//! it is the same event twice, which is harmless everywhere.

use std::time::Duration;

use anyhow::Context as _;
use domain::call::{CallId, WorkspaceId};
use domain::event::{CallReceived, Envelope};
use futures::future::BoxFuture;
use store::{RunKey, Store};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Intake, NotKept};
use crate::broker::{Lane, Message};
use crate::metrics::{self, PutInto};
use crate::wake_ups;

const CONFIRM_WITHIN: Duration = Duration::from_secs(1);
const KEEP_WITHIN: Duration = Duration::from_secs(1);
/// The pause between two tries of the outbox.
const KEEP_AGAIN: Duration = Duration::from_millis(50);

/// Tells a stage that something may have happened to this call. It proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nudge {
    pub stage: &'static str,
    pub workspace: WorkspaceId,
    pub call: CallId,
    pub generation: i64,
}

/// Where an event waits while the broker does not confirm.
pub trait Outbox: Send + Sync {
    /// `Ok` once the event is on disk.
    fn keep<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, anyhow::Result<()>>;
}

impl Outbox for Store {
    fn keep<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move {
            let body = str::from_utf8(&message.body).context("read the encoded event")?;
            Ok(self.add_to_outbox(message.id, message.lane.name(), body).await?)
        })
    }
}

/// Where an event ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durable {
    Published,
    InOutbox,
}

impl Intake {
    /// Puts `message`, which is `event` encoded, on disk.
    pub(super) async fn publish(
        &self,
        event: &Envelope<CallReceived>,
        message: &Message,
    ) -> Result<Durable, NotKept> {
        platform::failpoint!("ingest.publish");
        let unpublished = match self.send(message.clone()).await {
            Ok(()) => {
                platform::failpoint!("ingest.confirmed");
                metrics::event_came_in(PutInto::Broker);
                return Ok(Durable::Published);
            }
            Err(why) => why,
        };
        platform::failpoint!("ingest.keep");
        let mut unkept = "no answer in time".to_owned();
        let until = Instant::now() + KEEP_WITHIN;
        // A connection that broke says nothing about the next one.
        while Instant::now() < until {
            match timeout_at(until, self.outbox.keep(message)).await {
                Ok(Ok(())) => {
                    platform::failpoint!("ingest.kept");
                    metrics::event_came_in(PutInto::Outbox);
                    // An import has no broker: the outbox is its ordinary way.
                    match unpublished {
                        Unpublished::NoBroker => {
                            tracing::debug!(event = %event.id, call = %event.call, "kept in the outbox");
                        }
                        why => {
                            tracing::warn!(event = %event.id, call = %event.call, broker = %why, "kept in the outbox");
                        }
                    }
                    return Ok(Durable::InOutbox);
                }
                Ok(Err(error)) => unkept = format!("{error:#}"),
                Err(_) => break,
            }
            sleep(KEEP_AGAIN).await;
        }
        metrics::event_came_in(PutInto::Nothing);
        tracing::error!(
            event = %event.id, call = %event.call, workspace = %event.workspace,
            broker = %unpublished, outbox = unkept, "failed to keep an event; its sender was told to send again"
        );
        Err(NotKept)
    }

    /// Passes a nudge on. A nudge has no place in the outbox: the provider sends its webhook again, and the stage
    /// looks by itself besides.
    pub async fn nudge(&self, nudge: Nudge) -> Result<(), NotKept> {
        let Nudge { stage, workspace, call, generation } = nudge;
        let message = wake_ups::message(&RunKey { workspace, call, stage, generation }, true, Lane::Live);
        self.send(message).await.map_err(|why| {
            tracing::warn!(%call, broker = %why, "failed to pass a webhook on");
            NotKept
        })
    }

    /// The future of a broker that takes too long is dropped; the message may have gone out nevertheless.
    async fn send(&self, message: Message) -> Result<(), Unpublished> {
        let broker = self.broker.as_ref().ok_or(Unpublished::NoBroker)?;
        match timeout(CONFIRM_WITHIN, broker.publish(message)).await {
            Ok(published) => Ok(published?),
            Err(_) => Err(Unpublished::NoConfirm),
        }
    }
}

/// Why a message is not on the broker. Whatever it was, the outbox is next.
#[derive(Debug, thiserror::Error)]
enum Unpublished {
    #[error("there is no broker here")]
    NoBroker,
    #[error("no confirm in time")]
    NoConfirm,
    #[error("{0}")]
    Broker(#[from] crate::broker::BrokerError),
}
