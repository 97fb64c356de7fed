//! Recognizes two recordings of the same talk.
//!
//! A telephony provider can record both legs of a call, and then two recordings that begin some seconds apart hold the same
//! words. They are no pieces of the call, and what is said in both must stand once. Two recordings of two sides of a call
//! overlap in time as well, and there each holds words of its own. So the words decide.

use std::collections::HashMap;

use domain::moment::Moment;
use domain::note::Note;
use domain::transcript::{Segment, Transcript};

/// From how many words in a row on it is decided at all. Every call has a greeting.
const FEWEST_WORDS: usize = 8;
/// What share of the pairs of words must stand in both. Two transcripts of the same sound differ in some words.
const SAME_SHARE: f64 = 0.5;

/// A transcript, and when it begins.
type Part = (Option<Moment>, Transcript);

/// Takes out of one transcript what the other holds as well. The one that tells more speakers apart stays whole, and of
/// equal ones the longer one.
pub(super) fn once(parts: &mut [Part]) -> Option<Note> {
    let mut is_noted = false;
    for second in 1..parts.len() {
        for first in 0..second {
            let spans = (span(&parts[first]), span(&parts[second]));
            let (Some(one), Some(other)) = spans else { continue };
            if !is_same(&parts[first], &parts[second], (one.0.max(other.0), one.1.min(other.1))) {
                continue;
            }
            let weight = |at: usize| (speakers(&parts[at].1), parts[at].1.segments.len());
            let (kept, cut) = if weight(first) >= weight(second) { (one, second) } else { (other, first) };
            let (start, transcript) = &mut parts[cut];
            let begins = *start;
            transcript.segments.retain(|segment| {
                time(begins, segment).is_none_or(|(from, until)| until <= kept.0 || from >= kept.1)
            });
            is_noted = true;
        }
    }
    is_noted.then(|| {
        let text = "Two recordings of the call hold the same talk. What is said in both stands once.";
        Note::new("same_talk_twice", text)
    })
}

fn speakers(transcript: &Transcript) -> usize {
    let mut known: Vec<_> =
        transcript.segments.iter().filter_map(|segment| segment.speaker.as_deref()).collect();
    known.sort_unstable();
    known.dedup();
    known.len()
}

/// When a segment is said, in milliseconds since 1970.
fn time(start: Option<Moment>, segment: &Segment) -> Option<(i64, i64)> {
    let begins = start?.micros() / 1_000;
    let from = begins.saturating_add(segment.start_ms?);
    Some((from, begins.saturating_add(segment.end_ms?)))
}

/// When the first word of a transcript is said, and when the last one.
fn span((start, transcript): &Part) -> Option<(i64, i64)> {
    let times = || transcript.segments.iter().filter_map(|segment| time(*start, segment));
    Some((times().map(|(from, _)| from).min()?, times().map(|(_, until)| until).max()?))
}

/// Whether both say the same between these times.
fn is_same(one: &Part, other: &Part, between: (i64, i64)) -> bool {
    let (one, other) = (pairs(one, between), pairs(other, between));
    let fewer = one.len().min(other.len());
    if fewer < FEWEST_WORDS {
        return false;
    }
    let mut open: HashMap<&(String, String), usize> = HashMap::new();
    for pair in &one {
        *open.entry(pair).or_default() += 1;
    }
    let mut same = 0_usize;
    for pair in &other {
        if let Some(left) = open.get_mut(pair).filter(|left| **left > 0) {
            *left -= 1;
            same += 1;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a call has far fewer than 2^52 words")]
    let share = same as f64 / fewer as f64;
    share >= SAME_SHARE
}

/// The words that follow each other in the segments that touch this time.
fn pairs((start, transcript): &Part, between: (i64, i64)) -> Vec<(String, String)> {
    let touches = |segment: &&Segment| {
        time(*start, segment).is_some_and(|(from, until)| from < between.1 && until > between.0)
    };
    let words: Vec<String> = transcript
        .segments
        .iter()
        .filter(touches)
        .flat_map(|segment| segment.text.split_whitespace())
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect())
        .filter(|word: &String| !word.is_empty())
        .collect();
    words.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALK: [&str; 4] = [
        "Good morning, this is Dana from the support team.",
        "Hello, my order has not arrived yet.",
        "Let me look it up for you, one moment please.",
        "Thank you very much indeed.",
    ];

    fn part(second: i64, speaker: Option<&str>, said: &[(i64, &str)]) -> Part {
        let segments = said.iter().map(|(at, text)| Segment {
            id: 0,
            speaker: speaker.map(str::to_owned),
            role: None,
            start_ms: Some(*at * 1_000),
            end_ms: Some(*at * 1_000 + 3_000),
            text: (*text).to_owned(),
            confidence: None,
        });
        let transcript = Transcript { segments: segments.collect(), ..Transcript::default() };
        (Some(Moment::from_micros(1_772_616_600_000_000 + second * 1_000_000)), transcript)
    }

    fn texts(parts: &[Part]) -> Vec<Vec<&str>> {
        let mut texts = Vec::new();
        for (_, transcript) in parts {
            texts.push(transcript.segments.iter().map(|segment| segment.text.as_str()).collect());
        }
        texts
    }

    #[test]
    fn the_same_talk_in_two_recordings_stands_once_and_what_only_one_has_stays() {
        let first = part(0, None, &[(0, TALK[0]), (5, TALK[1]), (10, TALK[2]), (15, TALK[3])]);
        let heard = TALK[2].replace("moment", "second");
        let second = part(4, None, &[(1, TALK[1]), (6, &heard), (11, TALK[3]), (20, "Who was that?")]);
        let mut parts = [first, second];
        let note = once(&mut parts).unwrap();
        assert_eq!(note.code, "same_talk_twice");
        assert_eq!(texts(&parts), [TALK.to_vec(), vec!["Who was that?"]]);
    }

    #[test]
    fn the_recording_that_tells_speakers_apart_stays_whole() {
        let first = part(0, None, &[(0, TALK[0]), (5, TALK[1]), (10, TALK[2]), (15, TALK[3])]);
        let mut second = part(4, Some("1"), &[(1, TALK[1]), (6, TALK[2]), (11, TALK[3])]);
        second.1.segments[1].speaker = Some("2".into());
        let mut parts = [first, second];
        once(&mut parts).unwrap();
        assert_eq!(texts(&parts), [vec![TALK[0]], TALK[1..].to_vec()]);
    }

    #[test]
    fn two_sides_of_a_call_and_two_pieces_of_it_both_stay() {
        let agent = part(0, None, &[(0, TALK[0]), (10, TALK[2])]);
        let customer = part(4, None, &[(1, TALK[1]), (11, TALK[3])]);
        let mut sides = [agent.clone(), customer];
        assert_eq!(once(&mut sides), None);
        assert_eq!(texts(&sides).concat().len(), 4);
        let mut pieces = [agent, part(90, None, &[(0, TALK[0]), (10, TALK[2])])];
        assert_eq!(once(&mut pieces), None, "the greeting comes again after a transfer");
        assert_eq!(texts(&pieces).concat().len(), 4);
    }
}
