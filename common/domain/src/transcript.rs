//! The transcript of a call: what was said, in the same form for every source.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::call::Role;
use crate::note::Note;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The language as a BCP 47 tag. It is absent when neither the source nor the provider named one.
    pub language: Option<String>,
    /// The segments in the order in which they were said.
    pub segments: Vec<Segment>,
    /// What was odd about the source of the transcript, and what of it could not be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Who the speakers are, and how that was found out. A speaker about whom nothing is known is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub speakers: Vec<Speaker>,
}

/// One speaker of a transcript, as far as anybody knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speaker {
    /// The label that the provider or the source gave the speaker.
    pub label: String,
    /// The name of the person. It is absent where only the side is known, and where the label is the name.
    pub name: Option<String>,
    pub role: Option<Role>,
    /// How sure that is, from 0 to 1.
    pub confidence: f64,
    /// How it was found out, in words.
    pub reason: String,
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

    /// The same words with consecutive segments of one speaker joined into one, whose id and start are those of the
    /// first. How a product cuts its captions says nothing about what was said, so whoever judges words reads these.
    /// Segments of an unknown speaker are joined only within a sentence.
    pub fn turns(&self) -> Self {
        let mut turns: Vec<Segment> = Vec::with_capacity(self.segments.len());
        for segment in &self.segments {
            match turns.last_mut().filter(|last| last.continues_in(segment)) {
                Some(last) => {
                    last.text.push(' ');
                    last.text.push_str(&segment.text);
                    last.end_ms = segment.end_ms.or(segment.start_ms).or(last.end_ms);
                    last.confidence =
                        last.confidence.zip(segment.confidence).map(|(one, other)| one.min(other));
                }
                None => turns.push(segment.clone()),
            }
        }
        Self {
            segments: turns,
            language: self.language.clone(),
            notes: self.notes.clone(),
            speakers: self.speakers.clone(),
        }
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
    fn continues_in(&self, next: &Self) -> bool {
        let is_same = self.speaker == next.speaker && self.role == next.role;
        let is_known = self.speaker.is_some() || self.role.is_some();
        let is_mid_sentence = !self.text.trim_end().ends_with(['.', '?', '!', '…', '。', '？', '！', '।']);
        is_same && (is_known || is_mid_sentence)
    }

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

    #[test]
    fn captions_of_one_speaker_are_one_turn_and_strangers_are_joined_within_a_sentence_only() {
        let caption = |speaker: Option<&str>, text: &str, start_ms| Segment {
            text: text.into(),
            start_ms: Some(start_ms),
            end_ms: Some(start_ms + 900),
            ..segment(speaker, None)
        };
        let captions = Transcript {
            segments: vec![
                caption(Some("Ann"), "I want to", 0),
                caption(Some("Ann"), "cancel it.", 1_000),
                caption(Some("Bob"), "Why?", 2_000),
                caption(None, "Because", 3_000),
                caption(None, "it broke.", 4_000),
                caption(None, "I see.", 5_000),
            ],
            ..Transcript::default()
        };
        let turns = captions.numbered().turns();
        let read: Vec<_> = turns
            .segments
            .iter()
            .map(|turn| (turn.id, turn.text.as_str(), turn.start_ms, turn.end_ms))
            .collect();
        assert_eq!(
            read,
            [
                (1, "I want to cancel it.", Some(0), Some(1_900)),
                (3, "Why?", Some(2_000), Some(2_900)),
                (4, "Because it broke.", Some(3_000), Some(4_900)),
                (6, "I see.", Some(5_000), Some(5_900)),
            ]
        );
    }
}
