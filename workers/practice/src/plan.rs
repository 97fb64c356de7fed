//! What a meeting is: who takes part, what they want, and what the salesperson should ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::brief::Brief;
use crate::temperament::{Difficulty, Manner, Trait, manner};

/// A meeting as it was planned. The store keeps it as it is here, so a change of a representative later changes no meeting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub mode: String,
    pub goal: String,
    pub personality: String,
    pub duration_minutes: i64,
    pub difficulty: Difficulty,
    pub product: Product,
    pub cast: Vec<Member>,
    pub questions: Vec<Question>,
    /// Sentences of the material that claim something.
    #[serde(default)]
    pub claims: Vec<String>,
    /// What the company's pages said.
    #[serde(default)]
    pub company: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_call: Option<FromCall>,
}

/// What is sold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    pub name: String,
    pub description: String,
}

/// One representative in a meeting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub id: Uuid,
    pub name: String,
    pub role: String,
    pub traits: Vec<Trait>,
    pub is_decision_maker: bool,
    #[serde(default)]
    pub tenure_months: Option<i64>,
    #[serde(default)]
    pub notes: Option<String>,
    #[serde(default)]
    pub voice_id: Option<String>,
    pub brief: Brief,
}

impl Member {
    pub fn manner(&self) -> Manner {
        manner(&self.traits)
    }
}

/// A question for a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Question {
    pub question: String,
    /// What it is good for: `pain`, `qualification`, `rapport`, `advance` or `objection`.
    pub aim: String,
    /// Why it should be asked in this meeting.
    pub reason: String,
    /// What it was made from, each with the words.
    pub rests_on: Vec<String>,
}

/// The call that a meeting goes on from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FromCall {
    pub call_id: Uuid,
    /// The last segment of the call that the meeting knows.
    pub segment: u32,
    /// What was said up to there.
    pub said: Vec<FromCallTurn>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FromCallTurn {
    pub speaker: String,
    pub is_ours: bool,
    pub text: String,
}

/// What somebody said in a meeting, as the pure functions read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The number of the turn, or of the segment.
    pub turn: i64,
    /// `None` for the trainee, else the number of the member.
    pub by: Option<usize>,
    pub text: String,
}

impl Heard {
    pub fn is_trainee(&self) -> bool {
        self.by.is_none()
    }
}
