//! Decides who of the representatives answers, and says why.
//!
//! It is a pure function. It goes by what people do in a meeting: whoever is named answers, then whoever is asked for by a
//! role, then whoever was spoken to before, then whoever the topic belongs to, then whoever has said least. Names are
//! compared as whole words, without accents, with their short forms, and with the slips of people who heard a name once.

mod address;
mod name_words;
mod names;
mod phrases;
mod roles;
mod room;
#[cfg(test)]
mod tests;
mod text;
mod topics;

use address::Address;
use phrases::{ANY, EACH, GREETS, TAKES_UP};
pub use roles::{Kind, kinds};
use room::Room;
use text::{Word, has_any, words};
pub use topics::{Topic, affinity};

use crate::temperament::Trait;

/// Somebody who can answer.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    pub name: &'a str,
    pub role: &'a str,
    pub traits: &'a [Trait],
    pub is_decision_maker: bool,
}

/// What the meeting was like before. People are numbers into the list of people.
#[derive(Clone, Debug, Default)]
pub struct Before {
    pub last_addressed: Option<usize>,
    pub last_spoke: Option<usize>,
    /// How often each person has spoken. A person who is missing has not spoken.
    pub spoken: Vec<u32>,
    /// When each person spoke last, as the number of a turn.
    pub last_turn: Vec<u32>,
}

/// Who answers, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub first: usize,
    pub because: Because,
    pub second: Option<(usize, WhySecond)>,
    /// What the words were about, where they were about something.
    pub topic: Option<Topic>,
}

/// Why somebody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    OnlyOne,
    Named(String),
    Misspelt(String),
    Role(String),
    /// Several were spoken to at once.
    Group,
    /// The words go on with what this person was asked or said.
    GoesOn,
    Topic(Topic),
    /// Nobody was meant, and this person has said least.
    Silent,
    /// Nobody has spoken yet, and this person decides.
    Decides,
}

/// Why a second one speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhySecond {
    /// Both were spoken to.
    Addressed,
    /// The topic is hers, too.
    Adds,
    /// She does not wait for her turn.
    Interrupts,
}

impl Because {
    /// Whether the words leave no doubt. Otherwise a model may know better.
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Silent | Self::Topic(_) | Self::Decides)
    }

    /// The reason, in a sentence about `name`.
    pub fn say(&self, name: &str) -> String {
        match self {
            Self::OnlyOne => format!("{name} is the only one in the meeting."),
            Self::Named(heard) => format!("{name} was named (“{heard}”)."),
            Self::Misspelt(heard) => format!("{name} was named, spelt as “{heard}”."),
            Self::Role(heard) => format!("{name} was asked for by the role (“{heard}”)."),
            Self::Group => format!("Several were asked, and {name} begins."),
            Self::GoesOn => format!("The words go on from what {name} was asked or said."),
            Self::Topic(topic) => format!("The topic is {}, which belongs to {name}.", topic.name()),
            Self::Silent => format!("Nobody was named, and {name} has said least so far."),
            Self::Decides => format!("Nobody was named, and {name} opens as the one who decides."),
        }
    }
}

impl WhySecond {
    pub fn say(self, name: &str) -> String {
        match self {
            Self::Addressed => format!("{name} was asked as well."),
            Self::Adds => format!("{name} adds something, because the topic belongs to {name} as well."),
            Self::Interrupts => format!("{name} interrupts."),
        }
    }
}

/// Decides who answers to `said`. There is at least one person.
pub fn who_answers(people: &[Person<'_>], said: &str, before: &Before) -> Choice {
    let heard = words(said);
    let topics = topics::topics(&heard);
    let topic = topics.first().map(|(topic, _)| *topic);
    let kinds: Vec<Vec<Kind>> = people.iter().map(|person| kinds(person.role)).collect();
    let room = Room { people, kinds: &kinds, before };
    if people.len() <= 1 {
        return Choice { first: 0, because: Because::OnlyOne, second: None, topic };
    }
    let (first, because, also) = first(&room, said, &heard, &topics);
    let second = match also {
        Some(other) => Some((other, WhySecond::Addressed)),
        None => room.second(first, &because, &topics),
    };
    Choice { first, because, second, topic }
}

/// The one who answers, and who was spoken to beside.
fn first(
    room: &Room<'_>,
    said: &str,
    heard: &[Word],
    topics: &[(Topic, u32)],
) -> (usize, Because, Option<usize>) {
    let names: Vec<&str> = room.people.iter().map(|person| person.name).collect();
    let named = names::named(&names, heard, said);
    let strong: Vec<_> = named.iter().filter(|one| one.address >= Address::Directed).collect();
    let because = |one: &names::Named| {
        if one.is_misspelt { Because::Misspelt(one.heard.clone()) } else { Because::Named(one.heard.clone()) }
    };
    let roles: Vec<&str> = room.people.iter().map(|person| person.role).collect();
    let asked = roles::asked_for(&roles, heard);
    let asked_strong: Vec<_> = asked.iter().filter(|one| one.address >= Address::Directed).collect();
    if let Some(found) = pick(&strong, |one| (one.person, one.at, one.address), heard, room, topics) {
        let (at, other) = found;
        let one = strong[at];
        // `What does the CTO make of Elena's point?` is for the CTO.
        let is_worn = (one.at.0..=one.at.1).any(|word| heard[word].is_possessive);
        if let Some(role) = asked_strong.iter().find(|role| is_worn && role.person != one.person) {
            return (role.person, Because::Role(role.heard.clone()), None);
        }
        // `John, what would your CFO say?` is for John. `Thanks, John. What does the CFO say?` is not.
        let later = asked_strong
            .iter()
            .find(|role| heard[role.at.0].sentence > heard[one.at.0].sentence && role.person != one.person);
        if let Some(role) = later.filter(|_| one.address < Address::Spoken || !asks(heard, one.at.0)) {
            return (role.person, Because::Role(role.heard.clone()), None);
        }
        let other = other.or_else(|| {
            let beside =
                asked_strong.iter().find(|role| role.person != one.person && joined(heard, one.at, role.at));
            beside.map(|role| role.person)
        });
        return (one.person, because(one), other);
    }
    if let Some((at, other)) =
        pick(&asked_strong, |one| (one.person, one.at, one.address), heard, room, topics)
    {
        let one = asked_strong[at];
        return (one.person, Because::Role(one.heard.clone()), other);
    }
    if has_any(heard, EACH) {
        let begins = room.owner(topics).or_else(|| room.decider()).unwrap_or_else(|| room.most_silent());
        // One returns a greeting for all.
        let greets = has_any(heard, GREETS) && !asks(heard, heard.len() - 1);
        let other = room.others_by_silence(begins).first().copied().filter(|_| !greets);
        return (begins, Because::Group, other);
    }
    if let Some(one) = named.iter().rfind(|one| one.address == Address::Mentioned) {
        return (one.person, because(one), None);
    }
    if has_any(heard, TAKES_UP)
        && !has_any(heard, ANY)
        && let Some(last) = room.before.last_spoke.or(room.before.last_addressed)
    {
        return (last, Because::GoesOn, None);
    }
    if let Some(one) = asked.iter().find(|one| one.address == Address::Mentioned) {
        return (one.person, Because::Role(one.heard.clone()), None);
    }
    if let Some(owner) = room.owner(topics) {
        return (owner, Because::Topic(topics.first().map_or(Topic::Strategy, |(topic, _)| *topic)), None);
    }
    if !has_any(heard, ANY)
        && follows_up(heard)
        && let Some(last) = room.before.last_addressed.or(room.before.last_spoke)
    {
        return (last, Because::GoesOn, None);
    }
    let nobody_spoke = room.before.last_spoke.is_none();
    match room.decider().filter(|_| nobody_spoke) {
        Some(decider) => (decider, Because::Decides, None),
        None => (room.most_silent(), Because::Silent, None),
    }
}

/// Which of several who were spoken to answers, and who of them answers as well.
fn pick<T>(
    found: &[&T],
    of: impl Fn(&T) -> (usize, (usize, usize), Address),
    heard: &[Word],
    room: &Room<'_>,
    topics: &[(Topic, u32)],
) -> Option<(usize, Option<usize>)> {
    let best = found.iter().map(|one| of(one).2).max()?;
    // Who is spoken to counts more than who is asked for, but not when the one who is asked for comes in a later sentence.
    let last_sentence = found.iter().map(|one| heard[of(one).1.0].sentence).max()?;
    let candidates: Vec<usize> = (0..found.len())
        .filter(|at| {
            let (_, span, address) = of(found[*at]);
            address == best || heard[span.0].sentence == last_sentence && best == Address::Directed
        })
        .collect();
    let mut last =
        *candidates.iter().rev().find(|at| asks(heard, of(found[**at]).1.0)).or(candidates.last())?;
    // Two people have this name. The one whom the talk is about is meant.
    let (person, span, _) = of(found[last]);
    let same: Vec<usize> = candidates.iter().copied().filter(|at| of(found[*at]).1 == span).collect();
    if same.len() > 1 {
        let among: Vec<usize> = same.iter().map(|at| of(found[*at]).0).collect();
        let meant = room
            .owner_among(&among, topics)
            .or_else(|| among.iter().copied().find(|one| room.before.last_addressed == Some(*one)));
        let meant = meant.unwrap_or(person);
        last = same.into_iter().find(|at| of(found[*at]).0 == meant)?;
        return Some((last, None));
    }
    let with = candidates.iter().copied().find(|at| {
        let (other, other_span, _) = of(found[*at]);
        other != person && joined(heard, other_span, span)
    });
    match with {
        // The one who was named first begins.
        Some(other) if of(found[other]).1 < span => Some((other, Some(person))),
        Some(other) => Some((last, Some(of(found[other]).0))),
        None => Some((last, None)),
    }
}

/// Whether the sentence of the word is a question, or asks for something.
fn asks(heard: &[Word], at: usize) -> bool {
    let sentence = heard[at].sentence;
    let of_sentence: Vec<Word> = heard.iter().filter(|word| word.sentence == sentence).cloned().collect();
    has_any(
        &of_sentence,
        &[
            "what", "how", "why", "who", "when", "where", "which", "you", "your", "tell", "share", "walk",
            "explain", "question",
        ],
    )
}

/// Whether only `and`, `or` or a comma stands between the two.
fn joined(heard: &[Word], one: (usize, usize), other: (usize, usize)) -> bool {
    let (first, second) = if one.0 <= other.0 { (one, other) } else { (other, one) };
    if heard[first.0].sentence != heard[second.0].sentence {
        return false;
    }
    let between = &heard[(first.1 + 1).min(second.0)..second.0];
    between.len() <= 2
        && between.iter().all(|word| {
            matches!(
                word.text.as_str(),
                "and"
                    | "or"
                    | "then"
                    | "also"
                    | "maybe"
                    | "perhaps"
                    | "both"
                    | "the"
                    | "our"
                    | "you"
                    | "afterwards"
                    | "mr"
                    | "ms"
                    | "mrs"
                    | "dr"
            )
        })
}

/// Whether the words need what was said before.
fn follows_up(heard: &[Word]) -> bool {
    let first = heard.first().map_or("", |word| word.text.as_str());
    let speaks_to = heard
        .iter()
        .any(|word| matches!(word.text.as_str(), "you" | "your" | "that" | "it" | "this" | "why" | "yours"));
    let to_you = heard.iter().any(|word| matches!(word.text.as_str(), "you" | "your" | "yours"));
    let greets = has_any(heard, GREETS);
    let opens = matches!(
        first,
        "and"
            | "so"
            | "but"
            | "then"
            | "because"
            | "why"
            | "how"
            | "ok"
            | "okay"
            | "right"
            | "yes"
            | "no"
            | "sure"
            | "really"
            | "exactly"
            | "understood"
            | "great"
            | "thats"
            | "what"
            | "which"
            | "when"
            | "is"
            | "would"
            | "could"
            | "can"
            | "do"
            | "does"
            | "if"
            | "interesting"
            | "got"
            | "absolutely"
            | "agreed"
            | "sounds"
    );
    !greets && (speaks_to && opens || to_you && heard.len() <= 14)
}
