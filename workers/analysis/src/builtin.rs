//! The analyzer that needs no model. It selects sentences and phrases from the transcript, and never writes words that
//! nobody said.
//!
//! Its rules are for English. For a call in another language it fills only the parts that do not depend on the language
//! (the sentences of the summary, written addresses), and leaves the others empty or neutral.

mod contacts;
mod rules;
mod summary;
mod tone;

pub(crate) use rules::due_words;

use domain::analysis::{Analysis, Category, Priority, Resolution, Sentiment, Tone};
use domain::transcript::Transcript;

use crate::{grounding, language, metrics, sides};

/// The name of this analyzer in `Analysis::analyzer`.
pub const NAME: &str = "builtin";

/// How much of a transcript is searched for key phrases, in bytes. The time for the search grows faster than the text,
/// and people say what a call is about within the first hour.
const MAX_KEYWORD_BYTES: usize = 100_000;

/// Makes the analysis of a transcript. `people` are the names of the people who are known to belong to the call.
pub fn analyze(transcript: &Transcript, people: &[String]) -> Analysis {
    let english = language::is_english(transcript);
    let customer = sides::customer_segments(transcript);
    let everybody: Vec<_> = transcript.segments.iter().collect();
    let summary = summary::extract(&everybody, english);
    let claims = contacts::find(transcript, english);
    let sentiment =
        if english { tone::sentiment(customer.as_deref().unwrap_or(&everybody)) } else { Sentiment::Neutral };
    Analysis {
        analyzer: NAME.to_owned(),
        summary: summary.text,
        key_points: summary.key_points,
        topics: if english {
            summary::key_phrases(transcript, people, MAX_KEYWORD_BYTES)
        } else {
            Vec::new()
        },
        sentiment,
        tone: match sentiment {
            Sentiment::Positive => Tone::Positive,
            Sentiment::Neutral => Tone::Neutral,
            Sentiment::Negative => Tone::Negative,
        },
        concern: customer.as_deref().filter(|_| english).and_then(rules::concern),
        category: if english { rules::category(&everybody) } else { Category::Other },
        action_items: if english { rules::action_items(&everybody) } else { Vec::new() },
        customer_requests: customer.as_deref().filter(|_| english).map(rules::requests).unwrap_or_default(),
        resolution: if english { rules::resolution(&everybody) } else { Resolution::Unknown },
        priority: Priority::Medium,
        contacts: grounding::ground(&claims, transcript, people).contacts,
        metrics: metrics::compute(transcript),
        usage: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{dialog, transcript};
    use crate::text;
    use proptest::prelude::*;

    fn complaint() -> Transcript {
        dialog(&[
            "Thank you for calling Northlight Broadband, this is Petra. How can I help?",
            "Hi. My internet connection has been down since Sunday and nobody called me back, I am very annoyed.",
            "I'm sorry to hear that. Is the router light red?",
            "Yes, it is red. Could you send somebody? I work from home and the connection is useless.",
            "I will send a technician by Thursday and I'll text you the time slot.",
            "Fine. You can reach me on my mobile, 202-555-0193.",
        ])
    }

    #[test]
    fn the_analysis_of_a_complaint_has_all_its_parts() {
        let found = analyze(&complaint(), &[]);
        assert_eq!(found.analyzer, "builtin");
        assert_eq!(found.tone, Tone::Negative);
        assert_eq!(found.category, Category::Technical);
        assert!(found.concern.unwrap().starts_with("My internet connection has been down"));
        assert_eq!(found.customer_requests, ["Could you send somebody?"]);
        assert_eq!(found.action_items.len(), 1);
        assert_eq!(found.action_items[0].owner.as_deref(), Some("agent"));
        assert_eq!(found.action_items[0].due.as_deref(), Some("by Thursday"));
        assert_eq!(found.contacts[0].facts[0].value, "202-555-0193");
        assert!(!found.topics.is_empty());
    }

    #[test]
    fn every_sentence_of_the_summary_was_said() {
        let transcript = complaint();
        let found = analyze(&transcript, &[]);
        assert!(!found.summary.is_empty());
        for sentence in
            text::sentences(&found.summary).into_iter().chain(found.key_points.iter().map(String::as_str))
        {
            assert!(transcript.segments.iter().any(|segment| segment.text.contains(sentence)), "{sentence}");
        }
    }

    #[test]
    fn nothing_is_guessed_in_a_call_in_another_language() {
        let found = analyze(
            &dialog(&[
                "Guten Tag, hier ist der Kundendienst. Wie kann ich Ihnen helfen?",
                "Meine Rechnung ist falsch, und das ist sehr schlecht. Ich bin mit dem Betrag nicht einverstanden.",
            ]),
            &[],
        );
        assert_eq!((found.tone, found.category), (Tone::Neutral, Category::Other));
        assert_eq!((found.concern, found.topics.len(), found.action_items.len()), (None, 0, 0));
        assert!(found.summary.contains("Rechnung"));
    }

    #[test]
    fn an_empty_transcript_gives_an_empty_analysis() {
        let found = analyze(&transcript(&[]), &[]);
        assert!(found.summary.is_empty() && found.key_points.is_empty() && found.contacts.is_empty());
    }

    #[test]
    fn a_long_and_unusual_transcript_gives_a_short_analysis() {
        let texts = [
            "a".repeat(2_000),
            "a.".repeat(1_000),
            "? ! . ".repeat(3_000),
            "-".repeat(2_000),
            "dr. ".repeat(5_000),
            "I'm I am ".repeat(2_000),
            "at dot ".repeat(3_000),
            "a dot b at c dot ".repeat(1_000),
            "my mail is a@b.co ".repeat(1_000),
            "My mail is a@b.co. ".repeat(1_000),
            "call me 555 0100 ".repeat(1_000),
            "12 Aa Aa ".repeat(2_000),
            "I will send it by Friday. ".repeat(800),
            "by the end of ".repeat(1_500),
            "\u{301}\u{200d}\u{fe0f}".repeat(3_000),
            "1.1.1.1-1 ".repeat(2_000),
            "(((((".repeat(4_000),
            "Aa Bb's Cc, ".repeat(1_600),
        ];
        for text in &texts {
            let mut transcript = transcript(&[("Olga", text)]);
            transcript.language = Some("en".into());
            let found = serde_json::to_string(&analyze(&transcript, &[])).unwrap();
            assert!(found.len() < 20_000, "{} {}", found.len(), text.chars().take(6).collect::<String>());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_words_make_the_analyzer_panic(words in prop::collection::vec("[\\PC\\n]{0,60}|[a-z@. 0-9?!'-]{0,80}", 0..6)) {
            let lines: Vec<(&str, &str)> = words.iter().map(|text| ("Olga", text.as_str())).collect();
            let mut transcript = transcript(&lines);
            transcript.language = Some("en".into());
            analyze(&transcript, &[]);
        }
    }
}
