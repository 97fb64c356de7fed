//! What goes into the pipeline: the sessions of voice agents, and webhooks with recordings.

use std::fmt;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use load_tests::harness::http::Connection;
use load_tests::harness::load::Sender;
use load_tests::harness::providers::Providers;
use load_tests::harness::webhook;
use serde_json::{Value, json};
use simulators::{Utterance, recording_with};
use uuid::Uuid;

/// The time for which one speaker speaks, in seconds.
const TURN_S: u64 = 4;
/// The dialogue of every call.
const DIALOGUE: [(&str, &str); 8] = [
    ("agent", "Thank you for calling Bluefinch, this is Amara. How can I help you?"),
    (
        "customer",
        "Hi, this is Odile Marchetti. My order from last week has not arrived, and I am getting worried.",
    ),
    ("agent", "I am sorry about that, Odile. May I have the order number and your e-mail address?"),
    ("customer", "It is 48 213, and my e-mail is odile@marchetti.example.com."),
    ("agent", "Thank you. It was held at the depot; I can have it sent again today with express delivery."),
    ("customer", "That would be great. Can you also refund the shipping? I paid for two days."),
    ("agent", "Yes, I will refund the shipping, and send you a confirmation by tomorrow morning."),
    ("customer", "Perfect, thank you for your help. Goodbye."),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sessions,
    Recordings,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sessions => "sessions",
            Self::Recordings => "recordings",
        })
    }
}

/// Serves a recording of the dialogue and returns its URL.
pub(crate) async fn recording(providers: &Providers) -> anyhow::Result<String> {
    let utterance = |(nth, (speaker, text)): (u64, &(&str, &str))| Utterance {
        speaker: (*speaker).to_owned(),
        start: nth * TURN_S * 1000,
        end: (nth + 1) * TURN_S * 1000 - 300,
        text: (*text).to_owned(),
    };
    let dialogue: Vec<Utterance> = (0..).zip(&DIALOGUE).map(utterance).collect();
    providers.put_recording("call", "whole", &recording_with(&dialogue)).await
}

/// Sends calls on a connection of its own.
pub(crate) struct Feeder {
    connection: Connection,
    kind: Kind,
    recording: String,
}

/// Makes as many senders as there are connections.
pub(crate) async fn feeders(
    address: SocketAddr,
    connections: usize,
    kind: Kind,
    recording: &str,
) -> anyhow::Result<Vec<Feeder>> {
    let mut all = Vec::with_capacity(connections);
    for _ in 0..connections {
        let connection = Connection::open(address).await.context("connect to Debrief")?;
        all.push(Feeder { connection, kind, recording: recording.to_owned() });
    }
    Ok(all)
}

impl Sender for Feeder {
    async fn send(&mut self) -> anyhow::Result<()> {
        let id = Uuid::new_v4();
        let answer = match self.kind {
            Kind::Sessions => self.connection.post_json("/api/sessions", &session(id)).await?,
            Kind::Recordings => {
                self.connection.post_json(webhook::PATH, &webhook_with(id, &self.recording)?).await?
            }
        };
        ensure!(
            (200..300).contains(&answer.status),
            "a call was answered {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(())
    }
}

fn webhook_with(id: Uuid, recording: &str) -> anyhow::Result<String> {
    let mut body: Value = serde_json::from_str(&webhook::body(id)).context("read the body of a webhook")?;
    body["recording_url"] = recording.into();
    Ok(body.to_string())
}

pub(crate) fn session(id: Uuid) -> String {
    let item = |(nth, (speaker, text)): (u64, &(&str, &str))| {
        json!({
            "role": if *speaker == "agent" { "assistant" } else { "user" },
            "content": text,
            "timestamp": format!("2026-11-20T09:31:{:02}Z", nth * TURN_S),
        })
    };
    let items: Vec<Value> = (0..).zip(&DIALOGUE).map(item).collect();
    json!({
        "call_id": id,
        "caller_phone": "+12025550143",
        "transcript": { "start_time": "2026-11-20T09:31:00Z", "end_time": "2026-11-20T09:31:32Z", "items": items },
    })
    .to_string()
}
