//! Gives each word of a piece a time in the recording.

use super::Part;

/// How many words of the provider's list are looked through for one word of the text.
const LOOK_AHEAD: usize = 6;

/// A segment of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SegmentAt {
    pub(super) part: usize,
    pub(super) segment: usize,
}

/// A word of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) segment: SegmentAt,
    pub(super) word: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) place: Place,
    pub(super) text: String,
    /// The text without case and punctuation.
    pub(super) bare: String,
    /// Times from the beginning of the recording.
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    /// Whether the provider gave the time of this word. Otherwise it was computed from the time of the segment.
    pub(super) is_exact: bool,
}

impl Word {
    pub(super) fn middle_ms(&self) -> i64 {
        self.start_ms + (self.end_ms - self.start_ms) / 2
    }
}

pub(super) fn count(text: &str) -> usize {
    text.split_whitespace().count()
}

/// The words of a part in the order in which they were said.
pub(super) fn words(at: usize, part: &Part) -> Vec<Word> {
    let spans = spans(part);
    let mut listed = part.words.iter().map(|word| (bare(&word.text), word)).collect::<Vec<_>>();
    listed.sort_by_key(|(_, word)| word.start_ms);
    let mut next = 0;
    let mut words = Vec::new();
    for (segment, (of, (from, to))) in part.transcript.segments.iter().zip(spans).enumerate() {
        let all = i64::try_from(count(&of.text)).unwrap_or(1).max(1);
        for (word, text) in of.text.split_whitespace().enumerate() {
            let bare = bare(text);
            let place = Place { segment: SegmentAt { part: at, segment }, word };
            let found = listed.iter().skip(next).take(LOOK_AHEAD).position(|(listed, _)| *listed == bare);
            let (start, end, is_exact) = if let Some(skipped) = found {
                next += skipped + 1;
                let word = listed[next - 1].1;
                (word.start_ms, word.end_ms, true)
            } else {
                let nth = i64::try_from(word).unwrap_or_default();
                (from + (to - from) * nth / all, from + (to - from) * (nth + 1) / all, false)
            };
            words.push(Word {
                place,
                text: text.to_owned(),
                bare,
                start_ms: start + part.start_ms,
                end_ms: end + part.start_ms,
                is_exact,
            });
        }
    }
    words.sort_by_key(|word| word.start_ms);
    words
}

/// The time of each segment. Segments without times share the time between their neighbours, by their words.
fn spans(part: &Part) -> Vec<(i64, i64)> {
    let segments = &part.transcript.segments;
    let length = part.end_ms - part.start_ms;
    let mut spans: Vec<(i64, i64)> = Vec::with_capacity(segments.len());
    for (at, segment) in segments.iter().enumerate() {
        let before = spans.last().map_or(0, |(_, end)| *end);
        let span = match (segment.start_ms, segment.end_ms) {
            (Some(start), Some(end)) => (start, end.max(start)),
            (Some(start), None) => (start, next_start(part, at).unwrap_or(length).max(start)),
            (None, Some(end)) => (before.min(end), end),
            (None, None) => {
                let end = next_start(part, at).unwrap_or(length).max(before);
                let untimed = segments[at..].iter().take_while(|segment| segment.start_ms.is_none());
                let all = untimed.map(|segment| count(&segment.text)).sum::<usize>().max(1);
                let share = |words: usize| i64::try_from(words).unwrap_or(1);
                (before, before + (end - before) * share(count(&segment.text)) / share(all))
            }
        };
        spans.push(span);
    }
    spans
}

fn next_start(part: &Part, at: usize) -> Option<i64> {
    part.transcript.segments[at + 1..].iter().find_map(|segment| segment.start_ms)
}

/// The letters and digits of a word in small letters. A word of signs only stays as it is.
fn bare(word: &str) -> String {
    let bare: String = word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if bare.is_empty() { word.to_owned() } else { bare }
}
