//! Finds the variables of the environment that are nearly settings of ours.
//!
//! The environment is everybody's, so a name that nobody here knows is no mistake by itself. A name counts as
//! misspelt where it is one of ours but for its capitals and underscores, or but for one slip of the hand: a letter
//! that is missing, doubled or added, or two neighbours that changed places. Another letter in the place of one is
//! more often another name (`ARM_CLIENT_ID`, `BLOG_URL`) than a slip, so it counts only in long names.

use std::iter::once;

use super::keys::{Key, Known};

/// A variable of the environment that is nearly a setting of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misspelling {
    /// As it stands in the environment.
    pub name: String,
    /// The setting that it is close to.
    pub meant: String,
}

impl std::fmt::Display for Misspelling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: is not a setting and has no effect; is `{}` meant?", self.name, self.meant)
    }
}

/// Shorter names (`PORT`) are close to too many others. Counted in letters and digits.
const SHORTEST: usize = 7;
/// From here on two slips, or another letter in the place of one, count too.
const LONG: usize = 14;

impl Misspelling {
    /// `name`, which is no setting, with the setting of the `known` ones that it is close to.
    pub fn of(known: &Known, name: &str) -> Option<Self> {
        let squeezed = squeeze(name);
        let close = |ours: String| Some((distance(&squeezed, &squeeze(&ours))?, ours));
        let (_, meant) = known.keys().flat_map(names).filter_map(close).min_by_key(|(slips, _)| *slips)?;
        Some(Self { name: name.to_owned(), meant })
    }
}

/// The names by which a setting can be given.
fn names(key: &Key) -> impl Iterator<Item = String> {
    let in_file = key.secret.then(|| format!("{}_FILE", key.name));
    once(key.name.to_owned()).chain(in_file)
}

fn squeeze(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// How many slips lead from one of our names to the other; absent where it is another name altogether.
fn distance(name: &str, ours: &str) -> Option<usize> {
    if ours.len() < SHORTEST || name.chars().next() != ours.chars().next() {
        return None;
    }
    let slips = strsim::osa_distance(name, ours);
    let is_close = match slips {
        0 => true,
        1 => name.len() != ours.len() || same_letters(name, ours) || ours.len() >= LONG,
        2 => ours.len() >= LONG,
        _ => false,
    };
    is_close.then_some(slips)
}

fn same_letters(one: &str, other: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    sorted(one) == sorted(other)
}
