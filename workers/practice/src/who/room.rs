//! The people of a meeting, as the rules look at them: to whom a topic belongs, who decides, who has said least.

use super::roles::Kind;
use super::topics::{Topic, affinity};
use super::{Because, Before, Person, WhySecond};
use crate::temperament::Trait;

/// Who is in the meeting, and what it was like before.
pub(super) struct Room<'a> {
    pub(super) people: &'a [Person<'a>],
    pub(super) kinds: &'a [Vec<Kind>],
    pub(super) before: &'a Before,
}

impl Room<'_> {
    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.people.len()).collect()
    }

    pub(super) fn owner(&self, topics: &[(Topic, u32)]) -> Option<usize> {
        self.owner_among(&self.all(), topics)
    }

    /// To whom the topics belong. A weak topic that belongs to somebody comes before a strong one that is nobody's.
    pub(super) fn owner_among(&self, among: &[usize], topics: &[(Topic, u32)]) -> Option<usize> {
        topics.iter().find_map(|(topic, _)| {
            let rank = |person: &usize| {
                (
                    affinity(&self.kinds[*person], *topic),
                    self.people[*person].is_decision_maker,
                    std::cmp::Reverse(self.count(*person)),
                    std::cmp::Reverse(*person),
                )
            };
            among
                .iter()
                .copied()
                .filter(|person| affinity(&self.kinds[*person], *topic) >= 4)
                .max_by_key(rank)
        })
    }

    pub(super) fn decider(&self) -> Option<usize> {
        let ceo = |person: &usize| self.kinds[*person].contains(&Kind::Ceo);
        let deciders = self.all().into_iter().filter(|person| self.people[*person].is_decision_maker);
        deciders.max_by_key(|person| (ceo(person), std::cmp::Reverse(*person)))
    }

    pub(super) fn count(&self, person: usize) -> u32 {
        self.before.spoken.get(person).copied().unwrap_or(0)
    }

    pub(super) fn by_silence(&self) -> Vec<usize> {
        let mut all = self.all();
        let last = |person: usize| self.before.last_turn.get(person).copied().unwrap_or(0);
        all.sort_by_key(|person| {
            (self.count(*person), last(*person), !self.people[*person].is_decision_maker, *person)
        });
        all
    }

    pub(super) fn most_silent(&self) -> usize {
        self.by_silence().first().copied().unwrap_or(0)
    }

    pub(super) fn others_by_silence(&self, but: usize) -> Vec<usize> {
        self.by_silence().into_iter().filter(|person| *person != but).collect()
    }

    /// Whether somebody else says something, too. Nobody does so twice in a row.
    pub(super) fn second(
        &self,
        first: usize,
        because: &Because,
        topics: &[(Topic, u32)],
    ) -> Option<(usize, WhySecond)> {
        let (topic, _) = topics.first()?;
        let mut best: Option<(u32, usize, WhySecond)> = None;
        for person in self.all() {
            if person == first || self.before.last_spoke == Some(person) {
                continue;
            }
            let interest = affinity(&self.kinds[person], *topic);
            let traits = self.people[person].traits;
            let impatient = traits.iter().any(|one| matches!(one, Trait::Angry | Trait::Arrogant));
            let reserved =
                traits.iter().any(|one| matches!(one, Trait::ColdHearted | Trait::Soft | Trait::NotWell));
            let named = matches!(
                because,
                Because::Named(_) | Because::Misspelt(_) | Because::Role(_) | Because::GoesOn
            );
            let why = match () {
                () if impatient && interest >= 4 => WhySecond::Interrupts,
                // Who was not asked leaves the answer to whoever was.
                () if named || reserved => continue,
                () if self.people[person].is_decision_maker && interest >= 4 => WhySecond::Adds,
                () if interest >= 6 => WhySecond::Adds,
                () => continue,
            };
            if best.is_none_or(|(known, ..)| interest > known) {
                best = Some((interest, person, why));
            }
        }
        best.map(|(_, person, why)| (person, why))
    }
}
