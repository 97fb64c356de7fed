//! The webhooks of the load, as a Zap sends them. Each announces a call of its own.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use uuid::Uuid;

use super::http::Connection;
use super::load::Sender;

pub const PATH: &str = "/webhook/zapier";

/// Makes the body of a webhook in which every field is filled. The address of the recording is signed as a provider
/// signs it.
pub fn body(id: Uuid) -> String {
    format!(
        r#"{{
  "call_id": "{id}",
  "from_number": "+12025550143",
  "to_number": "+12025550100",
  "duration": 184,
  "recording_url": "https://recordings.example.com/2026/11/{id}.mp3?Expires=1795170000&Signature=kq0XJ3v9bT5mZcW1yRfN8hL2sUeA7dGp",
  "timestamp": "2026-11-20T09:31:07+05:30",
  "status": "completed",
  "agent_phone": "+12025550111",
  "agent_name": "Amara Lindgren",
  "agent_slack_handle": "@amara.lindgren",
  "department": "Customer Support",
  "customer_segment": "Enterprise"
}}"#
    )
}

/// Posts webhooks on a connection of its own.
pub struct Webhooks {
    connection: Connection,
    has_recording: bool,
}

impl Webhooks {
    pub async fn open(address: SocketAddr, connections: usize) -> anyhow::Result<Vec<Self>> {
        let connections = Connection::open_all(address, connections).await?;
        Ok(connections.into_iter().map(|connection| Self { connection, has_recording: true }).collect())
    }

    /// Announces calls whose recordings are still to come.
    pub fn without_recording(self) -> Self {
        Self { has_recording: false, ..self }
    }
}

impl Sender for Webhooks {
    async fn send(&mut self) -> anyhow::Result<()> {
        let mut body = body(Uuid::new_v4());
        if !self.has_recording {
            // A source that does not have the recording yet sends no such field.
            body = body.replacen("\"recording_url\":", "\"recording_state\":", 1);
        }
        let answer = self.connection.post_json(PATH, &body).await?;
        ensure!(
            answer.status == 200,
            "a webhook was answered {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(())
    }
}

/// Returns how many calls of this status the history counts. `None` stands for any status.
pub async fn calls(address: SocketAddr, status: Option<&str>) -> anyhow::Result<u64> {
    let filter = status.map(|status| format!("&status={status}")).unwrap_or_default();
    let history = get(address, &format!("/api/calls/history?limit=1{filter}")).await?;
    history["total"].as_u64().context("the history has no total")
}

/// Returns how many webhooks wait in the first queue.
pub async fn queued(address: SocketAddr) -> anyhow::Result<u64> {
    let queues = get(address, "/api/queues").await?;
    let first =
        queues["items"].as_array().and_then(|stages| stages.iter().find(|stage| stage["stage"] == "dedup"));
    first.and_then(|stage| stage["lanes"]["live"]["ready"].as_u64()).context("the first queue has no depth")
}

async fn get(address: SocketAddr, path: &str) -> anyhow::Result<Value> {
    let answer = Connection::open(address).await?.get(path).await?;
    ensure!(answer.status == 200, "{path} answered {}", answer.status);
    serde_json::from_slice(&answer.body).with_context(|| format!("read {path}"))
}
