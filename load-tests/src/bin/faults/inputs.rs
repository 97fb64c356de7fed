//! Calls made by dice, each with what it makes at the providers.

use load_tests::harness::ledger::Key;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use simulators::Simulators;
use simulators::{Recording, Utterance, recording_with};

const FIRST: [&str; 8] = ["Amara", "Bruno", "Chiara", "Davud", "Elif", "Farah", "Goran", "Hanne"];
const LAST: [&str; 8] = ["Okafor", "Lindgren", "Moretti", "Petrov", "Sato", "Nielsen", "Duarte", "Weiss"];
const THINGS: [&str; 8] =
    ["invoice", "password", "delivery", "contract", "headset", "refund", "training", "certificate"];

/// Something to send, and what has to come of it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The source's id, which is the key of the ledger.
    pub(crate) id: String,
    pub(crate) body: Body,
    /// Once each, when it is completed.
    pub(crate) makes: Vec<Key>,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// Posted to `/webhook/zapier`.
    Webhook(Value),
    /// Uploaded to `/api/meetings`: the meeting's JSON and its transcript.
    Meeting(Value, String),
}

impl Call {
    /// A phone call whose recording the simulator serves: transcription, analysis, call-data API and Slack.
    pub(crate) fn phone(dice: &mut StdRng, simulators: &Simulators) -> Self {
        let id = format!("CALL-{}", word(dice));
        let agent = name(dice);
        let request = format!("I am calling about the {} of account {}.", pick(dice, &THINGS), word(dice));
        let said = |speaker: &str, start: u64, end: u64, text: String| Utterance {
            speaker: speaker.to_owned(),
            start,
            end,
            text,
        };
        // Short, because whoever makes the load shares the processor with what is tested.
        let recording = recording_with(&[
            said("A", 0, 300, format!("Good morning, this is {agent}, how can I help?")),
            said("B", 320, 700, request),
            said("A", 720, 1000, "I will look into it and call you back tomorrow.".to_owned()),
        ]);
        // By which the simulator counts what is submitted.
        let digest = hex::encode(&Sha256::digest(&recording)[..16]);
        let url = simulators.put_recording(&format!("{id}.wav"), Recording::wav(recording));
        let body = json!({
            "call_id": id,
            "from_number": format!("+1202555{:04}", dice.random_range(100..200)),
            "to_number": "+12025550100",
            "duration": 1,
            "timestamp": "2026-02-03T10:20:30Z",
            "status": "completed",
            "agent_name": agent,
            "department": "Support",
            "recording_url": url,
        });
        let makes = vec![
            Key::new("assemblyai", "transcript", digest),
            Key::new("call_data", "call_data", &id),
            Key::new("slack", "post", &id),
        ];
        Self { id, body: Body::Webhook(body), makes }
    }

    /// A meeting with its transcript and a customer: analysis, call-data API, a Salesforce contact and Slack.
    pub(crate) fn meeting(dice: &mut StdRng) -> Self {
        let id = format!("{}==", word(dice));
        let company = word(dice);
        let host = name(dice);
        let customer = name(dice);
        let email = format!("{}@{company}.example.com", word(dice));
        let body = json!({
            "uuid": id, "id": 84_100_000_001_u64, "topic": "Planning", "type": 2, "duration": 20,
            "host_id": "host@debrief.example.com", "start_time": "2026-02-03T10:00:00Z",
            "participants": [
                {"name": host, "email": "host@debrief.example.com", "role": "Host"},
                {"name": customer, "email": email, "role": "Participant"},
            ],
        });
        let transcript = format!(
            "WEBVTT\r\n\r\n1\r\n00:00:01.000 --> 00:00:04.000\r\n{host}: Welcome, shall we begin?\r\n\r\n\
             2\r\n00:00:04.500 --> 00:00:09.000\r\n{customer}: Yes. I'm {customer}, Head of Operations at Kestrel \
             Freight, and the {} is what I came for.\r\n",
            pick(dice, &THINGS)
        );
        let makes = vec![
            Key::new("salesforce", "contact", email),
            Key::new("call_data", "call_data", &id),
            Key::new("slack", "post", &id),
        ];
        Self { id, body: Body::Meeting(body, transcript), makes }
    }
}

fn pick(dice: &mut StdRng, from: &[&'static str]) -> &'static str {
    from.choose(dice).copied().unwrap_or_default()
}

fn name(dice: &mut StdRng) -> String {
    format!("{} {}", pick(dice, &FIRST), pick(dice, &LAST))
}

fn word(dice: &mut StdRng) -> String {
    (0..10).map(|_| char::from(dice.random_range(b'a'..=b'z'))).collect()
}
