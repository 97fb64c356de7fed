//! Reads what was spoken out of a job that is done.
//!
//! Each value is read by itself. So one time or one utterance that is not as documented does not lose the words of the
//! whole call, which was paid for. What could not be read is noted on the transcript.

use domain::transcript::{Segment, Transcript};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::reading::{Doubts, Piece, Reading, Used, millis, millis_of_seconds, share, text};

/// The part of a job that holds the words. The single words with their times, which make up most of an answer, are not
/// read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Spoken {
    text: Value,
    language_code: Value,
    confidence: Value,
    audio_duration: Value,
    speech_model_used: Value,
    utterances: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Utterance {
    speaker: Value,
    text: Value,
    start: Value,
    end: Value,
    confidence: Value,
}

#[derive(Deserialize)]
struct SingleWords {
    words: Vec<Value>,
}

impl Spoken {
    pub(super) fn reading(self) -> Reading {
        let used = Used {
            audio_ms: millis_of_seconds(&self.audio_duration),
            model: text(&self.speech_model_used).map(str::to_owned),
            ..Used::default()
        };
        Reading { transcript: self.transcript(), used, words: Vec::new() }
    }

    fn transcript(self) -> Transcript {
        let listed = self.utterances.as_deref().and_then(|all| serde_json::from_str(all.get()).ok());
        let listed: Vec<&RawValue> = listed.unwrap_or_default();
        let mut doubts = Doubts::default();
        let spoken: Vec<Segment> =
            listed.iter().filter_map(|utterance| doubts.take(piece(utterance))).collect();
        let text = text(&self.text);
        // A transcript without speakers becomes one segment.
        let whole = |text: &str| Segment {
            id: 0,
            speaker: None,
            role: None,
            start_ms: None,
            end_ms: None,
            text: text.to_owned(),
            confidence: share(&self.confidence),
        };
        let segments = match text {
            Some(text) if spoken.is_empty() => vec![whole(text)],
            _ => spoken,
        };
        let language = self.language_code.as_str().filter(|code| !code.is_empty()).map(str::to_owned);
        Transcript { language, segments, notes: doubts.notes() }.numbered()
    }
}

/// Reads an utterance. Nothing where it has no words.
fn piece(raw: &RawValue) -> Option<Piece> {
    let utterance: Utterance = serde_json::from_str(raw.get()).unwrap_or_default();
    let text = utterance.text.as_str().map(str::to_owned).or_else(|| single_words(raw))?;
    Some(Piece {
        speaker: label(&utterance.speaker),
        text,
        start_ms: millis(&utterance.start),
        end_ms: millis(&utterance.end),
        confidence: share(&utterance.confidence),
    })
}

/// The words of an utterance that has no text.
fn single_words(raw: &RawValue) -> Option<String> {
    let SingleWords { words } = serde_json::from_str(raw.get()).ok()?;
    let words: Vec<&str> = words.iter().filter_map(|word| word["text"].as_str()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A speaker's label. A channel can be a number.
fn label(speaker: &Value) -> Option<String> {
    match speaker {
        Value::String(label) => Some(label.trim().to_owned()).filter(|label| !label.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(utterances: &Value) -> Transcript {
        let body = json!({ "utterances": utterances, "text": "all" }).to_string();
        serde_json::from_str::<Spoken>(&body).unwrap().transcript()
    }

    fn utterance(text: &str) -> Value {
        json!({ "speaker": "A", "text": text, "start": 100, "end": 200, "confidence": 0.9, "words": [] })
    }

    /// What became of each pair of times. `None` for a time that is not one.
    #[test]
    fn a_time_that_is_not_as_documented_loses_no_words() {
        for (start, end, read_start, read_end, noted) in [
            (json!(100), json!(200), Some(100), Some(200), false),
            (json!(null), json!(null), None, None, true),
            (json!(100.4), json!(200.6), Some(100), Some(201), false),
            (json!("100"), json!(" 200.0 "), Some(100), Some(200), false),
            (json!(null), json!(200), None, Some(200), true),
            (json!(100), json!("soon"), Some(100), None, true),
            (json!(-5), json!(200), None, Some(200), true),
            (json!(300), json!(200), Some(300), Some(300), false),
            (json!(1e300), json!("NaN"), None, None, true),
            (json!([1]), json!({}), None, None, true),
            (json!(true), json!(200), None, Some(200), true),
        ] {
            let mut odd = utterance("Odd.");
            odd["start"] = start;
            odd["end"] = end;
            let found = read(&json!([utterance("Before."), odd, utterance("After.")]));
            let words: Vec<&str> = found.segments.iter().map(|segment| segment.text.as_str()).collect();
            assert_eq!(words, ["Before.", "Odd.", "After."], "{odd}");
            assert_eq!(
                (found.segments[1].start_ms, found.segments[1].end_ms),
                (read_start, read_end),
                "{odd}"
            );
            assert_eq!(found.notes.iter().any(|note| note.code == "times_unreadable"), noted, "{odd}");
        }
    }

    #[test]
    fn a_missing_or_odd_field_of_an_utterance_loses_no_words() {
        for (field, value) in [
            ("speaker", json!(null)),
            ("speaker", json!(2)),
            ("speaker", json!({ "id": 1 })),
            ("confidence", json!(null)),
            ("confidence", json!("high")),
            ("confidence", json!(7)),
            ("words", json!(null)),
            ("words", json!("none")),
        ] {
            let mut odd = utterance("Odd.");
            odd[field] = value;
            assert_eq!(read(&json!([odd])).segments[0].text, "Odd.", "{odd}");
            let mut missing = utterance("Odd.");
            missing.as_object_mut().unwrap().remove(field);
            assert_eq!(read(&json!([missing])).segments[0].text, "Odd.", "{field}");
        }
        let mut by_words = utterance("");
        by_words["text"] = json!(null);
        by_words["words"] = json!([{ "text": "One" }, null, { "text": "two." }]);
        assert_eq!(read(&json!([by_words])).segments[0].text, "One two.");
    }

    #[test]
    fn an_utterance_without_words_is_noted_and_the_others_are_kept() {
        for odd in [json!(null), json!("words"), json!({}), json!({ "text": 7 })] {
            let found = read(&json!([utterance("Kept."), odd]));
            assert_eq!(found.segments.len(), 1, "{odd}");
            assert_eq!(found.notes[0].code, "utterances_unreadable", "{odd}");
        }
        assert_eq!(read(&json!([utterance(" ")])).segments[0].text, "all", "a blank utterance is silence");
    }

    #[test]
    fn a_silent_recording_is_a_transcript_without_words_and_without_notes() {
        for silent in [
            json!({ "text": "", "utterances": [] }),
            json!({ "text": null, "utterances": null, "confidence": null, "language_code": null }),
            json!({ "text": " " }),
            json!({}),
        ] {
            let spoken: Spoken = serde_json::from_str(&silent.to_string()).unwrap();
            assert_eq!(spoken.transcript(), Transcript::default(), "{silent}");
        }
    }
}
