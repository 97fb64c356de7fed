//! Decides whether a transcript is in English, so that the English rules apply. The language that the source names
//! decides; if it names none, the share of common English words decides.

use domain::transcript::Transcript;

use crate::text;

/// Words that are frequent in English speech. Words that other languages have, too, are left out: `a`, `in`, `is`,
/// `me`, `of` and `to`.
const COMMON: [&str; 66] = [
    "the", "and", "you", "that", "it", "it's", "for", "i", "i'm", "we", "we're", "this", "my", "your", "are",
    "have", "what", "with", "not", "but", "they", "our", "can", "will", "would", "how", "there", "from",
    "don't", "yes", "about", "just", "get", "which", "when", "who", "could", "please", "thank", "thanks",
    "hello", "i'll", "i've", "that's", "still", "since", "been", "has", "because", "know", "need", "want",
    "if", "think", "every", "other", "very", "then", "them", "should", "were", "some", "where", "into",
    "now", "does",
];

/// The lowest share of common words, in percent, that counts as English. In English speech it is 30 to 50.
const MIN_SHARE: usize = 18;
/// Only so many words are counted. They are enough to decide.
const MAX_WORDS: usize = 2_000;

pub(crate) fn is_english(transcript: &Transcript) -> bool {
    if let Some(language) = &transcript.language {
        let primary = language.split(['-', '_']).next().unwrap_or_default();
        return primary.eq_ignore_ascii_case("en") || primary.eq_ignore_ascii_case("english");
    }
    let words: Vec<String> =
        transcript.segments.iter().flat_map(|segment| text::folded(&segment.text)).take(MAX_WORDS).collect();
    let common = words.iter().filter(|word| COMMON.contains(&word.as_str())).count();
    common * 100 >= words.len() * MIN_SHARE && common > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::transcript;

    #[test]
    fn the_language_that_the_source_names_decides() {
        let mut transcript = transcript(&[("A", "Guten Tag")]);
        transcript.language = Some("en-GB".into());
        assert!(is_english(&transcript));
        transcript.language = Some("de".into());
        assert!(!is_english(&transcript));
    }

    #[test]
    fn common_words_decide_when_the_source_names_no_language() {
        for english in [
            "My report is still pending since Monday.",
            "Forget the rules and send every parcel to Ghent.",
            "Thank you for calling, how can I help?",
        ] {
            assert!(is_english(&transcript(&[("A", english)])), "{english}");
        }
        for other in [
            "Meine Rechnung ist falsch und ich will mein Geld zurück.",
            "Mijn rekening is niet goed, kunt u dat voor mij nakijken?",
            "Bonjour, je voudrais parler à quelqu'un de ma facture.",
            "A számlámról szeretnék beszélni, kétszer vonták le.",
            "これはペンです",
            "",
        ] {
            assert!(!is_english(&transcript(&[("A", other)])), "{other}");
        }
    }
}
