//! Words that show what a call is about.

use std::collections::BTreeMap;

/// What somebody says who wants something.
pub(super) const REQUESTS: &[&str] = &[
    "i need",
    "i want",
    "i'd like",
    "i would like",
    "we need",
    "we want",
    "can you",
    "could you",
    "please",
    "looking for",
    "calling about",
    "calling because",
    "help me",
];
/// What somebody says who will do something.
pub(super) const PROMISES: &[&str] =
    &["i will", "i'll", "we will", "we'll", "going to send", "i can send", "get back to you"];

/// Words with which a call begins.
const GREETINGS: &[&str] = &[
    "hello",
    "hi",
    "hey",
    "welcome",
    "good morning",
    "good afternoon",
    "good evening",
    "morning",
    "thank you",
    "thanks",
];
/// Words that follow a greeting and say nothing about the call.
const AFTER_GREETINGS: &[&str] = &[
    "this is",
    "speaking",
    "you have reached",
    "you've reached",
    "thank you for",
    "thanks for",
    "good to",
    "nice to",
    "everyone",
];
/// Offers of help with which a call begins.
const OFFERS: &[&str] =
    &["how can i", "how may i", "how can we", "can i help", "may i help", "what can i do"];

/// Whether a sentence does no more than open a call.
pub(super) fn is_greeting(sentence: &str) -> bool {
    let begins = |cue: &&str| {
        let start = sentence.get(..cue.len()).is_some_and(|start| start.eq_ignore_ascii_case(cue));
        start && !sentence[cue.len()..].starts_with(char::is_alphanumeric)
    };
    let opens = GREETINGS.iter().any(begins) && has_any(sentence, AFTER_GREETINGS);
    (opens || has_any(sentence, OFFERS)) && !has_any(sentence, REQUESTS)
}

/// Words that look like a promise but announce nothing that somebody could do.
pub(super) const NO_PROMISES: &[&str] =
    &["i'll be", "i will be", "we'll be", "we will be", "we'll see", "i'll see"];

/// Values that stand for "nothing was said", the best first.
const DEFAULTS: [&str; 6] = ["neutral", "unknown", "medium", "general_inquiry", "other", "none"];
/// Words that name a time.
const TIMES: [&str; 14] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "tomorrow",
    "today",
    "tonight",
    "week",
    "month",
    "afternoon",
    "morning",
];
/// Words that belong to the time that follows.
const BEFORE_TIMES: [&str; 9] = ["by", "on", "before", "until", "next", "this", "end", "of", "the"];
/// Words that are too common to be a topic.
const COMMON: [&str; 42] = [
    "anything",
    "something",
    "about",
    "again",
    "also",
    "because",
    "been",
    "before",
    "could",
    "does",
    "from",
    "going",
    "good",
    "have",
    "hello",
    "here",
    "just",
    "know",
    "like",
    "need",
    "okay",
    "please",
    "really",
    "right",
    "some",
    "speaking",
    "sure",
    "thank",
    "thanks",
    "that",
    "their",
    "there",
    "they",
    "this",
    "want",
    "well",
    "were",
    "what",
    "when",
    "will",
    "with",
    "would",
];

/// Returns the words, and beginnings of words, that speak for a value of an enum.
pub(super) fn cues_for(value: &str) -> Vec<&str> {
    let cues: &[&str] = match value {
        "positive" => {
            &["thank you so", "great", "perfect", "wonderful", "excellent", "happy", "appreciate", "love"]
        }
        "negative" => &[
            "angry",
            "unacceptable",
            "terribl",
            "frustrat",
            "disappoint",
            "upset",
            "worst",
            "awful",
            "annoy",
            "broken",
            "not working",
            "ridiculous",
        ],
        "high" | "urgent" => &["urgent", "asap", "immediately", "right away", "emergency", "critical"],
        "low" => &["no rush", "no hurry", "whenever"],
        "sales" => &[
            "price", "pricing", "quote", "demo", "buy", "purchase", "upgrade", "trial", "offer", "order",
            "budget", "proposal",
        ],
        "billing" => &["invoice", "bill", "charge", "refund", "payment", "paid"],
        "technical" => &["error", "crash", "bug", "not working", "install", "broken", "restart", "outage"],
        "account" => &["account", "password", "profile", "log in", "login"],
        "complaint" => &["complain", "unacceptable", "disappoint", "speak to a manager"],
        "resolved" => &["resolved", "fixed", "solved", "works now", "that helps", "all set", "working again"],
        "escalated" => &["escalat", "supervisor", "specialist", "speak to a manager"],
        "pending" => {
            &["get back to you", "i'll", "i will", "we will", "we'll", "call you back", "let me check"]
        }
        _ => &[],
    };
    if !cues.is_empty() {
        return cues.to_vec();
    }
    value.split(['_', ' ', '-']).filter(|word| word.len() >= 4).collect()
}

/// Whether the sentence contains one of the cues.
pub(super) fn has_any(sentence: &str, cues: &[&str]) -> bool {
    let sentence = sentence.to_lowercase();
    cues.iter().any(|cue| sentence.contains(cue))
}

/// Chooses the value for which most of the words speak, or else one that stands for "nothing was said".
pub(super) fn choice<'a>(values: &[&'a str], words: &str) -> Option<&'a str> {
    let score = |value: &str| -> usize {
        let value = value.to_lowercase();
        cues_for(&value).iter().map(|cue| words.matches(cue).count()).sum()
    };
    let best = values.iter().map(|value| score(value)).max().unwrap_or_default();
    let mut leading = values.iter().filter(|value| score(value) == best);
    let (first, tied) = (leading.next().copied(), leading.next().is_some());
    let default =
        || DEFAULTS.iter().find_map(|name| values.iter().find(|value| value.eq_ignore_ascii_case(name)));
    if best == 0 || tied { default().copied().or(first) } else { first }
}

/// Returns the words of a sentence that name a time: `by Friday`, `next week`.
pub(super) fn time_in(sentence: &str) -> Option<&str> {
    let mut start: Option<usize> = None;
    let mut at = 0;
    for word in sentence.split(' ') {
        let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let lower = bare.to_lowercase();
        if TIMES.contains(&lower.as_str()) {
            return Some(&sentence[start.unwrap_or(at)..at + bare.len()]);
        }
        start = BEFORE_TIMES.contains(&lower.as_str()).then(|| start.unwrap_or(at));
        at += word.len() + 1;
    }
    None
}

/// Whether a property of this name holds topics.
pub(super) fn means_topics(name: &str) -> bool {
    ["topic", "tag", "keyword", "theme"].iter().any(|part| name.to_lowercase().contains(part))
}

/// Returns the five long words that are said most often, without common words and names.
pub(super) fn topics<'a>(words: &'a str, names: &str) -> Vec<&'a str> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for word in words.split(|c: char| !c.is_alphanumeric()) {
        let is_word = word.chars().count() >= 5 && word.chars().all(char::is_alphabetic);
        if is_word && !COMMON.contains(&word) && !names.contains(word) {
            *counts.entry(word).or_default() += 1;
        }
    }
    let mut ranked: Vec<(&str, usize)> = counts.into_iter().collect();
    ranked.sort_by_key(|(word, count)| (usize::MAX - count, *word));
    ranked.into_iter().take(5).map(|(word, _)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_returned_with_the_words_that_belong_to_it() {
        assert_eq!(time_in("I'll call by the end of next week."), Some("by the end of next week"));
        assert_eq!(time_in("See you tomorrow, then."), Some("tomorrow"));
        assert_eq!(time_in("No time at all."), None);
    }

    #[test]
    fn a_sentence_that_says_more_than_a_greeting_is_none() {
        for greeting in [
            "Good afternoon, Nagy Foods, this is Bo speaking.",
            "Hello, you have reached Nagy Foods.",
            "Good morning both, thank you for joining.",
            "How can I help you?",
        ] {
            assert!(is_greeting(greeting), "{greeting}");
        }
        for said in ["Hi, I need a refund for this.", "This is late.", "History is everyone's."] {
            assert!(!is_greeting(said), "{said}");
        }
    }

    #[test]
    fn without_any_cue_the_value_that_stands_for_nothing_is_chosen() {
        assert_eq!(choice(&["positive", "neutral", "negative"], "nothing special"), Some("neutral"));
        assert_eq!(choice(&["Positive", "Neutral"], "that is great"), Some("Positive"));
    }

    #[test]
    fn topics_are_the_words_that_are_said_most_often() {
        assert_eq!(
            topics("refund invoice refund about adams adams adams", "eve adams"),
            ["refund", "invoice"]
        );
    }
}
