//! Looks for what the criteria name, in the turns of our own side.

use std::collections::BTreeSet;

use super::Turn;
use super::criteria::Signal;
use crate::moves;

/// What one signal found.
pub(super) struct Found {
    pub(super) points: i64,
    pub(super) count: usize,
    pub(super) turns: Vec<i64>,
    pub(super) says: String,
    /// Whether it is good to find it.
    pub(super) is_good: bool,
    is_counted: bool,
}

impl Found {
    pub(super) fn in_words(&self) -> String {
        if self.is_counted { format!("{} × {}", self.count, self.says) } else { self.says.clone() }
    }
}

pub(super) struct Conversation<'a> {
    turns: &'a [Turn],
    material_words: BTreeSet<String>,
    material_numbers: BTreeSet<String>,
    has_material: bool,
}

impl<'a> Conversation<'a> {
    pub(super) fn of(turns: &'a [Turn], material: &str) -> Self {
        Self {
            turns,
            material_words: moves::content_words(material),
            material_numbers: moves::numbers(material),
            has_material: !material.trim().is_empty(),
        }
    }

    fn ours(&self) -> impl Iterator<Item = (usize, &Turn)> {
        self.turns
            .iter()
            .enumerate()
            .filter(|(_, turn)| turn.is_ours && !moves::leaves_the_meeting(&turn.text))
    }

    /// What the other side said right before the turn at `at`, as far as nobody of us spoke between.
    fn heard_before(&self, at: usize) -> String {
        let others: Vec<&str> = self.turns[..at]
            .iter()
            .rev()
            .take_while(|turn| !turn.is_ours)
            .map(|turn| turn.text.as_str())
            .collect();
        others.join(" ")
    }

    fn asks(&self, phrases: &[String]) -> Vec<i64> {
        let asks = |text: &str| {
            crate::sentences::sentences(text).into_iter().any(|sentence| {
                (moves::is_question(sentence) || moves::is_open_question(sentence))
                    && moves::has_phrase(sentence, phrases)
            })
        };
        self.ours().filter(|(_, turn)| asks(&turn.text)).map(|(_, turn)| turn.number).collect()
    }

    pub(super) fn look(&self, signal: &Signal) -> Found {
        match signal {
            Signal::OpenQuestions { points, most, says } => {
                counted(self.those(|_, turn| moves::is_open_question(&turn.text)), *points, *most, says)
            }
            Signal::AsksAbout { phrases, points, most, says } => {
                counted(self.asks(phrases), *points, *most, says)
            }
            Signal::TakesUp { points, most, says } => {
                let takes_up = |at: usize, turn: &Turn| moves::takes_up(&turn.text, &self.heard_before(at));
                counted(self.those(takes_up), *points, *most, says)
            }
            Signal::TalkShare { from, to, points, says } => {
                let share = self.share();
                whole(share.is_some_and(|share| (*from..=*to).contains(&share)), *points, says)
            }
            Signal::LongestTurn { words, points, says } => {
                let longest = self.ours().map(|(_, turn)| turn.text.split_whitespace().count()).max();
                whole(longest.is_some_and(|longest| longest <= *words), *points, says)
            }
            Signal::Proof { points, most, says } => {
                counted(self.those(|_, turn| moves::is_proof(&turn.text)), *points, *most, says)
            }
            Signal::FromMaterial { points, most, says } => {
                let rests = |_: usize, turn: &Turn| {
                    moves::content_words(&turn.text).intersection(&self.material_words).count() >= 3
                };
                counted(self.those(rests), *points, *most, says)
            }
            Signal::UnprovenNumbers { points, most, says } => {
                let unproven = |_: usize, turn: &Turn| {
                    self.has_material
                        && moves::numbers(&turn.text).difference(&self.material_numbers).next().is_some()
                };
                counted(self.those(unproven), *points, *most, says)
            }
            Signal::ObjectionsMet { points, most, says } => {
                counted(self.objections(true), *points, *most, says)
            }
            Signal::ObjectionsMissed { points, most, says } => {
                counted(self.objections(false), *points, *most, says)
            }
            Signal::NextStep { points, most, says } => {
                counted(self.those(|_, turn| moves::proposes_next_step(&turn.text)), *points, *most, says)
            }
            Signal::NextStepDated { points, most, says } => {
                let dated =
                    |_: usize, turn: &Turn| moves::proposes_next_step(&turn.text) && names_a_time(&turn.text);
                counted(self.those(dated), *points, *most, says)
            }
        }
    }

    fn those(&self, is_one: impl Fn(usize, &Turn) -> bool) -> Vec<i64> {
        self.ours().filter(|(at, turn)| is_one(*at, turn)).map(|(_, turn)| turn.number).collect()
    }

    /// Our share of all words.
    fn share(&self) -> Option<f64> {
        let words = |ours: bool| -> usize {
            self.turns
                .iter()
                .filter(|turn| turn.is_ours == ours)
                .map(|turn| turn.text.split_whitespace().count())
                .sum()
        };
        let (ours, theirs) = (words(true), words(false));
        #[expect(clippy::cast_precision_loss, reason = "the words of a meeting are far below 2^52")]
        let share = ours as f64 / (ours + theirs).max(1) as f64;
        (ours > 0 && theirs > 0).then_some(share)
    }

    /// Our turns that answer an objection, or those that pass over one.
    fn objections(&self, met: bool) -> Vec<i64> {
        let mut found = Vec::new();
        for (at, turn) in self.ours() {
            let heard = self.heard_before(at);
            if !moves::is_objection(&heard) {
                continue;
            }
            let text = &turn.text;
            let takes_up = moves::acknowledges(text) || moves::takes_up(text, &heard);
            let has_substance = moves::is_proof(text)
                || moves::is_open_question(text)
                || text.split_whitespace().count() >= 15;
            if (takes_up && has_substance) == met {
                found.push(turn.number);
            }
        }
        found
    }
}

fn names_a_time(text: &str) -> bool {
    const TIMES: &[&str] = &[
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "tomorrow",
        "next week",
        "next month",
        "this week",
        "in two weeks",
        "in a week",
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "by the end",
        "at nine",
        "at ten",
        "oclock",
        "on the first",
        "end of the week",
        "end of the month",
    ];
    moves::has_phrase(text, TIMES)
        || text.split_whitespace().any(|word| {
            word.len() >= 3 && word.contains(':') && word.chars().next().is_some_and(|c| c.is_ascii_digit())
        })
}

fn counted(turns: Vec<i64>, points: i64, most: i64, says: &str) -> Found {
    let count = turns.len();
    let sum = points.saturating_mul(i64::try_from(count).unwrap_or(i64::MAX));
    Found {
        points: sum.clamp(-most, most),
        count,
        turns,
        says: says.to_owned(),
        is_good: points > 0,
        is_counted: true,
    }
}

fn whole(is_so: bool, points: i64, says: &str) -> Found {
    Found {
        points: if is_so { points } else { 0 },
        count: usize::from(is_so),
        turns: Vec::new(),
        says: says.to_owned(),
        is_good: true,
        is_counted: false,
    }
}
