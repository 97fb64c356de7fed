//! The webhooks about a meeting, as Zoom signs and sends them.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use ring::hmac;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::SECRET_TOKEN;
use super::account::Brought;

/// Zoom sends again after 5, 20 and 60 minutes. A test has less time.
const AGAIN_AFTER: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(6)];

#[derive(Clone, Debug, Serialize)]
pub(super) struct Webhook {
    event: &'static str,
    headers: BTreeMap<&'static str, String>,
    body: String,
}

/// The webhooks about a meeting: that it was recorded, and that its transcript is ready. Each tells of its own files.
pub(super) fn of(brought: &Brought) -> Vec<Webhook> {
    let of = |event: &'static str, wanted: fn(&str) -> bool| {
        let mut meeting = brought.meeting.clone();
        let files = meeting["recording_files"].as_array_mut()?;
        files.retain(|file| wanted(file["file_type"].as_str().unwrap_or_default()));
        if files.is_empty() {
            return None;
        }
        meeting["recording_count"] = files.len().into();
        let body = json!({
            "event": event,
            "event_ts": Utc::now().timestamp_millis(),
            "payload": { "account_id": "simulated", "object": meeting },
            "download_token": brought.token,
        });
        Some(signed(event, &body))
    };
    let recorded = of("recording.completed", |kind| kind != "TRANSCRIPT");
    let written = of("recording.transcript_completed", |kind| kind == "TRANSCRIPT");
    recorded.into_iter().chain(written).collect()
}

fn signed(event: &'static str, body: &Value) -> Webhook {
    let body = body.to_string();
    let timestamp = Utc::now().timestamp().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET_TOKEN.as_bytes());
    let tag = hmac::sign(&key, format!("v0:{timestamp}:{body}").as_bytes());
    let headers = BTreeMap::from([
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("x-zm-signature", format!("v0={}", hex::encode(tag))),
        ("x-zm-request-timestamp", timestamp),
        ("x-zm-request-id", Uuid::new_v4().to_string()),
        // Zoom's own sample is no trace context of the W3C either.
        ("traceparent", "00-49ba5b7fd04b48c1-bd6a2ab8f6ae-01".to_owned()),
    ]);
    Webhook { event, headers, body }
}

impl Webhook {
    /// Sends the webhook. It is sent again after a 5xx and without an answer, and never after another answer.
    pub(super) async fn deliver(self, address: String) {
        let client = crate::assemblyai::webhook_client();
        for wait in std::iter::once(Duration::ZERO).chain(AGAIN_AFTER) {
            tokio::time::sleep(wait).await;
            let mut request = client.post(&address).body(self.body.clone());
            for (name, value) in &self.headers {
                request = request.header(*name, value);
            }
            match request.send().await {
                Ok(answer) if !answer.status().is_server_error() => return,
                Ok(answer) => tracing::debug!(status = %answer.status(), "the webhook was refused"),
                Err(error) => tracing::debug!(error = %error.without_url(), "the webhook was not answered"),
            }
        }
    }
}
