//! Two listeners, which come back with the number of the last event that they have.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use load_tests::harness::http::Connection;
use load_tests::harness::socket_io::SocketIo;
use serde_json::{Value, json};

use super::SESSION;

const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// The pause before a listener comes back.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// When everything is over, nothing comes for so long.
const QUIET: Duration = Duration::from_secs(2);

fn last(events: &[Value]) -> i64 {
    events.last().and_then(|event| event["seq"].as_i64()).unwrap_or(0)
}

/// Asks for the events after the number that it has, of whoever answers.
pub(super) async fn ask(doors: Vec<SocketAddr>, is_over: Arc<AtomicBool>) -> anyhow::Result<Vec<Value>> {
    let mut events: Vec<Value> = Vec::new();
    for door in doors.iter().cycle() {
        // What is there when everything is over is asked for once more.
        let was_over = is_over.load(Ordering::Acquire);
        let path = format!("/api/calls/{SESSION}/events?after={}&wait=1", last(&events));
        let asked = async {
            let mut connection = Connection::open(*door).await.ok()?;
            let answer = connection.get(&path).await.ok().filter(|answer| answer.status == 200)?;
            serde_json::from_slice::<Value>(&answer.body).ok()
        };
        match tokio::time::timeout(ANSWERS_WITHIN, asked).await.ok().flatten() {
            Some(answer) => {
                let new = answer["events"].as_array().cloned().unwrap_or_default();
                if was_over && new.is_empty() {
                    break;
                }
                events.extend(new);
            }
            None => tokio::time::sleep(AGAIN_AFTER).await,
        }
    }
    Ok(events)
}

/// Listens with Socket.IO, and joins again where its connection breaks.
pub(super) async fn listen(doors: Vec<SocketAddr>, is_over: Arc<AtomicBool>) -> anyhow::Result<Vec<Value>> {
    let mut events: Vec<Value> = Vec::new();
    for door in doors.iter().cycle() {
        let joined = async {
            let mut socket = SocketIo::connect(*door).await.ok()?;
            socket.join(SESSION, Some(last(&events))).await.ok()?;
            Some(socket)
        };
        let Some(mut socket) = tokio::time::timeout(ANSWERS_WITHIN, joined).await.ok().flatten() else {
            tokio::time::sleep(AGAIN_AFTER).await;
            continue;
        };
        loop {
            let was_over = is_over.load(Ordering::Acquire);
            match tokio::time::timeout(QUIET, socket.next()).await {
                Ok(Ok((kind, data))) if data["seq"].is_i64() => {
                    events.push(json!({"seq": data["seq"], "type": kind, "data": data}));
                }
                Ok(Err(_)) => break,
                Err(_) if was_over => return Ok(events),
                Ok(Ok(_)) | Err(_) => {}
            }
        }
    }
    Ok(events)
}
