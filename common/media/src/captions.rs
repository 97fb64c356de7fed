//! Writes a transcript as `WebVTT` (<https://www.w3.org/TR/webvtt1/>) and as `SubRip`, which has no standard.
//!
//! A cue needs times, but some sources give none. Words are worth more than exact times. So a segment without times
//! follows the segment before it, and lasts as long as a person needs to read it. A `WebVTT` file can hold comments,
//! and one of them says that times are estimated.
//!
//! The words that somebody said must never act as markup, so they are escaped. They also stand on one line, because
//! a blank line would end the cue.

use std::fmt::Write as _;

use domain::transcript::{Segment, Transcript};

use crate::words::one_line;

/// The time that a calm reader needs for a word: 150 words a minute.
const MS_PER_WORD: i64 = 400;
const SHORTEST_MS: i64 = 1000;
/// 1,000 hours. No call is that long, so a time after it is a mistake of the source.
const LONGEST_MS: i64 = 3_600_000_000;

#[derive(Debug, PartialEq, Eq)]
struct Cue<'a> {
    start_ms: i64,
    end_ms: i64,
    segment: &'a str,
    /// The speaker's label. It is absent when nobody knows who speaks.
    speaker: Option<String>,
}

pub fn vtt(transcript: &Transcript) -> String {
    let (cues, estimated) = cues(transcript);
    let mut text = String::from("WEBVTT\n\n");
    if estimated {
        text.push_str("NOTE The source gave no times for some of this; they are estimated.\n\n");
    }
    for (number, cue) in (1..).zip(&cues) {
        let (start, end) = (time(cue.start_ms, '.'), time(cue.end_ms, '.'));
        let voice = cue.speaker.as_ref().map(|name| format!("<v {}>", escaped(name))).unwrap_or_default();
        let _infallible =
            write!(text, "{number}\n{start} --> {end}\n{voice}{}\n\n", escaped(&one_line(cue.segment)));
    }
    text
}

pub fn srt(transcript: &Transcript) -> String {
    let mut text = String::new();
    for (number, cue) in (1..).zip(&cues(transcript).0) {
        let (start, end) = (time(cue.start_ms, ','), time(cue.end_ms, ','));
        let words = one_line(cue.segment);
        let line = cue.speaker.as_ref().map_or_else(|| words.clone(), |name| format!("{name}: {words}"));
        let _infallible = write!(text, "{number}\n{start} --> {end}\n{}\n\n", plain(&line));
    }
    text
}

/// The cues in the order of their starts, and whether the time of any cue is estimated.
fn cues(transcript: &Transcript) -> (Vec<Cue<'_>>, bool) {
    let known = |time: Option<i64>| time.filter(|ms| (0..=LONGEST_MS).contains(ms));
    let spoken = || transcript.segments.iter().filter(|segment| !segment.text.trim().is_empty());
    let mut next_known: Vec<Option<i64>> = Vec::new();
    let mut next = None;
    for segment in spoken().rev() {
        next_known.push(next);
        next = known(segment.start_ms).or(next);
    }
    let (mut cues, mut estimated, mut after) = (Vec::new(), false, 0);
    for (segment, next) in spoken().zip(next_known.into_iter().rev()) {
        let start_ms = known(segment.start_ms).unwrap_or(after);
        let end_ms = known(segment.end_ms).filter(|end| *end > start_ms);
        estimated |= known(segment.start_ms).is_none() || end_ms.is_none();
        let end_ms = end_ms.unwrap_or_else(|| {
            let read = start_ms + reading_ms(&segment.text);
            next.filter(|next| *next > start_ms).map_or(read, |next| next.min(read))
        });
        after = after.max(end_ms);
        cues.push(Cue { start_ms, end_ms, segment: &segment.text, speaker: speaker(segment) });
    }
    // The sort is stable: cues that start at the same time keep the order of the segments.
    cues.sort_by_key(|cue| cue.start_ms);
    (cues, estimated)
}

fn reading_ms(text: &str) -> i64 {
    let words = i64::try_from(text.split_whitespace().count()).unwrap_or(i64::MAX);
    words.saturating_mul(MS_PER_WORD).clamp(SHORTEST_MS, LONGEST_MS)
}

fn speaker(segment: &Segment) -> Option<String> {
    (segment.speaker.is_some() || segment.role.is_some()).then(|| one_line(&segment.label()))
}

fn time(ms: i64, fraction: char) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{fraction}{:03}", ms % 1000)
}

/// Escapes a text for `WebVTT`.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes a text for `SubRip`. Players read `<i>`, and many of them read entities, but few would show `R&amp;D` as
/// `R&D`. So only those characters are changed that a player would take for markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' if text[..at].ends_with("--") => plain.push_str("&gt;"),
            '&' if is_entity(&text[at + 1..]) => plain.push_str("&amp;"),
            // Players read `{\an8}` as the place on the screen where the words stand.
            '{' if text[at + 1..].starts_with('\\') => plain.push_str("{ "),
            c => plain.push(c),
        }
    }
    plain
}

/// Whether `rest`, the text after a `&`, makes the `&` the start of an entity.
fn is_entity(rest: &str) -> bool {
    let name = rest.chars().take(12).take_while(|c| c.is_ascii_alphanumeric() || *c == '#').count();
    name > 0 && rest[name..].starts_with(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The speaker, the start, the end and the words of a segment.
    type SegmentParts<'a> = (Option<&'a str>, Option<i64>, Option<i64>, &'a str);

    fn transcript(segments: &[SegmentParts<'_>]) -> Transcript {
        let segment = |(speaker, start_ms, end_ms, text): &SegmentParts<'_>| Segment {
            id: 0,
            speaker: speaker.map(str::to_owned),
            role: None,
            start_ms: *start_ms,
            end_ms: *end_ms,
            text: (*text).to_owned(),
            confidence: None,
        };
        Transcript { segments: segments.iter().map(segment).collect(), ..Transcript::default() }.numbered()
    }

    #[test]
    fn words_that_look_like_markup_are_escaped() {
        let hostile = transcript(&[(
            Some("R&D <b>\n--> x"),
            Some(0),
            Some(1500),
            "a --> b\n\n00:01.000 --> 00:02.000\r\n<v Boss>&lt;i&gt; fish & chips {\\an8}",
        )]);
        assert_eq!(
            vtt(&hostile),
            "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.500\n<v R&amp;D &lt;b&gt; --&gt; x>a --&gt; b 00:01.000 \
             --&gt; 00:02.000 &lt;v Boss&gt;&amp;lt;i&amp;gt; fish &amp; chips {\\an8}\n\n"
        );
        assert_eq!(
            srt(&hostile),
            "1\n00:00:00,000 --> 00:00:01,500\nR&D &lt;b> --&gt; x: a --&gt; b 00:01.000 --&gt; 00:02.000 \
             &lt;v Boss>&amp;lt;i&amp;gt; fish & chips { \\an8}\n\n"
        );
    }

    #[test]
    fn the_file_of_a_transcript_without_times_has_all_words_and_says_that_the_times_are_estimated() {
        let session = transcript(&[(Some("A"), None, None, "Good morning."), (None, None, None, "Hi.")]);
        assert_eq!(
            vtt(&session),
            "WEBVTT\n\nNOTE The source gave no times for some of this; they are estimated.\n\n\
             1\n00:00:00.000 --> 00:00:01.000\n<v Speaker A>Good morning.\n\n\
             2\n00:00:01.000 --> 00:00:02.000\nHi.\n\n"
        );
    }

    #[test]
    fn a_segment_without_times_is_placed_between_the_segments_around_it() {
        let mixed = transcript(&[
            (None, Some(1000), Some(2000), "one"),
            (None, None, None, "two"),
            (None, Some(2500), None, "three"),
            (None, Some(i64::MAX), Some(-5), "four"),
        ]);
        let times: Vec<_> = cues(&mixed).0.iter().map(|cue| (cue.start_ms, cue.end_ms)).collect();
        assert_eq!(times, [(1000, 2000), (2000, 2500), (2500, 3500), (3500, 4500)]);
    }

    #[test]
    fn a_very_long_call_is_written_and_a_segment_without_words_is_left_out() {
        let long = transcript(&[
            (None, Some(0), Some(1), " \n "),
            (None, Some(360_061_001), Some(360_062_000), "x"),
        ]);
        assert!(srt(&long).starts_with("1\n100:01:01,001 --> 100:01:02,000\nx\n"), "{}", srt(&long));
        assert_eq!(vtt(&transcript(&[])), "WEBVTT\n\n");
    }
}
