//! The sample calls of the demo: what is sent, and how each call should end.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use domain::call::{CallStatus, Direction};
use platform::http;
use reqwest::StatusCode;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use simulators::{Recording, Simulators, Sound, Utterance, Variant, recording_as};

const PHONE_CALL: &str = include_str!("../../../samples/phone_call.json");
const CALLBACK: &str = include_str!("../../../samples/callback.json");
const STEREO_CALL: &str = include_str!("../../../samples/stereo_call.json");
const SECOND_PROVIDER: &str = include_str!("../../../samples/second_provider.json");
const ZOOM_MEETING: &str = include_str!("../../../samples/zoom_meeting.json");
const ZOOM_TRANSCRIPT: &str = include_str!("../../../samples/zoom_meeting.vtt");
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
    /// Speakers whom the transcript should show.
    pub(super) speakers: &'static [&'static str],
    /// The provider that should have made the transcript. `None` where it does not matter, and where nobody made one.
    pub(super) transcribed_by: Option<&'static str>,
    body: Body,
    /// How often the sample is sent.
    deliveries: usize,
}

enum Body {
    Webhook(Value),
    Meeting,
    /// A meeting that is brought to Zoom, which then sends its webhooks. The address is that of Zoom.
    Zoom(String),
    Session,
}

/// Our own number in every phone call of the demo.
pub(super) const SUPPORT_NUMBER: &str = "+442079460100";
const CUSTOMER_NUMBER: &str = "+442079460991";

#[expect(clippy::too_many_lines, reason = "it is one table")]
pub(super) fn samples(simulators: &Simulators) -> anyhow::Result<Vec<Sample>> {
    let recorded = |name: &str, dialogue: &str, sound: Sound<'_>| {
        let dialogue: Vec<Utterance> = serde_json::from_str(dialogue).context("read a sample's dialogue")?;
        anyhow::Ok(simulators.put_recording(name, Recording::wav(recording_as(&dialogue, &sound))))
    };
    let recording = recorded("harbour-714.wav", PHONE_CALL, Sound::default())?;
    let callback = recorded("harbour-715.wav", CALLBACK, Sound::default())?;
    let in_stereo = Sound { channels: &["customer", "agent"], ..Sound::default() };
    let stereo = recorded("harbour-717.wav", STEREO_CALL, in_stereo)?;
    let undecodable = Sound { undecodable_for: &["assemblyai"], ..Sound::default() };
    let undecodable = recorded("harbour-718.wav", SECOND_PROVIDER, undecodable)?;
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
        speakers: &[],
        transcribed_by: None,
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
        Sample {
            direction: Some(Direction::Incoming),
            speakers: &["Dana Whitfield", "customer"],
            transcribed_by: Some("assemblyai"),
            ..completed(
                "a call in stereo",
                "each channel is a speaker",
                "DEMO-717",
                webhook("DEMO-717", incoming, &stereo),
                1,
            )
        },
        Sample {
            direction: Some(Direction::Incoming),
            transcribed_by: Some("deepgram"),
            ..completed(
                "a call that one provider refuses",
                "the second one transcribes it",
                "DEMO-718",
                webhook("DEMO-718", incoming, &undecodable),
                1,
            )
        },
        Sample {
            posts: 2,
            speakers: &["Iris Adeyemi", "Samira Holt"],
            ..completed(
                "Zoom recording by webhook",
                "fetched, contact in Salesforce",
                "zM7kQ2bWR5uDebriefDemo==",
                Body::Zoom(simulators.of(&simulators::zoom::PROVIDER).url("")),
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

/// The meeting as Zoom keeps it, with the transcript that Zoom made.
fn zoom_meeting() -> anyhow::Result<Value> {
    let mut meeting: Value = serde_json::from_str(ZOOM_MEETING).context("read the meeting of the sample")?;
    meeting["recording_files"] = json!([{
        "file_type": "TRANSCRIPT", "file_extension": "VTT", "recording_type": "audio_transcript",
        "recording_start": "2026-03-05T10:00:12Z", "recording_end": "2026-03-05T10:24:50Z",
        "content": ZOOM_TRANSCRIPT,
    }]);
    Ok(meeting)
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
                Body::Zoom(zoom) => {
                    let notify = [("notify", format!("{address}/webhooks/zoom"))];
                    client.post(format!("{zoom}/_control/meetings")).query(&notify).json(&zoom_meeting()?)
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
