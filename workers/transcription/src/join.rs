//! Joins the transcripts of the pieces of a recording to one transcript.
//!
//! Two pieces may share some seconds. A word that was said in them stands in both transcripts and must stand once in
//! the result. The same words are found in both by their text and their time; at one of them, near the middle of what
//! the pieces share, the first transcript ends and the second goes on. The same words also tell which voice of the
//! second piece is which voice of the first: a provider names the voices of each piece anew. A voice that cannot be
//! found gets a label of its own, because a wrong name is worse than one name too many.

mod alignment;
mod speakers;
#[cfg(test)]
mod tests;
mod timing;

use domain::note::Note;
use domain::transcript::{Segment, Transcript};
use providers::speech::TimedWord;

use speakers::Speakers;
use timing::Word;

/// The transcript of one piece. Its times count from the beginning of the piece.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Where the piece lies in the recording.
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) transcript: Transcript,
    /// The single words with their times, where the provider gives them.
    pub(crate) words: Vec<TimedWord>,
}

pub(crate) fn join(mut parts: Vec<Part>) -> Transcript {
    parts.sort_by_key(|part| part.start_ms);
    let mut speakers = Speakers::default();
    let mut kept: Vec<Word> = Vec::new();
    let mut reaches_to = i64::MIN;
    for (at, part) in parts.iter().enumerate() {
        let mut next = timing::words(at, part);
        let mut pairs = Vec::new();
        if part.start_ms < reaches_to {
            let shared = alignment::shared(&kept, &next, part.start_ms, reaches_to);
            pairs
                .extend(shared.pairs.iter().map(|(first, second)| (kept[*first].place, next[*second].place)));
            kept.truncate(shared.ends_at);
            next.drain(..shared.goes_on_at);
            kept.retain(|word| !shared.dropped_first.contains(&word.place));
            next.retain(|word| !shared.dropped_second.contains(&word.place));
        }
        speakers.take(&parts, at, &pairs);
        kept.append(&mut next);
        reaches_to = reaches_to.max(part.end_ms);
    }
    let segments = segments(&parts, &kept, &speakers);
    let mut notes: Vec<Note> = Vec::new();
    for note in parts.iter().flat_map(|part| &part.transcript.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    if speakers.are_doubtful() {
        let text = "The recording was transcribed in pieces, and some voices of one piece could not be found in the piece \
                    before. They have labels of their own.";
        notes.push(Note::new("speakers_not_matched", text));
    }
    let language = parts.iter().find_map(|part| part.transcript.language.clone());
    Transcript { language, segments, notes, ..Transcript::default() }.numbered()
}

/// Makes the segments of the words that were kept. A segment of which all words were kept stays as it was.
fn segments(parts: &[Part], kept: &[Word], speakers: &Speakers) -> Vec<Segment> {
    let mut by_segment: Vec<(timing::SegmentAt, Vec<&Word>)> = Vec::new();
    for word in kept {
        match by_segment.iter_mut().rev().find(|(at, _)| *at == word.place.segment) {
            Some((_, words)) => words.push(word),
            None => by_segment.push((word.place.segment, vec![word])),
        }
    }
    let mut segments: Vec<Segment> = by_segment
        .into_iter()
        .map(|(at, words)| {
            let part = &parts[at.part];
            let whole = &part.transcript.segments[at.segment];
            let moved = |time: Option<i64>| time.map(|ms| ms + part.start_ms);
            let speaker = whole.speaker.as_deref().map(|label| speakers.name(at.part, label));
            let is_whole = words.len() == timing::count(&whole.text);
            if is_whole {
                let (start_ms, end_ms) = (moved(whole.start_ms), moved(whole.end_ms));
                return Segment { speaker, start_ms, end_ms, ..whole.clone() };
            }
            let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
            let has_times = whole.start_ms.is_some();
            let start_ms = words.first().map(|word| word.start_ms).filter(|_| has_times);
            let end_ms = words.last().map(|word| word.end_ms).filter(|_| has_times);
            Segment { speaker, text, start_ms, end_ms, ..whole.clone() }
        })
        .collect();
    // Segments without times stay where they are: the sort keeps their order.
    if segments.iter().all(|segment| segment.start_ms.is_some()) {
        segments.sort_by_key(|segment| segment.start_ms);
    }
    segments
}
