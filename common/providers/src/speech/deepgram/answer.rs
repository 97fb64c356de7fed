//! Reads the answers. Times are seconds; voices and channels are counted from 0.

use domain::transcript::{Segment, Transcript};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::Unreadable;
use super::super::reading::{
    self, Doubts, Piece, Reading, Used, channel, in_order, millis_of_seconds, share, text, turns, voice,
};
use super::TITLE;

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    metadata: Value,
    results: Results,
}

/// The part of the answer that holds the words. The single words, which make up most of it, are read only where there
/// are no utterances.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Results {
    channels: Vec<Channel>,
    utterances: Option<Vec<Box<RawValue>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Channel {
    detected_language: Value,
    alternatives: Vec<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Utterance {
    transcript: Value,
    start: Value,
    end: Value,
    confidence: Value,
    speaker: Value,
    channel: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Alternative {
    transcript: Value,
    confidence: Value,
    words: Vec<Word>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Word {
    #[serde(rename = "word")]
    bare: Value,
    #[serde(rename = "punctuated_word")]
    punctuated: Value,
    start: Value,
    end: Value,
    confidence: Value,
    speaker: Value,
}

/// Reads a kept answer.
pub(in super::super) fn read(answer: &[u8]) -> Result<Reading, Unreadable> {
    let Body { metadata, results } = reading::json(TITLE, answer)?;
    let channels = results.channels.len();
    let mut doubts = Doubts::default();
    let utterances = results.utterances.as_deref().unwrap_or_default();
    let mut segments: Vec<Segment> =
        utterances.iter().filter_map(|raw| doubts.take(piece(raw, channels))).collect();
    if segments.is_empty() {
        segments = results
            .channels
            .iter()
            .zip(0_u64..)
            .flat_map(|(of, number)| without_utterances(of, (channels > 1).then(|| channel(number))))
            .collect();
    }
    let language = results.channels.iter().find_map(|channel| text(&channel.detected_language));
    let transcript = Transcript {
        language: language.map(str::to_owned),
        segments: in_order(segments),
        notes: doubts.notes(),
        ..Transcript::default()
    };
    let used = Used {
        audio_ms: millis_of_seconds(&metadata["duration"]),
        paid_channels: i64::try_from(channels).unwrap_or(1),
        ..Used::default()
    };
    Ok(Reading { transcript: transcript.numbered(), words: Vec::new(), used })
}

fn piece(raw: &RawValue, channels: usize) -> Option<Piece> {
    let utterance: Utterance = serde_json::from_str(raw.get()).unwrap_or_default();
    let speaker = match channels {
        0 | 1 => utterance.speaker.as_u64().map(voice),
        _ => utterance.channel.as_u64().map(channel),
    };
    Some(Piece {
        speaker,
        text: utterance.transcript.as_str()?.to_owned(),
        start_ms: millis_of_seconds(&utterance.start),
        end_ms: millis_of_seconds(&utterance.end),
        confidence: share(&utterance.confidence),
    })
}

/// The turns of one channel, from its words, or else its whole text. `name` is the channel's, where there are several.
fn without_utterances(of: &Channel, name: Option<String>) -> Vec<Segment> {
    let best = of.alternatives.first().and_then(|raw| serde_json::from_str::<Alternative>(raw.get()).ok());
    let Some(best) = best else { return Vec::new() };
    let words = best.words.iter().filter_map(|word| {
        Some(Piece {
            speaker: name.clone().or_else(|| word.speaker.as_u64().map(voice)),
            text: text(&word.punctuated).or_else(|| text(&word.bare))?.to_owned(),
            start_ms: millis_of_seconds(&word.start),
            end_ms: millis_of_seconds(&word.end),
            confidence: share(&word.confidence),
        })
    });
    let segments = turns(words, " ");
    match text(&best.transcript) {
        Some(whole) if segments.is_empty() => {
            let confidence = share(&best.confidence);
            vec![Piece { speaker: name, text: whole.to_owned(), confidence, ..Piece::default() }.segment()]
        }
        _ => segments,
    }
}
