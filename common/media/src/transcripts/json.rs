//! Reads a transcript in JSON, whichever product wrote it.
//!
//! All of them hold a list of what was said, and they differ in the names of the fields and in the unit of the times. So
//! one table describes them. A product that is not listed here needs one more line.

use domain::call::Role;
use domain::note::Note;
use domain::transcript::{Segment, Transcript};
use serde_json::Value;

use super::parsed::{ReadError, segment};
use super::values::{Unit, first, millis};
use super::word_lists;
use crate::words::one_line;

/// Where a product keeps what was said.
struct Shape {
    /// The path to the list. An empty path means that the document itself is the list.
    list: &'static [&'static str],
    speaker: &'static [&'static str],
    text: &'static [&'static str],
    start: &'static [&'static str],
    end: &'static [&'static str],
    unit: Unit,
}

/// The first shape whose list the document has, and whose text an entry of the list has, is taken.
const SHAPES: &[Shape] = &[
    // Ours, as `GET /api/calls/{id}/transcript.json` gives it.
    Shape {
        list: &["segments"],
        speaker: &["speaker"],
        text: &["text"],
        start: &["start_ms"],
        end: &["end_ms"],
        unit: Unit::Milliseconds,
    },
    // Whisper, and OpenAI's `verbose_json` and `diarized_json`.
    Shape {
        list: &["segments"],
        speaker: &["speaker", "speaker_id"],
        text: &["text"],
        start: &["start"],
        end: &["end"],
        unit: Unit::Seconds,
    },
    // AssemblyAI.
    Shape {
        list: &["utterances"],
        speaker: &["speaker"],
        text: &["text"],
        start: &["start"],
        end: &["end"],
        unit: Unit::Milliseconds,
    },
    // Deepgram with utterances.
    Shape {
        list: &["results", "utterances"],
        speaker: &["speaker"],
        text: &["transcript"],
        start: &["start"],
        end: &["end"],
        unit: Unit::Seconds,
    },
    // Amazon Transcribe.
    Shape {
        list: &["results", "audio_segments"],
        speaker: &["speaker_label"],
        text: &["transcript"],
        start: &["start_time"],
        end: &["end_time"],
        unit: Unit::Seconds,
    },
    // Google Meet's REST API.
    Shape {
        list: &["transcriptEntries"],
        speaker: &["participant"],
        text: &["text"],
        start: &["startTime"],
        end: &["endTime"],
        unit: Unit::Instants,
    },
    // Fireflies, as its file and as its API give it.
    FIREFLIES,
    Shape { list: &["data", "transcript", "sentences"], ..FIREFLIES },
    // A bare list.
    Shape {
        list: &[],
        speaker: &["speaker", "speaker_name", "name"],
        text: &["text", "transcript", "words"],
        start: &["start_ms"],
        end: &["end_ms"],
        unit: Unit::Milliseconds,
    },
    Shape {
        list: &[],
        speaker: &["speaker", "speaker_name", "name"],
        text: &["text", "transcript", "words"],
        start: &["start", "start_time", "startTime", "time"],
        end: &["end", "end_time", "endTime"],
        unit: Unit::Seconds,
    },
];

const FIREFLIES: Shape = Shape {
    list: &["sentences"],
    speaker: &["speaker_name", "speaker_id"],
    text: &["text", "raw_text", "sentence"],
    start: &["start_time", "startTime"],
    end: &["end_time", "endTime"],
    unit: Unit::Seconds,
};

impl Shape {
    fn list<'a>(&self, document: &'a Value) -> Option<&'a Vec<Value>> {
        self.list.iter().try_fold(document, |value, name| value.get(name))?.as_array()
    }

    /// Whether the entries are of this shape: some entry has a text, and some entry has a start where any entry has a
    /// time at all.
    fn fits(&self, list: &[Value]) -> bool {
        list.iter().any(|entry| first(entry, self.text).is_some_and(Value::is_string))
            && list.iter().any(|entry| first(entry, self.start).is_some())
    }
}

/// Reads `document`. Nothing where it has no list of what was said.
pub(super) fn read(document: &Value) -> Result<Option<Transcript>, ReadError> {
    let with_times = SHAPES.iter().find_map(|shape| {
        let list = shape.list(document).filter(|list| shape.fits(list))?;
        Some((shape, list))
    });
    let without_times = || {
        SHAPES.iter().find_map(|shape| {
            let list = shape.list(document)?;
            let has_text = |entry: &Value| first(entry, shape.text).is_some_and(Value::is_string);
            list.iter().any(has_text).then_some((shape, list))
        })
    };
    let Some((shape, list)) = with_times.or_else(without_times) else {
        return of_words(document);
    };
    let mut began = None;
    let (mut segments, mut skipped) = (Vec::new(), 0);
    for entry in list {
        match spoken(entry, shape, &mut began) {
            Some(said) if said.text.is_empty() => {}
            Some(said) => segments.push(said),
            None => skipped += 1,
        }
    }
    if segments.is_empty() {
        return Err(ReadError::NoSpeech);
    }
    let mut notes = Vec::new();
    if skipped > 0 {
        let text = format!("Entries of the file's list that hold no words and were left out: {skipped}.");
        notes.push(Note::new("entries_skipped", text));
    }
    let language = ["language", "language_code"].iter().find_map(|name| document.get(name)?.as_str());
    let language = language.filter(|code| (2..=35).contains(&code.len())).map(str::to_owned);
    Ok(Some(Transcript { language, segments, notes, ..Transcript::default() }))
}

/// A document that lists single words only.
fn of_words(document: &Value) -> Result<Option<Transcript>, ReadError> {
    let Some(segments) = word_lists::read(document) else { return Ok(None) };
    if segments.is_empty() {
        return Err(ReadError::NoSpeech);
    }
    let language = word_lists::language(document).or_else(|| document["language_code"].as_str());
    let language = language.filter(|code| (2..=35).contains(&code.len())).map(str::to_owned);
    Ok(Some(Transcript { language, segments, ..Transcript::default() }))
}

/// What one entry says. Nothing where it has no text.
fn spoken(entry: &Value, shape: &Shape, began: &mut Option<i64>) -> Option<Segment> {
    let text = one_line(first(entry, shape.text)?.as_str()?);
    let start_ms = first(entry, shape.start).and_then(|time| millis(time, shape.unit, began));
    let end_ms = first(entry, shape.end).and_then(|time| millis(time, shape.unit, began));
    let role = entry.get("role").and_then(|role| serde_json::from_value::<Role>(role.clone()).ok());
    let confidence = entry.get("confidence").and_then(Value::as_f64);
    Some(Segment {
        start_ms,
        end_ms: end_ms.map(|end| end.max(start_ms.unwrap_or(end))),
        role,
        confidence: confidence.filter(|share| (0.0..=1.0).contains(share)),
        ..segment(speaker(entry, shape), text)
    })
}

/// The name or the label of the speaker. Google Meet names a participant by a path, whose last part is an id.
fn speaker(entry: &Value, shape: &Shape) -> Option<String> {
    match first(entry, shape.speaker)? {
        Value::String(name) => {
            let name = one_line(name);
            let name = name.rsplit_once("/participants/").map_or(name.as_str(), |(_, id)| id);
            Some(name.to_owned()).filter(|name| !name.is_empty())
        }
        Value::Number(label) => Some(label.to_string()),
        other => other.get("name").and_then(Value::as_str).map(one_line),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Said<'a> = (Option<&'a str>, Option<i64>, Option<i64>, &'a str);

    type OwnedSaid = (Option<String>, Option<i64>, Option<i64>, String);

    fn said(document: &Value) -> Vec<OwnedSaid> {
        let read = read(document).unwrap().unwrap_or_else(|| panic!("nothing is read from {document}"));
        let part = |segment: Segment| (segment.speaker, segment.start_ms, segment.end_ms, segment.text);
        read.segments.into_iter().map(part).collect()
    }

    fn is(document: &Value, expected: &[Said<'_>]) {
        let found = said(document);
        let found: Vec<Said<'_>> = found
            .iter()
            .map(|(who, start, end, text)| (who.as_deref(), *start, *end, text.as_str()))
            .collect();
        assert_eq!(found, expected, "{document}");
    }

    #[test]
    fn the_files_of_each_product_are_read() {
        is(
            &json!({"language": "en", "segments": [{"id": 1, "speaker": "Dana", "role": "agent", "start_ms": 40, "end_ms": 900, "text": "Hello."}]}),
            &[(Some("Dana"), Some(40), Some(900), "Hello.")],
        );
        is(
            &json!({"text": "Hi.", "segments": [{"start": 0.5, "end": 4.25, "text": " Hi.", "no_speech_prob": 0.01}]}),
            &[(None, Some(500), Some(4250), "Hi.")],
        );
        is(
            &json!({"task": "transcribe", "segments": [{"type": "transcript.text.segment", "speaker": "A", "start": 1, "end": 2, "text": "Hi."}]}),
            &[(Some("A"), Some(1000), Some(2000), "Hi.")],
        );
        is(
            &json!({"id": "t", "utterances": [{"speaker": "B", "start": 250, "end": 900, "text": "Yes."}]}),
            &[(Some("B"), Some(250), Some(900), "Yes.")],
        );
        is(
            &json!({"results": {"channels": [], "utterances": [{"speaker": 0, "start": 0.25, "end": 1.0, "transcript": "Yes."}]}}),
            &[(Some("0"), Some(250), Some(1000), "Yes.")],
        );
        is(
            &json!({"results": {"audio_segments": [{"id": 0, "transcript": "Yes.", "start_time": "0.25", "end_time": "1.0", "speaker_label": "spk_0"}]}}),
            &[(Some("spk_0"), Some(250), Some(1000), "Yes.")],
        );
        is(
            &json!({"transcriptEntries": [
                {"participant": "conferenceRecords/c/participants/p1", "text": "Hi.", "startTime": "2026-01-05T10:00:02.5Z", "endTime": "2026-01-05T10:00:03Z"},
                {"participant": "conferenceRecords/c/participants/p2", "text": "Hello.", "startTime": "2026-01-05T10:00:04Z", "endTime": "2026-01-05T10:00:05Z"}]}),
            &[(Some("p1"), Some(0), Some(500), "Hi."), (Some("p2"), Some(1500), Some(2500), "Hello.")],
        );
        is(
            &json!({"data": {"transcript": {"sentences": [{"speaker_name": "Ann", "text": "Hi.", "start_time": 1.5, "end_time": 2}]}}}),
            &[(Some("Ann"), Some(1500), Some(2000), "Hi.")],
        );
        is(
            &json!([{"speaker": {"name": "Ann"}, "text": "Hi.", "time": "00:01:05"}, {"speaker": "Bob", "text": "Hello."}]),
            &[(Some("Ann"), Some(65_000), None, "Hi."), (Some("Bob"), None, None, "Hello.")],
        );
    }

    #[test]
    fn a_list_without_times_keeps_its_words_and_its_speakers() {
        is(&json!({"segments": [{"speaker": "Ann", "text": "Hi."}]}), &[(Some("Ann"), None, None, "Hi.")]);
    }

    #[test]
    fn what_has_no_words_is_left_out_and_said_and_other_json_is_not_read() {
        let odd =
            json!({"segments": [{"start": 0, "text": "Hi."}, 7, {"start": 2}, {"start": 1, "text": " "}]});
        let found = read(&odd).unwrap().unwrap();
        assert_eq!((found.segments.len(), found.notes[0].code.as_str()), (1, "entries_skipped"));
        for other in [json!({}), json!([]), json!([1, 2]), json!({"segments": "x"}), json!({"results": []})] {
            assert_eq!(read(&other).unwrap(), None, "{other}");
        }
        assert!(matches!(read(&json!({"segments": [{"text": " "}]})), Err(ReadError::NoSpeech)));
    }

    #[test]
    fn a_time_that_cannot_be_read_loses_no_words() {
        for time in [json!(null), json!("soon"), json!(-1), json!(1e300), json!([]), json!({})] {
            let document =
                json!({"segments": [{"start": 1.0, "text": "One."}, {"start": time, "text": "Two."}]});
            assert_eq!(said(&document)[1].3, "Two.", "{time}");
        }
    }
}
