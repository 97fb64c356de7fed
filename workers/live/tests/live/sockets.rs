//! Socket.IO, by a client that speaks its frames over a WebSocket.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::world::{World, voice, wav};

const PATIENCE: Duration = Duration::from_secs(30);

/// A client of Socket.IO.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    events: VecDeque<(String, Value)>,
}

impl Client {
    /// Opens a connection and shows this key. Returns the error of the server where it refuses.
    async fn connect(world: &World, auth: Value) -> Result<Self, Value> {
        let address = format!("ws://{}/socket.io/?EIO=4&transport=websocket", world.listen().await);
        let (socket, _) = connect_async(address).await.unwrap();
        let mut client = Self { socket, events: VecDeque::new() };
        assert!(client.frame().await.unwrap().starts_with('0'), "the server opens");
        client.socket.send(Message::text(format!("40{auth}"))).await.unwrap();
        let answer = client.frame().await.unwrap();
        match answer.split_at(2) {
            ("40", _) => Ok(client),
            (_, why) => Err(serde_json::from_str(why).unwrap()),
        }
    }

    /// The next frame that is no ping. `None` where the connection is closed.
    async fn frame(&mut self) -> Option<String> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame");
            match frame {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => {
                    self.socket.send(Message::text("3")).await.unwrap();
                }
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(_)) => {}
                _ => return None,
            }
        }
    }

    async fn emit(&mut self, event: &str, data: Value) {
        self.socket.send(Message::text(format!("42{}", json!([event, data])))).await.unwrap();
    }

    /// The data of the next event of this kind. Other events are kept.
    async fn wait_for(&mut self, kind: &str) -> Value {
        if let Some(at) = self.events.iter().position(|(known, _)| known == kind) {
            return self.events.remove(at).unwrap().1;
        }
        loop {
            let frame = self.frame().await.expect("the connection goes on");
            let Some(event) = frame.strip_prefix("42") else { continue };
            let (name, data): (String, Value) = serde_json::from_str(event).unwrap();
            if name == kind {
                return data;
            }
            self.events.push_back((name, data));
        }
    }
}

#[tokio::test]
async fn a_socket_joins_a_session_and_hears_what_comes() {
    let world = World::new().await;
    world.says(&["Good morning."]).await;
    world.start("s-1").await;
    let mut client = Client::connect(&world, json!({})).await.unwrap();
    assert_eq!(client.wait_for("connection_status").await["status"], "connected");
    client.emit("join_call_session", json!({"session_id": "s-1"})).await;
    assert_eq!(client.wait_for("joined_session").await["session_id"], "s-1");
    world.piece("s-1", &wav(&voice(1, 1_500, 1_500)), &[("speaker", "agent")]).await;
    let said = client.wait_for("transcript_update").await;
    assert_eq!((&said["text"], &said["speaker"]), (&json!("Good morning."), &json!("agent")));
    client.emit("request_session_status", json!({"session_id": "s-1"})).await;
    let status = client.wait_for("session_status").await;
    assert_eq!((&status["status"], &status["dialog_turns_count"]), (&json!("active"), &json!(1)));
    client.emit("request_session_status", json!({"session_id": "nobody"})).await;
    assert_eq!(
        client.wait_for("session_status").await,
        json!({"session_id": "nobody", "status": "not_found"})
    );
    client.emit("leave_call_session", json!({"session_id": "s-1"})).await;
    assert_eq!(client.wait_for("left_session").await["session_id"], "s-1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_socket_may_ask_as_soon_as_it_is_let_in() {
    let world = World::new().await;
    world.start("s-1").await;
    for _ in 0..300 {
        let mut client = Client::connect(&world, json!({})).await.unwrap();
        client.emit("join_call_session", json!({"session_id": "s-1"})).await;
        let joined = tokio::time::timeout(PATIENCE, client.wait_for("joined_session")).await;
        assert_eq!(joined.expect("the socket is answered")["session_id"], "s-1");
    }
}

#[tokio::test]
async fn a_socket_that_was_away_gets_what_it_missed_and_nothing_twice() {
    let world = World::new().await;
    world.says(&["One.", "Two."]).await;
    world.start("s-1").await;
    world.piece("s-1", &wav(&voice(1, 1_200, 1_200)), &[("sequence", "0")]).await;
    world.told("s-1", "transcript_update", 1).await;
    let mut client = Client::connect(&world, json!({})).await.unwrap();
    client.emit("join_call_session", json!({"session_id": "s-1", "after": 1})).await;
    // Joining again and again is joining once.
    for _ in 0..50 {
        client.emit("join_call_session", json!({"session_id": "s-1", "after": 0})).await;
    }
    world.piece("s-1", &wav(&voice(2, 1_200, 1_200)), &[("sequence", "1")]).await;
    world.end("s-1").await;
    let mut numbers = Vec::new();
    while !client.events.iter().any(|(_, data)| data["status"] == "processing") {
        let frame = client.frame().await.unwrap();
        let Some(event) = frame.strip_prefix("42") else { continue };
        let (name, data): (String, Value) = serde_json::from_str(event).unwrap();
        numbers.extend(data["seq"].as_i64());
        client.events.push_back((name, data));
    }
    let stored: Vec<i64> =
        world.events("s-1").await.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, stored[1..=numbers.len()], "each once, in order, from the second on");
}

#[tokio::test]
async fn whoever_may_not_read_hears_nothing_and_a_revoked_key_is_put_out() {
    let world = World::with(&[("DEBRIEF_API_KEY", "the-key-of-the-installation")]).await;
    let made = world.make_key("other", "listener").await;
    let refused = Client::connect(&world, json!({"token": "wrong"})).await.err().unwrap();
    assert!(refused["message"].as_str().unwrap().contains("key"), "{refused}");
    assert!(Client::connect(&world, json!({})).await.is_err());
    let mut client = Client::connect(&world, json!({"token": made})).await.unwrap();
    world.start_with("s-1", "the-key-of-the-installation").await;
    client.emit("join_call_session", json!({"session_id": "s-1"})).await;
    let error = client.wait_for("error").await;
    assert!(error["message"].as_str().unwrap().contains("there is no session"), "{error}");
    client.emit("join_call_session", json!({})).await;
    assert_eq!(client.wait_for("error").await["message"], "session_id is required");
    let revoked = std::time::Instant::now();
    world.revoke_key("other", "listener").await;
    while client.frame().await.is_some_and(|frame| !frame.starts_with("41")) {}
    assert!(revoked.elapsed() < Duration::from_secs(2), "{:?}", revoked.elapsed());
}
