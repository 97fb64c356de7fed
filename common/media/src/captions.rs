//! Writes a transcript as `WebVTT` (<https://www.w3.org/TR/webvtt1/>) and as `SubRip`, which has no standard.
//!
//! A cue needs times, and some sources give none. Words are worth more than exact times: a segment without
//! them follows the one before it for as long as it takes to read, and `WebVTT`, which has comments, says so.
//! What somebody said is never markup: it is escaped, and stays on one line, since a blank line ends a cue.

use std::fmt::Write as _;

use domain::transcript::{Segment, Transcript};

/// A calm reader's pace, 150 words a minute.
const MS_PER_WORD: i64 = 400;
const SHORTEST_MS: i64 = 1000;
/// Past it a time is no time in a call but a mistake: 1,000 hours.
const LONGEST_MS: i64 = 3_600_000_000;

#[derive(Debug, PartialEq, Eq)]
struct Cue<'a> {
    start_ms: i64,
    end_ms: i64,
    segment: &'a str,
    /// Absent where nobody knows who speaks.
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
        let said = one_line(cue.segment);
        let line = cue.speaker.as_ref().map_or_else(|| said.clone(), |name| format!("{name}: {said}"));
        let _infallible = write!(text, "{number}\n{start} --> {end}\n{}\n\n", plain(&line));
    }
    text
}

/// Cues by their start, and whether a time of any of them is estimated.
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
    // Cues stand in the order of their starts; of those that start together, as they were said.
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

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// For `WebVTT`.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// For `SubRip`: players read `<i>` and many read entities, but few read `&amp;` in `R&amp;D`. So only what
/// would be taken for markup is changed.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' if text[..at].ends_with("--") => plain.push_str("&gt;"),
            '&' if is_entity(&text[at + 1..]) => plain.push_str("&amp;"),
            // A position mark: `{\an8}`.
            '{' if text[at + 1..].starts_with('\\') => plain.push_str("{ "),
            c => plain.push(c),
        }
    }
    plain
}

/// Whether what follows a `&` makes it one.
fn is_entity(rest: &str) -> bool {
    let name = rest.chars().take(12).take_while(|c| c.is_ascii_alphanumeric() || *c == '#').count();
    name > 0 && rest[name..].starts_with(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Speaker, start, end and words.
    type Said<'a> = (Option<&'a str>, Option<i64>, Option<i64>, &'a str);

    fn transcript(segments: &[Said<'_>]) -> Transcript {
        let segment = |(speaker, start_ms, end_ms, text): &Said<'_>| Segment {
            id: 0,
            speaker: speaker.map(str::to_owned),
            role: None,
            start_ms: *start_ms,
            end_ms: *end_ms,
            text: (*text).to_owned(),
            confidence: None,
        };
        Transcript { language: None, segments: segments.iter().map(segment).collect() }.numbered()
    }

    #[test]
    fn what_was_said_is_never_markup() {
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
    fn a_transcript_without_times_keeps_its_words_and_says_that_times_are_estimated() {
        let session = transcript(&[(Some("A"), None, None, "Good morning."), (None, None, None, "Hi.")]);
        assert_eq!(
            vtt(&session),
            "WEBVTT\n\nNOTE The source gave no times for some of this; they are estimated.\n\n\
             1\n00:00:00.000 --> 00:00:01.000\n<v Speaker A>Good morning.\n\n\
             2\n00:00:01.000 --> 00:00:02.000\nHi.\n\n"
        );
    }

    #[test]
    fn a_segment_without_times_stands_between_its_neighbours() {
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
    fn long_calls_and_silent_segments_are_written_right() {
        let long = transcript(&[
            (None, Some(0), Some(1), " \n "),
            (None, Some(360_061_001), Some(360_062_000), "x"),
        ]);
        assert!(srt(&long).starts_with("1\n100:01:01,001 --> 100:01:02,000\nx\n"), "{}", srt(&long));
        assert_eq!(vtt(&transcript(&[])), "WEBVTT\n\n");
    }
}
