//! The listener for those who watch the process: `/metrics`, `/health` and `/ready`, without a key.
//!
//! A key that reads the metrics also reads the calls, and Prometheus should not hold such a key. So the metrics have an
//! address of their own, and whoever may reach that address is decided by the network. The metrics hold numbers, and
//! names of stages, providers and models, but nothing of a call.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use api::Api;
use platform::config::{ConfigError, Values};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use web::Access;

use crate::deployment::StartError;
use crate::doors::Doors;
use crate::serve::serve;

const NAME: &str = "DEBRIEF_METRICS_BIND";
/// How many connections may be open at once. Prometheus needs one, and a probe needs one.
const CONNECTIONS: usize = 64;

/// Reads the address. `None` where no address of its own is wanted.
pub(crate) fn read_address(values: &Values) -> Result<Option<SocketAddr>, ConfigError> {
    values.parse(NAME, "an IP address and a port, such as 0.0.0.0:9090 or [::1]:9090")
}

/// The bound address, before anything is served there.
pub(crate) struct Bound {
    socket: TcpListener,
    pub(crate) address: SocketAddr,
}

pub(crate) async fn bind(values: &Values) -> Result<Option<Bound>, StartError> {
    let Some(wanted) = read_address(values)? else { return Ok(None) };
    let socket = TcpListener::bind(wanted)
        .await
        .map_err(|error| ConfigError::new(NAME, format!("cannot listen on {wanted}: {error}")))?;
    let address = socket.local_addr().context("read the address that was bound")?;
    Ok(Some(Bound { socket, address }))
}

/// A listener that serves until [`Self::end`].
pub(crate) struct Monitoring {
    serving: JoinHandle<()>,
    closing: CancellationToken,
}

impl Bound {
    /// Serves in a task of its own, also while the process stops: a long drain should be watched.
    pub(crate) fn serve(self, api: Api, access: &Arc<Access>) -> Monitoring {
        let router = web::finish_open(api::monitoring(api));
        let closing = CancellationToken::new();
        let closed = closing.clone().cancelled_owned();
        let doors = Doors::new(CONNECTIONS);
        let serving = tokio::spawn(serve(self.socket, doors, Arc::clone(access), router, closed));
        Monitoring { serving, closing }
    }
}

impl Monitoring {
    /// Takes no further connections, and waits until the requests in progress have ended.
    pub(crate) async fn end(self) {
        self.closing.cancel();
        if let Err(error) = self.serving.await {
            tracing::warn!(%error, "the listener for monitoring failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_anything_else_is_refused_by_its_name() {
        let read = |text: &str| read_address(&Values::of([(NAME, text)]));
        for text in ["127.0.0.1:9090", "0.0.0.0:0", "[::]:9090", "[::1]:65535"] {
            assert!(read(text).is_ok_and(|address| address.is_some()), "{text}");
        }
        assert!(read("").is_ok_and(|address| address.is_none()));
        for text in
            ["9090", ":9090", "0.0.0.0", "localhost:9090", "0.0.0.0:65536", "http://0.0.0.0:9090", "*:9090"]
        {
            let error = read(text).expect_err(text);
            assert!(error.to_string().starts_with("DEBRIEF_METRICS_BIND"), "{error}");
        }
    }
}
