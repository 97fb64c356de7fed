//! What the pages show of a meeting's plan and of its scores, from the form in which the store keeps them. Whatever is not
//! there is empty, so a meeting of an older version is shown too.

use serde::Deserialize;
use serde_json::Value;
use store::MeetingRow;
use uuid::Uuid;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Plan {
    pub(super) goal: String,
    pub(super) duration_minutes: i64,
    pub(super) difficulty: String,
    pub(super) product: Product,
    pub(super) cast: Vec<Member>,
    pub(super) questions: Vec<Question>,
    pub(super) from_call: Option<FromCall>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Product {
    pub(super) name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) role: String,
    pub(super) traits: Vec<String>,
    pub(super) is_decision_maker: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Question {
    pub(super) question: String,
    pub(super) reason: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct FromCall {
    pub(super) call_id: Uuid,
    pub(super) segment: u32,
}

/// What a meeting was worth by one file of criteria.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Card {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) overall: u32,
    pub(super) criteria: Vec<Criterion>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Criterion {
    pub(super) title: String,
    pub(super) score: u32,
    pub(super) reason: String,
    pub(super) turns: Vec<i64>,
}

impl Plan {
    pub(super) fn of(meeting: &MeetingRow) -> Self {
        serde_json::from_value(meeting.plan.clone()).unwrap_or_default()
    }
}

impl Member {
    pub(super) fn shown_role(&self) -> String {
        role(&self.role)
    }
}

/// The scores of a meeting. The first is the one for practice. There is none before its end.
pub(super) fn cards(meeting: &MeetingRow) -> Vec<Card> {
    meeting.score.clone().and_then(|score| serde_json::from_value(score).ok()).unwrap_or_default()
}

/// The score for practice, without reading the rest.
pub(super) fn overall(meeting: &MeetingRow) -> Option<u32> {
    let overall =
        meeting.score.as_ref().and_then(|score| score.pointer("/0/overall")).and_then(Value::as_u64);
    overall.and_then(|overall| u32::try_from(overall).ok())
}

/// A role as people write it: `vp_sales` is VP sales, `cfo` is CFO.
pub(super) fn role(role: &str) -> String {
    match role {
        "ceo" | "cmo" | "cfo" | "coo" | "cto" => role.to_uppercase(),
        "vp_sales" => "VP sales".to_owned(),
        other => other.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_shown_as_people_write_it() {
        assert_eq!(
            (&*role("cfo"), &*role("vp_sales"), &*role("Head of IT")),
            ("CFO", "VP sales", "Head of IT")
        );
    }
}
