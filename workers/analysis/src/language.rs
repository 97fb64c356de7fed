//! Decides whether the English rules apply: by the language that the source names, else by the share of
//! common English words.

use domain::transcript::Transcript;

use crate::text;

/// Frequent in English speech, and not words of its neighbours (so no `a`, `in`, `is`, `me`, `of` or `to`).
const COMMON: [&str; 66] = [
    "the", "and", "you", "that", "it", "it's", "for", "i", "i'm", "we", "we're", "this", "my", "your", "are",
    "have", "what", "with", "not", "but", "they", "our", "can", "will", "would", "how", "there", "from",
    "don't", "yes", "about", "just", "get", "which", "when", "who", "could", "please", "thank", "thanks",
    "hello", "i'll", "i've", "that's", "still", "since", "been", "has", "because", "know", "need", "want",
    "if", "think", "every", "other", "very", "then", "them", "should", "were", "some", "where", "into",
    "now", "does",
];

/// At least this share of the words, in percent, must be common ones; English speech has 30 to 50.
const MIN_SHARE: usize = 18;
/// What is looked at is enough to tell.
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
    fn the_source_knows_best() {
        let mut said = transcript(&[("A", "Guten Tag")]);
        said.language = Some("en-GB".into());
        assert!(is_english(&said));
        said.language = Some("de".into());
        assert!(!is_english(&said));
    }

    #[test]
    fn without_a_word_from_the_source_common_words_tell() {
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
