//! Finds the words that stand in the transcripts of two pieces, and where one ends and the other goes on.

use std::collections::HashSet;

use super::timing::{Place, Word};

/// How far the times of the same word may differ where the provider gave both.
const EXACT_MS: i64 = 600;
/// How far they may differ where one was computed from the time of its segment.
const COMPUTED_MS: i64 = 8_000;
/// How far from its computed time a word may have been said.
const SLACK_MS: i64 = 6_000;
/// At most so many words on each side are compared. Two pieces share some seconds, and so some dozens of words.
const MAX_WORDS: usize = 400;

/// What two lists of words share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The same words, by their places in the first and in the second list.
    pub(super) pairs: Vec<(usize, usize)>,
    /// How many words of the first list are kept.
    pub(super) ends_at: usize,
    /// How many words of the second list are left out.
    pub(super) goes_on_at: usize,
    /// Words that are left out where the lists do not end and go on at one word.
    pub(super) dropped_first: HashSet<Place>,
    pub(super) dropped_second: HashSet<Place>,
}

/// Compares the end of `first` with the beginning of `second`. The pieces share the time from `from` to `to`.
pub(super) fn shared(first: &[Word], second: &[Word], from: i64, to: i64) -> Shared {
    let slack = |word: &Word| if word.is_exact { 0 } else { SLACK_MS };
    let begins = first.iter().position(|word| word.end_ms + slack(word) > from).unwrap_or(first.len());
    let begins = begins.max(first.len().saturating_sub(MAX_WORDS));
    let ends = second.iter().rposition(|word| word.start_ms - slack(word) < to).map_or(0, |at| at + 1);
    let ends = ends.min(MAX_WORDS);
    let pairs = same_words(&first[begins..], &second[..ends]);
    let pairs: Vec<_> = pairs.into_iter().map(|(one, other)| (one + begins, other)).collect();
    let middle = from + (to - from) / 2;
    if let Some((one, other)) = seam(first, &pairs, middle) {
        return Shared { pairs, ends_at: one + 1, goes_on_at: other + 1, ..Shared::default() };
    }
    // No word, or hardly one, stands in both. Words with a time of their own are divided in the middle. Others are all
    // kept, because their computed times say too little.
    let drop = |words: &[Word], is_over: fn(i64, i64) -> bool| {
        let dropped = words.iter().filter(|word| word.is_exact && is_over(word.middle_ms(), middle));
        dropped.map(|word| word.place).collect()
    };
    Shared {
        pairs,
        ends_at: first.len(),
        goes_on_at: 0,
        dropped_first: drop(&first[begins..], |word, middle| word >= middle),
        dropped_second: drop(&second[..ends], |word, middle| word < middle),
    }
}

/// The pair of words at which the first transcript ends and the second goes on. What is left out behind it in the first, and
/// before it in the second, should stand in the other: so the pair with the fewest words that would be lost is taken, and
/// of several the one nearest to the middle. `None` where more words would be lost than are said twice otherwise.
fn seam(first: &[Word], pairs: &[(usize, usize)], middle: i64) -> Option<(usize, usize)> {
    let lost = |nth: usize| {
        let (one, other) = pairs[nth];
        let behind = (first.len() - one - 1) - (pairs.len() - nth - 1);
        let before = other - nth;
        behind + before
    };
    let nearest = |nth: usize| (first[pairs[nth].0].middle_ms() - middle).abs();
    let best = (0..pairs.len()).min_by_key(|nth| (lost(*nth), nearest(*nth)))?;
    (lost(best) <= pairs.len()).then(|| pairs[best])
}

/// The longest common subsequence of two lists, weighted by how well the times agree. Of words that are said several times
/// those pair that were said at the same time.
fn same_words(first: &[Word], second: &[Word]) -> Vec<(usize, usize)> {
    let (rows, columns) = (first.len(), second.len());
    let mut best = vec![vec![0.0_f64; columns + 1]; rows + 1];
    for one in (0..rows).rev() {
        for other in (0..columns).rev() {
            let paired = weight(&first[one], &second[other]).map(|weight| weight + best[one + 1][other + 1]);
            let skipped = best[one + 1][other].max(best[one][other + 1]);
            best[one][other] = paired.map_or(skipped, |paired| paired.max(skipped));
        }
    }
    let (mut one, mut other, mut pairs) = (0, 0, Vec::new());
    while one < rows && other < columns {
        let here = best[one][other];
        let paired = weight(&first[one], &second[other]).map(|weight| weight + best[one + 1][other + 1]);
        if paired.is_some_and(|paired| paired >= here) {
            pairs.push((one, other));
            (one, other) = (one + 1, other + 1);
        } else if best[one + 1][other] >= best[one][other + 1] {
            one += 1;
        } else {
            other += 1;
        }
    }
    pairs
}

/// How well two words agree, from 0 to 1. The weight falls so fast with the difference of the times that two pairs of
/// neighbours never outweigh one pair of the same word.
fn weight(one: &Word, other: &Word) -> Option<f64> {
    if one.bare != other.bare {
        return None;
    }
    let tolerance = if one.is_exact && other.is_exact { EXACT_MS } else { COMPUTED_MS };
    let apart = (one.start_ms - other.start_ms).abs();
    #[expect(clippy::cast_precision_loss, reason = "both are some thousands")]
    let closeness = 1.0 - apart as f64 / tolerance as f64;
    (apart < tolerance).then(|| closeness.powi(4))
}
