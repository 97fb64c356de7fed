//! What of a call is counted in sums: when it was, whose it was, how long it was, and how it was read.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::analysis::Analysis;
use crate::blank::given;
use crate::call::{CallDetails, CallKind, Direction};
use crate::moment::Moment;
use crate::parties::SupportLines;

/// A call that claims to begin later than this after it arrived has a wrong clock.
const FROM_THE_FUTURE: Duration = Duration::from_hours(24);
/// 1990-01-01. An earlier time is a mistake of the source.
const EARLIEST: Moment = Moment::from_micros(631_152_000_000_000);
const MAX_TOPICS: usize = 10;
const MAX_CHARS: usize = 200;

/// What an installation adds to the facts of its calls.
#[derive(Clone, Debug)]
pub struct FactRules {
    /// The zone in which a day begins at midnight.
    pub zone: Tz,
    /// Our own numbers, which tell who called whom.
    pub lines: SupportLines,
}

impl Default for FactRules {
    fn default() -> Self {
        Self { zone: Tz::UTC, lines: SupportLines::default() }
    }
}

/// The facts of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallFacts {
    /// When the call began, or when it arrived where its begin is not known.
    pub at: Moment,
    /// The day of that time, in days since 1970.
    pub day: i64,
    pub direction: Option<&'static str>,
    pub agent: Option<String>,
    /// The department of the agent.
    pub team: Option<String>,
    pub duration_ms: Option<i64>,
    /// Absent until the call is analyzed.
    pub reading: Option<ReadFacts>,
}

/// The facts that an analysis adds.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadFacts {
    pub analyzer: String,
    /// How long our side talked, where the sides are known.
    pub agent_talk_ms: Option<i64>,
    pub customer_talk_ms: Option<i64>,
    /// Without blanks around them and without repetitions.
    pub topics: Vec<String>,
}

impl CallFacts {
    /// The facts of a call. `said_ms` is the length of its transcript.
    pub fn of(
        kind: CallKind,
        details: &CallDetails,
        received_at: Moment,
        analysis: Option<&Analysis>,
        said_ms: Option<i64>,
        rules: &FactRules,
    ) -> Self {
        let at = when(details, received_at);
        let text = |text: Option<&String>| given(text).map(|text| text.chars().take(MAX_CHARS).collect());
        Self {
            at,
            day: day_of(at, rules.zone),
            direction: rules.lines.parties_of(kind, details).known_direction.map(Direction::name),
            agent: text(details.agent_name.as_ref()),
            team: text(details.department.as_ref()),
            duration_ms: details.said_duration_ms().or(said_ms),
            reading: analysis.map(read),
        }
    }
}

/// When a call was.
pub fn when(details: &CallDetails, received_at: Moment) -> Moment {
    let plausible = |at: &Moment| *at >= EARLIEST && *at <= received_at.plus(FROM_THE_FUTURE);
    details.started_at.filter(plausible).unwrap_or(received_at)
}

/// The day of a time in a zone, in days since 1970.
pub fn day_of(at: Moment, zone: Tz) -> i64 {
    at.utc().with_timezone(&zone).date_naive().signed_duration_since(epoch()).num_days()
}

pub(crate) fn epoch() -> NaiveDate {
    DateTime::<Utc>::UNIX_EPOCH.date_naive()
}

fn read(analysis: &Analysis) -> ReadFacts {
    let talked: i64 = analysis.metrics.talk_ms.values().sum();
    let ours = analysis.metrics.talk_ratio.filter(|_| talked > 0).map(|ratio| share(talked, ratio));
    let mut topics: Vec<String> = Vec::new();
    for topic in &analysis.topics {
        let topic: String =
            topic.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_CHARS).collect();
        if !topic.is_empty() && topics.len() < MAX_TOPICS && !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    ReadFacts {
        analyzer: analysis.analyzer.clone(),
        agent_talk_ms: ours,
        customer_talk_ms: ours.map(|ours| talked - ours),
        topics,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a call is shorter than 2^52 milliseconds, and the share is at most the whole"
)]
fn share(whole: i64, ratio: f64) -> i64 {
    ((whole as f64 * ratio.clamp(0.0, 1.0)).round() as i64).clamp(0, whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Moment {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc().into()
    }

    #[test]
    fn a_call_belongs_to_the_day_of_its_begin_in_the_zone_of_the_installation() {
        let rules = FactRules { zone: Tz::Asia__Kolkata, ..FactRules::default() };
        let details = CallDetails { started_at: Some(at("2025-03-01T20:00:00Z")), ..CallDetails::default() };
        let facts =
            CallFacts::of(CallKind::Phone, &details, at("2025-03-05T00:00:00Z"), None, Some(7), &rules);
        let day = NaiveDate::from_ymd_opt(2025, 3, 2).unwrap().signed_duration_since(epoch()).num_days();
        assert_eq!((facts.day, facts.duration_ms, facts.direction), (day, Some(7), None));
    }

    #[test]
    fn a_begin_that_cannot_be_true_does_not_count() {
        let received = at("2025-03-05T00:00:00Z");
        for wrong in ["1970-01-01T00:00:00Z", "2031-01-01T00:00:00Z"] {
            let details = CallDetails { started_at: Some(at(wrong)), ..CallDetails::default() };
            assert_eq!(when(&details, received), received, "{wrong}");
        }
    }
}
