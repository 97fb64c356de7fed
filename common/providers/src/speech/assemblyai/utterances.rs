//! Reads what was spoken out of a job that is done.
//!
//! Each value is read by itself. So one time or one utterance that is not as documented does not lose the words of the
//! whole call, which was paid for. What could not be read is noted on the transcript.

use domain::note::Note;
use domain::transcript::{Segment, Transcript};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The part of a job that holds the words. The single words with their times, which make up most of an answer, are not
/// read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Spoken {
    text: Value,
    language_code: Value,
    confidence: Value,
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

/// What of the utterances could not be read.
#[derive(Default)]
struct Unreadable {
    utterances: usize,
    times: usize,
}

impl Spoken {
    pub(super) fn transcript(self) -> Transcript {
        let listed = self.utterances.as_deref().and_then(|all| serde_json::from_str(all.get()).ok());
        let listed: Vec<&RawValue> = listed.unwrap_or_default();
        let mut unreadable = Unreadable::default();
        let spoken: Vec<Segment> =
            listed.iter().filter_map(|utterance| segment(utterance, &mut unreadable)).collect();
        let text = self.text.as_str().filter(|text| !text.trim().is_empty());
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
        Transcript { language, segments, notes: unreadable.notes(listed.len()), ..Transcript::default() }.numbered()
    }
}

impl Unreadable {
    fn notes(&self, all: usize) -> Vec<Note> {
        let mut notes = Vec::new();
        if self.utterances > 0 {
            let text = format!("The provider sent {} of {all} utterances without words.", self.utterances);
            notes.push(Note::new("utterances_unreadable", text));
        }
        if self.times > 0 {
            let text = format!("The provider sent {} of {all} utterances without a usable time.", self.times);
            notes.push(Note::new("times_unreadable", text));
        }
        notes
    }
}

fn segment(raw: &RawValue, unreadable: &mut Unreadable) -> Option<Segment> {
    let utterance: Utterance = serde_json::from_str(raw.get()).unwrap_or_default();
    let text = utterance.text.as_str().map(str::to_owned).or_else(|| single_words(raw));
    let Some(text) = text else {
        unreadable.utterances += 1;
        return None;
    };
    if text.trim().is_empty() {
        return None;
    }
    let (start, end) = (millis(&utterance.start), millis(&utterance.end));
    unreadable.times += usize::from(start.is_none() || end.is_none());
    Some(Segment {
        id: 0,
        speaker: label(&utterance.speaker),
        role: None,
        start_ms: start,
        end_ms: end.map(|end| end.max(start.unwrap_or(end))),
        text,
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

/// A time in whole milliseconds. No time of a recording is below zero.
fn millis(time: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the limit is far below 2^53")]
    number(time).filter(|time| (0.0..=MAX_MS).contains(time)).map(|time| time.round() as i64)
}

/// The provider takes ten hours of audio. A time beyond ten days is no time of a recording.
const MAX_MS: f64 = 864_000_000.0;

fn share(confidence: &Value) -> Option<f64> {
    number(confidence).filter(|share| (0.0..=1.0).contains(share))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
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
