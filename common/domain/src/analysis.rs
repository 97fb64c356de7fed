//! What a call meant: computed from its segments, and said by a model or the built-in analyzer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// `builtin`, or the model's name.
    pub analyzer: String,
    pub summary: String,
    pub key_points: Vec<String>,
    pub topics: Vec<String>,
    pub sentiment: Sentiment,
    pub tone: Tone,
    /// What the customer wants, in one sentence; absent where nothing was said that shows it.
    pub concern: Option<String>,
    pub category: Category,
    pub action_items: Vec<ActionItem>,
    pub customer_requests: Vec<String>,
    pub resolution: Resolution,
    pub priority: Priority,
    pub contacts: Vec<ContactFacts>,
    pub metrics: Metrics,
    pub usage: Option<Usage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sentiment {
    Positive,
    Neutral,
    Negative,
}

/// How the customer sounded, as the Slack message prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tone {
    Positive,
    Neutral,
    Negative,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Sales,
    Billing,
    Technical,
    Account,
    Complaint,
    GeneralInquiry,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    Resolved,
    Pending,
    Escalated,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    High,
    Medium,
    Low,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionItem {
    pub text: String,
    pub owner: Option<String>,
    /// As it was said (`by Friday`); nothing is computed from it.
    pub due: Option<String>,
}

/// What one participant said about themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactFacts {
    /// The participant, by the name the transcript or the meeting gives.
    pub name: String,
    pub facts: Vec<Fact>,
}

/// One value with the words that prove it, found again in the transcript by our own code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub field: ContactField,
    pub value: String,
    pub quote: String,
    /// The segment that holds the quote.
    pub segment: u32,
    pub speaker: Option<String>,
    pub start_ms: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactField {
    Email,
    Phone,
    MobilePhone,
    Title,
    Company,
    Department,
    Street,
    City,
    State,
    PostalCode,
    Country,
}

/// Counted from the segments, whatever the model says. Times are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// By speaker label.
    pub talk_ms: BTreeMap<String, i64>,
    /// Between the first start and the last end, time in which nobody speaks.
    pub silence_ms: i64,
    /// Segments that start while another speaker is still speaking.
    pub interruptions: u32,
    pub words: u32,
    /// Sentences that end in a question mark.
    pub questions: u32,
    /// Share of all talk time, 0 to 1, that our side spoke; absent where nobody's side is known.
    pub talk_ratio: Option<f64>,
    pub longest_monologue_ms: i64,
}

/// What an analysis by a model took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    pub model: String,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    /// Absent where the price of the model is not known.
    pub cost_usd: Option<f64>,
    pub duration_ms: i64,
}
