//! Reads the answers of providers of speech to text that list single words: Deepgram without utterances, `ElevenLabs`, and
//! the words of Whisper without segments. The words of one speaker become a turn.

use domain::transcript::Segment;
use serde_json::Value;

use super::parsed::segment;
use super::values::{Unit, first, millis};
use crate::words::one_line;

/// A pause after which a new turn begins, in milliseconds. Deepgram ends an utterance after 0.8 seconds.
const PAUSE_MS: i64 = 800;

/// One channel, or the whole recording: its words, and its text where there are no words.
struct Channel<'a> {
    /// The number of the channel, from 1. Absent where there is one channel.
    number: Option<String>,
    words: &'a [Value],
    text: Option<&'a str>,
}

/// Returns what was said, in the order of the times. `None` where the document lists no words in a way that is known.
pub(super) fn read(document: &Value) -> Option<Vec<Segment>> {
    let channels = deepgram(document).or_else(|| eleven_labs(document)).or_else(|| bare(document))?;
    let mut segments: Vec<Segment> = channels.iter().flat_map(turns).collect();
    // The sort keeps the order where a time is missing.
    if segments.iter().all(|segment| segment.start_ms.is_some()) {
        segments.sort_by_key(|segment| segment.start_ms);
    }
    Some(segments)
}

/// The language, where a channel names it.
pub(super) fn language(document: &Value) -> Option<&str> {
    document["results"]["channels"][0]["detected_language"]
        .as_str()
        .or_else(|| document["transcripts"][0]["language_code"].as_str())
}

fn deepgram(document: &Value) -> Option<Vec<Channel<'_>>> {
    let listed = document["results"]["channels"].as_array().filter(|listed| !listed.is_empty())?;
    let channels = listed.iter().zip(1..).map(|(channel, number)| {
        let best = &channel["alternatives"][0];
        Channel {
            number: numbered(number, listed.len()),
            words: words(best),
            text: best["transcript"].as_str(),
        }
    });
    Some(channels.collect())
}

fn eleven_labs(document: &Value) -> Option<Vec<Channel<'_>>> {
    let listed = document["transcripts"].as_array().filter(|listed| !listed.is_empty())?;
    let channels = listed.iter().zip(1..).map(|(one, nth)| {
        let number = one["channel_index"].as_u64().map_or(nth, |index| index.saturating_add(1));
        Channel { number: numbered(number, listed.len()), words: words(one), text: one["text"].as_str() }
    });
    Some(channels.collect())
}

/// Words for the whole recording.
fn bare(document: &Value) -> Option<Vec<Channel<'_>>> {
    let words = words(document);
    let is_word = |word: &Value| first(word, TEXTS).is_some_and(Value::is_string);
    words.iter().any(is_word).then(|| vec![Channel { number: None, words, text: document["text"].as_str() }])
}

fn numbered(number: u64, of: usize) -> Option<String> {
    (of > 1).then(|| number.to_string())
}

fn words(holder: &Value) -> &[Value] {
    holder["words"].as_array().map(Vec::as_slice).unwrap_or_default()
}

const TEXTS: &[&str] = &["punctuated_word", "text", "word"];

fn turns(channel: &Channel<'_>) -> Vec<Segment> {
    let is_spoken = |word: &&Value| word["type"].as_str().is_none_or(|kind| kind == "word");
    // ElevenLabs lists the blanks between words. Where there are none, the language writes none.
    let has_kinds = channel.words.iter().any(|word| word["type"].is_string());
    let glue =
        if has_kinds && !channel.words.iter().any(|word| word["type"] == "spacing") { "" } else { " " };
    let mut turns: Vec<Segment> = Vec::new();
    for word in channel.words.iter().filter(is_spoken) {
        let Some(text) = first(word, TEXTS).and_then(Value::as_str).map(one_line) else { continue };
        if text.is_empty() {
            continue;
        }
        let time = |name: &str| word.get(name).and_then(|time| millis(time, Unit::Seconds, &mut None));
        let (start_ms, end_ms) = (time("start"), time("end"));
        let speaker = channel.number.clone().or_else(|| speaker(word));
        match turns.last_mut() {
            Some(last) if last.speaker == speaker && !is_apart(last.end_ms, start_ms) => {
                last.text.push_str(glue);
                last.text.push_str(&text);
                last.end_ms = end_ms.or(last.end_ms);
            }
            _ => turns.push(Segment { start_ms, end_ms, ..segment(speaker, text) }),
        }
    }
    match channel.text.map(one_line) {
        Some(text) if turns.is_empty() && !text.is_empty() => vec![segment(channel.number.clone(), text)],
        _ => turns,
    }
}

fn is_apart(end_ms: Option<i64>, start_ms: Option<i64>) -> bool {
    end_ms.zip(start_ms).is_some_and(|(end, start)| start - end >= PAUSE_MS)
}

fn speaker(word: &Value) -> Option<String> {
    match first(word, &["speaker", "speaker_id"])? {
        Value::String(name) => Some(one_line(name)).filter(|name| !name.is_empty()),
        Value::Number(label) => Some(label.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Said<'a> = (Option<&'a str>, Option<i64>, Option<i64>, &'a str);

    fn is(document: &Value, wanted: &[Said<'_>]) {
        let read = read(document).unwrap();
        let read: Vec<_> = read
            .iter()
            .map(|said| (said.speaker.as_deref(), said.start_ms, said.end_ms, said.text.as_str()))
            .collect();
        assert_eq!(read, wanted);
    }

    #[test]
    fn deepgram_s_channels_without_utterances_are_read_in_the_order_of_the_times() {
        let channel = |words: Value| json!({"detected_language": "en", "alternatives": [{"transcript": "x", "words": words}]});
        let document = json!({"metadata": {"channels": 2}, "results": {"channels": [
            channel(json!([
                {"word": "hello", "punctuated_word": "Hello", "start": 0.5, "end": 0.9, "confidence": 0.9},
                {"word": "dana", "punctuated_word": "Dana.", "start": 0.9, "end": 1.2},
                {"word": "good", "punctuated_word": "Good.", "start": 4.0, "end": 4.5},
            ])),
            channel(json!([{"word": "hi", "punctuated_word": "Hi.", "start": 2.0, "end": 2.25}])),
        ]}});
        is(
            &document,
            &[
                (Some("1"), Some(500), Some(1_200), "Hello Dana."),
                (Some("2"), Some(2_000), Some(2_250), "Hi."),
                (Some("1"), Some(4_000), Some(4_500), "Good."),
            ],
        );
        assert_eq!(language(&document), Some("en"));
    }

    #[test]
    fn the_voices_of_one_channel_are_told_apart_and_a_channel_without_words_keeps_its_text() {
        let one = json!({"results": {"channels": [{"alternatives": [{"words": [
            {"word": "yes", "start": 0, "end": 0.5, "speaker": 0},
            {"word": "no", "start": 0.5, "end": 1, "speaker": 1},
        ]}]}]}});
        is(&one, &[(Some("0"), Some(0), Some(500), "yes"), (Some("1"), Some(500), Some(1_000), "no")]);
        let bare = json!({"results": {"channels": [{"alternatives": [{"transcript": "only text"}]}]}});
        is(&bare, &[(None, None, None, "only text")]);
    }

    #[test]
    fn eleven_labs_words_become_turns_and_its_noises_are_left_out() {
        let document = json!({"language_code": "eng", "text": "Hello there. Hi.", "words": [
            {"text": "Hello", "start": 0.1, "end": 0.4, "type": "word", "speaker_id": "speaker_0"},
            {"text": " ", "start": 0.4, "end": 0.5, "type": "spacing", "speaker_id": "speaker_0"},
            {"text": "there.", "start": 0.5, "end": 0.9, "type": "word", "speaker_id": "speaker_0"},
            {"text": "(laughter)", "start": 0.9, "end": 1.2, "type": "audio_event", "speaker_id": "speaker_0"},
            {"text": "Hi.", "start": 1.3, "end": 1.5, "type": "word", "speaker_id": "speaker_1"},
        ]});
        is(
            &document,
            &[
                (Some("speaker_0"), Some(100), Some(900), "Hello there."),
                (Some("speaker_1"), Some(1_300), Some(1_500), "Hi."),
            ],
        );
        let by_channel = json!({"transcripts": [
            {"channel_index": 1, "language_code": "jpn", "text": "二", "words": [{"text": "二", "start": 2, "end": 3, "type": "word"}]},
            {"channel_index": 0, "text": "一本", "words": [
                {"text": "一", "start": 0, "end": 1, "type": "word"}, {"text": "本", "start": 1, "end": 1.5, "type": "word"}]},
        ]});
        is(
            &by_channel,
            &[(Some("1"), Some(0), Some(1_500), "一本"), (Some("2"), Some(2_000), Some(3_000), "二")],
        );
    }

    #[test]
    fn other_documents_list_no_words() {
        for other in [
            json!({}),
            json!([]),
            json!({"words": []}),
            json!({"words": [1]}),
            json!({"results": {"channels": []}}),
        ] {
            assert!(read(&other).is_none(), "{other}");
        }
    }
}
