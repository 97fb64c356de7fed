//! Makes inputs at random, so that no program can answer them from a fixed table.

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

const FIRST: [&str; 8] = ["Amara", "Bruno", "Chiara", "Davud", "Elif", "Farah", "Goran", "Hanne"];
const LAST: [&str; 8] = ["Okafor", "Lindgren", "Moretti", "Petrov", "Sato", "Nielsen", "Duarte", "Weiss"];
const THINGS: [&str; 8] =
    ["invoice", "password", "delivery", "contract", "headset", "refund", "training", "certificate"];

fn pick(from: &[&'static str]) -> &'static str {
    from.choose(&mut rand::rng()).unwrap()
}

pub(crate) fn word() -> String {
    let mut rng = rand::rng();
    (0..8).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect()
}

fn phone() -> String {
    format!("+1202555{:04}", rand::rng().random_range(100..200))
}

/// A phone call, with its webhook and the words of its recording.
pub(crate) struct PhoneCall {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) agent: String,
    /// The first words of the customer. They have to be in Slack, in the CRM and in the transcript.
    pub(crate) request: String,
}

impl PhoneCall {
    pub(crate) fn new() -> Self {
        Self {
            id: format!("CALL-{}", word()),
            customer: phone(),
            agent: format!("{} {}", pick(&FIRST), pick(&LAST)),
            request: format!("I am calling about the {} that belongs to account {}.", pick(&THINGS), word()),
        }
    }

    pub(crate) fn dialogue(&self) -> Value {
        json!([
            {"speaker": "A", "start": 0, "end": 2400, "text": format!("Good morning, this is {}, how can I help?", self.agent)},
            {"speaker": "B", "start": 2600, "end": 6100, "text": self.request},
            {"speaker": "A", "start": 6300, "end": 9000, "text": "I will look into it and call you back tomorrow."},
        ])
    }

    pub(crate) fn webhook(&self, recording_url: Option<&str>) -> Value {
        let mut body = json!({
            "call_id": self.id,
            "from_number": self.customer,
            "to_number": "+12025550100",
            "duration": 9,
            "timestamp": "2026-02-03T10:20:30Z",
            "status": "completed",
            "agent_name": self.agent,
            "department": "Support",
        });
        if let Some(url) = recording_url {
            body["recording_url"] = url.into();
        }
        body
    }
}

/// A Zoom meeting with two customers.
pub(crate) struct Meeting {
    pub(crate) uuid: String,
    pub(crate) host: (String, String),
    pub(crate) customers: [(String, String); 2],
    /// The job title that the first customer tells about themselves.
    pub(crate) title: &'static str,
}

impl Meeting {
    pub(crate) fn new() -> Self {
        let person = |company: &str| {
            let name = format!("{} {}", pick(&FIRST), pick(&LAST));
            let email = format!("{}@{company}.example.com", word());
            (name, email)
        };
        let (ours, theirs) = (word(), word());
        // Two people with the same name could not be told apart in the transcript.
        let [host, first, second] = loop {
            let people = [person(&ours), person(&theirs), person(&theirs)];
            if people[0].0 != people[1].0 && people[0].0 != people[2].0 && people[1].0 != people[2].0 {
                break people;
            }
        };
        Self {
            uuid: format!("{}==", word()),
            host,
            customers: [first, second],
            title: pick(&["Head of Operations", "Director of Sales", "IT Manager"]),
        }
    }

    pub(crate) fn json(&self) -> Value {
        let participant = |(name, email): &(String, String), role: &str| json!({"name": name, "email": email, "role": role});
        json!({
            "uuid": self.uuid, "id": 84_100_000_001_u64, "topic": "Planning", "type": 2, "duration": 20,
            "host_id": self.host.1, "start_time": "2026-02-03T10:00:00Z",
            "participants": [
                participant(&self.host, "Host"),
                participant(&self.customers[0], "Participant"),
                participant(&self.customers[1], "Participant"),
            ],
        })
    }

    pub(crate) fn transcript(&self) -> String {
        let [(first, _), (second, _)] = &self.customers;
        format!(
            "WEBVTT\r\n\r\n1\r\n00:00:01.000 --> 00:00:04.000\r\n{}: Welcome, shall we begin?\r\n\r\n\
             2\r\n00:00:04.500 --> 00:00:09.000\r\n{first}: Yes. I'm {first}, {} at Kestrel Freight, and we plan by hand.\r\n\r\n\
             3\r\n00:00:09.500 --> 00:00:13.000\r\n{second}: I would like to see the connector first.\r\n",
            self.host.0, self.title
        )
    }
}
