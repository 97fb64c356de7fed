//! Phrases that an agent is told of when somebody says them: the name of a competitor, a price, a wish to cancel.
//!
//! A phrase is found as whole words, in any case. A word of five letters or more is also found with one letter wrong,
//! because speech to text writes names as it hears them.

use std::collections::BTreeMap;

/// A word is at least so long before one wrong letter is let pass.
const NEAR_FROM: usize = 5;
const MAX_PHRASES: usize = 10_000;

/// The phrases, by the name of what they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trackers(Vec<Phrase>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Phrase {
    topic: String,
    shown: String,
    words: Vec<String>,
}

/// A phrase that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention<'t> {
    pub(crate) topic: &'t str,
    pub(crate) phrase: &'t str,
}

impl Default for Trackers {
    fn default() -> Self {
        let own = [
            (
                "cancel",
                &["cancel", "cancellation", "close my account", "end my contract", "switch provider"][..],
            ),
            ("price", &["too expensive", "price", "discount", "cheaper", "how much does it cost"]),
            ("legal", &["lawyer", "sue you", "legal action", "data protection", "ombudsman"]),
            ("escalation", &["your manager", "supervisor", "complaint", "speak to somebody else"]),
        ];
        Self(
            own.iter()
                .flat_map(|(topic, phrases)| phrases.iter().filter_map(|text| phrase(topic, text)))
                .collect(),
        )
    }
}

impl Trackers {
    /// Reads the JSON of a file: an object of lists of phrases.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let lists: BTreeMap<String, Vec<String>> = serde_json::from_str(text)
            .map_err(|error| format!("is no JSON object of lists of phrases: {error}"))?;
        let phrases: Vec<Phrase> = lists
            .iter()
            .flat_map(|(topic, phrases)| phrases.iter().filter_map(|text| phrase(topic, text)))
            .collect();
        if phrases.len() > MAX_PHRASES {
            return Err(format!("has more than {MAX_PHRASES} phrases"));
        }
        Ok(Self(phrases))
    }

    /// The phrases that stand in a text, each once.
    pub(crate) fn find(&self, text: &str) -> Vec<Mention<'_>> {
        let said = words(text);
        let is_there = |phrase: &&Phrase| {
            said.windows(phrase.words.len())
                .any(|part| part.iter().zip(&phrase.words).all(|(said, wanted)| is_near(said, wanted)))
        };
        self.0
            .iter()
            .filter(is_there)
            .map(|phrase| Mention { topic: &phrase.topic, phrase: &phrase.shown })
            .collect()
    }
}

fn phrase(topic: &str, text: &str) -> Option<Phrase> {
    let words = words(text);
    (!words.is_empty()).then(|| Phrase { topic: topic.to_owned(), shown: text.trim().to_owned(), words })
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn is_near(said: &str, wanted: &str) -> bool {
    if said == wanted {
        return true;
    }
    let lengths = (said.chars().count(), wanted.chars().count());
    lengths.1 >= NEAR_FROM
        && lengths.0.abs_diff(lengths.1) <= 1
        && strsim::damerau_levenshtein(said, wanted) <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(trackers: &Trackers, text: &str) -> Vec<String> {
        trackers.find(text).iter().map(|mention| format!("{}:{}", mention.topic, mention.phrase)).collect()
    }

    #[test]
    fn a_phrase_is_found_as_whole_words_and_with_one_wrong_letter() {
        let trackers = Trackers::read(r#"{"competitors": ["Northlight", "Bolt"]}"#).unwrap();
        assert_eq!(found(&trackers, "We may go to Norhtlight, they said."), ["competitors:Northlight"]);
        assert_eq!(found(&trackers, "I bought a bolt."), ["competitors:Bolt"]);
        assert!(found(&trackers, "It is bold. The lightning struck north.").is_empty());
    }

    #[test]
    fn without_a_file_the_usual_ones_are_there_and_a_file_that_is_no_list_is_refused() {
        assert_eq!(found(&Trackers::default(), "I want to CANCEL now"), ["cancel:cancel"]);
        assert!(Trackers::read("[]").is_err());
        assert!(Trackers::read(r#"{"a": "b"}"#).is_err());
        assert!(found(&Trackers::read(r#"{"a": ["", "?"]}"#).unwrap(), "anything").is_empty());
    }
}
