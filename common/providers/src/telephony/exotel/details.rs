//! The details of a call, as Exotel's API gives them.
//!
//! Numbers come as texts, and times have no zone and are Indian. Duration, price and end are final some two minutes
//! after the call.

use std::time::Duration;

use chrono::{FixedOffset, NaiveDateTime};
use domain::call::CallDetails;
use domain::moment::Moment;
use serde_json::Value;

use crate::recordings::Located;

const INDIA_SECONDS: i32 = 5 * 3600 + 1800;
const NOBODY_TALKED: [&str; 5] = ["failed", "busy", "no-answer", "canceled", "cancelled"];

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Details {
    pub(super) recording_url: Option<String>,
    /// What the details add to what the callbacks said.
    pub(super) facts: CallDetails,
}

impl Details {
    pub(super) fn read(answer: &Value) -> Self {
        let call = &answer["Call"];
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let given = |value: &Value| text(value).filter(|text| !text.is_empty() && text != "null");
        let seconds = |value: &Value| given(value)?.parse().ok().filter(|seconds: &f64| *seconds > 0.0);
        let talked = seconds(&call["Details"]["ConversationDuration"]).or_else(|| seconds(&call["Duration"]));
        #[expect(clippy::cast_possible_truncation, reason = "a longer call than that is a mistake of Exotel")]
        let duration_ms = talked.filter(|seconds| *seconds < 1e7).map(|seconds| (seconds * 1000.0) as i64);
        let mut facts = CallDetails {
            started_at: given(&call["StartTime"]).as_deref().and_then(time),
            ended_at: given(&call["EndTime"]).as_deref().and_then(time),
            duration_ms,
            source_status: given(&call["Status"]),
            ..CallDetails::default()
        };
        if let Some(price) = given(&call["Price"]) {
            facts.metadata.insert("Price".to_owned(), price.into());
        }
        Self { recording_url: given(&call["RecordingUrl"]), facts }
    }

    /// What it means that the call has no recording now.
    pub(super) fn without_recording(&self, now: Moment, within: Duration) -> Located {
        let status = self.facts.source_status.as_deref().unwrap_or_default().to_ascii_lowercase();
        if NOBODY_TALKED.contains(&status.as_str()) {
            return Located::Nothing { why: "Exotel says that nobody talked in the call" };
        }
        let is_late = self.facts.ended_at.is_some_and(|ended| now.since(ended) > within);
        if status == "completed" && is_late {
            return Located::Nothing { why: "Exotel has no recording of the call" };
        }
        Located::NotYet
    }
}

/// Reads an Indian time. The first second of 1970 stands for no time.
fn time(text: &str) -> Option<Moment> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    let time = local.and_local_timezone(FixedOffset::east_opt(INDIA_SECONDS)?).single()?;
    Some(Moment::from(time.to_utc())).filter(|time| time.micros() > 0)
}
