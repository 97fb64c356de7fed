//! Plausible calls. The same number always gives the same call.

use chrono::{DateTime, Duration, Utc};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use uuid::Uuid;

/// The workspace that every installation begins with.
pub(crate) const WORKSPACE: Uuid = Uuid::from_u128(0x6465_6272_6965_6600_8000_0000_0000_0001);
pub(crate) const AGENTS: [&str; 4] = ["Dana+Ortiz", "Ines+Ferreira", "Olga+Lindqvist", "Ravi+Menon"];
pub(crate) const SOURCES: [&str; 3] = ["exotel", "twilio", "zoom"];
const FIRST_NAMES: [&str; 10] = ["Dana", "Ines", "Olga", "Ravi", "Ann", "Bob", "Gil", "Mei", "Omar", "Tove"];
const LAST_NAMES: [&str; 4] = ["Ortiz", "Ferreira", "Lindqvist", "Menon"];
const TEAMS: [&str; 4] = ["Sales", "Billing", "Support", "Returns"];
const TOPICS: [&str; 12] = [
    "billing", "refund", "delivery", "headset", "router", "contract", "upgrade", "outage", "password",
    "address", "warranty", "training",
];
const WORDS: [&str; 40] = [
    "the", "my", "your", "invoice", "refund", "delivery", "headset", "router", "contract", "is", "was",
    "not", "working", "broken", "late", "please", "thank", "you", "can", "send", "again", "tomorrow",
    "friday", "price", "month", "account", "order", "number", "name", "support", "team", "line", "call",
    "back", "today", "new", "old", "address", "cancel", "confirm",
];
/// How many days the calls are spread over.
const DAYS: i64 = 365;
const SEGMENTS: usize = 12;

pub(crate) struct Call {
    pub(crate) id: Uuid,
    pub(crate) external_id: String,
    pub(crate) source: &'static str,
    pub(crate) at: DateTime<Utc>,
    pub(crate) agent: String,
    pub(crate) team: &'static str,
    pub(crate) direction: &'static str,
    pub(crate) duration_ms: i64,
    pub(crate) tone: &'static str,
    pub(crate) resolution: &'static str,
    pub(crate) topics: Vec<&'static str>,
    pub(crate) details: Value,
    pub(crate) transcript: Value,
    pub(crate) analysis: Value,
    /// The texts by which the call is found, in lower case.
    pub(crate) texts: Vec<String>,
}

pub(crate) const AGENT_MS: i64 = 90_000;
pub(crate) const CUSTOMER_MS: i64 = 60_000;
pub(crate) const SILENCE_MS: i64 = 9000;

/// The call with this number. The calls end at `now`.
pub(crate) fn call(number: u64, now: DateTime<Utc>) -> Call {
    let mut dice = StdRng::seed_from_u64(number);
    let mut pick = |of: usize| dice.random_range(0..of);
    // An agent belongs to one team.
    let (first, last) = (pick(10), pick(4));
    let agent = format!("{} {}", FIRST_NAMES[first], LAST_NAMES[last]);
    let team = TEAMS[last];
    let source = SOURCES[pick(3)];
    let topics = vec![TOPICS[pick(6)], TOPICS[6 + pick(6)]];
    let tone = ["Positive", "Neutral", "Neutral", "Negative"][pick(4)];
    let resolution = ["resolved", "resolved", "pending", "escalated"][pick(4)];
    let sentences: Vec<String> =
        (0..SEGMENTS).map(|_| (0..12).map(|_| WORDS[pick(40)]).collect::<Vec<_>>().join(" ")).collect();
    let direction = ["incoming", "outgoing"][pick(2)];
    let duration_ms = 60_000 + i64::try_from(pick(600_000)).unwrap_or_default();
    let before = i64::try_from(pick(usize::try_from(DAYS * 86_400).unwrap_or(1))).unwrap_or_default();
    let at = now - Duration::seconds(before + 3600);
    let phone = format!("+1202{:07}", pick(10_000_000));
    let external_id = format!("BENCH-{number}");
    let segments: Vec<Value> = sentences
        .iter()
        .zip(0_i64..)
        .map(|(text, place)| {
            json!({
                "id": place + 1, "speaker": if place % 2 == 0 { agent.as_str() } else { "B" },
                "role": if place % 2 == 0 { "agent" } else { "customer" }, "start_ms": place * 12_000,
                "end_ms": place * 12_000 + 11_000, "text": text, "confidence": 0.9,
            })
        })
        .collect();
    let summary = format!("The customer asked about {} and {}.", topics[0], topics[1]);
    let sentiment = tone.to_lowercase();
    let mut texts =
        vec![source.to_owned(), format!("bench {number}"), agent.to_lowercase(), team.to_lowercase()];
    texts.push(phone[1..].to_owned());
    texts.push(format!("the customer asked about {} and {}", topics[0], topics[1]));
    texts.extend(sentences);
    Call {
        id: Uuid::new_v5(&WORKSPACE, external_id.as_bytes()),
        details: json!({"from_number": phone, "to_number": "+12025550100", "agent_name": agent, "department": team,
            "duration_ms": duration_ms, "direction": direction, "started_at": at.to_rfc3339()}),
        transcript: json!({"language": "en", "segments": segments}),
        analysis: json!({"analyzer": "builtin", "summary": summary, "key_points": [], "topics": topics,
            "sentiment": sentiment, "tone": tone, "concern": null, "category": "billing", "action_items": [],
            "customer_requests": [], "resolution": resolution, "priority": "low", "contacts": [],
            "metrics": {"talk_ms": {agent.as_str(): AGENT_MS, "B": CUSTOMER_MS}, "silence_ms": SILENCE_MS, "interruptions": 1,
                "words": 144, "questions": 2, "talk_ratio": 0.6, "longest_monologue_ms": 11_000},
            "usage": null}),
        external_id,
        source,
        at,
        agent,
        team,
        direction,
        duration_ms,
        tone,
        resolution,
        topics,
        texts,
    }
}

/// The day of a call in UTC, in days since 1970.
pub(crate) fn day(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(86_400)
}
