//! Decides which contact facts are proven: a fact is kept only when our own code finds its quote again in
//! the words of the person it is about, and the quote says the value.
//!
//! A transcript is untrusted. "Set every contact's e-mail to …" is something its speaker said, so it can
//! never become a fact about anybody else: a fact about a person counts only from that person's own
//! segments, and not where the sentence speaks of somebody else.

use std::collections::BTreeSet;

use domain::analysis::{ContactFacts, ContactField, Fact};
use domain::transcript::{Segment, Transcript};

use crate::schema::{SaidContact, SaidFact};
use crate::{spoken, text};

/// What stood the proof, and how many facts did not.
#[derive(Debug, Default, PartialEq)]
pub struct Grounded {
    pub contacts: Vec<ContactFacts>,
    pub dropped: usize,
}

/// What models write where they found nothing. None of it is a value.
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

/// How long a value may be: what is longer is no title and no street.
const MAX_VALUE_CHARS: usize = 255;

/// How long a quote may be: proof is a sentence or two.
const MAX_QUOTE_CHARS: usize = 1_000;
/// How many facts of one contact are looked at. The rest counts as dropped.
const MAX_FACTS: usize = 100;

/// A segment with its words folded once for all the facts that may stand in it.
struct Own<'t> {
    segment: &'t Segment,
    words: Vec<String>,
}

/// Keeps what is proven. `people` are the names of everybody known to belong to the call; speakers are
/// known without being listed. A person's field is kept once, the later statement correcting the earlier.
pub fn ground(said: &[SaidContact], transcript: &Transcript, people: &[String]) -> Grounded {
    let names = known_names(transcript, people);
    let mut grounded = Grounded::default();
    for contact in said {
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

/// The segments of the person called `name`: by the whole label, else by a part of it ("Helen" for "Helen
/// Castellanos") where that fits one speaker alone.
fn own_segments<'t>(name: &str, transcript: &'t Transcript) -> Vec<Own<'t>> {
    let name = text::folded(name);
    let labels: BTreeSet<Vec<String>> =
        transcript.segments.iter().map(|segment| text::folded(&segment.label())).collect();
    let fits: Vec<&Vec<String>> = if labels.contains(&name) {
        labels.iter().filter(|label| **label == name).collect()
    } else {
        labels
            .iter()
            .filter(|label| !name.is_empty() && name.iter().all(|word| label.contains(word)))
            .collect()
    };
    let [speaker] = fits.as_slice() else { return Vec::new() };
    let spoken_by_them =
        transcript.segments.iter().filter(|segment| text::folded(&segment.label()) == **speaker);
    spoken_by_them.map(|segment| Own { segment, words: text::folded(&segment.text) }).collect()
}

fn prove(fact: &SaidFact, own: &[Own], names: &BTreeSet<Vec<String>>) -> Option<Fact> {
    let value = fact.value.trim();
    let is_filler = FILLER.contains(&text::folded(value).join(" ").as_str());
    let too_long = value.chars().count() > MAX_VALUE_CHARS || fact.quote.chars().count() > MAX_QUOTE_CHARS;
    if is_filler || too_long || !supports(fact.field, value, &fact.quote) {
        return None;
    }
    // The id a model gives is often that of the segment before or after.
    let quote = text::folded(&fact.quote);
    let at_id = own.iter().filter(|own| own.segment.id == fact.segment);
    let others = own.iter().filter(|own| own.segment.id != fact.segment);
    let segment = at_id.chain(others).find(|own| text::contains(&own.words, &quote))?.segment;
    (!is_about_another(fact, value, segment, names)).then(|| Fact {
        field: fact.field,
        value: value.to_owned(),
        quote: fact.quote.trim().to_owned(),
        segment: segment.id,
        speaker: segment.speaker.clone(),
        start_ms: segment.start_ms,
    })
}

/// Whether `quote` says `value`: an address as it is written or spoken, a number by its digits, anything
/// else by its words in their order.
pub(crate) fn supports(field: ContactField, value: &str, quote: &str) -> bool {
    match field {
        ContactField::Email => spoken::emails(quote).contains(&value.to_lowercase()),
        ContactField::Phone | ContactField::MobilePhone => {
            let digits = spoken::digits(value);
            // E.164 has at most 15 digits; what is shorter than a local number is an extension or a year.
            (5..=15).contains(&digits.len())
                && !value.chars().any(char::is_alphabetic)
                && (spoken::digit_runs(quote).contains(&digits)
                    || spoken::digit_runs(quote).concat() == digits)
        }
        ContactField::PostalCode => {
            spoken::says(quote, value)
                || (value.bytes().all(|b| b.is_ascii_digit())
                    && spoken::digit_runs(quote).iter().any(|run| run == value))
        }
        _ => spoken::says(quote, value),
    }
}

/// Whether the sentence that says the value speaks of somebody else: it names or points at another person
/// and says nothing of the speaker, it says whose the value is, or it names the person to whom the address
/// belongs. A title has to be claimed ([`claims`]).
fn is_about_another(fact: &SaidFact, value: &str, segment: &Segment, names: &BTreeSet<Vec<String>>) -> bool {
    let sentence = text::sentences(&segment.text)
        .into_iter()
        .find(|sentence| supports(fact.field, value, sentence))
        .unwrap_or(&fact.quote);
    let words = text::folded(sentence);
    let own = own_words(segment, sentence);
    let is_anothers_name = |word: &String| {
        word.chars().count() > 2
            && !own.contains(word)
            && names.iter().any(|name| *name != own && name.contains(word))
    };
    let says_i =
        words.iter().any(|word| is_i(word) || matches!(word.as_str(), "our" | "we" | "we're" | "us"));
    let points_at_another = words.iter().any(|word| {
        matches!(
            word.as_str(),
            "he" | "he's"
                | "she"
                | "she's"
                | "his"
                | "her"
                | "hers"
                | "their"
                | "they"
                | "every"
                | "everyone"
                | "everybody"
        )
    });
    let spelled_for_another = fact.field == ContactField::Email && {
        let mailbox = text::folded(value.split('@').next().unwrap_or_default());
        mailbox.iter().any(|part| {
            part.len() > 2 && !own.contains(part) && words.iter().filter(|word| *word == part).count() > 1
        })
    };
    let claimed_by_nobody = fact.field == ContactField::Title
        && !claims(&words, &text::folded(value), |word| own.contains(word), is_anothers_name);
    spelled_for_another
        || claimed_by_nobody
        || is_anothers(&words, &own)
        || (!says_i && (points_at_another || words.iter().any(is_anothers_name)))
}

/// The words of the speaker's name: the transcript's, or where it has none the one they give themselves.
pub(crate) fn own_words(segment: &Segment, sentence: &str) -> Vec<String> {
    let label = segment.label();
    let mut own = text::folded(&label);
    if segment.speaker.as_ref() != Some(&label) {
        own.extend(spoken::own_name(sentence).map(text::folded).unwrap_or_default());
    }
    own
}

fn is_i(word: &str) -> bool {
    matches!(word, "i" | "i'm" | "i've" | "i'd" | "i'll" | "me" | "my" | "mine")
}

/// How far from "I" or from their name somebody says what they are: "I have been working as the …".
const CLAIM_WORDS: usize = 6;

/// Whether a title is the speaker's: the last person before it is the speaker, shortly before, or it opens the
/// sentence. "With me is Marcus, our engineer" and "I report to Helen, the director" claim nothing.
fn claims(
    words: &[String],
    title: &[String],
    is_own: impl Fn(&String) -> bool,
    is_anothers: impl Fn(&String) -> bool,
) -> bool {
    let places = words.windows(title.len().max(1)).enumerate().filter(|(_, window)| *window == title);
    places.map(|(at, _)| &words[..at]).any(|before| {
        let theirs = before
            .last()
            .is_some_and(|word| matches!(word.as_str(), "our" | "their" | "his" | "her" | "whose"));
        let person = before.iter().rev().take(CLAIM_WORDS).find_map(|word| {
            let own = is_own(word) || is_i(word);
            (own || is_anothers(word)).then_some(own)
        });
        !theirs && person.unwrap_or(before.len() <= 2)
    })
}

/// Before `'s` these own nothing (`it's`, `the number's`), or what they own is the speaker's to give.
const NO_OWNERS: [&str; 16] = [
    "it", "that", "this", "here", "there", "what", "who", "where", "how", "let", "name", "one", "company",
    "office", "he", "she",
];

/// Whether the sentence gives what belongs to somebody else: "every contact's e-mail", "my boss's direct line".
fn is_anothers(words: &[String], own: &[String]) -> bool {
    let is_kind = |word: &&String| {
        matches!(
            word.as_str(),
            "direct"
                | "mobile"
                | "cell"
                | "work"
                | "office"
                | "home"
                | "desk"
                | "private"
                | "mailing"
                | "new"
                | "e"
        )
    };
    let is_thing = |word: &String| {
        matches!(
            word.as_str(),
            "email"
                | "mail"
                | "address"
                | "number"
                | "phone"
                | "mobile"
                | "cell"
                | "line"
                | "extension"
                | "title"
        )
    };
    words.iter().enumerate().any(|(at, word)| {
        word.strip_suffix("'s").is_some_and(|owner| {
            let owns = !NO_OWNERS.contains(&owner) && !own.iter().any(|name| name == owner);
            let after = &words[at + 1..];
            let kinds = after.iter().take_while(is_kind).count();
            owns && after.iter().take(kinds + 1).any(is_thing)
        })
    })
}

#[cfg(test)]
mod tests;
