//! Holds action items to what was said.
//!
//! A model that is asked who does what by when also answers where nobody said it. An owner must be somebody on the
//! call. A due date must be words of the transcript. Where the model writes a date of its own, the words that it made
//! the date from are looked for, and our own code says which day they mean.

use std::collections::HashSet;

use chrono::NaiveDate;
use domain::analysis::ActionItem;
use domain::due;
use domain::transcript::{Segment, Transcript};

use crate::builtin::due_words;
use crate::schema::ActionReading;
use crate::{grounding, text};

/// How many words an action item must share with a sentence to be about what the sentence says.
const MIN_SHARED_WORDS: usize = 2;
/// Shorter words stand in every sentence.
const MIN_WORD_CHARS: usize = 4;

/// The model's items. Each keeps its owner and its due words only where the call proves them.
pub(crate) fn proven(
    items: Vec<ActionReading>,
    turns: &Transcript,
    people: &[String],
    said_on: NaiveDate,
) -> Vec<ActionItem> {
    let names = names(turns, people);
    items
        .into_iter()
        .map(|item| {
            let owner = item.owner.filter(|owner| is_on_the_call(owner, &names));
            let due = item.due.and_then(|due| spoken_due(&due, &item.text, turns, said_on));
            ActionItem { text: item.text, owner, due }
        })
        .collect()
}

/// Replaces the due words of each item by the day that they mean, where they mean one day.
pub(crate) fn set_dates(items: &mut [ActionItem], said_on: NaiveDate) {
    for item in items {
        if let Some(day) = item.due.as_deref().and_then(|words| due::resolve(words, said_on)) {
            item.due = Some(day.to_string());
        }
    }
}

fn names(turns: &Transcript, people: &[String]) -> HashSet<Vec<String>> {
    let labels = turns.segments.iter().map(Segment::label);
    let roles = turns.segments.iter().filter_map(|turn| turn.role).map(|role| role.name().to_owned());
    let all = labels.chain(roles).chain(people.iter().cloned());
    all.map(|name| text::folded(&name)).filter(|name| !name.is_empty()).collect()
}

/// Whether everybody in `owner` is on the call: "Dana", or "Dana and Priya".
fn is_on_the_call(owner: &str, names: &HashSet<Vec<String>>) -> bool {
    is_name_on_the_call(owner, names) || {
        let mut people = owner.split([',', '&', '/', ';']).flat_map(|part| part.split(" and "));
        people.all(|person| is_name_on_the_call(person, names))
    }
}

/// Whether `owner` is the name of somebody on the call, or a part of exactly one such name.
fn is_name_on_the_call(owner: &str, names: &HashSet<Vec<String>>) -> bool {
    let owner = text::folded(owner);
    let holds = |name: &&Vec<String>| owner.iter().all(|word| name.contains(word));
    !owner.is_empty() && (names.contains(&owner) || names.iter().filter(holds).count() == 1)
}

/// The words that somebody said for the time that the model claims.
fn spoken_due(claimed: &str, item: &str, turns: &Transcript, said_on: NaiveDate) -> Option<String> {
    let words = text::folded(claimed);
    if grounding::is_filler(claimed) {
        return None;
    }
    if turns.segments.iter().any(|turn| text::contains(&text::folded(&turn.text), &words)) {
        return Some(claimed.trim().to_owned());
    }
    let said: Vec<(&str, String)> = turns
        .segments
        .iter()
        .flat_map(|turn| text::sentences(&turn.text))
        .flat_map(|sentence| due_words(sentence).into_iter().map(move |due| (sentence, due)))
        .collect();
    let about = |sentence: &str| shared_words(sentence, item);
    let nearest = said.iter().max_by_key(|(sentence, _)| about(sentence));
    let nearest = nearest.filter(|(sentence, _)| about(sentence) >= MIN_SHARED_WORDS);
    let day = due::resolve(claimed, said_on);
    let of_that_day =
        || day.and_then(|day| said.iter().find(|(_, due)| due::resolve(due, said_on) == Some(day)));
    nearest.or_else(of_that_day).map(|(_, due)| due.clone())
}

fn shared_words(sentence: &str, item: &str) -> usize {
    let long = |text: &str| -> HashSet<String> {
        text::folded(text).into_iter().filter(|word| word.chars().count() >= MIN_WORD_CHARS).collect()
    };
    long(sentence).intersection(&long(item)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::transcript;

    /// 2 October 2023 was a Monday.
    fn said_on() -> NaiveDate {
        NaiveDate::from_ymd_opt(2023, 10, 2).unwrap()
    }

    fn read(text: &str, owner: Option<&str>, due: Option<&str>) -> (Option<String>, Option<String>) {
        let turns = transcript(&[
            ("Dana Ortiz", "I'll send the quote tomorrow. Marcus will be told."),
            ("Priya Rao", "We review the contract by Friday."),
            (
                "Dana Ortiz",
                "Somebody should call the plumber some day. None of us, the date is unknown, n a.",
            ),
        ]);
        let item =
            ActionReading { text: text.into(), owner: owner.map(Into::into), due: due.map(Into::into) };
        let mut items = proven(vec![item], &turns, &["Priya Rao".into()], said_on());
        set_dates(&mut items, said_on());
        let item = items.remove(0);
        (item.owner, item.due)
    }

    #[test]
    fn a_due_date_is_made_from_the_words_that_were_said_or_is_not_there() {
        for (text, claimed, kept) in [
            ("Send the quote", Some("tomorrow"), Some("2023-10-03")),
            ("Send the quote", Some("2023-10-03"), Some("2023-10-03")),
            // Here the model counted from another day.
            ("They will send the quote", Some("2024-05-17"), Some("2023-10-03")),
            ("Review the contract", Some("Friday, October 6"), Some("2023-10-06")),
            ("Call the plumber", Some("2023-12-24"), None),
            ("Call the plumber", Some("some day"), Some("some day")),
            ("Call the plumber", Some(""), None),
            ("Send the quote", None, None),
            // Words that were said, and that are no time.
            ("Call the plumber", Some("None"), None),
            ("Call the plumber", Some("unknown"), None),
            ("Call the plumber", Some("n/a"), None),
            // A day that the model made of another one, in three spellings.
            ("Send the quote", Some("October 3rd"), Some("2023-10-03")),
            ("Send the quote", Some("2023-10-03T09:00:00Z"), Some("2023-10-03")),
            ("Review the contract", Some("next Friday"), Some("2023-10-06")),
            ("Plan the party", Some("2023-11-11"), None),
        ] {
            assert_eq!(read(text, None, claimed).1.as_deref(), kept, "{text}: {claimed:?}");
        }
    }

    #[test]
    fn an_owner_is_somebody_on_the_call() {
        for (owner, kept) in [
            ("Dana Ortiz", true),
            ("Dana", true),
            ("priya rao", true),
            ("Marcus", false),
            ("The finance team", false),
            ("Dana and Priya", true),
            ("Dana Ortiz, Priya Rao", true),
            ("Dana and Marcus", false),
            ("Ortiz Rao", false),
            ("me", false),
            ("and", false),
            ("", false),
        ] {
            assert_eq!(read("Send the quote", Some(owner), None).0.is_some(), kept, "{owner}");
        }
    }
}
