//! What a provider's answer says, and what the readers of all providers share.
//!
//! Each value is read by itself. So one time or one utterance that is not as documented does not lose the words of the
//! whole call, which was paid for. What could not be read is noted on the transcript.

use domain::note::Note;
use domain::transcript::{Segment, Transcript};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Unreadable;

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The transcript. Its segments are numbered. There are no segments where nobody spoke.
    pub transcript: Transcript,
    /// The single words, in the order in which they were said. Only the answers of providers that get long recordings
    /// in pieces have them, because only there somebody needs them.
    pub words: Vec<TimedWord>,
    pub used: Used,
}

/// What was paid for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The length of the audio as the provider measured it.
    pub audio_ms: Option<i64>,
    /// How many times this length is paid for, where the provider wants money for each channel. 0 means once.
    pub paid_channels: i64,
    /// The model that transcribed, where the answer names it.
    pub model: Option<String>,
    pub input_tokens: i64,
    pub output_tokens: i64,
}

impl Used {
    /// The length of the audio that is paid for.
    pub fn paid_ms(&self) -> Option<i64> {
        self.audio_ms.map(|ms| ms.saturating_mul(self.paid_channels.max(1)))
    }
}

/// One word, with the time at which it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedWord {
    pub text: String,
    pub start_ms: i64,
    pub end_ms: i64,
}

/// A piece of speech, as an answer gives it.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) speaker: Option<String>,
    pub(super) text: String,
    pub(super) start_ms: Option<i64>,
    pub(super) end_ms: Option<i64>,
    pub(super) confidence: Option<f64>,
}

impl Piece {
    pub(super) fn segment(self) -> Segment {
        let Self { speaker, text, start_ms, end_ms, confidence } = self;
        let end_ms = end_ms.map(|end| end.max(start_ms.unwrap_or(end)));
        Segment { id: 0, speaker, role: None, start_ms, end_ms, text, confidence }
    }
}

/// The pause that ends a turn, where an answer has only single words.
const PAUSE_MS: i64 = 1_500;

/// Joins single words to turns: a turn ends where another speaker speaks, and at a pause. `glue` stands between words.
pub(super) fn turns(words: impl IntoIterator<Item = Piece>, glue: &str) -> Vec<Segment> {
    let mut turns: Vec<(Piece, usize)> = Vec::new();
    for word in words {
        match turns.last_mut() {
            Some((turn, count)) if goes_on(turn, &word) => {
                turn.text.push_str(glue);
                turn.text.push_str(&word.text);
                turn.end_ms = word.end_ms.or(word.start_ms).or(turn.end_ms);
                turn.confidence = turn.confidence.zip(word.confidence).map(|(sum, next)| sum + next);
                *count += 1;
            }
            _ => turns.push((word, 1)),
        }
    }
    let turn = |(mut turn, count): (Piece, usize)| {
        #[expect(clippy::cast_precision_loss, reason = "a turn has far fewer than 2^52 words")]
        let mean = |sum: f64| sum / count as f64;
        turn.confidence = turn.confidence.map(mean);
        turn.text = String::from(turn.text.trim());
        turn.segment()
    };
    turns.into_iter().map(turn).filter(|turn| !turn.text.is_empty()).collect()
}

fn goes_on(turn: &Piece, word: &Piece) -> bool {
    let pause = word.start_ms.zip(turn.end_ms).map_or(0, |(start, end)| start - end);
    turn.speaker == word.speaker && pause < PAUSE_MS
}

/// Counts what of an answer could not be read.
#[derive(Default)]
pub(super) struct Doubts {
    pub(super) all: usize,
    pub(super) without_words: usize,
    pub(super) without_time: usize,
}

impl Doubts {
    pub(super) fn notes(&self) -> Vec<Note> {
        let Self { all, without_words, without_time } = self;
        let mut notes = Vec::new();
        if *without_words > 0 {
            let text = format!("The provider sent {without_words} of {all} utterances without words.");
            notes.push(Note::new("utterances_unreadable", text));
        }
        if *without_time > 0 {
            let text = format!("The provider sent {without_time} of {all} utterances without a usable time.");
            notes.push(Note::new("times_unreadable", text));
        }
        notes
    }

    /// Takes a segment whose text is not blank, and counts what is missing.
    pub(super) fn take(&mut self, piece: Option<Piece>) -> Option<Segment> {
        self.all += 1;
        let Some(piece) = piece else {
            self.without_words += 1;
            return None;
        };
        if piece.text.trim().is_empty() {
            return None;
        }
        self.without_time += usize::from(piece.start_ms.is_none() || piece.end_ms.is_none());
        Some(Piece { text: piece.text.trim().to_owned(), ..piece }.segment())
    }
}

/// Reads JSON. The error says where it is wrong, without any words of a call.
pub(super) fn json<T: DeserializeOwned>(provider: &'static str, answer: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(answer).map_err(|error| {
        let problem = format!("not the JSON expected ({:?} at column {})", error.classify(), error.column());
        Unreadable { provider, problem }
    })
}

/// A time in seconds as whole milliseconds. No time of a recording is below zero.
pub(super) fn millis_of_seconds(time: &Value) -> Option<i64> {
    number(time).and_then(|seconds| whole_millis(seconds * 1000.0))
}

/// A time in milliseconds as whole milliseconds.
pub(super) fn millis(time: &Value) -> Option<i64> {
    number(time).and_then(whole_millis)
}

/// The providers take ten hours of audio. A time beyond ten days is no time of a recording.
const MAX_MS: f64 = 864_000_000.0;

fn whole_millis(time: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the limit is far below 2^53")]
    Some(time).filter(|time| (0.0..=MAX_MS).contains(time)).map(|time| time.round() as i64)
}

/// A confidence from 0 to 1.
pub(super) fn share(confidence: &Value) -> Option<f64> {
    number(confidence).filter(|share| (0.0..=1.0).contains(share))
}

/// The confidence behind the logarithm of a probability.
pub(super) fn share_of_log(logarithm: &Value) -> Option<f64> {
    number(logarithm).map(f64::exp).filter(|share| (0.0..=1.0).contains(share))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

pub(super) fn count(value: &Value) -> i64 {
    value.as_i64().filter(|count| *count >= 0).unwrap_or_default()
}

/// A text that is not empty.
pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.trim().is_empty())
}

/// Languages as tags, as three letters and by their English names.
const LANGUAGES: [(&str, &str, &str); 24] = [
    ("en", "eng", "english"),
    ("de", "deu", "german"),
    ("fr", "fra", "french"),
    ("es", "spa", "spanish"),
    ("pt", "por", "portuguese"),
    ("it", "ita", "italian"),
    ("nl", "nld", "dutch"),
    ("pl", "pol", "polish"),
    ("hi", "hin", "hindi"),
    ("ta", "tam", "tamil"),
    ("te", "tel", "telugu"),
    ("kn", "kan", "kannada"),
    ("ml", "mal", "malayalam"),
    ("bn", "ben", "bengali"),
    ("mr", "mar", "marathi"),
    ("ur", "urd", "urdu"),
    ("zh", "zho", "chinese"),
    ("ja", "jpn", "japanese"),
    ("ko", "kor", "korean"),
    ("ar", "ara", "arabic"),
    ("ru", "rus", "russian"),
    ("tr", "tur", "turkish"),
    ("uk", "ukr", "ukrainian"),
    ("id", "ind", "indonesian"),
];

/// The tag of a language that an answer names by three letters or in English. Another name is kept as it is.
pub(super) fn language_tag(name: &str) -> String {
    let lower = name.trim().to_lowercase();
    let known = LANGUAGES.iter().find(|(_, letters, english)| *letters == lower || *english == lower);
    known.map_or(lower.clone(), |(tag, _, _)| (*tag).to_owned())
}

/// What a voice with this number, from 0, is called: `A` to `Z`, and then `AA`, `BB` …
pub(super) fn voice(number: u64) -> String {
    let letter = char::from(b'A' + u8::try_from(number % 26).unwrap_or_default());
    letter.to_string().repeat(usize::try_from(number / 26).unwrap_or_default().min(1) + 1)
}

/// What a channel with this number, from 0, is called.
pub(super) fn channel(number: u64) -> String {
    number.saturating_add(1).to_string()
}

/// Puts segments of several channels in the order in which they were said.
pub(super) fn in_order(mut segments: Vec<Segment>) -> Vec<Segment> {
    segments.sort_by_key(|segment| segment.start_ms.unwrap_or(i64::MAX));
    segments
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn word(text: &str, speaker: &str, start: i64) -> Piece {
        Piece {
            speaker: Some(speaker.into()),
            text: text.into(),
            start_ms: Some(start),
            end_ms: Some(start + 300),
            confidence: Some(0.5),
        }
    }

    #[test]
    fn words_become_turns_that_end_with_the_speaker_and_at_a_pause() {
        let words =
            [word("Hi", "A", 0), word("there.", "A", 400), word("Yes?", "B", 800), word("Well,", "B", 3_000)];
        let turns = turns(words, " ");
        let read: Vec<_> =
            turns.iter().map(|turn| (turn.text.as_str(), turn.start_ms, turn.end_ms)).collect();
        assert_eq!(
            read,
            [
                ("Hi there.", Some(0), Some(700)),
                ("Yes?", Some(800), Some(1_100)),
                ("Well,", Some(3_000), Some(3_300))
            ]
        );
        assert_eq!(turns[0].confidence, Some(0.5));
    }

    #[test]
    fn a_number_is_read_whether_it_is_a_number_or_a_text_and_nonsense_is_no_number() {
        for (value, ms) in [
            (json!(1.2345), Some(1_235)),
            (json!("2"), Some(2_000)),
            (json!(-1), None),
            (json!("NaN"), None),
            (json!(1e300), None),
            (json!(null), None),
        ] {
            assert_eq!(millis_of_seconds(&value), ms, "{value}");
        }
        assert_eq!(share(&json!(7)), None);
        assert!((share_of_log(&json!(-0.105)).unwrap() - 0.9).abs() < 0.01);
    }

    #[test]
    fn voices_are_letters_and_channels_are_numbers() {
        assert_eq!([0, 1, 25, 26].map(voice), ["A", "B", "Z", "AA"]);
        assert_eq!([0, 1].map(channel), ["1", "2"]);
    }
}
