//! Reads the answers: words for the whole recording, or one transcript for each channel. Times are seconds.

use domain::transcript::{Segment, Transcript};
use serde::Deserialize;
use serde_json::Value;

use super::super::Unreadable;
use super::super::reading::{
    self, Piece, Reading, Used, channel, in_order, language_tag, millis_of_seconds, share_of_log, text,
    turns, voice,
};
use super::TITLE;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    language_code: Value,
    text: Value,
    words: Vec<Word>,
    /// One transcript for each channel, where the channels were transcribed apart.
    transcripts: Vec<Body>,
    channel_index: Value,
    audio_duration_secs: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Word {
    text: Value,
    start: Value,
    end: Value,
    #[serde(rename = "type")]
    kind: Value,
    speaker_id: Value,
    logprob: Value,
}

/// Reads a kept answer.
pub(in super::super) fn read(answer: &[u8]) -> Result<Reading, Unreadable> {
    let body: Body = reading::json(TITLE, answer)?;
    if body.text.is_null() && body.words.is_empty() && body.transcripts.is_empty() {
        return Err(Unreadable { provider: TITLE, problem: "it holds no transcript".to_owned() });
    }
    let segments = if body.transcripts.is_empty() {
        segments(&body, None)
    } else {
        let of_channel = |one: &Body| segments(one, one.channel_index.as_u64().map(channel));
        in_order(body.transcripts.iter().flat_map(of_channel).collect())
    };
    let all = || body.transcripts.iter().chain([&body]);
    let language = all().find_map(|one| text(&one.language_code)).map(language_tag);
    let measured = all().find_map(|one| millis_of_seconds(&one.audio_duration_secs));
    let transcript = Transcript { language, segments, ..Transcript::default() }.numbered();
    Ok(Reading {
        transcript,
        words: Vec::new(),
        // Each channel is paid for.
        used: Used {
            audio_ms: measured,
            paid_channels: i64::try_from(body.transcripts.len()).unwrap_or(1),
            ..Used::default()
        },
    })
}

/// The turns of the recording, or of the channel with this name.
fn segments(body: &Body, name: Option<String>) -> Vec<Segment> {
    let spoken = body.words.iter().filter(|word| word.kind.as_str().is_none_or(|kind| kind == "word"));
    let words = spoken.filter_map(|word| {
        Some(Piece {
            speaker: name.clone().or_else(|| speaker(&word.speaker_id)),
            text: text(&word.text)?.trim().to_owned(),
            start_ms: millis_of_seconds(&word.start),
            end_ms: millis_of_seconds(&word.end),
            confidence: share_of_log(&word.logprob),
        })
    });
    let glue = if has_spaces(&body.words) { " " } else { "" };
    let segments = turns(words, glue);
    match text(&body.text) {
        Some(whole) if segments.is_empty() => {
            vec![Piece { speaker: name, text: whole.trim().to_owned(), ..Piece::default() }.segment()]
        }
        _ => segments,
    }
}

/// Whether the language of the call puts spaces between words. The provider sends each space as a word of its own.
fn has_spaces(words: &[Word]) -> bool {
    words.len() < 2 || words.iter().any(|word| word.kind == "spacing")
}

/// `speaker_0` is voice A. A name that the provider knows is kept.
fn speaker(id: &Value) -> Option<String> {
    let id = text(id)?;
    let number = id.strip_prefix("speaker_").and_then(|number| number.parse().ok());
    Some(number.map_or_else(|| id.to_owned(), voice))
}
