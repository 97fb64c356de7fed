//! Builders for the tests of this crate.

use domain::call::{Call, CallDetails, CallId, CallKind, CallStatus, Role, WorkspaceId};
use domain::moment::Moment;
use domain::transcript::{Segment, Transcript};

pub(crate) fn call() -> Call {
    Call {
        id: CallId::derive(WorkspaceId::DEFAULT, "test", "1"),
        workspace: WorkspaceId::DEFAULT,
        source: "test".into(),
        external_id: "1".into(),
        kind: CallKind::Phone,
        status: CallStatus::Processing,
        generation: 1,
        details: CallDetails::default(),
        received_at: Moment::from_micros(0),
        updated_at: Moment::from_micros(0),
    }
}

pub(crate) fn segment(speaker: &str, role: Option<Role>, text: &str) -> Segment {
    Segment {
        id: 0,
        speaker: (!speaker.is_empty()).then(|| speaker.to_owned()),
        role,
        start_ms: None,
        end_ms: None,
        text: text.into(),
        confidence: None,
    }
}

/// A transcript with lines of `(speaker, words)`. No speaker's role is known.
pub(crate) fn transcript(lines: &[(&str, &str)]) -> Transcript {
    let segments = lines.iter().map(|(speaker, text)| segment(speaker, None, text)).collect();
    Transcript { language: None, segments, ..Transcript::default() }.numbered()
}

/// A transcript in which an agent and a customer speak in turns. The agent speaks first.
pub(crate) fn dialog(lines: &[&str]) -> Transcript {
    let segments = lines
        .iter()
        .zip([Role::Agent, Role::Customer].into_iter().cycle())
        .map(|(text, role)| segment("", Some(role), text))
        .collect();
    Transcript { language: None, segments, ..Transcript::default() }.numbered()
}
