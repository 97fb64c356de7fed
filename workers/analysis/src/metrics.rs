//! Counts the numbers of a call from its segments, in the same way for every source and every analyzer.
//!
//! Only a segment that has both times, with `0 <= start <= end`, counts in the numbers about time. Words and questions
//! are counted in every segment. The segments with times are taken in the order of their starts, because captions of
//! people who talk at the same time are not always written in order.

use std::collections::BTreeMap;

use domain::analysis::{MeasuredFrom, Metrics};
use domain::call::Role;
use domain::transcript::{Segment, Transcript};

use crate::text;

/// A segment with usable times, or a stretch in which a speaker is heard.
#[derive(Clone)]
pub(crate) struct Timed {
    pub(crate) speaker: String,
    pub(crate) role: Option<Role>,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Timed {
    pub(crate) fn of(segment: &Segment) -> Option<Self> {
        let (start, end) = (segment.start_ms?, segment.end_ms?);
        (0 <= start && start <= end).then(|| Self {
            speaker: segment.label(),
            role: segment.role,
            start,
            end,
        })
    }

    pub(crate) fn length(&self) -> i64 {
        self.end - self.start
    }

    fn is_ours(&self) -> bool {
        matches!(self.role, Some(Role::Agent | Role::Host | Role::Presenter))
    }
}

/// Computes the metrics of a transcript.
///
/// - `talk_ms`: for each speaker ([`Segment::label`]), the sum of the lengths of the speaker's segments.
/// - `silence_ms`: the time from the first start to the last end, without the time in which anybody speaks.
/// - `interruptions`: for each segment, the one that ends last of all segments that started before it is taken. If it
///   belongs to another speaker and has not ended when the segment starts, that is an interruption.
/// - `words`: texts between spaces that hold a letter or a digit. In scripts that do not put spaces between words, the
///   words are those of UAX #29.
/// - `questions`: sentences that end with a question mark.
/// - `talk_ratio`: the share of agents, hosts and presenters in all talk time. It is absent when there is no talk time,
///   and when nobody is known to be on our side while the role of some speaker is not known.
/// - `longest_monologue_ms`: a monologue is made of segments of one speaker, with no segment of another speaker between
///   them. It lasts from its first start to its last end, and its pauses count.
pub fn compute(transcript: &Transcript) -> Metrics {
    let count = |of: fn(&str) -> usize| {
        let all: usize = transcript.segments.iter().map(|segment| of(&segment.text)).sum();
        u32::try_from(all).unwrap_or(u32::MAX)
    };
    let mut timed: Vec<Timed> = transcript.segments.iter().filter_map(Timed::of).collect();
    timed.sort_by_key(|segment| segment.start);
    Metrics {
        talk_ms: talk(&timed),
        silence_ms: silence(&timed),
        interruptions: interruptions(&timed),
        words: count(text::count_words),
        questions: count(text::count_questions),
        talk_ratio: talk_ratio(&timed),
        longest_monologue_ms: longest_monologue(&timed),
        measured_from: MeasuredFrom::Transcript,
    }
}

pub(crate) fn talk(timed: &[Timed]) -> BTreeMap<String, i64> {
    timed.iter().fold(BTreeMap::new(), |mut talk, segment| {
        let sum: &mut i64 = talk.entry(segment.speaker.clone()).or_default();
        *sum = sum.saturating_add(segment.length());
        talk
    })
}

fn silence(timed: &[Timed]) -> i64 {
    let mut silence = 0;
    let mut until = timed.first().map_or(0, |first| first.start);
    for segment in timed {
        silence += (segment.start - until).max(0);
        until = until.max(segment.end);
    }
    silence
}

fn interruptions(timed: &[Timed]) -> u32 {
    let mut count = 0;
    let mut latest: Option<&Timed> = None;
    for segment in timed {
        if latest.is_some_and(|latest| segment.start < latest.end && segment.speaker != latest.speaker) {
            count += 1;
        }
        if latest.is_none_or(|latest| segment.end > latest.end) {
            latest = Some(segment);
        }
    }
    count
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no exact milliseconds")]
pub(crate) fn talk_ratio(timed: &[Timed]) -> Option<f64> {
    let sum = |of: &dyn Fn(&Timed) -> bool| {
        timed.iter().filter(|segment| of(segment)).map(|segment| i128::from(segment.length())).sum::<i128>()
    };
    let (ours, all) = (sum(&Timed::is_ours), sum(&|_| true));
    let nobody_is_ours = !timed.iter().any(Timed::is_ours);
    let some_role_is_unknown = timed.iter().any(|segment| segment.role.is_none());
    (all > 0 && !(nobody_is_ours && some_role_is_unknown)).then(|| ours as f64 / all as f64)
}

pub(crate) fn longest_monologue(timed: &[Timed]) -> i64 {
    timed
        .chunk_by(|one, next| one.speaker == next.speaker)
        .map(|run| run.iter().map(|segment| segment.end).max().unwrap_or_default() - run[0].start)
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(speaker: &str, role: Option<Role>, times: Option<(i64, i64)>, text: &str) -> Segment {
        Segment {
            id: 0,
            speaker: Some(speaker.into()),
            role,
            start_ms: times.map(|(start, _)| start),
            end_ms: times.map(|(_, end)| end),
            text: text.into(),
            confidence: None,
        }
    }

    fn metrics(segments: Vec<Segment>) -> Metrics {
        compute(&Transcript { language: None, segments, ..Transcript::default() }.numbered())
    }

    #[test]
    fn a_speaker_who_starts_while_another_is_still_speaking_interrupts() {
        let found = metrics(vec![
            segment("Ada", None, Some((0, 1_000)), "One."),
            segment("Ben", None, Some((900, 1_500)), "Two."),
            segment("Ben", None, Some((1_400, 2_000)), "Three."),
            segment("Ada", None, Some((2_000, 2_500)), "Four."),
        ]);
        assert_eq!(found.interruptions, 1);
    }

    #[test]
    fn silence_is_the_time_that_no_segment_covers() {
        let found = metrics(vec![
            segment("Ada", None, Some((1_000, 5_000)), "Long."),
            segment("Ben", None, Some((2_000, 3_000)), "Inside."),
            segment("Ada", None, Some((6_500, 7_000)), "End."),
        ]);
        assert_eq!(found.silence_ms, 1_500);
        assert_eq!(found.talk_ms["Ada"], 4_500);
    }

    #[test]
    fn the_talk_ratio_is_absent_when_nobody_knows_who_is_on_our_side() {
        let talk_ratio = |role| {
            metrics(vec![
                segment("Ada", role, Some((0, 3_000)), "a"),
                segment("Ben", None, Some((3_000, 4_000)), "b"),
            ])
            .talk_ratio
        };
        assert_eq!(talk_ratio(None), None);
        assert_eq!(talk_ratio(Some(Role::Customer)), None);
        assert_eq!(talk_ratio(Some(Role::Agent)), Some(0.75));
    }

    #[test]
    fn a_monologue_goes_on_after_a_pause_and_ends_when_another_person_speaks() {
        let found = metrics(vec![
            segment("Ada", None, Some((0, 1_000)), "a"),
            segment("Ada", None, Some((3_000, 4_000)), "b"),
            segment("Ben", None, Some((4_000, 4_500)), "c"),
            segment("Ada", None, Some((5_000, 6_000)), "d"),
        ]);
        assert_eq!(found.longest_monologue_ms, 4_000);
    }

    #[test]
    fn segments_without_times_count_only_for_words_and_questions() {
        let found = metrics(vec![segment("Ada", Some(Role::Agent), None, "How are you? And Ben?")]);
        assert_eq!((found.words, found.questions), (5, 2));
        assert!(found.talk_ms.is_empty());
        assert_eq!(found.talk_ratio, None);
    }

    proptest! {
        #[test]
        fn no_times_make_the_computation_panic(
            times in prop::collection::vec(
                (prop_oneof![any::<i64>(), Just(i64::MAX), Just(0)],
                 prop_oneof![any::<i64>(), Just(i64::MAX), Just(i64::MIN)], 0..3_usize),
                0..20,
            )
        ) {
            let names = ["Ada", "Ben", "A"];
            let found = metrics(
                times.iter().map(|(start, end, who)| segment(names[*who], None, Some((*start, *end)), "x?")).collect(),
            );
            prop_assert!(found.silence_ms >= 0);
            prop_assert!(found.longest_monologue_ms >= 0);
            prop_assert!(found.talk_ms.values().all(|talk| *talk >= 0));
            prop_assert_eq!(found.words as usize, times.len());
        }
    }
}
