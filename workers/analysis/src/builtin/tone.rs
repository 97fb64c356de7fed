//! How the customer sounds: words of a small lexicon, turned round by a negation shortly before them.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::analysis::Sentiment;
use domain::transcript::Segment;

use crate::text;

/// Lines of `word weight`, from -3 to 3.
const LEXICON: &str = include_str!("../../data/tone.txt");

static WEIGHTS: LazyLock<HashMap<&str, f64>> = LazyLock::new(|| {
    LEXICON
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(word, weight)| Some((word, weight.trim().parse().ok()?)))
        .collect()
});

const NEGATIONS: [&str; 21] = [
    "not", "no", "never", "none", "nobody", "nothing", "without", "hardly", "cannot", "can't", "don't",
    "doesn't", "didn't", "isn't", "wasn't", "aren't", "weren't", "won't", "wouldn't", "couldn't", "ain't",
];
const STRONGER: [&str; 10] = [
    "very",
    "really",
    "so",
    "extremely",
    "totally",
    "completely",
    "absolutely",
    "incredibly",
    "quite",
    "too",
];
/// How many words a negation reaches.
const REACH: usize = 3;
/// A few polite words are no mood: below this weight in all the call is neutral.
const MIN_WEIGHT: f64 = 1.5;
/// The share by which one side has to outweigh the other.
const MIN_BALANCE: f64 = 0.2;

pub(super) fn score(segments: &[&Segment]) -> Sentiment {
    let (mut good, mut bad) = (0.0, 0.0);
    for sentence in segments.iter().flat_map(|segment| text::sentences(&segment.text)) {
        let words = text::folded(sentence);
        for (at, word) in words.iter().enumerate() {
            let Some(weight) = WEIGHTS.get(word.as_str()) else { continue };
            let before = &words[at.saturating_sub(REACH)..at];
            // "No, thanks" denies nothing good.
            let negated = before.iter().any(|word| NEGATIONS.contains(&word.as_str()) && weight.abs() > 0.5);
            let stronger = before.last().is_some_and(|word| STRONGER.contains(&word.as_str()));
            let weight = weight * if negated { -0.7 } else { 1.0 } * if stronger { 1.4 } else { 1.0 };
            if weight > 0.0 { good += weight } else { bad -= weight }
        }
    }
    let balance = (good - bad) / (good + bad + f64::EPSILON);
    if good >= MIN_WEIGHT && balance > MIN_BALANCE {
        Sentiment::Positive
    } else if bad >= MIN_WEIGHT && balance < -MIN_BALANCE {
        Sentiment::Negative
    } else {
        Sentiment::Neutral
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::transcript;

    fn tone(text: &str) -> Sentiment {
        let said = transcript(&[("Olga", text)]);
        score(&said.segments.iter().collect::<Vec<_>>())
    }

    #[test]
    fn plain_moods_are_told_apart() {
        assert_eq!(tone("This is great, your support was excellent. I'm very happy."), Sentiment::Positive);
        assert_eq!(
            tone("This is unacceptable. I am really frustrated, it is broken again."),
            Sentiment::Negative
        );
        assert_eq!(tone("The parcel goes to Ghent on Monday. Thanks."), Sentiment::Neutral);
    }

    #[test]
    fn a_negation_turns_a_word_round() {
        assert_eq!(tone("I am not happy. That's not good, and it doesn't work well."), Sentiment::Negative);
        assert_eq!(tone("No problem at all, there is nothing wrong. It works great."), Sentiment::Positive);
    }

    #[test]
    fn every_line_of_the_lexicon_is_read() {
        let lines = LEXICON.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).count();
        assert_eq!(WEIGHTS.len(), lines);
        assert!(lines > 250);
    }
}
