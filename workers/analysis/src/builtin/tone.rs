//! Decides how the customer sounds. The words of a small lexicon have weights, and a negation shortly before a word
//! turns its weight into the opposite.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::analysis::Sentiment;
use domain::transcript::Segment;

use crate::text;

/// Each line is a word and its weight, from -3 to 3.
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
/// Phrases with a word of the lexicon that show no sentiment: greetings, wishes, and figures of speech.
const PLAIN: [&[&str]; 14] = [
    &["good", "morning"],
    &["good", "afternoon"],
    &["good", "evening"],
    &["good", "day"],
    &["would", "like"],
    &["i'd", "like"],
    &["we'd", "like"],
    &["you", "like"],
    &["something", "like"],
    &["looks", "like"],
    &["sounds", "like"],
    &["feel", "free"],
    &["as", "well"],
    &["to", "be", "honest"],
];
/// A negation works on this many words after it.
const NEGATED_WORDS: usize = 3;
/// A call whose weights add up to less is neutral, because a few polite words show no sentiment.
const MIN_WEIGHT: f64 = 1.5;
/// The share of all weights by which the good ones must exceed the bad ones, or the bad ones the good ones.
const MIN_BALANCE: f64 = 0.2;

pub(super) fn sentiment(segments: &[&Segment]) -> Sentiment {
    let (mut good, mut bad) = (0.0, 0.0);
    for sentence in segments.iter().flat_map(|segment| text::sentences(&segment.text)) {
        let words = text::folded(sentence);
        for (at, word) in words.iter().enumerate() {
            let Some(weight) = WEIGHTS.get(word.as_str()).filter(|_| !is_plain(&words, at)) else { continue };
            let before = &words[at.saturating_sub(NEGATED_WORDS)..at];
            // A negation does not change a polite word: "No, thanks" is not negative.
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

/// Whether the word at `at` stands in a phrase that shows no sentiment.
fn is_plain(words: &[String], at: usize) -> bool {
    PLAIN.iter().any(|phrase| {
        (0..phrase.len()).any(|before| {
            let start = at.checked_sub(before);
            let found = start.and_then(|start| words.get(start..start + phrase.len()));
            found.is_some_and(|found| found.iter().zip(*phrase).all(|(word, expected)| word == expected))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::transcript;

    fn tone(text: &str) -> Sentiment {
        let transcript = transcript(&[("Olga", text)]);
        sentiment(&transcript.segments.iter().collect::<Vec<_>>())
    }

    #[test]
    fn clearly_positive_negative_and_neutral_words_are_recognized() {
        assert_eq!(tone("This is great, your support was excellent. I'm very happy."), Sentiment::Positive);
        assert_eq!(
            tone("This is unacceptable. I am really frustrated, it is broken again."),
            Sentiment::Negative
        );
        assert_eq!(tone("The parcel goes to Ghent on Monday. Thanks."), Sentiment::Neutral);
    }

    #[test]
    fn greetings_and_wishes_show_no_sentiment() {
        assert_eq!(
            tone(
                "Good morning. We would like to cancel it, to be honest. The dashboard is down every Monday. Thanks."
            ),
            Sentiment::Negative
        );
        assert_eq!(tone("Good afternoon, I'd like two of them. Would you like to wait?"), Sentiment::Neutral);
        assert_eq!(tone("Good evening. Good day."), Sentiment::Neutral);
        assert_eq!(tone("I like it, it is good."), Sentiment::Positive);
    }

    #[test]
    fn a_negation_turns_the_weight_of_a_word_into_its_opposite() {
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
