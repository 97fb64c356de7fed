//! What joins ingest, which knows no broker and no store, to the ones that this process has.

use std::sync::Arc;

use anyhow::Context as _;
use domain::event::{CallReceived, Event as _};
use futures::future::BoxFuture;
use ingest::{Nudge, Outbox, Outgoing, PublishFault, Publisher};
use queue_topology::broker::{Broker, BrokerError, Lane, Message, Route};
use queue_topology::wake_ups;
use store::{RunKey, Store};

pub(crate) struct ToBroker(pub(crate) Arc<dyn Broker>);

impl Publisher for ToBroker {
    fn publish<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<(), PublishFault>> {
        let Outgoing { event, body, lane } = outgoing;
        let route = Route::Event { key: CallReceived::KEY };
        self.send(Message { route, lane: *lane, id: event.id, body: body.clone() })
    }

    fn nudge(&self, nudge: Nudge) -> BoxFuture<'_, Result<(), PublishFault>> {
        let Nudge { workspace, call, stage, generation } = nudge;
        self.send(wake_ups::message(&RunKey { workspace, call, stage, generation }, true, Lane::Live))
    }
}

impl ToBroker {
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), PublishFault>> {
        Box::pin(async move {
            self.0.publish(message).await.map_err(|error| match error {
                BrokerError::Blocked | BrokerError::Full => PublishFault::Blocked,
                other => PublishFault::Failed(other.into()),
            })
        })
    }
}

pub(crate) struct ToOutbox(pub(crate) Store);

impl Outbox for ToOutbox {
    fn keep<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<(), anyhow::Error>> {
        let Outgoing { event, body, lane } = outgoing;
        Box::pin(async move {
            let body = str::from_utf8(body).context("encode the event")?;
            Ok(self.0.add_to_outbox(event.id, lane.name(), body).await?)
        })
    }
}
