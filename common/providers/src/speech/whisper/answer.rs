//! The answer that is kept: what was heard, and in which windows it was heard.

use domain::transcript::Transcript;
use serde::{Deserialize, Serialize};

use super::super::Unreadable;
use super::super::reading::{self, Piece, Reading, Used, channel, in_order};
use super::TITLE;

/// One recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// The name of the model's folder.
    pub(super) model: String,
    pub(super) language: Option<String>,
    pub(super) audio_ms: i64,
    /// How many channels were transcribed apart.
    pub(super) channels: u16,
    pub(super) segments: Vec<Heard>,
    /// The stretches that the network listened to.
    #[serde(default)]
    pub(super) windows: Vec<Window>,
}

/// What was said at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Heard {
    /// Counted from 0.
    pub(super) channel: u16,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) text: String,
    /// How sure the network is, from 0 to 1.
    pub(super) confidence: f64,
}

/// A stretch that the network listened to at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    pub(super) channel: u16,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    /// How freely the words were chosen in the end. 0 is the most likely word each time.
    pub(super) temperature: f64,
    /// Whether the network says that nobody speaks in it.
    pub(super) is_silent: bool,
}

/// Reads a kept answer.
pub(in super::super) fn read(answer: &[u8]) -> Result<Reading, Unreadable> {
    let answer: Answer = reading::json(TITLE, answer)?;
    let is_apart = answer.channels > 1;
    let segments = answer.segments.into_iter().map(|heard| {
        Piece {
            speaker: is_apart.then(|| channel(u64::from(heard.channel))),
            text: heard.text,
            start_ms: Some(heard.start_ms),
            end_ms: Some(heard.end_ms),
            confidence: Some(heard.confidence),
        }
        .segment()
    });
    let segments = in_order(segments.collect());
    Ok(Reading {
        transcript: Transcript { language: answer.language, segments, ..Transcript::default() }.numbered(),
        words: Vec::new(),
        used: Used { audio_ms: Some(answer.audio_ms), model: Some(answer.model), ..Used::default() },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn channels_that_were_heard_apart_are_speakers_and_stand_in_the_order_of_their_times() {
        let heard = |channel, start_ms: i64, text| json!({"channel": channel, "start_ms": start_ms, "end_ms": start_ms + 900, "text": text, "confidence": 0.5});
        let answer = |channels| {
            json!({"model": "whisper-tiny", "language": "en", "audio_ms": 3_000, "channels": channels, "windows": [],
                "segments": [heard(0, 0, "Hello."), heard(0, 2_000, "Fine."), heard(1, 1_000, "Hi!")]})
        };
        let reading = read(answer(2).to_string().as_bytes()).unwrap();
        let said: Vec<_> = reading
            .transcript
            .segments
            .iter()
            .map(|one| (one.speaker.as_deref(), one.text.as_str()))
            .collect();
        assert_eq!(said, [(Some("1"), "Hello."), (Some("2"), "Hi!"), (Some("1"), "Fine.")]);
        assert_eq!(
            (reading.used.audio_ms, reading.used.model.as_deref()),
            (Some(3_000), Some("whisper-tiny"))
        );
        let mono = read(answer(1).to_string().as_bytes()).unwrap();
        assert!(mono.transcript.segments.iter().all(|segment| segment.speaker.is_none()));
    }
}
