//! Random calls, each with the things that it makes at the providers.

use load_tests::harness::seen::Key;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use simulators::{
    Recording, Simulators, Utterance, assemblyai, call_data, recording_with, salesforce, slack,
};

const FIRST: [&str; 8] = ["Amara", "Bruno", "Chiara", "Davud", "Elif", "Farah", "Goran", "Hanne"];
const LAST: [&str; 8] = ["Okafor", "Lindgren", "Moretti", "Petrov", "Sato", "Nielsen", "Duarte", "Weiss"];
const THINGS: [&str; 8] =
    ["invoice", "password", "delivery", "contract", "headset", "refund", "training", "certificate"];

/// A call that can be sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The id that the source gives the call, and by which the ledger knows it.
    pub(crate) id: String,
    pub(crate) body: Body,
    /// The things that the call has made when it is completed, each of them once.
    pub(crate) makes: Vec<Key>,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// The body of a request to `/webhook/zapier`.
    Webhook(Value),
    /// The parts of an upload to `/api/meetings`: the JSON of the meeting, and its transcript.
    Meeting(Value, String),
}

impl Call {
    /// Makes a phone call whose recording a simulator serves. It goes through transcription and analysis to the call-data
    /// API and to Slack.
    pub(crate) fn phone(dice: &mut StdRng, simulators: &Simulators) -> Self {
        let id = format!("CALL-{}", word(dice));
        let agent = name(dice);
        let request = format!("I am calling about the {} of account {}.", pick(dice, &THINGS), word(dice));
        let utterance = |speaker: &str, start: u64, end: u64, text: String| Utterance {
            speaker: speaker.to_owned(),
            start,
            end,
            text,
        };
        // The dialogue is short, because the load shares the processor with what is tested.
        let recording = recording_with(&[
            utterance("A", 0, 300, format!("Good morning, this is {agent}, how can I help?")),
            utterance("B", 320, 700, request),
            utterance("A", 720, 1000, "I will look into it and call you back tomorrow.".to_owned()),
        ]);
        // The simulator counts submitted recordings by this digest.
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
            Key::new(&assemblyai::PROVIDER, "transcript", digest),
            Key::new(&call_data::PROVIDER, "call_data", &id),
            Key::new(&slack::PROVIDER, "post", &id),
        ];
        Self { id, body: Body::Webhook(body), makes }
    }

    /// Makes a meeting with its transcript and a customer. It goes through analysis to the call-data API, to a contact in
    /// Salesforce and to Slack.
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
            Key::new(&salesforce::PROVIDER, "contact", email),
            Key::new(&call_data::PROVIDER, "call_data", &id),
            Key::new(&slack::PROVIDER, "post", &id),
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
