//! One connection to RabbitMQ. A supervisor makes a new one whenever it ends.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use rand::RngExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::failure::failed;
use super::patience::PATIENCE;
use crate::broker::{BrokerError, State};

/// The pause between two tries to connect. It doubles from the first value up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LAST_WAIT: Duration = Duration::from_secs(5);
/// How often a connection is checked, in case nobody announces its end.
const LOOK: Duration = Duration::from_secs(1);

/// A handle to the connection. Its supervisor ends when the handle is closed or dropped.
pub(super) struct Link {
    now: watch::Receiver<Now>,
    closing: CancellationToken,
    ended: CancellationToken,
}

/// What is known of the connection.
#[derive(Clone)]
struct Now {
    connection: Option<Arc<Connection>>,
    blocked: bool,
    /// Why the broker refused the last connection, if it did.
    refused: Option<BrokerError>,
}

const NOTHING: Now = Now { connection: None, blocked: false, refused: None };

impl Link {
    /// Starts to connect. `name` is the name of the connection that RabbitMQ's management pages show.
    pub(super) fn start(uri: &AMQPUri, name: &str) -> Self {
        let (tell, now) = watch::channel(NOTHING);
        let (closing, ended) = (CancellationToken::new(), CancellationToken::new());
        let (uri, name) = (uri.clone(), name.to_owned());
        let (stop, at_end) = (closing.clone(), ended.clone().drop_guard());
        tokio::spawn(async move {
            keep(uri, name, tell, stop).await;
            drop(at_end);
        });
        Self { now, closing, ended }
    }

    pub(super) fn state(&self) -> State {
        let now = self.now.borrow();
        match &now.connection {
            None => State::Disconnected,
            Some(_) if now.blocked => State::Blocked,
            Some(_) => State::Up,
        }
    }

    /// Waits until the connection takes messages.
    pub(super) async fn up(&self) {
        let mut now = self.now.clone();
        if now.wait_for(|now| now.connection.is_some() && !now.blocked).await.is_err() {
            // The link is closed, so this never happens.
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn blockings(&self) -> Blockings {
        Blockings(self.now.clone())
    }

    pub(super) async fn connection(&self, patience: Duration) -> Result<Arc<Connection>, BrokerError> {
        let mut now = self.now.clone();
        let there = async {
            match now.wait_for(|now| now.connection.is_some() || now.refused.is_some()).await {
                Ok(now) => match (&now.connection, &now.refused) {
                    (Some(connection), _) => Ok(connection.clone()),
                    (None, Some(refused)) => Err(refused.clone()),
                    (None, None) => Err(BrokerError::Disconnected),
                },
                Err(_) => Err(BrokerError::Disconnected),
            }
        };
        tokio::time::timeout(patience, there).await.unwrap_or(Err(BrokerError::Disconnected))
    }

    pub(super) async fn channel(&self, patience: Duration) -> Result<Channel, BrokerError> {
        let connection = self.connection(patience).await?;
        connection.create_channel().await.map_err(|error| failed(&error, "a channel"))
    }

    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.ended.cancelled().await;
    }
}

/// Tells each time when the broker blocks the connection.
pub(super) struct Blockings(watch::Receiver<Now>);

impl Blockings {
    pub(super) async fn next(&mut self) {
        while self.0.changed().await.is_ok() {
            if self.0.borrow_and_update().blocked {
                return;
            }
        }
        // The link is closed, so this never happens again.
        std::future::pending::<()>().await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

async fn keep(uri: AMQPUri, name: String, tell: watch::Sender<Now>, stop: CancellationToken) {
    let mut wait = FIRST_WAIT;
    loop {
        let connecting = connect(&uri, &name);
        let outcome = tokio::select! {
            outcome = connecting => outcome,
            () = stop.cancelled() => return,
        };
        match outcome {
            Ok(connection) => {
                wait = FIRST_WAIT;
                tracing::info!(connection = name, "connected to the broker");
                watch_over(&Arc::new(connection), &tell, &stop).await;
                tell.send_replace(NOTHING);
                if stop.is_cancelled() {
                    return;
                }
                tracing::warn!(connection = name, "the connection to the broker ended; connecting again");
            }
            Err(error) => {
                tracing::warn!(connection = name, %error, "failed to connect to the broker; trying again");
                let refused = Some(error).filter(|error| matches!(error, BrokerError::Refused(_)));
                tell.send_replace(Now { refused, ..NOTHING });
            }
        }
        // Many processes lose the same broker at the same time, so each waits a little shorter or longer.
        let spread = wait.mul_f64(rand::rng().random_range(0.5..1.0));
        tokio::select! {
            () = tokio::time::sleep(spread) => {}
            () = stop.cancelled() => return,
        }
        wait = (wait * 2).min(LAST_WAIT);
    }
}

async fn connect(uri: &AMQPUri, name: &str) -> Result<Connection, BrokerError> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    match tokio::time::timeout(PATIENCE, Connection::connect_uri(uri.clone(), properties)).await {
        Ok(connected) => connected.map_err(|error| failed(&error, "the broker")),
        Err(_) => Err(BrokerError::Timeout),
    }
}

/// Watches the connection until it ends, or closes it when `stop` is cancelled.
async fn watch_over(connection: &Arc<Connection>, tell: &watch::Sender<Now>, stop: &CancellationToken) {
    let mut events = Box::pin(connection.events_listener());
    tell.send_replace(Now { connection: Some(connection.clone()), ..NOTHING });
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::ConnectionBlocked(reason)) => {
                    tracing::warn!(reason, "the broker takes no messages");
                    tell.send_modify(|now| now.blocked = true);
                }
                Some(Event::ConnectionUnblocked) => tell.send_modify(|now| now.blocked = false),
                Some(Event::Error(_)) | None => {}
                Some(_) => continue,
            },
            _ = look.tick() => {}
            () = stop.cancelled() => {
                // The process stops. Whatever is not settled goes back to the broker, whether or not this succeeds.
                tokio::time::timeout(LOOK, connection.close(200, "bye".into())).await.ok();
                return;
            }
        }
        if !connection.status().connected() {
            return;
        }
    }
}
