//! Which token may follow. The network was trained with times around its sentences, and these rules keep it to that form:
//! a time comes first, times come in pairs, and no time is before an earlier one.
//!
//! The rules are those of `whisper/decoding.py` of `OpenAI` (`ApplyTimestampRules`).

use super::vocabulary::{TIMES, Vocabulary};

/// The latest time of the first token: one second, in steps of 20 ms.
const LATEST_START: u32 = 50;

/// Makes the tokens that may not follow `said` impossible. `said` is what was chosen in this window so far.
pub(super) fn apply(vocabulary: &Vocabulary, suppressed: &[u32], said: &[u32], scores: &mut [f32]) {
    let first_time = vocabulary.first_time;
    let mut forbid = |from: u32, until: u32| {
        let range = index(from).min(scores.len())..index(until).min(scores.len());
        scores[range].fill(f32::NEG_INFINITY);
    };
    for token in suppressed {
        forbid(*token, *token + 1);
    }
    for order in 0..first_time {
        if order != vocabulary.end && vocabulary.is_order(order) {
            forbid(order, order + 1);
        }
    }
    // What lies behind the last time is no token at all.
    forbid(first_time + TIMES, u32::MAX);
    if said.is_empty() {
        forbid(0, first_time);
        forbid(first_time + LATEST_START + 1, u32::MAX);
        return;
    }
    let is_time = |back: usize| {
        said.len().checked_sub(back).and_then(|at| said.get(at)).map(|token| vocabulary.is_time(*token))
    };
    let last_was_time = is_time(1) == Some(true);
    // The first time of a window counts as the second of a pair.
    let one_before_was_time = is_time(2).unwrap_or(true);
    if last_was_time {
        if one_before_was_time {
            forbid(first_time, u32::MAX);
        } else {
            forbid(0, vocabulary.end);
        }
    }
    if let Some(last) = said.iter().rev().find(|token| vocabulary.is_time(**token)) {
        // A sentence takes some time, so its end is later than its start.
        let soonest = if last_was_time && !one_before_was_time { *last } else { *last + 1 };
        forbid(first_time, soonest);
    }
    let words = index(first_time).min(scores.len());
    if times_are_likelier(scores, words) {
        scores[..words].fill(f32::NEG_INFINITY);
    }
}

/// Whether all times together are likelier than the likeliest word.
fn times_are_likelier(scores: &[f32], first_time: usize) -> bool {
    let (words, times) = scores.split_at(first_time);
    let likeliest = words.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let highest = times.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if highest == f32::NEG_INFINITY {
        return false;
    }
    let sum: f32 = times.iter().map(|score| (score - highest).exp()).sum();
    highest + sum.ln() > likeliest
}

pub(super) fn index(token: u32) -> usize {
    usize::try_from(token).unwrap_or(usize::MAX)
}
