//! Reads what the store keeps of a meeting in the form in which it was kept.

use store::MeetingRow;

use crate::plan::Plan;
use crate::request::{Answer, internal_error};
use crate::score::Scorecard;

/// The plan of a meeting, as it was kept.
pub(crate) fn plan_of(meeting: &MeetingRow) -> Answer<Plan> {
    serde_json::from_value(meeting.plan.clone()).map_err(|error| {
        tracing::error!(%error, meeting = %meeting.id, "the plan of a practice meeting cannot be read");
        internal_error().into()
    })
}

/// The scorecards of a meeting. There are none before its end.
pub(crate) fn scores_of(meeting: &MeetingRow) -> Vec<Scorecard> {
    meeting.score.clone().and_then(|score| serde_json::from_value(score).ok()).unwrap_or_default()
}
