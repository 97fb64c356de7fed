//! Decides where the audio of a live call is cut into turns, by who speaks when. Each turn is transcribed by itself.
//!
//! A turn ends at a pause, so that no word is cut in two. Somebody who speaks without a pause is cut after
//! [`LONGEST_MS`], because a listener wants to read something before that.

use domain::audio::Interval;

/// A pause of this length ends a turn.
pub(crate) const PAUSE_MS: i64 = 600;
/// The longest turn.
pub(crate) const LONGEST_MS: i64 = 20_000;
/// How much sound around a turn goes with it: the first and the last consonants are quiet.
const AROUND_MS: i64 = 200;
/// How much of a silence stays with what follows. The detector of speech compares with what was before.
const KEPT_SILENCE_MS: i64 = 2_000;

/// How the audio that was not cut yet is cut now. All times count from its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The turns that are over.
    pub(crate) turns: Vec<Interval>,
    /// From here on the audio is not cut yet.
    pub(crate) until_ms: i64,
    /// Who spoke before `until_ms`.
    pub(crate) speech: Vec<Interval>,
}

/// Cuts `length_ms` of audio in which somebody speaks in the stretches `speech`. If `is_over`, nothing more comes soon.
pub(crate) fn cut(speech: &[Interval], length_ms: i64, is_over: bool) -> Cut {
    let mut groups = groups(speech);
    let mut until_ms = (length_ms - KEPT_SILENCE_MS).max(0);
    if !is_over
        && let Some(last) = groups.last().copied()
        && length_ms - last.end_ms < PAUSE_MS
    {
        groups.pop();
        until_ms = until_ms.min((last.start_ms - AROUND_MS).max(0));
    }
    let mut turns: Vec<Interval> = Vec::with_capacity(groups.len());
    for group in groups {
        let before = turns.last().map_or(0, |turn| turn.end_ms);
        let start_ms = (group.start_ms - AROUND_MS).max(before);
        let end_ms = (group.end_ms + AROUND_MS).min(length_ms);
        turns.push(Interval { start_ms, end_ms });
    }
    let last_end = turns.last().map_or(0, |turn| turn.end_ms);
    let until_ms = if is_over { length_ms } else { until_ms.max(last_end) };
    let clipped = speech.iter().filter(|spoken| spoken.start_ms < until_ms);
    let speech = clipped.map(|spoken| Interval { end_ms: spoken.end_ms.min(until_ms), ..*spoken }).collect();
    Cut { turns, until_ms, speech }
}

/// The stretches of speech with only short pauses between them, none of them longer than [`LONGEST_MS`].
fn groups(speech: &[Interval]) -> Vec<Interval> {
    let mut groups: Vec<Interval> = Vec::new();
    for spoken in speech.iter().flat_map(|spoken| parts(*spoken)) {
        match groups.last_mut() {
            Some(last)
                if spoken.start_ms - last.end_ms < PAUSE_MS
                    && spoken.end_ms - last.start_ms <= LONGEST_MS =>
            {
                last.end_ms = spoken.end_ms;
            }
            _ => groups.push(spoken),
        }
    }
    groups
}

/// A stretch without any pause, in parts that are short enough.
fn parts(spoken: Interval) -> impl Iterator<Item = Interval> {
    let starts = std::iter::successors(Some(spoken.start_ms), |start| Some(start + LONGEST_MS));
    starts
        .take_while(move |start| *start < spoken.end_ms)
        .map(move |start_ms| Interval { start_ms, end_ms: spoken.end_ms.min(start_ms + LONGEST_MS) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(pairs: &[[i64; 2]]) -> Vec<Interval> {
        pairs.iter().map(|pair| Interval::from(*pair)).collect()
    }

    #[test]
    fn a_turn_ends_at_a_pause_and_what_is_still_spoken_waits() {
        let cut = cut(&list(&[[500, 2_000], [2_300, 3_000], [4_000, 5_900]]), 6_000, false);
        assert_eq!(cut.turns, list(&[[300, 3_200]]), "a pause of 300 ms belongs to the turn");
        assert_eq!(cut.until_ms, 3_800, "the sound before the first word stays with it");
        assert_eq!(cut.speech, list(&[[500, 2_000], [2_300, 3_000]]));
    }

    #[test]
    fn when_nothing_more_comes_everything_is_a_turn() {
        let cut = cut(&list(&[[4_000, 5_900]]), 6_000, true);
        assert_eq!((cut.turns, cut.until_ms), (list(&[[3_800, 6_000]]), 6_000));
    }

    #[test]
    fn silence_is_no_turn_and_its_end_is_kept_for_the_detector() {
        assert_eq!(cut(&[], 30_000, false), Cut { until_ms: 28_000, ..Cut::default() });
        assert_eq!(cut(&[], 500, false), Cut::default());
    }

    #[test]
    fn somebody_who_never_pauses_is_cut_nevertheless() {
        let cut = cut(&list(&[[0, 45_000]]), 45_100, false);
        assert_eq!(cut.turns, list(&[[0, 20_200], [20_200, 40_200]]));
        assert_eq!(cut.until_ms, 40_200, "a turn that was cut is never cut again");
    }

    proptest! {
        #[test]
        fn all_that_is_spoken_is_in_a_turn_or_not_cut_yet_and_no_sound_is_in_two_turns(
            lengths in proptest::collection::vec((300_i64..3_000, 100_i64..9_000), 0..12), is_over: bool
        ) {
            let mut at = 0;
            let speech: Vec<Interval> = lengths.iter().map(|(pause, length)| {
                let start_ms = at + pause;
                at = start_ms + length;
                Interval { start_ms, end_ms: at }
            }).collect();
            let cut = cut(&speech, at + 300, is_over);
            for pair in cut.turns.windows(2) {
                prop_assert!(pair[0].end_ms <= pair[1].start_ms);
            }
            prop_assert!(cut.turns.iter().all(|turn| turn.end_ms <= cut.until_ms));
            for ms in (0..at).step_by(50) {
                let within = |list: &[Interval]| list.iter().any(|part| (part.start_ms..part.end_ms).contains(&ms));
                prop_assert!(!within(&speech) || within(&cut.turns) || ms >= cut.until_ms, "{ms} is lost");
            }
        }
    }
}
