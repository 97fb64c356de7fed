//! Serves what the test suites of the two protocols expect, on port 3000 of this machine: Engine.IO at `/engine.io/`, and
//! Socket.IO at `/socket.io/`. The crates are those of the live calls, in their versions.
//!
//! The suites are in the folder `test-suite` of the repositories socketio/engine.io-protocol and
//! socketio/socket.io-protocol. The authors of the crates have copies of them with a few cases more, in the folder `e2e` of
//! Totodore/socketioxide.

use std::fmt::{self, Formatter};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use engineioxide::config::EngineIoConfig;
use engineioxide::handler::EngineIoHandler;
use engineioxide::service::EngineIoService;
use engineioxide::{DisconnectReason, Socket, Str};
use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeTuple as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef, TryData};
use tokio::net::TcpListener;

const PORT: u16 = 3_000;
const PING_INTERVAL: Duration = Duration::from_millis(300);
const PING_TIMEOUT: Duration = Duration::from_millis(200);
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
const MAX_PAYLOAD_BYTES: u64 = 1_000_000;

/// An Engine.IO server that sends back what it gets.
#[derive(Debug)]
struct Echo;

impl EngineIoHandler for Echo {
    type Data = ();

    fn on_connect(self: Arc<Self>, _: Arc<Socket<()>>) {}

    fn on_disconnect(&self, _: Arc<Socket<()>>, _: DisconnectReason) {}

    fn on_message(self: &Arc<Self>, message: Str, socket: Arc<Socket<()>>) {
        socket.emit(message).ok();
    }

    fn on_binary(self: &Arc<Self>, message: Bytes, socket: Arc<Socket<()>>) {
        socket.emit_binary(message).ok();
    }
}

/// One argument of an event.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Argument {
    Json(Value),
    Binary(Bytes),
}

/// All arguments of an event. The library gives them all, however many there are, to what calls itself a tuple.
struct Arguments(Vec<Argument>);

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Arguments;

            fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
                formatter.write_str("arguments")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut given: A) -> Result<Arguments, A::Error> {
                let mut all = Vec::new();
                while let Some(next) = given.next_element()? {
                    all.push(next);
                }
                Ok(Arguments(all))
            }
        }

        deserializer.deserialize_tuple(usize::MAX, All)
    }
}

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for argument in &self.0 {
            tuple.serialize_element(argument)?;
        }
        tuple.end()
    }
}

/// Sends back what the socket showed, and registers the events that it may send.
fn connected(socket: &SocketRef, auth: &Value) {
    socket.emit("auth", auth).ok();
    socket.on("message", async |socket: SocketRef, Data::<Arguments>(arguments)| {
        socket.emit("message-back", &arguments).ok();
    });
    socket.on("message-with-ack", async |Data::<Arguments>(arguments), ack: AckSender| {
        ack.send(&arguments).ok();
    });
    socket.on("emit-with-ack", async |socket: SocketRef, Data::<Arguments>(arguments)| {
        let Ok(asked) = socket.emit_with_ack::<_, Arguments>("emit-with-ack", &arguments) else { return };
        if let Ok(answer) = asked.await {
            socket.emit("emit-with-ack", &answer).ok();
        }
    });
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let config = EngineIoConfig::builder()
        .ping_interval(PING_INTERVAL)
        .ping_timeout(PING_TIMEOUT)
        .max_payload(MAX_PAYLOAD_BYTES)
        .build();
    let echo = EngineIoService::with_config(Arc::new(Echo), config);
    let (sockets, io) = SocketIo::builder()
        .ping_interval(PING_INTERVAL)
        .ping_timeout(PING_TIMEOUT)
        .connect_timeout(CONNECT_WITHIN)
        .max_payload(MAX_PAYLOAD_BYTES)
        .build_svc();
    let connect = async |socket: SocketRef, TryData(auth): TryData<Value>| {
        connected(&socket, &auth.unwrap_or_else(|_| json!({})));
    };
    io.ns("/", connect);
    io.ns("/custom", connect);
    let router = Router::new().route_service("/engine.io/", echo).route_service("/socket.io/", sockets);
    axum::serve(TcpListener::bind(("127.0.0.1", PORT)).await?, router).await
}
