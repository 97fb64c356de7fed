//! Finds variables of the environment whose names are nearly the name of one of our settings.
//!
//! All programs share the environment, so an unknown name is not a mistake by itself. A name counts as misspelt in
//! two cases. Either it differs from one of our names only in capitals and underscores, or it differs by one typing
//! mistake: a letter is missing, doubled or added, or two neighbouring letters are exchanged. A name with one other
//! letter is usually a different name (`ARM_CLIENT_ID`, `BLOG_URL`), so this mistake counts only in long names.

use std::iter::once;

use super::keys::{Key, Known};

/// A variable of the environment whose name is nearly the name of one of our settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misspelling {
    /// The name as it stands in the environment.
    pub name: String,
    /// The setting that was probably meant.
    pub meant: String,
}

impl std::fmt::Display for Misspelling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: is not a setting and has no effect; is `{}` meant?", self.name, self.meant)
    }
}

/// The shortest name that is compared, counted in letters and digits. Shorter names (`PORT`) are close to too many
/// other names.
const SHORTEST: usize = 7;
/// From this length on, two typing mistakes or one wrong letter count too.
const LONG: usize = 14;

impl Misspelling {
    /// Finds the known setting that was probably meant by `name`, which is not a setting itself.
    pub fn of(known: &Known, name: &str) -> Option<Self> {
        let squeezed = squeeze(name);
        let close = |ours: String| Some((distance(&squeezed, &squeeze(&ours))?, ours));
        let (_, meant) = known.keys().flat_map(names).filter_map(close).min_by_key(|(slips, _)| *slips)?;
        Some(Self { name: name.to_owned(), meant })
    }
}

/// The names under which a setting can be given.
fn names(key: &Key) -> impl Iterator<Item = String> {
    let in_file = key.secret.then(|| format!("{}_FILE", key.name));
    once(key.name.to_owned()).chain(in_file)
}

fn squeeze(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// How many typing mistakes lead from one of our names to the other name. `None` where the other name is too
/// different.
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
