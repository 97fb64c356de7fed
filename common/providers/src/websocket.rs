//! Opens a WebSocket to a provider. It begins as a request of our own HTTP client, so that proxies, TLS and the meaning of a
//! status are the same as everywhere.

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::refusal::{Failure, Refusal, Remote};
use platform::http::{self, HttpError};
use reqwest::header::{CONNECTION, UPGRADE};
use reqwest::{Client, RequestBuilder, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use uuid::Uuid;

/// How long the beginning of a connection may take.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Opens a connection. `refusal` says what a failed request means.
pub(crate) async fn open(
    request: RequestBuilder,
    remote: &Remote,
    refusal: impl Fn(&HttpError) -> Refusal,
) -> Result<WebSocketStream<Upgraded>, Refusal> {
    let lost = |problem: &str| Refusal::of(remote, &Failure::Lost { problem: problem.to_owned() });
    let key = STANDARD.encode(Uuid::new_v4().as_bytes());
    let request = request
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", &key);
    let opening = tokio::time::timeout(OPEN_WITHIN, http::upgrade(request)).await;
    let (headers, connection) =
        opening.map_err(|_| lost("it does not open the stream"))?.map_err(|error| refusal(&error))?;
    let accepted = headers.get("sec-websocket-accept").and_then(|value| value.to_str().ok());
    if accepted != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return Err(lost("it opened something that is no WebSocket"));
    }
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES));
    Ok(WebSocketStream::from_raw_socket(connection, Role::Client, Some(config)).await)
}

/// The client that opens connections, made when it is used for the first time.
#[derive(Default)]
pub(crate) struct LazyClient(OnceLock<Client>);

impl LazyClient {
    pub(crate) fn get(&self) -> &Client {
        self.0.get_or_init(http::upgrading_client)
    }
}
