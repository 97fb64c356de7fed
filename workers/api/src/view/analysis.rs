//! The JSON of an analysis.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::analysis::{ActionItem, Analysis, ContactFacts, Fact, Metrics, Usage};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::Object;

use super::{name_of, one_of};

#[derive(Serialize, ToSchema)]
#[schema(as = Analysis)]
pub struct AnalysisView {
    /// `builtin`, or the name of the model that made this analysis.
    pub analyzer: String,
    pub summary: String,
    pub key_points: Vec<String>,
    pub topics: Vec<String>,
    #[schema(schema_with = sentiment)]
    pub sentiment: Cow<'static, str>,
    /// How the customer sounded. The Slack message shows the same word.
    #[schema(schema_with = tone)]
    pub tone: Cow<'static, str>,
    /// What the customer wants, in one sentence. It is null when nothing in the call shows it.
    pub concern: Option<String>,
    #[schema(schema_with = category)]
    pub category: Cow<'static, str>,
    pub action_items: Vec<ActionItemView>,
    pub customer_requests: Vec<String>,
    #[schema(schema_with = resolution)]
    pub resolution: Cow<'static, str>,
    #[schema(schema_with = priority)]
    pub priority: Cow<'static, str>,
    pub contacts: Vec<ContactFactsView>,
    pub metrics: MetricsView,
    /// Null when no model was asked.
    pub usage: Option<UsageView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ActionItem)]
pub struct ActionItemView {
    pub text: String,
    pub owner: Option<String>,
    /// The date in the speaker's own words (`by Friday`). No calendar date is computed from it.
    pub due: Option<String>,
}

/// The facts that one participant said about themselves.
#[derive(Serialize, ToSchema)]
#[schema(as = ContactFacts)]
pub struct ContactFactsView {
    /// The participant's name, as the transcript or the meeting gives it.
    pub name: String,
    pub facts: Vec<FactView>,
}

/// One value, with the quote that proves it.
#[derive(Serialize, ToSchema)]
#[schema(as = Fact)]
pub struct FactView {
    #[schema(schema_with = contact_field)]
    pub field: Cow<'static, str>,
    pub value: String,
    /// The speaker's own words, found in the transcript.
    pub quote: String,
    /// The id of the segment that holds the quote.
    pub segment: u32,
    pub speaker: Option<String>,
    pub start_ms: Option<i64>,
}

/// Numbers that are always counted from the segments of the transcript, never taken from a model. Times are in
/// milliseconds. Segments without times count only for `words` and `questions`.
#[derive(Serialize, ToSchema)]
#[schema(as = Metrics)]
pub struct MetricsView {
    /// For each speaker, the sum of the lengths of the speaker's segments.
    pub talk_ms: BTreeMap<String, i64>,
    /// The time from the first start to the last end, without the time in which anybody speaks.
    pub silence_ms: i64,
    /// How many segments interrupt another speaker. Of all segments that started before a segment, the one that ends
    /// last is taken. If it belongs to another speaker and has not ended when the segment starts, that is an
    /// interruption.
    pub interruptions: u32,
    /// The number of words: texts between spaces that hold a letter or a digit. In scripts that do not put spaces
    /// between words, the words are those of Unicode's segmentation (UAX #29).
    pub words: u32,
    /// The number of sentences that end with a question mark.
    pub questions: u32,
    /// The share of agents, hosts and presenters in all talk time, from 0 to 1. It is null when there is no talk time,
    /// and when nobody is known to be on our side while the role of some speaker is not known.
    pub talk_ratio: Option<f64>,
    /// The length of the longest monologue. A monologue is made of segments of one speaker, with no segment of
    /// another speaker between them. It lasts from its first start to its last end, and its pauses count.
    pub longest_monologue_ms: i64,
    /// From what the times were measured: from the sound of the recording, or from the times of the transcript.
    #[schema(schema_with = measured_from)]
    pub measured_from: Cow<'static, str>,
}

/// What an analysis by a model consumed: tokens, money and time.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageView {
    pub model: String,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    /// Null when the price of the model is not known.
    pub cost_usd: Option<f64>,
    pub duration_ms: i64,
}

pub fn analysis(of: &Analysis) -> AnalysisView {
    let of = of.clone();
    AnalysisView {
        sentiment: name_of(&of.sentiment),
        tone: name_of(&of.tone),
        category: name_of(&of.category),
        resolution: name_of(&of.resolution),
        priority: name_of(&of.priority),
        analyzer: of.analyzer,
        summary: of.summary,
        key_points: of.key_points,
        topics: of.topics,
        concern: of.concern,
        action_items: of.action_items.into_iter().map(action_item).collect(),
        customer_requests: of.customer_requests,
        contacts: of.contacts.into_iter().map(contact).collect(),
        metrics: metrics(of.metrics),
        usage: of.usage.map(usage),
    }
}

fn action_item(of: ActionItem) -> ActionItemView {
    ActionItemView { text: of.text, owner: of.owner, due: of.due }
}

fn contact(of: ContactFacts) -> ContactFactsView {
    ContactFactsView { name: of.name, facts: of.facts.into_iter().map(fact).collect() }
}

fn fact(of: Fact) -> FactView {
    FactView {
        field: name_of(&of.field),
        value: of.value,
        quote: of.quote,
        segment: of.segment,
        speaker: of.speaker,
        start_ms: of.start_ms,
    }
}

fn metrics(of: Metrics) -> MetricsView {
    MetricsView {
        talk_ms: of.talk_ms,
        silence_ms: of.silence_ms,
        interruptions: of.interruptions,
        words: of.words,
        questions: of.questions,
        talk_ratio: of.talk_ratio,
        longest_monologue_ms: of.longest_monologue_ms,
        measured_from: name_of(&of.measured_from),
    }
}

fn usage(of: Usage) -> UsageView {
    UsageView {
        model: of.model,
        prompt_tokens: of.prompt_tokens,
        completion_tokens: of.completion_tokens,
        cost_usd: of.cost_usd,
        duration_ms: of.duration_ms,
    }
}

fn measured_from() -> Object {
    one_of(&["audio", "transcript"])
}

fn sentiment() -> Object {
    one_of(&["positive", "neutral", "negative"])
}

fn tone() -> Object {
    one_of(&["Positive", "Neutral", "Negative"])
}

fn category() -> Object {
    one_of(&["sales", "billing", "technical", "account", "complaint", "general_inquiry", "other"])
}

fn resolution() -> Object {
    one_of(&["resolved", "pending", "escalated", "unknown"])
}

fn priority() -> Object {
    one_of(&["high", "medium", "low"])
}

fn contact_field() -> Object {
    one_of(&[
        "email",
        "phone",
        "mobile_phone",
        "title",
        "company",
        "department",
        "street",
        "city",
        "state",
        "postal_code",
        "country",
    ])
}
