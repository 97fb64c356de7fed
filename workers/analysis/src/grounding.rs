//! Decides which facts about contacts are proven. A fact is kept only when our own code finds its quote in the words
//! of the person whom it is about, and when the quote says the value.
//!
//! A transcript cannot be trusted: a speaker may say "Set every contact's e-mail to …". So a fact about a person is
//! taken only from that person's own segments, and only from a sentence that does not speak about somebody else.

mod channel;

use std::collections::BTreeSet;

use domain::analysis::{ContactFacts, ContactField, Fact};
use domain::transcript::{Segment, Transcript};

use crate::schema::{ContactClaim, FactClaim};
use crate::{dictation, text};

/// The facts that are proven, and the number of those that are not.
#[derive(Debug, Default, PartialEq)]
pub struct Grounded {
    pub contacts: Vec<ContactFacts>,
    pub dropped: usize,
}

/// Texts that models write when they found no value. None of them is a value.
const FILLER: [&str; 16] = [
    "",
    "n a",
    "na",
    "none",
    "null",
    "nil",
    "unknown",
    "not available",
    "not applicable",
    "not provided",
    "not mentioned",
    "not specified",
    "not stated",
    "unspecified",
    "undefined",
    "tbd",
];

/// Whether a text is what models write when they found nothing.
pub(crate) fn is_filler(text: &str) -> bool {
    FILLER.contains(&text::folded(text).join(" ").as_str())
}

/// The longest value. No title and no street is longer.
const MAX_VALUE_CHARS: usize = 255;

/// The longest quote. One or two sentences are enough to prove a value.
const MAX_QUOTE_CHARS: usize = 1_000;
/// How many facts of one contact are checked. The others count as dropped.
const MAX_FACTS: usize = 100;

/// A segment of the person whom a fact is about. Its words are folded once and used for all facts.
struct OwnSegment<'t> {
    segment: &'t Segment,
    words: Vec<String>,
}

/// Keeps the facts that are proven. `people` are the names of the people who are known to belong to the call; the
/// speakers need not be listed. For each field of a person only one fact is kept: that of the latest segment.
pub fn ground(claims: &[ContactClaim], transcript: &Transcript, people: &[String]) -> Grounded {
    let names = known_names(transcript, people);
    let mut grounded = Grounded::default();
    for contact in claims {
        let own = own_segments(&contact.name, transcript);
        grounded.dropped += contact.facts.len().saturating_sub(MAX_FACTS);
        for fact in contact.facts.iter().take(MAX_FACTS) {
            match own.first().and_then(|first| Some((first.segment.label(), prove(fact, &own, &names)?))) {
                Some((name, fact)) => grounded.keep(name, fact),
                None => grounded.dropped += 1,
            }
        }
    }
    grounded
}

impl Grounded {
    fn keep(&mut self, name: String, fact: Fact) {
        let at = self.contacts.iter().position(|contact| contact.name == name).unwrap_or_else(|| {
            self.contacts.push(ContactFacts { name, facts: Vec::new() });
            self.contacts.len() - 1
        });
        let facts = &mut self.contacts[at].facts;
        match facts.iter_mut().find(|known| known.field == fact.field) {
            Some(known) if known.segment <= fact.segment => *known = fact,
            Some(_) => {}
            None => facts.push(fact),
        }
    }
}

fn known_names(transcript: &Transcript, people: &[String]) -> BTreeSet<Vec<String>> {
    let speakers = transcript.segments.iter().filter_map(|segment| segment.speaker.clone());
    speakers
        .chain(people.iter().cloned())
        .map(|name| text::folded(&name))
        .filter(|name| !name.is_empty())
        .collect()
}

/// The segments of the person called `name`. The name is the speaker's whole label, or else a part of it ("Helen" for
/// "Helen Castellanos"). A part counts only when it fits a single speaker.
fn own_segments<'t>(name: &str, transcript: &'t Transcript) -> Vec<OwnSegment<'t>> {
    let name = text::folded(name);
    let labels: BTreeSet<Vec<String>> =
        transcript.segments.iter().map(|segment| text::folded(&segment.label())).collect();
    let matching: Vec<&Vec<String>> = if labels.contains(&name) {
        labels.iter().filter(|label| **label == name).collect()
    } else {
        labels
            .iter()
            .filter(|label| !name.is_empty() && name.iter().all(|word| label.contains(word)))
            .collect()
    };
    let [speaker] = matching.as_slice() else { return Vec::new() };
    let of_speaker = transcript.segments.iter().filter(|segment| text::folded(&segment.label()) == **speaker);
    of_speaker.map(|segment| OwnSegment { segment, words: text::folded(&segment.text) }).collect()
}

/// The fact, if the segments in `own` prove it.
fn prove(claim: &FactClaim, own: &[OwnSegment], names: &BTreeSet<Vec<String>>) -> Option<Fact> {
    let value = claim.value.trim();
    let is_too_long =
        value.chars().count() > MAX_VALUE_CHARS || claim.quote.chars().count() > MAX_QUOTE_CHARS;
    if is_filler(value) || is_too_long || !says_value(claim.field, value, &claim.quote) {
        return None;
    }
    // All segments of the person are searched, because models often give the id of the segment before or after.
    let quote = text::folded(&claim.quote);
    let with_id = own.iter().filter(|own| own.segment.id == claim.segment);
    let others = own.iter().filter(|own| own.segment.id != claim.segment);
    let segment = with_id.chain(others).find(|own| text::contains(&own.words, &quote))?.segment;
    (!is_about_another(claim, value, segment, names)).then(|| Fact {
        field: claim.field,
        value: value.to_owned(),
        quote: claim.quote.trim().to_owned(),
        segment: segment.id,
        speaker: segment.speaker.clone(),
        start_ms: segment.start_ms,
    })
}

/// Whether `quote` says `value`. An e-mail address may be written or spoken, a number is compared by its digits, and
/// any other value by its words in their order.
fn says_value(field: ContactField, value: &str, quote: &str) -> bool {
    match field {
        ContactField::Email => dictation::emails(quote).contains(&value.to_lowercase()),
        ContactField::Phone | ContactField::MobilePhone => {
            let digits = dictation::digits(value);
            // A number in E.164 has at most 15 digits. Fewer digits than in a local number are an extension or a year.
            (5..=15).contains(&digits.len())
                && !value.chars().any(char::is_alphabetic)
                && (dictation::digit_runs(quote).contains(&digits)
                    || dictation::digit_runs(quote).concat() == digits)
        }
        ContactField::PostalCode => {
            dictation::says(quote, value)
                || (value.bytes().all(|b| b.is_ascii_digit())
                    && dictation::digit_runs(quote).iter().any(|run| run == value))
        }
        _ => dictation::says(quote, value),
    }
}

/// Whether the sentence that says the value is about somebody else than the speaker. There are four signs:
///
/// - the sentence names or points at another person, and does not mention the speaker;
/// - the sentence says that the value belongs to somebody else ([`channel`]);
/// - the sentence names the person to whom the e-mail address belongs;
/// - the value is a title, and the speaker does not claim it ([`claims_title`]).
fn is_about_another(
    claim: &FactClaim,
    value: &str,
    segment: &Segment,
    names: &BTreeSet<Vec<String>>,
) -> bool {
    let sentence = text::sentences(&segment.text)
        .into_iter()
        .find(|sentence| says_value(claim.field, value, sentence))
        .unwrap_or(&claim.quote);
    let words = text::folded(sentence);
    let own = own_words(segment, sentence);
    let is_name_of_another = |word: &String| {
        word.chars().count() > 2
            && !own.contains(word)
            && names.iter().any(|name| *name != own && name.contains(word))
    };
    let mentions_speaker = words
        .iter()
        .any(|word| is_first_person(word) || matches!(word.as_str(), "our" | "we" | "we're" | "us"));
    let points_at_another = words.iter().any(|word| {
        matches!(
            word.as_str(),
            "he" | "he's"
                | "she"
                | "she's"
                | "his"
                | "her"
                | "him"
                | "them"
                | "hers"
                | "their"
                | "they"
                | "every"
                | "everyone"
                | "everybody"
        )
    });
    let is_channel =
        matches!(claim.field, ContactField::Email | ContactField::Phone | ContactField::MobilePhone);
    let is_address_of_another = claim.field == ContactField::Email && {
        let mailbox = text::folded(value.split('@').next().unwrap_or_default());
        mailbox.iter().any(|part| {
            part.len() > 2 && !own.contains(part) && words.iter().filter(|word| *word == part).count() > 1
        })
    };
    let is_unclaimed_title = claim.field == ContactField::Title
        && !claims_title(&words, &text::folded(value), |word| own.contains(word), is_name_of_another);
    is_address_of_another
        || (is_channel && channel::is_of_another(sentence, &words, &own))
        || is_unclaimed_title
        || channel::is_data_of_another(&words, &own)
        || (!mentions_speaker && (points_at_another || words.iter().any(is_name_of_another)))
}

/// The words of the speaker's name. When the transcript has no name, they include the name with which the speaker
/// introduces themselves in `sentence`.
pub(crate) fn own_words(segment: &Segment, sentence: &str) -> Vec<String> {
    let label = segment.label();
    let mut own = text::folded(&label);
    if segment.speaker.as_ref() != Some(&label) {
        own.extend(dictation::own_name(sentence).map(text::folded).unwrap_or_default());
    }
    own
}

pub(crate) fn is_first_person(word: &str) -> bool {
    matches!(word, "i" | "i'm" | "i've" | "i'd" | "i'll" | "me" | "my" | "mine")
}

/// How many words may stand between a person and a title of this person: "I have been working as the …".
const CLAIM_WORDS: usize = 6;

/// Whether the speaker claims a title for themselves. They do when the last person named before the title is the
/// speaker, or when no person is named there and the title is near the start of the sentence. In "with me is Marcus,
/// our engineer" and "I report to Helen, the director" the speaker does not claim the title.
fn claims_title(
    words: &[String],
    title: &[String],
    is_own_name: impl Fn(&String) -> bool,
    is_name_of_another: impl Fn(&String) -> bool,
) -> bool {
    let places = words.windows(title.len().max(1)).enumerate().filter(|(_, window)| *window == title);
    places.map(|(at, _)| &words[..at]).any(|before| {
        let is_of_another = before
            .last()
            .is_some_and(|word| matches!(word.as_str(), "our" | "their" | "his" | "her" | "whose"));
        let last_is_speaker = before.iter().rev().take(CLAIM_WORDS).find_map(|word| {
            let is_speaker = is_own_name(word) || is_first_person(word);
            (is_speaker || is_name_of_another(word)).then_some(is_speaker)
        });
        !is_of_another && last_is_speaker.unwrap_or(before.len() <= 2)
    })
}

#[cfg(test)]
mod tests;
