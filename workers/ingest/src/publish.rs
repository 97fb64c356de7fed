//! Publishes an event so that it is on disk somewhere, or says that it is not, in two seconds.
//!
//! The broker gets one second to confirm. When it does not, or takes nothing at all, the event goes to the
//! store's outbox, from where it is published later. A confirm that comes late leaves the event in both:
//! it is the same event twice, which is harmless everywhere.

use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use domain::call::{CallId, WorkspaceId};
use domain::event::{CallReceived, Envelope};
use futures::future::BoxFuture;
use queue_topology::broker::Lane;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use web::Problem;

const CONFIRM_WITHIN: Duration = Duration::from_secs(1);
const KEEP_WITHIN: Duration = Duration::from_secs(1);
/// Between two tries of the outbox.
const KEEP_AGAIN: Duration = Duration::from_millis(50);
pub(crate) const COME_BACK_IN: Duration = Duration::from_secs(5);

/// Why a broker did not confirm. Whatever it was, the outbox is next.
#[derive(Debug, thiserror::Error)]
pub enum PublishFault {
    /// It takes nothing for now, or the window of unconfirmed messages is full.
    #[error("the broker takes no messages")]
    Blocked,
    #[error("{0}")]
    Failed(#[source] anyhow::Error),
}

/// Wakes a stage up: something may have happened to this call. It proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nudge {
    pub stage: &'static str,
    pub workspace: WorkspaceId,
    pub call: CallId,
    pub generation: i64,
}

/// An event on its way.
pub struct Outgoing {
    pub event: Envelope<CallReceived>,
    /// The event, encoded.
    pub body: Bytes,
    pub lane: Lane,
}

/// The broker, as ingest sees it. The future is dropped when it takes too long; the message may have
/// gone out nevertheless.
pub trait Publisher: Send + Sync {
    /// `Ok` once the broker has confirmed the event.
    fn publish<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<(), PublishFault>>;

    fn nudge(&self, nudge: Nudge) -> BoxFuture<'_, Result<(), PublishFault>>;
}

/// Where an event waits while the broker does not confirm.
pub trait Outbox: Send + Sync {
    /// `Ok` once the event is on disk.
    fn keep<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<(), anyhow::Error>>;
}

/// Where an event ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durable {
    Published,
    InOutbox,
}

/// 503 when the event is nowhere: the sender has to send again.
pub(crate) async fn publish(
    publisher: &dyn Publisher,
    outbox: &dyn Outbox,
    outgoing: &Outgoing,
) -> Result<Durable, Problem> {
    let event = &outgoing.event;
    platform::failpoint!("ingest.publish");
    let unpublished = match timeout(CONFIRM_WITHIN, publisher.publish(outgoing)).await {
        Ok(Ok(())) => {
            platform::failpoint!("ingest.confirmed");
            return Ok(Durable::Published);
        }
        Ok(Err(fault)) => fault.to_string(),
        Err(_) => "no confirm in time".to_owned(),
    };
    platform::failpoint!("ingest.keep");
    let mut unkept = "no answer in time".to_owned();
    let until = Instant::now() + KEEP_WITHIN;
    // A connection that broke says nothing of the next.
    while Instant::now() < until {
        match timeout_at(until, outbox.keep(outgoing)).await {
            Ok(Ok(())) => {
                platform::failpoint!("ingest.kept");
                tracing::warn!(event = %event.id, call = %event.call, broker = unpublished, "kept in the outbox");
                return Ok(Durable::InOutbox);
            }
            Ok(Err(error)) => unkept = format!("{error:#}"),
            Err(_) => break,
        }
        sleep(KEEP_AGAIN).await;
    }
    tracing::error!(
        event = %event.id, call = %event.call, workspace = %event.workspace,
        broker = unpublished, outbox = unkept, "failed to keep an event; its sender was told to send again"
    );
    Err(unavailable())
}

/// 503 when the broker does not take it; the provider sends its webhook again, and is polled besides.
pub(crate) async fn nudge(publisher: &dyn Publisher, nudge: Nudge) -> Result<(), Problem> {
    let call = nudge.call;
    let problem = match timeout(CONFIRM_WITHIN, publisher.nudge(nudge)).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(fault)) => fault.to_string(),
        Err(_) => "no confirm in time".to_owned(),
    };
    tracing::warn!(%call, broker = problem, "failed to pass a webhook on");
    Err(unavailable())
}

pub(crate) fn unavailable() -> Problem {
    let detail = "this cannot be kept at the moment; nothing was accepted, send it again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(COME_BACK_IN)
}
