//! The transcript of a call: what was said, in the same form for every source.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::call::Role;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The language as a BCP 47 tag. It is absent when neither the source nor the provider named one.
    pub language: Option<String>,
    /// The segments in the order in which they were said.
    pub segments: Vec<Segment>,
}

/// A piece of speech by one speaker. Times count from the start of the call. They are absent when the source gave
/// none, as in a plain text or in a session without time stamps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// 1 for the first segment of the transcript.
    pub id: u32,
    /// The speaker's name, or the provider's label (`A`, `B`). It is absent when the speaker is not known.
    pub speaker: Option<String>,
    pub role: Option<Role>,
    pub start_ms: Option<i64>,
    pub end_ms: Option<i64>,
    /// The words that the speaker said.
    pub text: String,
    /// How sure the provider is of the words, from 0 to 1.
    pub confidence: Option<f64>,
}

impl Transcript {
    /// Gives the segments the numbers 1, 2, 3 … in their present order.
    pub fn numbered(mut self) -> Self {
        for (id, segment) in (1..).zip(&mut self.segments) {
            segment.id = id;
        }
        self
    }

    pub fn segment(&self, id: u32) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.id == id)
    }

    /// The end of the last segment, counted from the start of the call. It is absent when no segment has a time.
    pub fn duration_ms(&self) -> Option<i64> {
        self.segments.iter().filter_map(|segment| segment.end_ms.or(segment.start_ms)).max()
    }

    /// The transcript as text with one line for each segment, such as `Speaker A: text`. The line starts with
    /// the speaker's [`Segment::label`].
    pub fn to_text(&self) -> String {
        self.segments.iter().fold(String::new(), |mut text, segment| {
            let _infallible = writeln!(text, "{}: {}", segment.label(), segment.text);
            text
        })
    }
}

impl Segment {
    /// The speaker's name, where it is more than a provider's bare label.
    pub fn name(&self) -> Option<&str> {
        self.speaker.as_deref().filter(|name| !is_bare_label(name))
    }

    /// The text that stands for the speaker: the name, or else the role, or else `Speaker A` for a provider's
    /// label.
    pub fn label(&self) -> String {
        match (self.name(), self.role, &self.speaker) {
            (Some(name), _, _) => name.to_owned(),
            (None, Some(role), _) => role.name().to_owned(),
            (None, None, Some(label)) => format!("Speaker {label}"),
            (None, None, None) => "Speaker".to_owned(),
        }
    }
}

/// Whether `name` is a label that a diarizer gave to a voice (`A`, `12`), and not a person's name.
fn is_bare_label(name: &str) -> bool {
    name.len() <= 2 && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(speaker: Option<&str>, role: Option<Role>) -> Segment {
        Segment {
            id: 1,
            speaker: speaker.map(str::to_owned),
            role,
            start_ms: None,
            end_ms: None,
            text: "Hello.".into(),
            confidence: None,
        }
    }

    #[test]
    fn a_name_is_shown_before_a_role_and_a_role_before_a_label() {
        assert_eq!(segment(Some("Dana Ortiz"), Some(Role::Agent)).label(), "Dana Ortiz");
        assert_eq!(segment(Some("A"), Some(Role::Agent)).label(), "agent");
        assert_eq!(segment(Some("A"), None).label(), "Speaker A");
        assert_eq!(segment(None, None).label(), "Speaker");
    }
}
