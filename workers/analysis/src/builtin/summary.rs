//! Selects the sentences that best say what a call is about, and its key phrases.
//!
//! The score of a sentence counts how often its words are said in the whole call, because the call is about the words
//! that many of its sentences share. The score is divided by the square root of the sentence's length, so that neither
//! a long list nor a short "Right." gets the highest score.

use std::collections::{BTreeSet, HashMap};

use domain::transcript::{Segment, Transcript};
use yake_rust::{Config, StopWords};

use super::rules;
use crate::{dictation, text};

const SUMMARY_SENTENCES: usize = 3;
const KEY_POINTS: usize = 5;
const KEY_PHRASES: usize = 8;
/// How many words a sentence needs to be understood alone.
const SENTENCE_WORDS: std::ops::RangeInclusive<usize> = 5..=45;
const MAX_SENTENCE_CHARS: usize = 300;

#[derive(Debug, Default, PartialEq)]
pub(super) struct Extract {
    /// The best sentences, in the order in which they were said.
    pub(super) text: String,
    /// The next best sentences, in the order in which they were said.
    pub(super) key_points: Vec<String>,
}

struct Sentence<'t> {
    text: &'t str,
    /// Its words, as numbers: a long call has many sentences, and a copy of each word would take several times the
    /// memory of the text.
    words: Vec<usize>,
    score: f64,
}

pub(super) fn extract(segments: &[&Segment], english: bool) -> Extract {
    let stop = if english { StopWords::predefined("en") } else { None };
    let all: Vec<&str> = segments.iter().flat_map(|segment| text::sentences(&segment.text)).collect();
    let mut suitable: Vec<&str> = all
        .iter()
        .copied()
        .filter(|text| {
            SENTENCE_WORDS.contains(&text::count_words(text)) && text.chars().count() <= MAX_SENTENCE_CHARS
        })
        .collect();
    let says_something = |text: &&str| !rules::is_greeting(text) && !rules::is_introduction(text);
    if english && suitable.iter().any(says_something) {
        suitable.retain(says_something);
    }
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut sentences: Vec<Sentence> = suitable
        .into_iter()
        .map(|text| {
            let mut number = |word| {
                let next = numbers.len();
                *numbers.entry(word).or_insert(next)
            };
            let words = content_words(text, stop.as_ref()).into_iter().map(&mut number).collect();
            Sentence { text, words, score: 0.0 }
        })
        .collect();
    drop(numbers);
    if sentences.is_empty() {
        // There is no suitable sentence, for example because the source wrote no full stops. Then the longest one is
        // taken and shortened.
        let longest =
            all.iter().max_by_key(|text| text.len()).map(|text| text::shortened(text, MAX_SENTENCE_CHARS));
        return Extract { text: longest.unwrap_or_default(), key_points: Vec::new() };
    }
    score(&mut sentences);
    let mut ranked: Vec<usize> = (0..sentences.len()).collect();
    ranked.sort_by(|a, b| sentences[*b].score.total_cmp(&sentences[*a].score).then(a.cmp(b)));
    // The same sentence counts once. Only as many are compared as are shown.
    let mut seen = BTreeSet::new();
    let distinct = ranked.into_iter().filter(|at| seen.insert(text::folded(sentences[*at].text)));
    let ranked: Vec<usize> = distinct.take(SUMMARY_SENTENCES + KEY_POINTS).collect();
    let in_order = |chosen: &[usize]| {
        let mut chosen = chosen.to_vec();
        chosen.sort_unstable();
        chosen.into_iter().map(|at| sentences[at].text.to_owned()).collect::<Vec<_>>()
    };
    let (first, rest) = ranked.split_at(SUMMARY_SENTENCES.min(ranked.len()));
    Extract { text: in_order(first).join(" "), key_points: in_order(&rest[..KEY_POINTS.min(rest.len())]) }
}

fn content_words(text: &str, stop: Option<&StopWords>) -> BTreeSet<String> {
    text::folded(text)
        .into_iter()
        .filter(|word| word.chars().count() > 3 && stop.is_none_or(|stop| !stop.contains(word)))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of words in a call")]
fn score(sentences: &mut [Sentence]) {
    let mut uses: HashMap<usize, usize> = HashMap::new();
    for word in sentences.iter().flat_map(|sentence| &sentence.words) {
        *uses.entry(*word).or_default() += 1;
    }
    let scores: Vec<f64> = sentences
        .iter()
        .map(|sentence| {
            // A word that only one sentence has does not count.
            let shared: usize = sentence.words.iter().map(|word| uses[word].saturating_sub(1)).sum();
            let length = sentence.words.len().max(3) as f64;
            let question_factor = if sentence.text.ends_with('?') { 0.5 } else { 1.0 };
            question_factor * (shared as f64 + 0.1 * sentence.words.len() as f64) / length.sqrt()
        })
        .collect();
    for (sentence, score) in sentences.iter_mut().zip(scores) {
        sentence.score = score;
    }
}

/// Words that are no topics: words that people say in every call, days and months, and the spoken signs of an e-mail
/// address.
const NOT_TOPICS: [&str; 50] = [
    "good",
    "great",
    "fine",
    "fair",
    "right",
    "sure",
    "okay",
    "perfect",
    "thanks",
    "thank",
    "please",
    "hello",
    "sorry",
    "morning",
    "afternoon",
    "evening",
    "understood",
    "alright",
    "exactly",
    "nice",
    "yes",
    "yeah",
    "welcome",
    "bye",
    "goodbye",
    "moment",
    "anything",
    "dot",
    "underscore",
    "today",
    "tomorrow",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "january",
    "february",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "noon",
    "weekend",
];

/// The phrases of up to three words that are typical for the call, by the algorithm YAKE. They are found in English
/// calls only.
///
/// Some phrases are no topics. A phrase with digits is a number or an address. A phrase with the name of one of
/// `people`, of a speaker, or of somebody who introduces themselves is a person. Greetings and introductions are not
/// searched.
pub(super) fn key_phrases(transcript: &Transcript, people: &[String], max_bytes: usize) -> Vec<String> {
    let Some(stop) = StopWords::predefined("en") else { return Vec::new() };
    let sentences = transcript.segments.iter().flat_map(|segment| text::sentences(&segment.text));
    let all: Vec<&str> = sentences.collect();
    let says_something =
        |sentence: &&&str| !rules::is_greeting(sentence) && !rules::is_introduction(sentence);
    let mut text = String::new();
    for sentence in all.iter().filter(says_something) {
        if text.len() + sentence.len() > max_bytes {
            break;
        }
        text += sentence;
        text.push('\n');
    }
    if !text.chars().any(char::is_alphanumeric) {
        return Vec::new();
    }
    let speakers = transcript.segments.iter().filter_map(|segment| segment.speaker.as_ref());
    let introduced = all.iter().filter_map(|sentence| dictation::own_name(sentence));
    let names: BTreeSet<String> =
        speakers.chain(people).map(String::as_str).chain(introduced).flat_map(text::folded).collect();
    let is_topic = |phrase: &str| {
        !phrase.chars().any(|c| c.is_ascii_digit())
            && text::folded(phrase)
                .iter()
                .all(|word| !names.contains(word) && !NOT_TOPICS.contains(&word.as_str()))
    };
    let config = Config { ngrams: 3, only_alphanumeric_and_hyphen: true, ..Config::default() };
    let mut phrases: Vec<String> = Vec::new();
    for found in yake_rust::get_n_best(KEY_PHRASES * 10, &text, &stop, &config) {
        let overlaps =
            |known: &String| dictation::says(known, &found.raw) || dictation::says(&found.raw, known);
        if phrases.len() < KEY_PHRASES && is_topic(&found.raw) && !phrases.iter().any(overlaps) {
            phrases.push(found.raw);
        }
    }
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::transcript;

    fn extracted(lines: &[&str]) -> Extract {
        let lines: Vec<(&str, &str)> = lines.iter().map(|text| ("Olga", *text)).collect();
        let transcript = transcript(&lines);
        extract(&transcript.segments.iter().collect::<Vec<_>>(), true)
    }

    #[test]
    fn the_summary_has_the_sentences_that_share_most_words_in_their_order() {
        let found = extracted(&[
            "Good morning, thank you for calling about the invoice for the warehouse.",
            "The invoice for the warehouse was charged twice.",
            "The weather here is rather nice today.",
            "Please refund the second invoice that was charged to the warehouse.",
            "We promise that the refund of the invoice is on its way.",
        ]);
        assert!(found.text.starts_with("The invoice for the warehouse"), "{}", found.text);
        assert!(!found.text.contains("weather"));
    }

    #[test]
    fn a_greeting_or_an_introduction_is_the_summary_only_when_nothing_else_was_said() {
        let greeting = "Good morning, this is Brask Shipping.";
        assert_eq!(
            extracted(&[greeting, "The ramp is closed until May."]).text,
            "The ramp is closed until May."
        );
        assert_eq!(extracted(&[greeting]).text, greeting);
        let name = "And I'm Olga Lindqvist, planner at Brask Shipping.";
        let both = extracted(&[name, "The ramp of Brask Shipping is closed until May."]);
        assert_eq!(
            (both.text.as_str(), both.key_points.len()),
            ("The ramp of Brask Shipping is closed until May.", 0)
        );
    }

    #[test]
    fn long_words_without_a_full_stop_are_shortened_and_not_left_out() {
        let found = extracted(&[&"invoice refund ".repeat(100)]);
        assert!(found.text.ends_with('…') && found.text.chars().count() <= 302);
        assert_eq!(extracted(&["Yes.", "No."]).text, "Yes.");
    }

    #[test]
    fn a_sentence_that_is_said_twice_is_taken_once() {
        let line = "The invoice for the warehouse was charged twice.";
        let found = extracted(&[line, line]);
        assert_eq!((found.text.as_str(), found.key_points.len()), (line, 0));
    }
}
