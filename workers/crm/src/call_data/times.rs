//! The times of a call in the document of the call-data API.

use std::time::Duration;

use chrono::SecondsFormat;
use domain::call::Call;
use domain::moment::Moment;
use domain::transcript::Transcript;
use serde_json::Value;

/// When the call was, as far as anybody said.
pub(super) struct Times {
    pub(super) start: Moment,
    pub(super) end: Moment,
    pub(super) duration_ms: u64,
}

impl Times {
    /// The duration is what the source said, else what lies between its times, else what was measured. A
    /// call without any time is as old as its first delivery.
    pub(super) fn of(call: &Call, session: Option<&Value>, transcript: &Transcript) -> Self {
        let details = &call.details;
        let positive = |ms: i64| u64::try_from(ms).ok().filter(|ms| *ms > 0);
        let duration_ms = details
            .duration_ms
            .and_then(positive)
            .or_else(|| session_duration(session?))
            .or_else(|| positive((details.ended_at?.micros() - details.started_at?.micros()) / 1000))
            .or_else(|| transcript.duration_ms().and_then(positive))
            .unwrap_or(0);
        let duration = Duration::from_millis(duration_ms);
        let start = details
            .started_at
            .or_else(|| details.ended_at.map(|end| end.minus(duration)))
            .unwrap_or(call.received_at);
        let end = details.ended_at.filter(|end| *end >= start).unwrap_or_else(|| start.plus(duration));
        Self { start, end, duration_ms }
    }
}

fn session_duration(session: &Value) -> Option<u64> {
    let seconds = session.get("duration_seconds")?.as_f64()?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|duration| u64::try_from(duration.as_millis()).ok())
        .filter(|ms| *ms > 0)
}

pub(super) fn stamp(moment: Moment) -> String {
    moment.utc().to_rfc3339_opts(SecondsFormat::Millis, true)
}
