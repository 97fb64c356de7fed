//! The analysis of a call. Its numbers are counted from the transcript's segments; its judgements come from a
//! model or from the built-in analyzer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantNames};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// `builtin`, or the name of the model that made this analysis.
    pub analyzer: String,
    pub summary: String,
    pub key_points: Vec<String>,
    pub topics: Vec<String>,
    pub sentiment: Sentiment,
    pub tone: Tone,
    /// What the customer wants, in one sentence. It is absent when nothing in the call shows it.
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

/// How the customer sounded. The names are the words that the Slack message shows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantNames,
)]
#[strum(const_into_str)]
pub enum Tone {
    Positive,
    Neutral,
    Negative,
}

impl Tone {
    pub const NAMES: &'static [&'static str] = <Self as VariantNames>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }
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
    /// The date in the speaker's own words (`by Friday`). No calendar date is computed from it.
    pub due: Option<String>,
}

/// The facts that one participant said about themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactFacts {
    /// The participant's name, as the transcript or the meeting gives it.
    pub name: String,
    pub facts: Vec<Fact>,
}

/// One value, with the quote that proves it. Our own code found the quote in the transcript; the model's word
/// alone is not enough.
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

/// Numbers that are always counted from the segments, never taken from a model. Times are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// How long each speaker talked. The key is the speaker's label.
    pub talk_ms: BTreeMap<String, i64>,
    /// The time between the first start and the last end in which nobody speaks.
    pub silence_ms: i64,
    /// How many segments start while another speaker is still speaking.
    pub interruptions: u32,
    pub words: u32,
    /// How many sentences end with a question mark.
    pub questions: u32,
    /// Our side's share of all talk time, from 0 to 1. It is absent when nobody's side is known.
    pub talk_ratio: Option<f64>,
    pub longest_monologue_ms: i64,
    /// From what the times were measured.
    #[serde(default)]
    pub measured_from: MeasuredFrom,
}

/// From what the times of a call were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredFrom {
    /// From the sound of the recording.
    Audio,
    /// From the times of the transcript's segments.
    #[default]
    Transcript,
}

/// What an analysis by a model consumed: tokens, money and time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    pub model: String,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    /// Absent when the price of the model is not known.
    pub cost_usd: Option<f64>,
    pub duration_ms: i64,
}
