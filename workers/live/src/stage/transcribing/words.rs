//! What was said in a turn, as it is kept.

use domain::transcript::Segment;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::live::LiveTurn;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Words {
    pub(crate) parts: Vec<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    pub(crate) audio_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost_usd: Option<f64>,
    /// Why the turn has no words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

/// What one voice said. The times are those of the session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) text: String,
    pub(crate) confidence: Option<f64>,
    /// The letter of the voice, where several were heard. In a turn that was transcribed by itself it is the provider's, and
    /// has nothing to do with the letters of other turns, so nobody is shown it. In a stream it is ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) speaker: Option<String>,
}

impl Words {
    pub(crate) fn read(kept: &Value) -> Self {
        serde_json::from_value(kept.clone()).unwrap_or_default()
    }
}

/// What each voice of a turn said. What one voice said without another between is one part.
pub(super) fn parts(turn: &LiveTurn, segments: &[Segment]) -> Vec<Part> {
    let is_several = segments.iter().any(|segment| segment.speaker != segments[0].speaker);
    let mut parts: Vec<Part> = Vec::new();
    for segment in segments.iter().filter(|segment| !segment.text.trim().is_empty()) {
        let within = |ms: Option<i64>, absent: i64| {
            ms.map_or(absent, |ms| (turn.start_ms + ms).clamp(turn.start_ms, turn.end_ms))
        };
        let start_ms = within(segment.start_ms, turn.start_ms);
        let end_ms = within(segment.end_ms, turn.end_ms).max(start_ms);
        let speaker = segment.speaker.clone().filter(|_| is_several);
        match parts.last_mut() {
            Some(last) if last.speaker == speaker => {
                last.text.push(' ');
                last.text.push_str(segment.text.trim());
                last.end_ms = end_ms;
                last.confidence = last.confidence.zip(segment.confidence).map(|(one, other)| one.min(other));
            }
            _ => parts.push(Part {
                start_ms,
                end_ms,
                text: segment.text.trim().to_owned(),
                confidence: segment.confidence,
                speaker,
            }),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(speaker: &str, start_ms: i64, text: &str) -> Segment {
        Segment {
            id: 0,
            speaker: Some(speaker.into()),
            role: None,
            start_ms: Some(start_ms),
            end_ms: Some(start_ms + 900),
            text: text.into(),
            confidence: Some(0.9),
        }
    }

    fn turn() -> LiveTurn {
        LiveTurn {
            number: 3,
            channel: 0,
            speaker: None,
            start_ms: 10_000,
            end_ms: 12_000,
            blob: String::new(),
            words: None,
        }
    }

    #[test]
    fn what_one_voice_says_is_one_part_with_the_times_of_the_session() {
        let parts = parts(&turn(), &[segment("A", 0, "Hello."), segment("A", 1_500, " It is me. ")]);
        assert_eq!(parts.len(), 1);
        assert_eq!((parts[0].text.as_str(), parts[0].start_ms), ("Hello. It is me.", 10_000));
        assert_eq!(
            (parts[0].end_ms, parts[0].speaker.as_deref()),
            (12_000, None),
            "no time is beyond the turn"
        );
    }

    #[test]
    fn two_voices_in_one_turn_are_two_parts() {
        let parts =
            parts(&turn(), &[segment("A", 0, "Hello."), segment("B", 900, "Hi."), segment("B", 950, " ")]);
        assert_eq!(parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>(), ["Hello.", "Hi."]);
        assert!(super::parts(&turn(), &[]).is_empty());
    }
}
