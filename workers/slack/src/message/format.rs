//! How messages are written here, whatever they are about.

use chrono_tz::Tz;
use domain::blank::is_blank;
use domain::call::CallDetails;
use domain::parties::SupportLines;
use domain::transcript::Transcript;

use crate::escape::{defuse, field};

/// What the installation says about how messages are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Our own lines: who called whom.
    pub lines: SupportLines,
    /// In which times are shown.
    pub timezone: Tz,
}

impl Format {
    /// When the call began; as the source wrote it, where that could not be read as a time.
    pub(super) fn start(&self, details: &CallDetails) -> Option<String> {
        let read = details.started_at.map(|at| at.utc().with_timezone(&self.timezone));
        let shown = read.map(|at| at.format("%Y-%m-%d %H:%M:%S %Z").to_string());
        shown.or_else(|| details.started_text.as_deref().and_then(field))
    }
}

/// One line a turn, with nothing in it that Slack would act on; `& < >` are still to be escaped.
pub(super) fn turns(transcript: &Transcript) -> Vec<String> {
    let spoken = transcript.segments.iter().filter(|turn| !is_blank(&turn.text));
    spoken.map(|turn| defuse(&format!("{}: {}", turn.label().trim(), turn.text.trim()))).collect()
}
