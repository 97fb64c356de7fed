//! What the tests put into calls.

use domain::analysis::{
    ActionItem, Analysis, Category, ContactFacts, ContactField, Fact, Metrics, Priority, Resolution,
    Sentiment, Tone,
};
use domain::call::{CallDetails, CallKind};
use domain::moment::Moment;
use domain::note::Note;
use domain::transcript::{Segment, Transcript};
use store::SampleCall;

/// Details of a call of this agent.
pub(crate) fn of_agent(agent: &str) -> CallDetails {
    CallDetails { agent_name: Some(agent.to_owned()), ..CallDetails::default() }
}

/// Details of a call between this agent and this number.
pub(crate) fn phoned(agent: &str, number: &str) -> CallDetails {
    CallDetails { from_number: Some(number.to_owned()), ..of_agent(agent) }
}

/// Details that hold `text` wherever a source can write.
pub(crate) fn details(text: &str) -> CallDetails {
    let text = || Some(text.to_owned());
    CallDetails {
        from_number: text(),
        to_number: text(),
        started_text: text(),
        source_status: text(),
        agent_email: text(),
        agent_name: text(),
        agent_phone: text(),
        agent_slack_handle: text(),
        department: text(),
        customer_segment: text(),
        topic: text(),
        notes: vec![note(&text().unwrap())],
        ..CallDetails::default()
    }
}

fn note(text: &str) -> Note {
    Note::new(text, text).of_field(text)
}

/// A transcript of `count` segments that says `text` everywhere.
pub(crate) fn transcript(text: &str, count: usize) -> Transcript {
    let segment = Segment {
        id: 0,
        speaker: Some(text.into()),
        role: None,
        start_ms: Some(65_000),
        end_ms: None,
        text: text.into(),
        confidence: None,
    };
    let segments = vec![segment; count];
    Transcript { language: Some(text.into()), segments, notes: vec![note(text)], speakers: Vec::new() }
        .numbered()
}

/// An analysis that says `text` everywhere.
pub(crate) fn analysis(text: &str) -> Analysis {
    let list = || vec![text.to_owned()];
    let fact = Fact {
        field: ContactField::Company,
        value: text.into(),
        quote: text.into(),
        segment: 1,
        speaker: Some(text.into()),
        start_ms: Some(65_000),
    };
    Analysis {
        analyzer: text.into(),
        summary: text.into(),
        key_points: list(),
        topics: list(),
        sentiment: Sentiment::Negative,
        tone: Tone::Negative,
        concern: Some(text.into()),
        category: Category::Billing,
        action_items: vec![ActionItem {
            text: text.into(),
            owner: Some(text.into()),
            due: Some(text.into()),
        }],
        customer_requests: list(),
        resolution: Resolution::Pending,
        priority: Priority::Medium,
        contacts: vec![ContactFacts { name: text.into(), facts: vec![fact] }],
        metrics: Metrics::default(),
        usage: None,
    }
}

/// Two sample calls.
pub(crate) fn samples(now: Moment) -> Vec<SampleCall> {
    let sample = |name: &str| SampleCall {
        external_id: name.to_owned(),
        kind: CallKind::Phone,
        details: CallDetails { started_at: Some(now), ..phoned("Dana Ortiz", "+12025550111") },
        transcript: transcript("A sample.", 2),
        analysis: analysis("A sample."),
    };
    vec![sample("SAMPLE-1"), sample("SAMPLE-2")]
}
