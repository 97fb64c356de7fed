//! Decides whether somebody who is named is spoken to, is asked to speak, or is only spoken about.

use super::text::{Word, has_any};

/// How somebody is named. A later one is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Address {
    /// Somebody repeats what the person said, or tells of the person.
    Reported,
    /// The name stands there.
    Mentioned,
    /// The person is asked for: `a question for Dana`.
    Directed,
    /// The person is spoken to: `Dana, what do you think?`
    Spoken,
}

const GREETINGS: &[&str] =
    &["hey", "hi", "hello", "dear", "morning", "afternoon", "evening", "welcome", "namaste", "hola"];
/// What can stand before a name with which a sentence begins.
const OPENERS: &[&str] = &[
    "so",
    "okay",
    "ok",
    "and",
    "but",
    "well",
    "now",
    "hey",
    "hi",
    "hello",
    "yes",
    "no",
    "right",
    "great",
    "please",
    "alright",
    "good",
    "morning",
    "afternoon",
    "evening",
    "sure",
    "then",
    "perfect",
    "fine",
    "look",
    "dear",
    "oh",
    "ah",
    "um",
    "uh",
    "actually",
    "also",
    "finally",
    "next",
    "maybe",
    "perhaps",
    "excellent",
    "understood",
    "absolutely",
    "first",
    "lastly",
];
/// Before these the person is only stopped or thanked, and somebody else is meant.
const SET_ASIDE: &[&str] = &[
    "thanks",
    "thank you",
    "sorry",
    "excuse me",
    "not you",
    "hold on",
    "one moment",
    "one second",
    "wait",
    "besides you",
    "apart from you",
    "no offence",
    "no offense",
    "noted",
    "with respect",
    "appreciate it",
    "got it",
    "i hear you",
];
/// How a question to somebody goes on who was named without a comma.
const QUESTIONS: &[&str] = &[
    "what",
    "how",
    "why",
    "when",
    "where",
    "who",
    "which",
    "do you",
    "are you",
    "can you",
    "could you",
    "would you",
    "will you",
    "should you",
    "have you",
    "did you",
    "you",
    "your",
    "tell",
    "let me",
    "may i",
    "any",
    "does that",
    "does this",
    "is that",
    "is it",
    "is this",
    "is your",
    "is there",
    "would that",
    "would this",
    "could we",
    "can i",
    "can we",
    "please",
    "i would",
    "i have",
    "im",
    "id",
    "ive",
    "thats",
    "walk",
    "help",
    "anything",
    "over to",
    "were you",
    "about",
    "from your",
];
/// What somebody says before the name of the person who is asked for.
const ASKS_FOR: &[&str] = &[
    "question for",
    "question to",
    "questions for",
    "ask",
    "asking",
    "turn to",
    "turning to",
    "over to",
    "hear from",
    "is for",
    "directed at",
    "one for",
    "start with",
    "begin with",
    "go to",
    "back to",
    "check with",
    "come to",
    "coming to",
    "go back to",
    "what about",
    "how about",
    "and you",
    "same for",
    "view of",
    "opinion of",
    "what does",
    "what would",
    "how does",
    "how would",
    "does",
    "would",
    "could",
    "can",
    "will",
    "should",
    "want",
    "invite",
    "address",
    "speak to",
    "speak with",
    "talk to",
    "question of",
    "thoughts from",
    "input from",
    "listen to",
    "on to",
    "for you",
    "to you",
    "know from",
    "answer from",
    "word from",
    "wonder if",
    "perhaps",
    "maybe",
    "this to",
    "that to",
    "it to",
    "for",
    "to",
    "love",
    "lets hear",
    "passing to",
    "curious what",
    "whether",
];
/// What follows a name where that person is asked for an opinion.
const ASKED_VERBS: &[&str] = &[
    "think", "say", "see", "need", "want", "make", "feel", "agree", "expect", "prefer", "suggest", "look",
    "comment", "add", "share", "explain", "tell", "walk", "answer", "take", "weigh", "speak", "give", "know",
    "worry", "care", "measure", "judge", "handle", "decide", "mind", "approve", "confirm", "help", "join",
    "sign", "test", "use",
];
const REPORTED_VERBS: &[&str] = &[
    "said",
    "says",
    "mentioned",
    "told",
    "raised",
    "pointed",
    "suggested",
    "noted",
    "explained",
    "asked",
    "described",
    "wanted",
    "was",
    "has",
    "is",
    "had",
    "thinks",
    "already",
    "just",
    "knows",
    "wrote",
    "sent",
    "joined",
    "left",
    "introduced",
];
const REPORTS: &[&str] = &[
    "as", "like", "since", "because", "when", "with", "from", "about", "by", "than", "after", "before",
    "told", "met", "what", "that", "if",
];
/// What belongs to a person who is spoken to by it: `to Dana's question`.
const WORTH_AN_ANSWER: &[&str] = &[
    "question",
    "point",
    "concern",
    "comment",
    "objection",
    "side",
    "view",
    "take",
    "opinion",
    "thoughts",
    "perspective",
    "remark",
    "worry",
];

pub(super) fn is_greeting(word: &str) -> bool {
    GREETINGS.contains(&word)
}

/// How the person is named whose name stands from `from` to `to`.
pub(super) fn of(said: &[Word], (from, to): (usize, usize)) -> Address {
    let (first, last) = (&said[from], &said[to]);
    let sentence = first.sentence;
    let start = said.iter().position(|word| word.sentence == sentence).unwrap_or(from);
    let end = said.iter().rposition(|word| word.sentence == sentence).unwrap_or(to);
    let (before, after) = (&said[start..from], &said[to + 1..=end.max(to)]);
    if last.is_possessive {
        let is_asked = after.first().is_some_and(|next| WORTH_AN_ANSWER.contains(&next.text.as_str()));
        return if is_asked { Address::Directed } else { Address::Reported };
    }
    let is_opened = before.iter().all(|word| OPENERS.contains(&word.text.as_str()));
    let goes_on = starts_with_any(after, QUESTIONS);
    let is_vocative = (is_opened && (last.is_set_off_after || goes_on))
        || (first.is_set_off_before && last.is_set_off_after)
        || (first.is_set_off_before && !first.begins_sentence && goes_on)
        || before.last().is_some_and(|word| is_greeting(&word.text));
    let reported_next = after.first().is_some_and(|next| REPORTED_VERBS.contains(&next.text.as_str()));
    let is_reported = before.last().is_some_and(|word| REPORTS.contains(&word.text.as_str()));
    if is_vocative && !(is_reported && reported_next) {
        let is_set_aside = has_any(before, SET_ASIDE)
            || (is_opened
                && has_any(after, SET_ASIDE)
                && !after.iter().any(|word| word.text == "you" && word.ends_sentence));
        return if is_set_aside { Address::Mentioned } else { Address::Spoken };
    }
    if reported_next && !ends_with_any(before, &["ask", "asking", "to", "for", "hear from"]) {
        return Address::Reported;
    }
    let is_asked = after.iter().take(2).any(|word| ASKED_VERBS.contains(&word.text.as_str()));
    // A negation means the contrary: `not a question for Dana`.
    let is_denied =
        before.iter().any(|word| matches!(word.text.as_str(), "not" | "isnt" | "rather" | "instead"));
    if ends_with_any(before, ASKS_FOR) && !is_denied {
        let is_weak = ends_with_any(
            before,
            &[
                "for", "to", "does", "would", "could", "can", "will", "should", "perhaps", "maybe",
                "whether", "love", "want",
            ],
        ) && !ends_with_any(
            before,
            &[
                "question for",
                "question to",
                "is for",
                "one for",
                "questions for",
                "turn to",
                "turning to",
                "over to",
                "back to",
                "go to",
                "come to",
                "coming to",
                "go back to",
                "speak to",
                "talk to",
                "on to",
                "this to",
                "it to",
                "that to",
                "passing to",
                "to you",
                "for you",
            ],
        );
        if !is_weak || is_asked {
            return Address::Directed;
        }
    }
    if is_reported { Address::Reported } else { Address::Mentioned }
}

fn starts_with_any(words: &[Word], phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| {
        let mut wanted = phrase.split(' ');
        let count = phrase.split(' ').count();
        words.len() >= count && words.iter().take(count).all(|word| wanted.next() == Some(word.text.as_str()))
    })
}

/// Whether the words end with one of the phrases. An article between the phrase and the end does not count.
pub(super) fn ends_with_any(words: &[Word], phrases: &[&str]) -> bool {
    let is_article = |word: &Word| {
        matches!(word.text.as_str(), "the" | "our" | "your" | "a" | "an" | "you" | "with" | "both")
    };
    let mut end = words.len();
    loop {
        let found = phrases.iter().any(|phrase| {
            let wanted: Vec<&str> = phrase.split(' ').collect();
            end >= wanted.len()
                && words[end - wanted.len()..end]
                    .iter()
                    .zip(&wanted)
                    .all(|(word, wanted)| word.text == *wanted)
        });
        if found {
            return true;
        }
        match end.checked_sub(1).filter(|last| is_article(&words[*last])) {
            Some(last) => end = last,
            None => return false,
        }
    }
}
