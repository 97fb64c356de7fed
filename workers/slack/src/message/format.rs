//! The parts that the messages about phone calls and about meetings share.

use chrono_tz::Tz;
use domain::blank::is_blank;
use domain::call::CallDetails;
use domain::parties::SupportLines;
use domain::transcript::Transcript;

use crate::escape::{defuse, field};

/// The settings of the installation that messages depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Our own telephone lines. They decide who called whom.
    pub lines: SupportLines,
    /// The time zone in which times are shown.
    pub timezone: Tz,
}

impl Format {
    /// When the call began. A time that could not be read is shown as the source wrote it.
    pub(super) fn start(&self, details: &CallDetails) -> Option<String> {
        let read = details.started_at.map(|at| at.utc().with_timezone(&self.timezone));
        let shown = read.map(|at| at.format("%Y-%m-%d %H:%M:%S %Z").to_string());
        shown.or_else(|| details.started_text.as_deref().and_then(field))
    }
}

/// Writes one line for each turn, without anything that Slack would act on. The caller still has to escape `& < >`.
pub(super) fn turns(transcript: &Transcript) -> Vec<String> {
    let spoken = transcript.segments.iter().filter(|turn| !is_blank(&turn.text));
    spoken.map(|turn| defuse(&format!("{}: {}", turn.label().trim(), turn.text.trim()))).collect()
}
