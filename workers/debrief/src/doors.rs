//! Limits how many connections a process has at once.
//!
//! Each connection takes memory and an open file. Without a limit, somebody who opens enough connections keeps the
//! process from opening files of its own, and no message says why.

use std::sync::Arc;
use std::time::Duration;

use platform::config::{ConfigError, Values};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The default limit. Together with the other open files of a process it stays below 1024, the limit of many systems.
const CONNECTIONS: usize = 800;
/// How many connections can get the answer "no room" at the same time. Further connections are closed without an
/// answer.
const TOLD_AT_ONCE: usize = 64;
const TOLD_WITHIN: Duration = Duration::from_secs(1);
const NO_ROOM: &str = "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
    \"detail\":\"there are too many connections at the moment; nothing was accepted, send it again\"}";

#[derive(Clone)]
pub(crate) struct Doors {
    places: Arc<Semaphore>,
    told: Arc<Semaphore>,
}

impl Doors {
    /// Reads `DEBRIEF_MAX_CONNECTIONS`.
    pub(crate) fn read(values: &Values) -> Result<Self, ConfigError> {
        let wanted = values.number("DEBRIEF_MAX_CONNECTIONS", CONNECTIONS, 1..=1_000_000, "connections")?;
        Ok(Self::new(wanted))
    }

    pub(crate) fn new(connections: usize) -> Self {
        let places = connections.min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), told: Arc::new(Semaphore::new(TOLD_AT_ONCE)) }
    }

    /// Takes a place for one connection. The place is free again when the returned value is dropped.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Answers 503 without reading the request, and closes the connection.
    pub(crate) fn turn_away(&self, stream: TcpStream) {
        let Ok(place) = Arc::clone(&self.told).try_acquire_owned() else { return };
        tokio::spawn(async move {
            if tokio::time::timeout(TOLD_WITHIN, tell(stream)).await.is_err() {
                tracing::debug!("the answer that there is no room for a connection could not be sent");
            }
            drop(place);
        });
    }
}

async fn tell(mut stream: TcpStream) -> std::io::Result<()> {
    let length = NO_ROOM.len();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 5\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{NO_ROOM}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // A connection that is closed while bytes are unread is reset, and a reset can destroy the answer on its way.
    let mut unread = [0; 4096];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
