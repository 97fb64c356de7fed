//! Finds the segment of the transcript in which the proof of a fact begins.
//!
//! Captions are joined into turns before they are analysed, so a fact that was found names the first segment of its
//! turn. People want to hear the words themselves, so the fact shall name the segment in which its quote begins.

use domain::analysis::ContactFacts;
use domain::transcript::{Segment, Transcript};

use crate::text;

/// Sets the segment and the start of each fact, which was found in `turns`, to those of the segment of `transcript`.
pub(crate) fn locate(contacts: &mut [ContactFacts], turns: &Transcript, transcript: &Transcript) {
    for fact in contacts.iter_mut().flat_map(|contact| &mut contact.facts) {
        let next_turn =
            turns.segments.iter().map(|turn| turn.id).find(|id| *id > fact.segment).unwrap_or(u32::MAX);
        let of_turn: Vec<&Segment> = transcript
            .segments
            .iter()
            .filter(|segment| (fact.segment..next_turn).contains(&segment.id))
            .collect();
        if let Some(segment) = beginning(&of_turn, &text::folded(&fact.quote)) {
            fact.segment = segment.id;
            fact.start_ms = segment.start_ms;
        }
    }
}

/// The last segment of a turn from which on the whole quote still follows.
fn beginning<'t>(of_turn: &[&'t Segment], quote: &[String]) -> Option<&'t Segment> {
    let holds_from = |at: usize| {
        let words: Vec<String> =
            of_turn[at..].iter().flat_map(|segment| text::folded(&segment.text)).collect();
        text::contains(&words, quote)
    };
    (0..of_turn.len()).rev().find(|at| holds_from(*at)).map(|at| of_turn[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::transcript;
    use domain::analysis::{ContactField, Fact};

    #[test]
    fn a_fact_names_the_caption_in_which_its_quote_begins() {
        let captions = transcript(&[
            ("Ann", "Sure, one moment."),
            ("Ann", "My number is"),
            ("Ann", "202-555-0193, any time."),
            ("Bob", "Thanks."),
        ]);
        let turns = captions.turns();
        let fact = Fact {
            field: ContactField::Phone,
            value: "202-555-0193".into(),
            quote: "My number is 202-555-0193".into(),
            segment: 1,
            speaker: Some("Ann".into()),
            start_ms: None,
        };
        let mut contacts = vec![ContactFacts { name: "Ann".into(), facts: vec![fact] }];
        locate(&mut contacts, &turns, &captions);
        assert_eq!(contacts[0].facts[0].segment, 2);
    }
}
