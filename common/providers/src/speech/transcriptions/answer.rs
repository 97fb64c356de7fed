//! Reads the answers: `json`, `verbose_json` and `diarized_json`. All times are seconds.

use domain::transcript::{Segment, Transcript};
use serde::Deserialize;
use serde_json::Value;

use super::super::Unreadable;
use super::super::reading::{
    self, Doubts, Piece, Reading, TimedWord, Used, count, language_tag, millis_of_seconds, share_of_log, text,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    text: Value,
    language: Value,
    languages: Value,
    duration: Value,
    segments: Vec<Value>,
    words: Vec<Word>,
    usage: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Word {
    #[serde(rename = "word")]
    said: Value,
    start: Value,
    end: Value,
}

/// Reads an answer of the server that is called `title` in a sentence.
pub(in super::super) fn read(title: &'static str, answer: &[u8]) -> Result<Reading, Unreadable> {
    let body: Body = reading::json(title, answer)?;
    if body.text.is_null() && body.segments.is_empty() {
        return Err(Unreadable { provider: title, problem: "it holds no transcript".to_owned() });
    }
    let used = used(&body);
    let mut doubts = Doubts::default();
    let mut segments: Vec<Segment> =
        body.segments.iter().filter_map(|segment| doubts.take(piece(segment))).collect();
    // Some models give only a text. It becomes one segment without times.
    if let (true, Some(whole)) = (segments.is_empty(), text(&body.text)) {
        segments.push(Piece { text: whole.trim().to_owned(), ..Piece::default() }.segment());
    }
    let language = text(&body.language).or_else(|| text(&body.languages[0]["code"])).map(language_tag);
    let words = body.words.iter().filter_map(timed).collect();
    let transcript =
        Transcript { language, segments, notes: doubts.notes(), ..Transcript::default() }.numbered();
    Ok(Reading { transcript, words, used })
}

fn piece(segment: &Value) -> Option<Piece> {
    Some(Piece {
        speaker: text(&segment["speaker"]).map(|speaker| speaker.trim().to_owned()),
        text: segment["text"].as_str()?.to_owned(),
        start_ms: millis_of_seconds(&segment["start"]),
        end_ms: millis_of_seconds(&segment["end"]),
        confidence: share_of_log(&segment["avg_logprob"]),
    })
}

fn timed(word: &Word) -> Option<TimedWord> {
    let start_ms = millis_of_seconds(&word.start)?;
    let end_ms = millis_of_seconds(&word.end)?.max(start_ms);
    Some(TimedWord { text: text(&word.said)?.trim().to_owned(), start_ms, end_ms })
}

/// The provider counts what it is paid for in tokens or in seconds, as the model has it.
fn used(body: &Body) -> Used {
    let usage = &body.usage;
    let audio_ms = millis_of_seconds(&body.duration).or_else(|| millis_of_seconds(&usage["seconds"]));
    Used {
        audio_ms,
        input_tokens: count(&usage["input_tokens"]),
        output_tokens: count(&usage["output_tokens"]),
        ..Used::default()
    }
}
