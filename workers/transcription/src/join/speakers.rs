//! Which voice of a piece is which voice of the pieces before it.

use std::collections::{HashMap, HashSet};

use super::Part;
use super::timing::{Place, SegmentAt};

/// The labels of the whole transcript, for each part and its own labels.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    names: HashMap<(usize, String), String>,
    taken: HashSet<String>,
    has_strangers: bool,
}

impl Speakers {
    /// Takes the labels of the part number `at`. `pairs` are the words that it shares with the parts before it.
    pub(super) fn take(&mut self, parts: &[Part], at: usize, pairs: &[(Place, Place)]) {
        let label = |of: SegmentAt| parts[of.part].transcript.segments[of.segment].speaker.clone();
        let mut votes: HashMap<(String, String), usize> = HashMap::new();
        for (first, second) in pairs {
            if let (Some(known), Some(own)) = (label(first.segment), label(second.segment)) {
                *votes.entry((own, self.name(first.segment.part, &known))).or_default() += 1;
            }
        }
        let mut votes: Vec<_> = votes.into_iter().collect();
        votes.sort_by(|(one, first), (other, second)| second.cmp(first).then_with(|| one.cmp(other)));
        let mut given: HashSet<String> = HashSet::new();
        for ((own, known), _) in votes {
            if !self.names.contains_key(&(at, own.clone())) && given.insert(known.clone()) {
                self.names.insert((at, own), known);
            }
        }
        for own in parts[at].transcript.segments.iter().filter_map(|segment| segment.speaker.as_deref()) {
            if !self.names.contains_key(&(at, own.to_owned())) {
                let name = self.new_name(at, own);
                self.names.insert((at, own.to_owned()), name);
            }
        }
        self.taken
            .extend(self.names.iter().filter(|((part, _), _)| *part == at).map(|(_, name)| name.clone()));
    }

    /// A name for a voice that was not heard before. A person's name is one in every piece.
    fn new_name(&mut self, at: usize, own: &str) -> String {
        let is_label = own.len() <= 2 && own.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        let is_free = |name: &str| {
            !self.taken.contains(name)
                && !self.names.iter().any(|((part, _), given)| *part == at && given == name)
        };
        if at == 0 || !is_label {
            return own.to_owned();
        }
        self.has_strangers = true;
        let letters = (0..26_u8).map(|nth| char::from(b'A' + nth).to_string());
        let doubled = (0..26_u8).map(|nth| char::from(b'A' + nth).to_string().repeat(2));
        letters.chain(doubled).find(|name| is_free(name)).unwrap_or_else(|| own.to_owned())
    }

    /// The label that a voice of a part has in the whole transcript.
    pub(super) fn name(&self, part: usize, own: &str) -> String {
        self.names.get(&(part, own.to_owned())).cloned().unwrap_or_else(|| own.to_owned())
    }

    /// Whether a voice of a later piece was not found in those before.
    pub(super) fn are_doubtful(&self) -> bool {
        self.has_strangers
    }
}
