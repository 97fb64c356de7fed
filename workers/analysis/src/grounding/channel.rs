//! Decides whether a sentence gives the number or the address of somebody else than its speaker.
//!
//! People on calls read numbers back to each other, and pass on those of colleagues, wives and front desks. A model
//! writes each of them down as the speaker's, with a quote that was truly said.

use std::sync::LazyLock;

use regex::Regex;

use super::is_first_person;
use crate::text;

/// Words that, before `'s` or `is at`, do not name an owner (`it's`), or name one whose data are the speaker's own (`the
/// company's`).
const NOT_OWNERS: [&str; 16] = [
    "it", "that", "this", "here", "there", "what", "who", "where", "how", "let", "name", "one", "company",
    "office", "he", "she",
];
/// Words behind `call` or `reach` that name nobody: `reach out at`, `call back on`.
const NOBODY: [&str; 9] = ["back", "out", "in", "up", "it", "this", "that", "again", "directly"];
/// People of whom one speaks as `my wife` or `our lawyer`.
const RELATIONS: [&str; 36] = [
    "accountant",
    "agent",
    "assistant",
    "boss",
    "broker",
    "brother",
    "client",
    "colleague",
    "coworker",
    "customer",
    "dad",
    "daughter",
    "director",
    "engineer",
    "father",
    "friend",
    "husband",
    "landlord",
    "lawyer",
    "manager",
    "mom",
    "mother",
    "mum",
    "neighbor",
    "neighbour",
    "nurse",
    "partner",
    "receptionist",
    "secretary",
    "sister",
    "son",
    "supervisor",
    "teammate",
    "technician",
    "vendor",
    "wife",
];
const ADJECTIVES: [&str; 12] = [
    "direct", "mobile", "cell", "work", "office", "home", "desk", "private", "mailing", "new", "e",
    "personal",
];
const THINGS: [&str; 10] =
    ["email", "mail", "address", "number", "phone", "mobile", "cell", "line", "extension", "title"];

/// `call Ana`, `ask for Dr. Weber`: whom a sentence sends its listener to.
static ASKS_FOR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\b(?i:call|reach|contact|phone|ring|text|get|find|dial|ask(?:\s+for)?|e-?mail|mail|write(?:\s+to)?|speak(?:\s+(?:to|with))|talk(?:\s+(?:to|with)))\s+(\p{Lu}[\p{L}'’-]+(?:\s+\p{Lu}[\p{L}'’-]+)?)",
    )
    .expect("a fixed pattern")
});

/// `call ana at`, `reach the front desk on`, `call you back at`: who is behind a number, in whatever case.
static IS_BEHIND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:call|reach|contact|phone|ring|text|get|find|e-?mail|mail|write\s+to)\s+([\p{L}'’-]+)(?:\s+[\p{L}'’-]+){0,2}?(?:\s+back)?\s+(?:at|on|under|via)\b",
    )
    .expect("a fixed pattern")
});

/// `Ana is at`, `Ana's on`, `Ana Weber can be reached under`.
static IS_AT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(\p{Lu}[\p{L}-]+(?:\s+\p{Lu}[\p{L}-]+)?)(?:['’]s|\s+is|\s+can\s+be)\s+(?:(?:reached|reachable|available|best)\s+)?(?:at|on|under|via)\b",
    )
    .expect("a fixed pattern")
});

/// Whether the number or the address in this sentence is somebody else's. `words` are the folded words of the sentence,
/// and `own` are those of the speaker's name.
pub(super) fn is_of_another(sentence: &str, words: &[String], own: &[String]) -> bool {
    let is_own = |word: &str| own.iter().any(|name| name == word) || is_first_person(word);
    let is_stranger = |name: &str| text::folded(name).iter().any(|word| !is_own(word));
    let is_sent_to_another = ASKS_FOR.captures_iter(sentence).any(|found| is_stranger(&found[1]));
    let is_behind = IS_BEHIND.captures_iter(sentence).any(|found| {
        let who = found[1].to_lowercase();
        !is_own(&who) && !matches!(who.as_str(), "us" | "our") && !NOBODY.contains(&who.as_str())
    });
    let is_at = IS_AT.captures_iter(sentence).any(|found| {
        let name = text::folded(&found[1]);
        let names_a_person = name.iter().all(|word| !is_thing(word) && !NOT_OWNERS.contains(&word.as_str()));
        names_a_person && !name.iter().any(|word| is_own(word) || word == "we" || word == "i")
    });
    is_sent_to_another || is_behind || is_at || (speaks_of_relation(words) && !claims_channel(words))
}

/// Whether the sentence gives the data of somebody else, as in "every contact's e-mail", "my boss's direct line" or "your
/// number".
pub(super) fn is_data_of_another(words: &[String], own: &[String]) -> bool {
    words.iter().enumerate().any(|(at, word)| {
        let is_possessive = matches!(word.as_str(), "your" | "his" | "her" | "their" | "whose");
        let is_owner = word
            .strip_suffix("'s")
            .is_some_and(|owner| !NOT_OWNERS.contains(&owner) && !own.iter().any(|name| name == owner));
        (is_possessive || is_owner) && is_before_thing(&words[at + 1..])
    })
}

/// Whether somebody is spoken of by what they are to the speaker.
fn speaks_of_relation(words: &[String]) -> bool {
    words.windows(2).any(|pair| {
        matches!(pair[0].as_str(), "my" | "our" | "a" | "the") && RELATIONS.contains(&pair[1].as_str())
    })
}

/// Whether the speaker says that the value is their own: "my direct line is", "reach me at".
fn claims_channel(words: &[String]) -> bool {
    words.iter().enumerate().any(|(at, word)| {
        let after = &words[at + 1..];
        match word.as_str() {
            "my" => is_before_thing(after),
            "me" | "i'm" => {
                after.first().is_some_and(|next| matches!(next.as_str(), "at" | "on" | "under" | "via"))
            }
            _ => false,
        }
    })
}

fn is_before_thing(words: &[String]) -> bool {
    let adjectives = words.iter().take_while(|word| ADJECTIVES.contains(&word.as_str())).count();
    words.iter().take(adjectives + 1).any(|word| is_thing(word))
}

fn is_thing(word: &str) -> bool {
    THINGS.contains(&word)
}
