//! Rules for English sentences. By its words a sentence is recognized as a concern, a promise, a request, a resolution
//! or a part of a category.

use std::sync::LazyLock;

use domain::analysis::{ActionItem, Category, Resolution};
use domain::transcript::Segment;
use regex::Regex;

use crate::{dictation, text};

const MAX_ITEMS: usize = 20;
const MAX_SENTENCE_CHARS: usize = 400;
/// Only the first sentences are searched for the concern, because people say early why they call.
const CONCERN_SENTENCES: usize = 6;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a fixed pattern")
}

static NEED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix) \b( need | want | wants | would \s like | i'd \s like | looking \s (for|to|into) | calling \s (about|because|to|regarding)
        | problem | problems | issue | issues | trouble | wrong | broken | error | charged | billed | refund | pending | waiting | missing
        | late | slow | down | dead | lost | nobody | expires? | cancel | can't | cannot | doesn't | didn't | isn't | stopped | won't | unable | never | help \s me
        | question | wondering | how \s (do|can|much|long|many) | what \s (does|is|are) | when \s (will|do|can) | where \s is
        | could \s you | can \s you | is \s it \s possible | interested )\b",
    )
});

static INTRODUCES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^\W*((hi|hello|hey|yes|good (morning|afternoon|evening)|morning)\b[\s,.!]*)*(this is|my name is|speaking\b|(i'm|i am|it's) \p{Lu})",
    )
});

/// Words with which both sides begin a call: "Good afternoon, Harbour Cycles, this is Dana."
static GREETS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix)^\W*(?:(?:and|so|well|okay|great|yes)\b\W*)*
          (?: (?:hi|hello|hey|welcome|good\ (?:morning|afternoon|evening|day)|(?:morning|afternoon|evening)[,.!]|thanks?|thank\ you)\b
              .*\b(?:this\ is|speaking|you(?:'ve|\ have)\ reached|through\ to|thank(?:s|\ you)\ for|(?:how|what)\ (?:can|may)\ (?:i|we)
                    |(?:good|nice|great)\ to\ (?:see|meet|have)|everyone|everybody|all\ of\ you)\b
          | (?:thanks|thank\ you)\ (?:both|all)?\W*for\b
          | you(?:'ve|\ have)\ reached\b | (?:good|nice|great)\ to\ (?:see|meet|have)\ you\b
          | (?:how|what)\ (?:can|may)\ (?:i|we)\ (?:help|assist|do) | (?:can|may)\ i\ help\ you )",
    )
});
/// A service desk asks how it can help. Such a question has the words of a need, but is no need.
static ASKS_HOW_TO_HELP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:how (?:can|may) (?:i|we)|(?:can|may) i help|what can (?:i|we) do)\b.*|\bthank(?:s| you) for (?:waiting|holding)\b",
    )
});

static PROMISE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:(?:i|we)(?:'ll| will| shall)|(?:i'm|i am|we're|we are) going to)\s+(?:(?:also|definitely|then|just|gladly|personally)\s+)*([\p{L}']+)",
    )
});

/// "You'll have the papers from me by Friday" is a promise, too.
static DELIVERY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\byou(?:'ll| will)\s+(?:have|get|receive)\b.*\b(?:from (?:me|us)\b|by\b)")
});

/// "I send you the offer by Tuesday" is a promise when it names a time.
static PRESENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:i|we)\s+(?:send|e-?mail|mail|forward|bring|call|text|share|give|get|write)\s+(?:you|it|that|them|this)\b",
    )
});

/// Verbs that promise no task, as in "I'll see".
const NOT_TASKS: [&str; 32] = [
    "wake", "sleep", "eat", "arrive", "feel", "love", "live", "stay", "be", "see", "never", "not", "have",
    "need", "say", "admit", "think", "know", "guess", "tell", "wait", "take", "try", "hope", "assume",
    "miss", "probably", "maybe", "ask", "want", "hold", "let",
];

static DUE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix) \b(?: (?:by|before|until|on|within|no\ later\ than|at)\s+
            (?: (?:the\ )?end\ of\ (?:the\ |this\ |next\ )?(?:day|week|month|quarter|year)
              | (?:the\ )?(?:next|this|coming|following)\ \w+
              | (?:(?:mon|tues|wednes|thurs|fri|satur|sun)day)(?:\ (?:morning|afternoon|evening|noon|the\ \w+))?
              | (?:january|february|march|april|may|june|july|august|september|october|november|december)\ \d{1,2}(?:st|nd|rd|th)?
              | (?:the\ )?\d{1,2}(?:st|nd|rd|th)(?:\ of\ \p{L}+)?
              | tomorrow(?:\ (?:morning|afternoon|evening|noon))? | today | tonight | noon
              | (?:a|an|one|two|three|four|five|six|seven|ten|\d{1,3})\ (?:minutes?|hours?|days?|weeks?|months?|(?:working|business)\ days?)
              | (?:\d{1,2}(?::\d{2})?\ ?(?:a\.?m\.?|p\.?m\.?)|\d{1,2}:\d{2})
              | (?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)(?:\ o'clock)?\b )
          | tomorrow(?:\ (?:morning|afternoon|evening))? | tonight | later\ today | today
          | (?:this|next)\ (?:week|month|morning|afternoon|evening|(?:mon|tues|wednes|thurs|fri|satur|sun)day)
          | (?:right\ away|immediately|straight\ away) )",
    )
});

static REQUEST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?ix) \b( (can|could|would|will) \s (you|somebody|someone|we) \b | (can|could|may) \s i \s (have|get|speak|talk|change|cancel|pay|return|see)
        | (i|we) \s (need|want|would \s (like|love)|have \s to \s have) | (i|we)'d \s (like|love) | please \s (send|call|give|let|tell|check|make|fix|cancel|refund|change|put|transfer|confirm)
        | (please \s)? help \s me \s \p{L}+ | is \s it \s possible | would \s it \s be \s possible )",
    )
});

/// "Can you hear me" and the offer "Would you like a copy" have the form of a request, but are none.
static SMALL_TALK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(hear|see) (me|us|my)\b|repeat that|say that again|hold on|let me (finish|think|see)|would you (like|prefer|rather)|be (open|honest|clear|frank) with you",
    )
});

static ESCALATED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(escalat(e|ed|ing) (this|it|the|your|you)|(transfer|pass|hand)(red|ed|ring|ing)? (you|this|it) (over )?to (my|a|the|our) (supervisor|manager|senior|specialist|second))",
    )
});
static RESOLVED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b((it|that|this|everything)('s| is| has been| all)? (works?|working|fixed|solved|resolved|sorted|back (up|on))( now| again)?|that (fixed|solved|sorted|did) it|(problem|issue)('s| is| has been) (fixed|solved|resolved)|answers? my question)\b",
    )
});
static PENDING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b((call|get back to|come back to|email|write to) you|(is|are|still) (being )?(pending|refunded|processed|investigated|reviewed)|takes? (up to|about|around|another)|(within|in) \w+ (working |business )?(days?|hours?|weeks?)|follow(-| )?up|open(ed)? a (ticket|case)|look into)\b",
    )
});

/// The words of each category. When two categories have equally many words in a call, the first in this list is taken.
/// So billing, which is more specific, stands before account.
static CATEGORIES: LazyLock<Vec<(Category, Regex)>> = LazyLock::new(|| {
    let words = |category, words: &str| (category, pattern(&format!(r"(?i)\b({words})\b")));
    vec![
        words(
            Category::Billing,
            r"bill(s|ed|ing)?|invoices?|charged?|charges|refund(s|ed)?|payments?|paid|overcharged|credit card|direct debit|receipts?|late fees?",
        ),
        words(
            Category::Technical,
            r"errors?|crash(es|ed|ing)?|bugs?|internet|router|wi-?fi|connection|log ?in (page|screen)|server|software|install(ed|ation)?|update|device|screen|technician|not working|doesn't work|outage|reset|firmware|app",
        ),
        words(
            Category::Complaint,
            r"complain(t|ts|ing)?|unacceptable|supervisor|disappointed|terrible|rude|formal complaint|ombudsman",
        ),
        words(
            Category::Sales,
            r"pricing|price list|quote|proposal|demo|pilot|budget|buy|purchase|upgrade|vendors?|contract|trial|discount|licen[cs]es|plan options|subscribe",
        ),
        words(
            Category::Account,
            r"password|username|my account|account (number|settings|access)|profile|change my (address|name|e-?mail|number)|close my account|subscription|sign(ed)? in|locked out",
        ),
        words(
            Category::GeneralInquiry,
            r"opening hours|are you open|where (are|is) (you|your)|information|wondering|do you (offer|have|deliver)|how (does|do) (it|this)|general question",
        ),
    ]
});

/// A category must be mentioned this often. A single word may be said by chance.
const MIN_MENTIONS: usize = 2;

/// The sentence in which the customer says why they call. It is the first one with a need or a problem, or else the
/// first one that is more than a greeting, a name or an answer of a few words.
pub(super) fn concern(customer: &[&Segment]) -> Option<String> {
    let says_something = |sentence: &&str| {
        text::count_words(sentence) >= 4 && !INTRODUCES.is_match(sentence) && !is_courtesy(sentence)
    };
    let statements = || customer.iter().flat_map(|segment| sentences(segment)).filter(says_something);
    statements()
        .take(CONCERN_SENTENCES)
        .find(|sentence| NEED.is_match(sentence))
        .or_else(|| statements().next())
        .map(|sentence| text::shortened(sentence, MAX_SENTENCE_CHARS))
}

/// Whether a sentence is only a greeting, the introduction of a service desk, or thanks for coming.
pub(super) fn is_greeting(sentence: &str) -> bool {
    let plain = straight(sentence);
    GREETS.is_match(&plain) && !NEED.is_match(&ASKS_HOW_TO_HELP.replace_all(&plain, ""))
}

/// Whether a sentence only says who the speaker is. This is a fact about a contact, but not what the call is about.
pub(super) fn is_introduction(sentence: &str) -> bool {
    dictation::own_name(sentence).is_some() && !NEED.is_match(&straight(sentence))
}

fn is_courtesy(sentence: &str) -> bool {
    static COURTESY: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)^\W*(thanks?|thank you|good (morning|afternoon|evening)|nice to|how are you|good to (meet|see)|sure|great|perfect|yes|no)\b[^?]{0,40}$",
        )
    });
    COURTESY.is_match(sentence)
}

fn sentences(segment: &Segment) -> Vec<&str> {
    text::sentences(&segment.text)
}

/// The sentence with straight apostrophes, because the regular expressions know only these.
fn straight(sentence: &str) -> String {
    sentence.replace(['’', 'ʼ'], "'")
}

/// The promises that speakers make. The owner of each is the speaker, and the time is given in the speaker's own words.
pub(super) fn action_items(segments: &[&Segment]) -> Vec<ActionItem> {
    let mut items: Vec<ActionItem> = Vec::new();
    for segment in segments {
        for sentence in text::sentences(&segment.text) {
            let plain = straight(sentence);
            let promised = PROMISE
                .captures_iter(&plain)
                .any(|found| !NOT_TASKS.contains(&found[1].to_lowercase().as_str()));
            let due = DUE.find(&plain).map(|found| found.as_str().trim_end_matches('.').to_owned());
            let promised =
                promised || DELIVERY.is_match(&plain) || (due.is_some() && PRESENT.is_match(&plain));
            if items.len() == MAX_ITEMS || sentence.ends_with('?') || !promised {
                continue;
            }
            let text = text::shortened(sentence, MAX_SENTENCE_CHARS);
            if !items.iter().any(|known| known.text == text) {
                items.push(ActionItem { text, owner: Some(segment.label()), due });
            }
        }
    }
    items
}

/// The words of a sentence that say by when something is to be done.
pub(crate) fn due_words(sentence: &str) -> Vec<String> {
    let plain = straight(sentence);
    DUE.find_iter(&plain).map(|found| found.as_str().trim_end_matches('.').to_owned()).collect()
}

/// The sentences in which the customer asks for something.
pub(super) fn requests(customer: &[&Segment]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for sentence in customer.iter().flat_map(|segment| sentences(segment)) {
        let plain = straight(sentence);
        let text = text::shortened(sentence, MAX_SENTENCE_CHARS);
        if found.len() < MAX_ITEMS
            && REQUEST.is_match(&plain)
            && !SMALL_TALK.is_match(&plain)
            && !found.contains(&text)
        {
            found.push(text);
        }
    }
    found
}

/// How the call ended, as somebody said in its second half.
pub(super) fn resolution(segments: &[&Segment]) -> Resolution {
    let (_, second_half) = segments.split_at(segments.len() / 2);
    let is_said =
        |pattern: &Regex| second_half.iter().any(|segment| pattern.is_match(&straight(&segment.text)));
    if is_said(&ESCALATED) {
        Resolution::Escalated
    } else if is_said(&RESOLVED) {
        Resolution::Resolved
    } else if is_said(&PENDING) {
        Resolution::Pending
    } else {
        Resolution::Unknown
    }
}

pub(super) fn category(segments: &[&Segment]) -> Category {
    let mentions = |pattern: &Regex| -> usize {
        segments.iter().map(|segment| pattern.find_iter(&straight(&segment.text)).count()).sum()
    };
    CATEGORIES
        .iter()
        .map(|(category, pattern)| (*category, mentions(pattern)))
        .filter(|(_, count)| *count >= MIN_MENTIONS)
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map_or(Category::Other, |(category, _)| category)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::transcript;
    /// Applies a rule to lines that one speaker says.
    fn apply<T>(lines: &[&str], rule: impl Fn(&[&Segment]) -> T) -> T {
        let lines: Vec<_> = lines.iter().map(|text| ("Olga Lindqvist", *text)).collect();
        rule(&transcript(&lines).segments.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_greeting_or_a_name_is_not_taken_for_a_concern() {
        let found = apply(
            &["Hi, good morning.", "I'm Olga Lindqvist, thanks. My parcel is still missing since May."],
            concern,
        );
        assert_eq!(found.as_deref(), Some("My parcel is still missing since May."));
        assert_eq!(apply(&["Hi.", "Yes.", "Thank you very much."], concern), None);
    }

    #[test]
    fn a_sentence_that_says_more_than_a_greeting_is_not_a_greeting() {
        for greeting in [
            "Good afternoon, Brask Shipping support, this is Wim speaking.",
            "Thank you for calling Brask, this is Wim, how can I help you today?",
            "Good morning both, thank you for joining.",
            "Hello, you have reached Brask Shipping.",
            "How may I help?",
            "Great, thanks for setting this up.",
        ] {
            assert!(is_greeting(greeting), "{greeting}");
        }
        for sentence in [
            "Hi, I run two depots and I need a second ramp.",
            "Hello, this is Olga, my parcel is missing since May.",
            "Good, we ship to everyone in Ghent.",
            "Thank you, the second offer is the better one.",
        ] {
            assert!(!is_greeting(sentence), "{sentence}");
        }
    }

    #[test]
    fn an_action_item_has_its_speaker_and_its_time_in_the_speakers_words() {
        let items = apply(
            &[
                "I’ll send you the offer by next Tuesday. We'll see.",
                "You'll have the forms from me by Friday.",
                "I will be in Ghent. Will I send it tomorrow?",
                "I send you the price list by Monday. We send you nothing.",
            ],
            action_items,
        );
        let short: Vec<_> = items.iter().map(|item| (item.text.as_str(), item.due.as_deref())).collect();
        assert_eq!(
            short,
            [
                ("I’ll send you the offer by next Tuesday.", Some("by next Tuesday")),
                ("You'll have the forms from me by Friday.", Some("by Friday")),
                ("I send you the price list by Monday.", Some("by Monday")),
            ]
        );
        assert_eq!(items[0].owner.as_deref(), Some("Olga Lindqvist"));
    }

    #[test]
    fn small_talk_is_not_taken_for_a_request() {
        let found = apply(
            &["Can you hear me? Could you change my address?", "I need a copy. It is raining."],
            requests,
        );
        assert_eq!(found, ["Could you change my address?", "I need a copy."]);
    }

    #[test]
    fn a_wish_is_a_request_in_each_of_the_ways_in_which_people_say_it() {
        for wish in [
            "I want to cancel the contract.",
            "We want to cancel the contract.",
            "We would like to cancel it, to be honest.",
            "We'd like our money back.",
            "I’d love a copy of the invoice.",
            "Please help me cancel it.",
        ] {
            assert_eq!(apply(&[wish], requests), [wish]);
        }
        for other in ["They would like to stay.", "Would you like to renew it?", "Would you prefer Monday?"] {
            assert!(apply(&[other], requests).is_empty(), "{other}");
        }
    }

    #[test]
    fn the_resolution_is_what_was_said_at_the_end() {
        assert_eq!(apply(&["My line is dead.", "Great, it works now."], resolution), Resolution::Resolved);
        assert_eq!(apply(&["Hi.", "I'll transfer you to my supervisor."], resolution), Resolution::Escalated);
        assert_eq!(
            apply(&["Hi.", "The refund takes up to five working days."], resolution),
            Resolution::Pending
        );
        assert_eq!(apply(&["Hi.", "Bye."], resolution), Resolution::Unknown);
    }

    #[test]
    fn the_category_is_the_one_whose_words_are_said_most_often() {
        assert_eq!(
            apply(&["I was charged twice.", "The refund of the invoice?"], category),
            Category::Billing
        );
        assert_eq!(apply(&["What a day."], category), Category::Other);
    }
}
