//! The sample calls of the demo: what is sent, and how each call should end.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use domain::call::{CallStatus, Direction};
use platform::http;
use reqwest::StatusCode;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use simulators::{Recording, Simulators, Utterance, Variant, recording_with};

const PHONE_CALL: &str = include_str!("../../../samples/phone_call.json");
const CALLBACK: &str = include_str!("../../../samples/callback.json");
const MEETING: &str = include_str!("../../../samples/meeting.json");
const MEETING_TRANSCRIPT: &str = include_str!("../../../samples/meeting.vtt");
const SESSION: &str = include_str!("../../../samples/session.json");
const LEAD: &str = include_str!("../../../samples/lead.json");

pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) should: &'static str,
    pub(super) external_id: String,
    pub(super) status: CallStatus,
    /// The direction of the call. `None` for a sample that is not a phone call.
    pub(super) direction: Option<Direction>,
    pub(super) error_code: Option<&'static str>,
    /// How many messages should be in Slack.
    pub(super) posts: usize,
    body: Body,
    /// How often the sample is sent.
    deliveries: usize,
}

enum Body {
    Webhook(Value),
    Meeting,
    Session,
}

/// Our own number in every phone call of the demo.
pub(super) const SUPPORT_NUMBER: &str = "+442079460100";
const CUSTOMER_NUMBER: &str = "+442079460991";

pub(super) fn samples(simulators: &Simulators) -> anyhow::Result<Vec<Sample>> {
    let recorded = |name: &str, dialogue: &str| {
        let dialogue: Vec<Utterance> = serde_json::from_str(dialogue).context("read a sample's dialogue")?;
        anyhow::Ok(simulators.put_recording(name, Recording::wav(recording_with(&dialogue))))
    };
    let recording = recorded("harbour-714.wav", PHONE_CALL)?;
    let callback = recorded("harbour-715.wav", CALLBACK)?;
    let gone = simulators
        .put_recording("harbour-716.wav", Recording::variant(Variant::Status(StatusCode::NOT_FOUND)));
    let completed = |name, should, external_id: &str, body, deliveries| Sample {
        name,
        should,
        external_id: external_id.to_owned(),
        status: CallStatus::Completed,
        direction: None,
        error_code: None,
        posts: 1,
        body,
        deliveries,
    };
    let (incoming, outgoing) = ((CUSTOMER_NUMBER, SUPPORT_NUMBER), (SUPPORT_NUMBER, CUSTOMER_NUMBER));
    Ok(vec![
        Sample {
            direction: Some(Direction::Incoming),
            ..completed(
                "phone call with a recording",
                "transcribed, analysed, posted",
                "DEMO-714",
                webhook("DEMO-714", incoming, &recording),
                1,
            )
        },
        // Slack gets the message and the transcript that follows it.
        Sample {
            posts: 2,
            ..completed(
                "Zoom meeting with its VTT",
                "contacts in Salesforce",
                "hN3xT0aWQ1yDebriefDemo==",
                Body::Meeting,
                1,
            )
        },
        Sample {
            direction: Some(Direction::Incoming),
            ..completed(
                "voice agent's session, a lead",
                "call data in the CRM",
                "session_20260305_141500_5e1f9a20",
                Body::Session,
                1,
            )
        },
        Sample {
            direction: Some(Direction::Outgoing),
            ..completed(
                "a webhook sent three times",
                "one call, one post",
                "DEMO-715",
                webhook("DEMO-715", outgoing, &callback),
                3,
            )
        },
        Sample {
            status: CallStatus::Failed,
            direction: Some(Direction::Incoming),
            error_code: Some("recording_not_found"),
            posts: 0,
            ..completed(
                "a call whose recording is gone",
                "fails, and says why",
                "DEMO-716",
                webhook("DEMO-716", incoming, &gone),
                1,
            )
        },
    ])
}

fn webhook(call_id: &str, (from, to): (&str, &str), recording_url: &str) -> Body {
    Body::Webhook(json!({
        "call_id": call_id,
        "from_number": from,
        "to_number": to,
        "duration": "30",
        "recording_url": recording_url,
        "timestamp": "2026-03-04T13:05:11Z",
        "status": "completed",
        "agent_name": "Dana Whitfield",
        "agent_slack_handle": "@dana.whitfield",
        "department": "Support",
        "customer_segment": "Retail",
    }))
}

impl Sample {
    /// Sends the sample as its source would send it.
    pub(super) async fn send(&self, address: &str) -> anyhow::Result<()> {
        let client = http::client(Duration::from_secs(10));
        for _ in 0..self.deliveries {
            let request = match &self.body {
                Body::Webhook(body) => client.post(format!("{address}/webhook/zapier")).json(body),
                Body::Meeting => {
                    let form = Form::new()
                        .part(
                            "meeting",
                            Part::text(MEETING).file_name("meeting.json").mime_str("application/json")?,
                        )
                        .part(
                            "transcript",
                            Part::text(MEETING_TRANSCRIPT).file_name("meeting.vtt").mime_str("text/vtt")?,
                        );
                    client.post(format!("{address}/api/meetings")).multipart(form)
                }
                Body::Session => {
                    let session: Value = serde_json::from_str(SESSION).context("read the sample session")?;
                    let lead: Value = serde_json::from_str(LEAD).context("read the sample lead")?;
                    client
                        .post(format!("{address}/api/sessions"))
                        .json(&json!({"transcript": session, "lead": lead}))
                }
            };
            let answer = http::send_any(request).await.with_context(|| format!("send \"{}\"", self.name))?;
            let text = String::from_utf8_lossy(&answer.body);
            ensure!(answer.status.is_success(), "\"{}\" was answered {}: {text}", self.name, answer.status);
        }
        Ok(())
    }
}
